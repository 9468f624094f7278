"""Shows people the state of a running plugin: as plain lines, or as tables on a terminal."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from twistdp.model import HEALTHY, named

if TYPE_CHECKING:
    from rich.console import RenderableType

SOME: Final = 20
"""Lines of one kind that are shown, unless all are asked for."""

_COLUMNS: Final = ("resource", "session", "since", "capacity", "allocatable", "held")
_DAY: Final = 86_400


def problems(state: dict[str, Any]) -> Iterator[str]:
    """The problems of a plugin, a line for each."""
    for file in state["configurations"]:
        for problem in file["problems"]:
            yield f"{file['file']} is refused, and the previous one stays in force: {problem}"
    for scanner in state["scanners"]:
        if scanner["failing"] is not None:
            yield f"{scanner['name']}: its scans fail: {scanner['failing']}"
        if scanner["hung"]:
            yield f"{scanner['name']}: its scan hangs"
        elif not (scanner["scanned"] or scanner["failing"]):
            yield f"{scanner['name']}: no scan has ended yet"
    for resource in state["resources"]:
        if problem := resource["session"]["problem"]:
            yield f"{resource['name']}: {problem}"
        if resource["notListed"]:
            some = resource["notListed"]
            lacking = "1 device has" if some == 1 else f"{some} devices have"
            yield f"{resource['name']}: {lacking} no room in the list"
        for device in resource["devices"]:
            if device["health"] != HEALTHY:
                yield f"{resource['name']} {device['id']}: {_illness(device)}"


def lines(state: dict[str, Any], everything: bool = False) -> Iterator[str]:
    """The lines about a plugin; lists are cut unless `everything` is to be shown."""
    yield _title(state)
    rows = [_COLUMNS, *(_row(state, resource) for resource in state["resources"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if state["resources"] else ():
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells).rstrip()}"
    for line in _cut(list(problems(state)), everything):
        yield f"  problem: {line}"
    held = [f"{name} {id_}: {holder}" for name, id_, holder in _holders(state)]
    for line in _cut(held, everything):
        yield f"  held: {line}"
    for line in _cut(list(_rest_of_devices(state, everything)), everything):
        yield f"  {line}"
    for line in _notes(state):
        yield f"  note: {line}"


def drawn(state: dict[str, Any], everything: bool = False) -> "Iterator[RenderableType]":
    """The same for a terminal."""
    from rich.padding import Padding

    from twistdp.cli.drawing import table, text

    yield text(_title(state), style="bold")
    if state["resources"]:
        rows = []
        for resource in state["resources"]:
            name, standing, since, *numbers = _row(state, resource)
            style = "red" if resource["session"]["problem"] else "green"
            ill = "red" if resource["allocatable"] < resource["capacity"] else ""
            capacity, allocatable, held = map(text, numbers)
            allocatable.stylize(ill)
            session = text(standing, style=style)
            rows.append((text(name), session, text(since), capacity, allocatable, held))
        yield table(_COLUMNS, rows)
    for line in _cut(list(problems(state)), everything):
        yield Padding(text(f"problem: {line}", style="red"), (0, 0, 0, 2))
    if holders := list(_holders(state)):
        shown = holders if everything else holders[:SOME]
        yield table(("device", "of", "held by"), ([text(i), text(n), text(h)] for n, i, h in shown))
        if rest := _rest(len(holders) - len(shown)):
            yield text(rest)
    for line in _cut(list(_rest_of_devices(state, everything)), everything):
        yield Padding(text(line), (0, 0, 0, 2))
    for line in _notes(state):
        yield Padding(text(f"note: {line}", style="yellow"), (0, 0, 0, 2))


def _title(state: dict[str, Any]) -> str:
    scanners = ", ".join(
        dict.fromkeys(f"{each['namespace']} by {each['name']}" for each in state["scanners"])
    )
    since = _when(state, state["startTime"])
    return f"twistdp {state['version']} on {state['node']}, up since {since}: {scanners}"


def _row(state: dict[str, Any], resource: dict[str, Any]) -> Sequence[str]:
    session = resource["session"]
    return (
        resource["name"],
        session["standing"],
        "" if session["since"] is None else _when(state, session["since"]),
        str(resource["capacity"]),
        str(resource["allocatable"]),
        "?" if resource["held"] is None else str(resource["held"]),
    )


def _illness(device: dict[str, Any]) -> str:
    reason = f" ({device['reason']})" if device["reason"] else ""
    holder = device["holder"]
    used = f", and in use by {_holder(holder)}" if holder is not None else ""
    return f"{device['health']}{reason}{used}"


def _holders(state: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for resource in state["resources"]:
        for device in resource["devices"]:
            if device["holder"] is not None:
                yield resource["name"], device["id"], _holder(device["holder"])


def _rest_of_devices(state: dict[str, Any], everything: bool) -> Iterator[str]:
    """The healthy devices that nobody is known to have, a line for each resource."""
    for resource in state["resources"]:
        ids = [
            device["id"]
            for device in resource["devices"]
            if device["health"] == HEALTHY and device["listed"] and device["holder"] is None
        ]
        if ids:
            most = len(ids) if everything else SOME
            what = "healthy" if resource["held"] is None else "free"
            yield f"{what}: {resource['name']} {named(ids, most=most)}"


def _holder(holder: dict[str, str]) -> str:
    return f"{holder['namespace']}/{holder['pod']} {holder['container']}"


def _notes(state: dict[str, Any]) -> Iterator[str]:
    for resource in state["resources"]:
        session = resource["session"]
        if session["standing"] == "standing by":
            yield f"{resource['name']}: {session['standing']}: {session['reason']}"
    if not state["podResources"]["available"]:
        reason = state["podResources"]["reason"] or "it has not answered yet"
        yield f"the kubelet does not say who holds devices: {reason}"
    if not state["resources"]:
        yield "there are no resources; twistdp scan shows what is left out, and why"


def _cut(found: Sequence[str], everything: bool) -> Iterator[str]:
    yield from islice(found, None if everything else SOME)
    if not everything and (rest := _rest(len(found) - SOME)):
        yield rest


def _rest(count: int) -> str:
    return f"{count} more; --all shows them" if count > 0 else ""


def _when(state: dict[str, Any], moment: float) -> str:
    """A time, in this host's zone; the day only if it is not within the last one."""
    known = time.localtime(moment)
    recent = 0 <= state["time"] - moment < _DAY
    return time.strftime("%H:%M:%S" if recent else "%Y-%m-%d %H:%M:%S", known)
