"""``twistdp scan``: print what a plugin would advertise on this host, and what it leaves out."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from twistdp.cli.looking import Look, add_arguments, counted, looking, problems
from twistdp.errors import BadSetting
from twistdp.host import Topology
from twistdp.model import Auto, DeviceInfo, DeviceSpec, natural_key, printable
from twistdp.scanners.declared import NUMBER
from twistdp.select import Cause, Explanation, Step, Verdict, access

__all__ = ["add_arguments", "run"]

_LEFT_OUT: Final = (Verdict.LEFT_OUT, Verdict.UNDECIDABLE)


def run(arguments: argparse.Namespace) -> int:
    """Print it; 1 if the configuration cannot be used."""
    try:
        if not (arguments.config or arguments.catalog or arguments.scanner):
            raise BadSetting("name a --config=FILE, --catalog=NAME or a --scanner=module:Class")
        with looking(arguments) as (_, looks):
            found = [resource for look in looks for resource in _resources(look)]
    except BadSetting as error:
        for line in problems(error):
            print(f"twistdp scan: {printable(line)}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({"resources": found}, indent=2))
    else:
        for resource in found:
            print("\n".join(map(printable, _lines(resource))))
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


def _lines(resource: dict[str, Any]) -> Iterator[str]:
    if resource["notOnThisNode"]:
        yield f"{resource['resource']}: not on this node: {resource['notOnThisNode']}"
    else:
        yield f"{resource['resource']}: {_counts(resource['devices'])}"
    for device, count in _together(resource["devices"]):
        reason = f" ({device['reason']})" if device["reason"] else ""
        numa = ", ".join(map(str, device["numa"]))
        more = f" and {count - 1} more like it" if count > 1 else ""
        yield (
            f"  {device['id']}{more}  {device['health']}{reason}{f'  NUMA {numa}' if numa else ''}"
        )
        for node in device["nodes"]:
            yield f"    {_shown(node)}"
        for mount in device["mounts"]:
            read_only = "  read-only" if mount["readOnly"] else ""
            yield f"    mount {mount['hostPath']} as {mount['containerPath']}{read_only}"
        for name, value in device["env"].items():
            yield f"    env {name}={value}"
        for name, value in device["annotations"].items():
            yield f"    annotation {name}={value}"
        if device["cdi"]:
            yield "    changes by CDI"
    alike: dict[tuple[str, str, bool], list[str]] = {}
    for each in resource["leftOut"]:
        reason = each["reason"].removeprefix(f"{each['what']} ")
        begins = reason != each["reason"]  # with what it is about, as many reasons do
        alike.setdefault((each["cause"], reason, begins), []).append(each["what"])
    for (cause, reason, begins), (first, *others) in alike.items():
        more = f" and {len(others)} more" if others else ""
        text = f"{first} {reason}{more and ','}{more}" if begins else f"{first}{more}: {reason}"
        yield f"  left out, {cause}: {text}"
    for message in resource["messages"]:
        yield f"  note: {message}"


def _counts(devices: Sequence[dict[str, Any]]) -> str:
    """How many devices there are, those that are replicas of one told apart."""
    return counted(list(Counter(device["replicaOf"] for device in devices).values()))


def _together(devices: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """The devices, of those that differ in nothing but their ids the first, and how many."""
    alike = groupby(devices, lambda device: {**device, "id": "", "replicaOf": ""})
    for group in (list(found) for _, found in alike):
        yield group[0], len(group)


def _group(node: dict[str, Any]) -> str:
    """The group by its name and number: people know the one, and a pod needs the other."""
    name, number = str(node["group"]), node["gid"]
    return name if number in (None, 0) or name == str(number) else f"{name}({number})"


def _shown(node: dict[str, Any]) -> str:
    where = node["hostPath"]
    if node["node"] not in (None, node["hostPath"]):
        where += f" -> {node['node']}"
    if node["containerPath"] != node["hostPath"]:
        where += f" as {node['containerPath']}"
    who = f"  {node['owner']}:{_group(node)} {node['mode']}" if node["mode"] else ""
    return f"{where} {node['permissions']}{who}"
