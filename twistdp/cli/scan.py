"""``twistdp scan``: print what a plugin would advertise on this host, and what it leaves out."""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from twistdp.cli.listing import draw, lines
from twistdp.cli.looking import Look, Where, looking, problems, where_to_look
from twistdp.cli.terminal import Busy, console
from twistdp.errors import BadSetting
from twistdp.host import Topology
from twistdp.model import Auto, DeviceInfo, DeviceSpec, natural_key, printable
from twistdp.scanners.declared import NUMBER
from twistdp.select import Cause, Explanation, Step, Verdict, access

_LEFT_OUT: Final = (Verdict.LEFT_OUT, Verdict.UNDECIDABLE)


@click.command
@where_to_look
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def command(as_json: bool, **options: Any) -> int:
    """Print what a plugin would advertise on this host, and what it leaves out."""
    where = Where(**options)
    try:
        if not where:
            raise BadSetting("name a --config=FILE, --catalog=NAME or a --scanner=module:Class")
        with Busy("looking at the devices"), looking(where) as (_, looks):
            found = [resource for look in looks for resource in _resources(look)]
    except BadSetting as error:
        for line in problems(error):
            print(f"twistdp scan: {printable(line)}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps({"resources": found}, indent=2))
    elif (people := console()) is not None:
        for resource in found:
            draw(people, resource)
    else:
        for resource in found:
            print("\n".join(map(printable, lines(resource))))
    return 0


def _resources(look: Look) -> Iterator[dict[str, Any]]:
    """The resources of a look, each as JSON has it."""
    topology = Topology("/sys")
    explanations = {each.resource: each for each in look.explanations}
    first = {
        (step.resource, id_): step.ids[0]
        for explanation in look.explanations
        for step in explanation.steps
        for id_ in step.ids
    }
    for kind in sorted({*look.tree, *explanations}, key=natural_key):
        explanation = explanations.get(kind, Explanation(kind, ()))
        devices = {**look.tree[kind]} if kind in set(look.tree) else {}
        listed = []
        refused = [_left_out(step) for step in explanation.steps if step.verdict in _LEFT_OUT]
        for id_ in sorted(devices, key=natural_key):
            reason = look.refused.get((kind, id_))
            if reason is not None:
                refused.append({"what": id_, "reason": reason, "cause": Cause.FAULT.value})
            else:
                device = _device(look, kind, id_, devices[id_], topology)
                listed.append({**device, "replicaOf": first.get((kind, id_), id_)})
        yield {
            "resource": look.full_name(kind),
            "devices": listed,
            "leftOut": refused,
            "notOnThisNode": explanation.absent,
            "messages": list(dict.fromkeys([*look.messages, *_warnings(look, kind)])),
        }


def _left_out(step: Step) -> dict[str, str]:
    cause = step.cause or Cause.RULE
    return {"what": step.what, "reason": step.reason, "cause": cause.value}


def _warnings(look: Look, kind: str) -> Iterator[str]:
    """What people should know of a resource that works all the same."""
    yield from look.notes(kind)
    if look.survey is not None:
        yield from look.host.left_out


def _device(
    look: Look, kind: str, id_: str, info: DeviceInfo, topology: Topology
) -> dict[str, Any]:
    numa = info.topology
    numbered = look.survey.ledger.numbered.get((kind, id_), ()) if look.survey is not None else ()
    if isinstance(numa, Auto):
        numa = topology.nodes(node.host_path for node in info.nodes)
    return {
        "id": id_,
        "health": info.state,
        "reason": info.reason,
        "nodes": [_node(look, node) for node in info.nodes],
        "mounts": [
            {"hostPath": m.host_path, "containerPath": m.container_path, "readOnly": m.read_only}
            for m in info.mounts
        ],
        "env": {**info.envs, **{_counted(name): _counted(value) for name, value in numbered}},
        "annotations": dict(info.annotations),
        "cdi": info.cdi is not None,
        "numa": list(numa or ()),
    }


def _counted(filled: str) -> str:
    """A variable's name or value, numbered over a container's devices, as the file has it."""
    return filled.replace(NUMBER, "{n}")


def _node(look: Look, node: DeviceSpec) -> dict[str, Any]:
    device = look.host.of_node(node.host_path) or look.host.bare(node.host_path)
    found = access(device) if device is not None else None
    return {
        "hostPath": node.host_path,
        "containerPath": node.container_path,
        "permissions": node.permissions,
        "node": device.node if device is not None else None,
        "owner": found.owner if found is not None else None,
        "group": found.group if found is not None else None,
        "gid": found.gid if found is not None else None,
        "mode": f"{found.mode:04o}" if found is not None else None,
    }
