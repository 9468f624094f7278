"""``twistdp explain``: report for each candidate which rule took it, or which test dropped it."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from twistdp.cli.completing import files
from twistdp.cli.looking import Look, Where, looking, problems, where_to_look
from twistdp.cli.once import with_refused
from twistdp.cli.terminal import Busy, console
from twistdp.cli.trees import draw, lines
from twistdp.errors import BadSetting
from twistdp.model import printable
from twistdp.scanners.declared import of_device
from twistdp.select import Device, Host, Step, device_at, plain_device, plain_step


@click.command
@click.argument(
    "path",
    required=False,
    metavar="[PATH]",
    help="One device: its node, a link to it, or its directory in /sys.",
    shell_complete=files,
)
@where_to_look
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@click.option("all_of_them", "--all", is_flag=True, help="Show all candidates, not only some.")
def command(path: str | None, as_json: bool, all_of_them: bool, **options: Any) -> int:
    """Report why a device is listed, or which test leaves it out."""
    where = Where(**options)
    try:
        if not (where or path):
            raise BadSetting(
                "name a --config=FILE, --catalog=NAME, a --scanner=module:Class or a device's PATH"
            )
        with Busy("looking at the devices"), looking(where) as (host, looks):
            if path is not None:
                found = _of_path(path, host, looks)
            else:
                found = {"resources": [each for look in looks for each in _of_look(look)]}
    except BadSetting as error:
        for line in problems(error):
            print(f"twistdp explain: {printable(line)}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(found, indent=2))
    elif (people := console()) is not None:
        draw(people, found, all_of_them)
    else:
        print("\n".join(map(printable, lines(found, all_of_them))))
    return 0


def _of_look(look: Look) -> Iterator[dict[str, Any]]:
    for each in look.explanations:
        yield {
            "resource": look.full_name(each.resource),
            "notOnThisNode": each.absent,
            "candidates": [plain_step(step) for step in with_refused(each, look.refused).steps],
            "notes": look.notes(each.resource),
            "messages": list(look.messages),
        }


def _of_path(path: str, host: Host, looks: Sequence[Look]) -> dict[str, Any]:
    device = device_at(host, path)
    rules = [rule for look in looks for rule in _rules(path, device, look)]
    if device is not None:
        return {"device": plain_device(device), "rules": rules}
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
            found = [plain_step(step) for step in known if _is_about(step, path, device)]
            yield {"resource": look.full_name(each.resource), "candidates": found}
    elif device is not None:
        for rule, steps in of_device(look.survey, device):
            found = [plain_step(step) for step in steps]
            yield {"resource": look.full_name(rule.name), "candidates": found}


def _is_about(step: Step, path: str, device: Device | None) -> bool:
    if step.device is not None and device is not None:
        return step.device.identity == device.identity
    links = device.host.all_links_to(device.node) if device is not None and device.node else ()
    return step.what in (path, device and device.node, *links)
