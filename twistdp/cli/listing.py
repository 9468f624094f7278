"""Shows people what ``twistdp scan`` found: as plain lines, or as tables on a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from twistdp.cli.looking import counted
from twistdp.model import HEALTHY
from twistdp.select import Cause

if TYPE_CHECKING:
    from rich.console import Console


def lines(resource: dict[str, Any]) -> Iterator[str]:
    """The lines about a resource, which is as in JSON."""
    yield _title(resource)
    for device, count in _together(resource["devices"]):
        numa = _numa(device)
        yield f"  {_name(device, count)}  {_health(device)}{f'  NUMA {numa}' if numa else ''}"
        for line in _given(device):
            yield f"    {line}"
    for _, line in _left_out(resource["leftOut"]):
        yield f"  {line}"
    for message in resource["messages"]:
        yield f"  note: {message}"


def draw(terminal: "Console", resource: dict[str, Any]) -> None:
    """Print a table of a resource's devices, what is left out, and an empty line."""
    from rich.padding import Padding

    from twistdp.cli.drawing import table, text

    terminal.print(text(_title(resource), style="bold"))
    if resource["devices"]:
        rows = (
            (
                text(_name(device, count)),
                text(_health(device), style="green" if device["health"] == HEALTHY else "red"),
                text(_numa(device)),
                text(*_given(device)),
            )
            for device, count in _together(resource["devices"])
        )
        terminal.print(table(("device", "health", "NUMA", "a container gets"), rows))
    for cause, line in _left_out(resource["leftOut"]):
        style = "red" if cause == Cause.FAULT.value else "dim"
        terminal.print(Padding(text(line, style=style), (0, 0, 0, 2)))
    for message in resource["messages"]:
        terminal.print(Padding(text(f"note: {message}", style="yellow"), (0, 0, 0, 2)))
    terminal.print()


def _title(resource: dict[str, Any]) -> str:
    if resource["notOnThisNode"]:
        return f"{resource['resource']}: not on this node: {resource['notOnThisNode']}"
    # Replicas of one device count together.
    sizes = Counter(device["replicaOf"] for device in resource["devices"])
    return f"{resource['resource']}: {counted(list(sizes.values()))}"


def _together(devices: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """The devices, of those that differ in nothing but their ids the first, and how many."""
    alike = groupby(devices, lambda device: {**device, "id": "", "replicaOf": ""})
    for group in (list(found) for _, found in alike):
        yield group[0], len(group)


def _name(device: dict[str, Any], count: int) -> str:
    return f"{device['id']} and {count - 1} more like it" if count > 1 else str(device["id"])


def _health(device: dict[str, Any]) -> str:
    return f"{device['health']} ({device['reason']})" if device["reason"] else device["health"]


def _numa(device: dict[str, Any]) -> str:
    return ", ".join(map(str, device["numa"]))


def _given(device: dict[str, Any]) -> Iterator[str]:
    """What a container gets of a device."""
    for node in device["nodes"]:
        yield _node(node)
    for mount in device["mounts"]:
        read_only = "  read-only" if mount["readOnly"] else ""
        yield f"mount {mount['hostPath']} as {mount['containerPath']}{read_only}"
    for name, value in device["env"].items():
        yield f"env {name}={value}"
    for name, value in device["annotations"].items():
        yield f"annotation {name}={value}"
    if device["cdi"]:
        yield "changes by CDI"


def _group(node: dict[str, Any]) -> str:
    """The group by its name and number: people know the one, and a pod needs the other."""
    name, number = str(node["group"]), node["gid"]
    return name if number in (None, 0) or name == str(number) else f"{name}({number})"


def _node(node: dict[str, Any]) -> str:
    where = node["hostPath"]
    if node["node"] not in (None, node["hostPath"]):
        where += f" -> {node['node']}"
    if node["containerPath"] != node["hostPath"]:
        where += f" as {node['containerPath']}"
    who = f"  {node['owner']}:{_group(node)} {node['mode']}" if node["mode"] else ""
    return f"{where} {node['permissions']}{who}"


def _left_out(refused: Sequence[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """A cause, and a line about everything that is left out for one reason of that kind."""
    alike: dict[tuple[str, str, bool], list[str]] = {}
    for each in refused:
        reason = each["reason"].removeprefix(f"{each['what']} ")
        begins = reason != each["reason"]  # with what it is about, as many reasons do
        alike.setdefault((each["cause"], reason, begins), []).append(each["what"])
    for (cause, reason, begins), (first, *others) in alike.items():
        more = f" and {len(others)} more" if others else ""
        text = f"{first} {reason}{more and ','}{more}" if begins else f"{first}{more}: {reason}"
        yield cause, f"left out, {cause}: {text}"
