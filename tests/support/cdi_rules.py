"""The rules of the Container Device Interface for a spec, written down apart from the code.

From the specification (SPEC.md up to 1.1.0), its JSON schema, and the loader that container
runtimes share: `check_spec` accepts what that loader accepts, and is stricter where the
specification's text is.
"""

import json
import re
from typing import Any

KNOWN = ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"]

VENDOR = re.compile(r"[A-Za-z](?!.*\.\.)[A-Za-z0-9.-]*[A-Za-z0-9]")
CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")
HOOKS = {"createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

Fields = dict[str, tuple[type, str]]
"""A field's type, and the version that brought it."""

SPEC: Fields = {
    "cdiVersion": (str, "0.3.0"),
    "kind": (str, "0.3.0"),
    "annotations": (dict, "0.6.0"),
    "devices": (list, "0.3.0"),
    "containerEdits": (dict, "0.3.0"),
}
DEVICE: Fields = {
    "name": (str, "0.3.0"),
    "annotations": (dict, "0.6.0"),
    "containerEdits": (dict, "0.3.0"),
}
EDITS: Fields = {
    "env": (list, "0.3.0"),
    "deviceNodes": (list, "0.3.0"),
    "hooks": (list, "0.3.0"),
    "mounts": (list, "0.3.0"),
    "intelRdt": (dict, "0.7.0"),
    "additionalGids": (list, "0.7.0"),
    "netDevices": (list, "1.1.0"),
}
NODE: Fields = {
    "path": (str, "0.3.0"),
    "hostPath": (str, "0.5.0"),
    "type": (str, "0.3.0"),
    "major": (int, "0.3.0"),
    "minor": (int, "0.3.0"),
    "fileMode": (int, "0.3.0"),
    "permissions": (str, "0.3.0"),
    "uid": (int, "0.3.0"),
    "gid": (int, "0.3.0"),
}
MOUNT: Fields = {
    "hostPath": (str, "0.3.0"),
    "containerPath": (str, "0.3.0"),
    "options": (list, "0.3.0"),
    "type": (str, "0.4.0"),
}
HOOK: Fields = {
    "hookName": (str, "0.3.0"),
    "path": (str, "0.3.0"),
    "args": (list, "0.3.0"),
    "env": (list, "0.3.0"),
    "timeout": (int, "0.3.0"),
}
RDT: Fields = {
    "closID": (str, "0.7.0"),
    "l3CacheSchema": (str, "0.7.0"),
    "memBwSchema": (str, "0.7.0"),
    "schemata": (list, "1.1.0"),
    "enableMonitoring": (bool, "1.1.0"),
}
NET: Fields = {"hostInterfaceName": (str, "1.1.0"), "name": (str, "1.1.0")}


class Broken(Exception):
    """A spec breaks a rule; the text names it."""


def rule(holds: object, text: str) -> None:
    """Raise `Broken` with `text` unless it holds."""
    if not holds:
        raise Broken(text)


def check_spec(data: bytes) -> dict[str, Any]:
    """The spec in a file's content; raises `Broken` for the first rule that it breaks.

    Among the rules is that the version is the lowest possible one.
    """
    rule(yaml_reads_alike(data), "a loader that reads it as YAML sees something else")
    spec: dict[str, Any] = json.loads(data, object_pairs_hook=once)
    needed = {"0.3.0"}
    fields("spec", spec, SPEC, {"cdiVersion", "kind", "devices"}, needed)
    vendor, slash, name = spec["kind"].partition("/")
    rule(slash and VENDOR.fullmatch(vendor) and len(vendor) <= 253, f"vendor {vendor!r}")
    rule(CLASS.fullmatch(name) and len(name) <= 63, f"class {name!r}")
    if "." in name:
        needed.add("0.6.0")
    rule(spec["devices"], "no device")
    names = [device.get("name") for device in spec["devices"]]
    rule(len(set(names)) == len(names), "a device twice")
    for device in spec["devices"]:
        check_device(device, needed)
    if "containerEdits" in spec:
        check_edits(spec["containerEdits"], needed)
    rule(spec["cdiVersion"] in KNOWN, f"version {spec['cdiVersion']!r}")
    lowest = max(needed, key=KNOWN.index)
    rule(spec["cdiVersion"] == lowest, f"version {spec['cdiVersion']} where {lowest} is the lowest")
    return spec


def check_device(device: Any, needed: set[str]) -> None:
    """Rules for an element of `devices`."""
    fields("device", device, DEVICE, {"name", "containerEdits"}, needed)
    rule(NAME.fullmatch(device["name"]), f"device name {device['name']!r}")
    if device["name"][0] in "0123456789":
        needed.add("0.5.0")
    rule(device["containerEdits"], "empty device edits")
    check_edits(device["containerEdits"], needed)


def check_edits(edits: Any, needed: set[str]) -> None:
    """Rules for `containerEdits`."""
    fields("edits", edits, EDITS, set(), needed)
    check_env(edits.get("env", []))
    for node in edits.get("deviceNodes", []):
        check_node(node, needed)
    for mount in edits.get("mounts", []):
        fields("mount", mount, MOUNT, {"hostPath", "containerPath"}, needed)
        rule(mount["hostPath"] and mount["containerPath"], "a mount without a path")
        check_texts(mount.get("options", []))
    for hook in edits.get("hooks", []):
        fields("hook", hook, HOOK, {"hookName", "path"}, needed)
        rule(hook["hookName"] in HOOKS, f"hook {hook['hookName']!r}")
        rule(hook["path"].startswith("/"), "a hook's path that is not absolute")
        check_texts(hook.get("args", []))
        check_env(hook.get("env", []))
        rule(hook.get("timeout", 1) > 0, "a timeout that is not positive")
    for gid in edits.get("additionalGids", []):
        rule(type(gid) is int and 0 <= gid < 2**32, f"gid {gid!r}")
    nets = edits.get("netDevices", [])
    for net in nets:
        fields("net device", net, NET, {"hostInterfaceName", "name"}, needed)
        rule(net["hostInterfaceName"] and net["name"], "a net device without a name")
    for field in ("hostInterfaceName", "name"):
        rule(len({net[field] for net in nets}) == len(nets), f"a net device's {field} twice")
    if "intelRdt" in edits:
        rdt = edits["intelRdt"]
        fields("intelRdt", rdt, RDT, set(), needed)
        clos = rdt.get("closID", "")
        rule(clos not in (".", "..") and not set(clos) & set("/\n"), f"closID {clos!r}")
        rule(len(clos) < 4096, "a closID that is too long")
        check_texts(rdt.get("schemata", []))


def check_node(node: Any, needed: set[str]) -> None:
    """Rules for an element of `deviceNodes`."""
    fields("node", node, NODE, {"path"}, needed)
    rule(node["path"], "a node without a path")
    rule(node.get("type", "") in ("", "b", "c", "u", "p"), f"node type {node.get('type')!r}")
    rule(set(node.get("permissions", "")) <= set("rwm"), f"permissions {node.get('permissions')!r}")
    for field, limit in (
        ("major", 2**63),
        ("minor", 2**63),
        ("fileMode", 2**32),
        ("uid", 2**32),
        ("gid", 2**32),
    ):
        rule(0 <= node.get(field, 0) < limit, f"{field} {node.get(field)!r}")


def check_env(env: Any) -> None:
    """Rules for a list of environment variables."""
    check_texts(env)
    for text in env:
        rule(text.find("=") > 0, f"environment variable {text!r}")


def check_texts(texts: Any) -> None:
    """A list of strings."""
    rule(isinstance(texts, list) and all(isinstance(t, str) for t in texts), f"{texts!r}")


def fields(
    what: str,
    value: Any,
    known: Fields,
    required: set[str],
    needed: set[str],
) -> None:
    """Only known fields, of their types, all required ones; adds the versions they need."""
    rule(isinstance(value, dict), f"{what} {value!r} is not an object")
    rule(required <= value.keys(), f"{what} lacks {required - value.keys()}")
    for name, content in value.items():
        rule(name in known, f"{what} has an unknown field {name!r}")
        kind, version = known[name]
        rule(type(content) is kind, f"{what}'s {name} is {content!r}")
        if content or kind is dict:
            needed.add(version)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no field is given twice."""
    rule(len({name for name, _ in pairs}) == len(pairs), f"a field twice: {pairs!r}")
    return dict(pairs)


def yaml_reads_alike(data: bytes) -> bool:
    """Whether loaders, which read JSON as YAML, get the same from it.

    YAML knows no surrogate pairs, forbids some characters, and folds some others to a space.
    """
    text = data.decode()
    escapes = re.findall(r'\\(u[0-9a-fA-F]{4}|["\\/bfnrt])', text)
    surrogates = [one for one in escapes if one[0] == "u" and 0xD800 <= int(one[1:], 16) <= 0xDFFF]
    raw = all(c == "\n" or " " <= c <= "~" or c >= "\U00010000" for c in text)
    return raw and not surrogates and "\t" not in text
