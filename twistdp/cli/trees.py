"""Shows people what ``twistdp explain`` found, as trees."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from twistdp.cli.looking import counted
from twistdp.select import Cause, Verdict

if TYPE_CHECKING:
    from rich.console import Console

_MOST: Final = 10
"""Candidates that a rule did not select and that people are shown without ``--all``."""

_Branch = tuple[str, str]
"""A line, and rich's style for it."""


def lines(found: dict[str, Any], all_of_them: bool) -> Iterator[str]:
    """The trees as plain lines; `found` is as in JSON."""
    for title, branches in _trees(found, all_of_them):
        yield title
        for number, (line, _) in enumerate(branches, 1):
            yield f"{'└─' if number == len(branches) else '├─'} {line}"


def draw(terminal: "Console", found: dict[str, Any], all_of_them: bool) -> None:
    """Print the trees on a terminal."""
    from twistdp.cli.drawing import text, tree

    for title, branches in _trees(found, all_of_them):
        drawn = (text(line, style=style) for line, style in branches)
        terminal.print(tree(text(title, style="bold"), drawn))


def _trees(found: dict[str, Any], all_of_them: bool) -> Iterator[tuple[str, Sequence[_Branch]]]:
    if "device" in found:
        yield _device(found["device"])
    for rule in found.get("rules", ()):
        branches = [_told(each) for each in rule["candidates"]]
        yield rule["resource"], branches or [("not looked at", "dim")]
    for resource in found.get("resources", ()):
        yield _resource(resource, all_of_them)


def _device(device: dict[str, Any]) -> tuple[str, Sequence[_Branch]]:
    texts = [f"id {device['id']}"]
    if device["hostPath"]:
        texts.append(f"host path {device['hostPath']}")
    texts += [f"link {link}" for link in device["links"]]
    texts += [f"{name} = {value}" for name, value in device["attributes"].items()]
    return device["node"] or device["syspath"], [(each, "") for each in texts]


def _resource(resource: dict[str, Any], all_of_them: bool) -> tuple[str, Sequence[_Branch]]:
    steps = resource["candidates"]
    chosen = [each for each in steps if each["verdict"] != Verdict.NOT_SELECTED.value]
    others = [each for each in steps if each["verdict"] == Verdict.NOT_SELECTED.value]
    devices = {tuple(each["ids"]) for each in steps if each["ids"]}
    title = f"{resource['resource']}: {counted([len(ids) for ids in devices])}"
    if resource["notOnThisNode"]:
        title = f"{resource['resource']}: not on this node: {resource['notOnThisNode']}"
    shown = others if all_of_them else others[:_MOST]
    branches = [_told(each) for each in (*chosen, *shown)]
    if len(shown) < len(others):
        hidden = len(others) - len(shown)
        branches.append((f"{hidden} more were not selected (--all shows them)", "dim"))
    branches += [(f"note: {note}", "yellow") for note in resource.get("notes", ())]
    branches += [(f"log: {message}", "yellow") for message in resource.get("messages", ())]
    return title, branches


def _told(step: dict[str, Any]) -> _Branch:
    if step["verdict"] == Verdict.LISTED.value:
        return f"{step['what']}: {step['reason']}", "green"
    cause = f", {step['cause']}" if step.get("cause") not in (None, step["verdict"]) else ""
    style = "red" if step.get("cause") == Cause.FAULT.value else "dim"
    return f"{step['what']}: {step['verdict']}{cause}: {step['reason']}", style
