"""``twistdp status``: show what the plugins on this node have, what is wrong, and who has it."""

import json
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import attrs
import click

from twistdp.cli.asking import (
    IMPATIENCE,
    PATIENCE,
    Denied,
    Ended,
    NoAnswer,
    NotOurs,
    sockets,
    state_of,
)
from twistdp.cli.completing import files
from twistdp.cli.overview import drawn, lines, problems
from twistdp.cli.terminal import Busy, console
from twistdp.cli.watching import News
from twistdp.model import printable
from twistdp.settings import RUN_DIRECTORY

if TYPE_CHECKING:
    from rich.console import RenderableType

FINE, ILL, NOBODY = 0, 1, 3
"""Exit statuses; that nobody answers is 3, as for ``systemctl status``."""

NOBODY_YET: Final = f"no plugin has a socket in {RUN_DIRECTORY} yet"

SHARE: Final = 10
"""The plugins are asked again after at least so many times as long as their last answers took."""


@attrs.frozen
class Plugin:
    """A socket with the state of the plugin that listens there, or with why there is none."""

    socket: str
    state: dict[str, Any] | None = None
    error: str = ""
    ended: bool = False
    """Whether nobody listens there any more."""
    denied: bool = False
    """Whether this user may not ask."""
    seconds: float = 0.0
    """Seconds that the plugin took to answer."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        rest = {"error": self.error} if self.state is None else {"state": self.state}
        return {"socket": self.socket, **rest}


@click.command(
    epilog="Exit status: 0 if all is well, 1 if something is not, 3 if no plugin answers."
)
@click.option(
    "paths",
    "--socket",
    multiple=True,
    metavar="PATH",
    help=f"The --status-socket of a plugin; may be repeated. Without it, all in {RUN_DIRECTORY}.",
    shell_complete=files,
)
@click.option("--watch", is_flag=True, help="Show it again whenever something changes.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON, with --watch a line a time.")
@click.option("everything", "--all", is_flag=True, help="Cut no list.")
def command(paths: tuple[str, ...], watch: bool, as_json: bool, everything: bool) -> int:
    """Show what plugins on this node have, what is wrong and why, and which pods hold devices."""
    if watch:
        _watch(paths, as_json, everything)
    with Busy("asking the plugins"):
        plugins = _ask(paths or sockets(), bool(paths))
    if as_json:
        print(json.dumps(_plain(plugins), indent=2))
    elif not paths and all(each.denied for each in plugins):
        _explain_silence(bool(plugins))
    elif (people := console()) is not None:
        for each in _renderables(plugins, everything):
            people.print(each)
    else:
        for line in _lines(plugins, everything):
            print(printable(line))
    return _status(plugins)


def _ask(found: Sequence[str], named: bool, silent: Collection[str] = ()) -> list[Plugin]:
    """Ask on these sockets at the same time; plugins that were `silent` before have less time.

    A left-over socket counts as a plugin only if the user has `named` it.
    """
    plugins: dict[str, Plugin] = {}

    def ask(path: str) -> None:
        plugins[path] = _asked(path, IMPATIENCE if path in silent else PATIENCE)

    threads = [threading.Thread(target=ask, args=[path], daemon=True) for path in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for path in found if (each := plugins[path]).state or named or not each.ended]


def _asked(path: str, patience: float) -> Plugin:
    begun = time.monotonic()
    try:
        state = state_of(path, patience)
        seconds = time.monotonic() - begun
        try:
            for _ in lines(state):
                pass
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise NotOurs from error
        return Plugin(path, state, seconds=seconds)
    except NoAnswer as error:
        ended, denied = isinstance(error, Ended), isinstance(error, Denied)
        return Plugin(path, error=str(error), ended=ended, denied=denied)


def _plain(plugins: Sequence[Plugin]) -> dict[str, Any]:
    return {"plugins": [each.plain() for each in plugins]}


def _status(plugins: Sequence[Plugin]) -> int:
    states = [each.state for each in plugins if each.state is not None]
    if not states:
        return NOBODY
    silent = len(states) < len(plugins)
    return ILL if silent or any(any(problems(state)) for state in states) else FINE


def _lines(plugins: Sequence[Plugin], everything: bool) -> Iterator[str]:
    for number, each in enumerate(plugins):
        if number:
            yield ""
        if each.state is None:
            yield f"{each.socket}: {each.error}"
        else:
            yield from lines(each.state, everything)


def _renderables(plugins: Sequence[Plugin], everything: bool) -> "Iterator[RenderableType]":
    from twistdp.cli.drawing import text

    for each in plugins:
        if each.state is None:
            yield text(f"{each.socket}: {each.error}", style="red")
        else:
            yield from drawn(each.state, everything)
        yield text("")


def _explain_silence(denied: bool) -> None:
    if denied:
        text = f"only root may ask the plugins in {RUN_DIRECTORY}; run this as root"
    else:
        text = (
            f"no plugin answers on a socket in {RUN_DIRECTORY}; start one as root with 'twistd "
            "deviceplugin', or name its --status-socket with --socket=PATH; ask a plugin in a "
            "pod there: kubectl exec POD -- twistdp status"
        )
    print(f"twistdp status: {text}", file=sys.stderr)


def _watch(paths: Sequence[str], as_json: bool, everything: bool) -> NoReturn:
    news = News(paths)
    with _screen(as_json, everything) as show:
        plugins: list[Plugin] = []
        shown: Any = None
        while True:
            silent = [each.socket for each in plugins if each.state is None]
            plugins = _ask(news.look(), bool(paths), silent)
            if shown != (shown := _timeless(plugins)):
                show(plugins)
            news.wait(SHARE * max((each.seconds for each in plugins), default=0.0))


def _timeless(plugins: Sequence[Plugin]) -> Any:
    """The answers without the times, which differ in each answer."""
    return [(each.socket, each.error, {**(each.state or {}), "time": None}) for each in plugins]


@contextmanager
def _screen(as_json: bool, everything: bool) -> Iterator[Callable[[Sequence[Plugin]], None]]:
    """What shows the plugins: in place of the last ones on a terminal, and below them elsewhere."""
    if as_json:
        yield lambda plugins: print(json.dumps(_plain(plugins)), flush=True)
    elif (people := console()) is not None:
        from rich.console import Group
        from rich.live import Live

        with Live(console=people, auto_refresh=False) as live:
            yield lambda plugins: live.update(
                Group(*_renderables(plugins, everything) if plugins else [NOBODY_YET]), refresh=True
            )
    else:
        yield lambda plugins: print(
            "\n".join(map(printable, _lines(plugins, everything))) or NOBODY_YET,
            end="\n\n",
            flush=True,
        )
