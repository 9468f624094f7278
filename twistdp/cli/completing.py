"""What a shell offers for the words of a command line, beside commands, options and choices."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell offer files."""
    return [CompletionItem(incomplete, type="file")]


def directories(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell offer directories."""
    return [CompletionItem(incomplete, type="dir")]


def entries(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the entries of the catalogue, also after those that a comma ends."""
    from twistdp.catalog import Shelf

    before = incomplete[: incomplete.rfind(",") + 1]
    return starting(incomplete, (f"{before}{entry}" for entry in Shelf().entries))


def starting(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    """Those of some words that continue one."""
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
