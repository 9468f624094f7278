"""``twistdp explain``: report for each candidate which rule took it, or which test dropped it."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from twistdp.cli import looking as looks_at
from twistdp.cli.looking import Look, counted, looking, problems
from twistdp.cli.once import with_refused
from twistdp.errors import BadSetting
from twistdp.model import printable
from twistdp.scanners.declared import of_device
from twistdp.select import (
    Device,
    Host,
    Outcome,
    Step,
    Verdict,
    default_id,
    describe,
    stable_path,
)

_MOST = 10
"""Candidates that a rule did not select and that people are shown without ``--all``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "path", nargs="?", metavar="PATH",
        help="one device: its node, a link to it, or its directory in /sys",
    )  # fmt: skip
    looks_at.add_arguments(parser)
    parser.add_argument("--all", action="store_true", help="show all candidates, not only some")


def run(arguments: argparse.Namespace) -> int:
    """Print it; 1 if there is nothing to explain, or the configuration cannot be used."""
    try:
        if not (arguments.config or arguments.catalog or arguments.scanner or arguments.path):
            raise BadSetting(
                "name a --config=FILE, --catalog=NAME, a --scanner=module:Class or a device's PATH"
            )
        with looking(arguments) as (host, looks):
            if arguments.path is not None:
                found = _of_path(arguments.path, host, looks)
            else:
                found = {"resources": [each for look in looks for each in _of_look(look)]}
    except BadSetting as error:
        for line in problems(error):
            print(f"twistdp explain: {printable(line)}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(map(printable, _lines(found, arguments.all))))
    return 0


def _of_look(look: Look) -> Iterator[dict[str, Any]]:
    for each in look.explanations:
        yield {
            "resource": look.full_name(each.resource),
            "notOnThisNode": each.absent,
            "candidates": [_step(step) for step in with_refused(each, look.refused).steps],
            "notes": look.notes(each.resource),
            "messages": list(look.messages),
        }


def _step(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {
        "what": step.what,
        "verdict": step.verdict.value,
        "reason": step.reason,
        "ids": list(step.ids),
    }
    if step.device is not None:
        found["syspath"] = step.device.syspath
    if step.cause is not None:
        found["cause"] = step.cause.value
    if step.tests:
        found["tests"] = [_test(test) for test in step.tests]
    return found


def _test(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {"ok": outcome.ok, "reason": outcome.reason}
    if outcome.parts:
        found["parts"] = [_test(part) for part in outcome.parts]
    return found


def _of_path(path: str, host: Host, looks: Sequence[Look]) -> dict[str, Any]:
    if path.startswith("/sys/"):
        device = host.device(path.removeprefix("/sys")) or host.linked(path.removeprefix("/sys"))
    else:
        device = host.of_node(path) or host.bare(path)
    rules = [rule for look in looks for rule in _rules(path, device, look)]
    if device is not None:
        return {"device": _described(device), "rules": rules}
    if any(rule["candidates"] for rule in rules):
        return {"rules": rules}
    if os.path.isdir(f"{host.prefix}{path}"):
        raise BadSetting(f"{path} is a directory and no device's; name a node in it")
    raise BadSetting(f"{path}: there is no such device on this host")


def _rules(path: str, device: Device | None, look: Look) -> Iterator[dict[str, Any]]:
    """What each rule of a look made of one device; the rules of a scanner are its resources."""
    if look.survey is None:
        for each in look.explanations:
            known = with_refused(each, look.refused).steps
            found = [_step(step) for step in known if _is_about(step, path, device)]
            yield {"resource": look.full_name(each.resource), "candidates": found}
    elif device is not None:
        for rule, steps in of_device(look.survey, device):
            found = [_step(step) for step in steps]
            yield {"resource": look.full_name(rule.name), "candidates": found}


def _is_about(step: Step, path: str, device: Device | None) -> bool:
    if step.device is not None and device is not None:
        return step.device.identity == device.identity
    links = device.host.all_links_to(device.node) if device is not None and device.node else ()
    return step.what in (path, device and device.node, *links)


def _described(device: Device) -> dict[str, Any]:
    return {
        "syspath": device.syspath,
        "node": device.node,
        "links": list(device.host.all_links_to(device.node)) if device.node else [],
        "hostPath": stable_path(device),
        "id": default_id(device),
        "attributes": dict(describe(device)),
    }


def _lines(found: dict[str, Any], all_of_them: bool) -> Iterator[str]:
    if "device" in found:
        yield from _device_lines(found["device"])
    for rule in found.get("rules", ()):
        lines = [_told(each) for each in rule["candidates"]]
        yield from _tree(rule["resource"], lines or ["not looked at"])
    for resource in found.get("resources", ()):
        yield from _tree(*_resource(resource, all_of_them))


def _device_lines(device: dict[str, Any]) -> Iterator[str]:
    lines = [f"id {device['id']}"]
    if device["hostPath"]:
        lines.append(f"host path {device['hostPath']}")
    lines += [f"link {link}" for link in device["links"]]
    lines += [f"{name} = {value}" for name, value in device["attributes"].items()]
    yield from _tree(device["node"] or device["syspath"], lines)


def _resource(resource: dict[str, Any], all_of_them: bool) -> tuple[str, list[str]]:
    steps = resource["candidates"]
    chosen = [each for each in steps if each["verdict"] != Verdict.NOT_SELECTED.value]
    others = [each for each in steps if each["verdict"] == Verdict.NOT_SELECTED.value]
    devices = {tuple(each["ids"]) for each in steps if each["ids"]}
    title = f"{resource['resource']}: {counted([len(ids) for ids in devices])}"
    if resource["notOnThisNode"]:
        title = f"{resource['resource']}: not on this node: {resource['notOnThisNode']}"
    lines = [_told(each) for each in chosen]
    shown = others if all_of_them else others[:_MOST]
    lines += [_told(each) for each in shown]
    if len(shown) < len(others):
        lines.append(f"{len(others) - len(shown)} more were not selected (--all shows them)")
    lines += [f"note: {note}" for note in resource.get("notes", ())]
    lines += [f"log: {message}" for message in resource.get("messages", ())]
    return title, lines


def _told(step: dict[str, Any]) -> str:
    if step["verdict"] == Verdict.LISTED.value:
        return f"{step['what']}: {step['reason']}"
    cause = f", {step['cause']}" if step.get("cause") not in (None, step["verdict"]) else ""
    return f"{step['what']}: {step['verdict']}{cause}: {step['reason']}"


def _tree(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield title
    for number, line in enumerate(lines, 1):
        yield f"{'└─' if number == len(lines) else '├─'} {line}"
