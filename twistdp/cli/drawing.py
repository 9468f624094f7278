"""Draws tables, trees and progress with rich, for people at a terminal.

Texts from outside are no markup, and have escapes for what disturbs a terminal.  Import this module
only where something is drawn: rich takes a while.
"""

import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from twistdp.model import printable


class Terminal(Console):
    """A console that interprets no text, and never hides the cursor.

    A command that a signal kills could not show the cursor again.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(file=stream, markup=False, emoji=False, highlight=False)

    def show_cursor(self, show: bool = True) -> bool:
        """Leave the cursor as it is."""
        return False


def text(*lines: str, style: str = "") -> Text:
    """Return lines as they are; a line that is too long continues in the next one."""
    return Text("\n".join(map(printable, lines)), style, overflow="fold")


def table(columns: Sequence[str], rows: Iterable[Sequence[Text]]) -> Table:
    """Return a table in which nothing is cut off."""
    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def columns(widths: Sequence[int], cells: Sequence[Text]) -> Table:
    """Return one row; its last cell has no width of its own, and its lines stay in its column."""
    drawn = Table.grid()
    for width in widths:
        drawn.add_column(width=width)
    drawn.add_column(overflow="fold")
    drawn.add_row(*cells)
    return drawn


def tree(title: Text, branches: Iterable[Text]) -> Tree:
    """Return a tree of one level."""
    drawn = Tree(title, highlight=False)
    for branch in branches:
        drawn.add(branch)
    return drawn


def progress(terminal: Console, what: str, total: int | None, done: int, begun: float) -> Progress:
    """Return a line, not yet shown, about what began at `begun` of the monotonic clock.

    It leaves nothing on the terminal, and what others print alone.
    """
    title = TextColumn("{task.description}", markup=False)
    columns: list[ProgressColumn] = [SpinnerColumn(), title]
    if total is not None:
        columns += [BarColumn(), MofNCompleteColumn()]
    shown = Progress(
        *columns,
        TimeElapsedColumn(),
        console=terminal,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        get_time=time.monotonic,
    )
    shown.add_task(what, total=total, completed=done)
    shown.tasks[0].start_time = begun
    return shown
