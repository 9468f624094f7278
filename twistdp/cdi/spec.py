"""CDI names, versions and JSON: how devices become the spec of a resource.

Facts from the specification and from the loader that container runtimes share
(tags.cncf.io/container-device-interface): it refuses a spec with an unknown field, a version that
is unknown or lower than the content needs, a bad name, the same device twice, or no device.  So
a spec states the lowest version that its content needs.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from twistdp.model import CDIDevice, CDIHook, CDIIntelRdt, CDINode, digest, shown

VERSIONS: Final = ("0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
"""The specification's versions, oldest first; 0.8.0 and 1.0.0 added nothing to a spec."""

_MAX_CLASS = 63
_NOT_NAME = re.compile(r"[^A-Za-z0-9_.:-]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*[A-Za-z0-9]")  # one character: see `kind`
_DIGESTED = re.compile(r"-[0-9a-f]{16}\Z")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


@attrs.frozen
class Entry:
    """A device in a spec: its name, its JSON text, and the version that it needs."""

    name: str
    text: str
    version: str


@attrs.frozen
class Spec:
    """The content of a spec file: the version it states, and its devices by name."""

    version: str
    entries: Mapping[str, Entry]


# Names


def kind(namespace: str, resource_type: str) -> str:
    """Return the CDI kind, ``vendor/class``, of the resource ``namespace/resource_type``.

    It is the resource's name where CDI allows it.  A vendor or class that starts with a digit or
    is one character (loaders have crashed on it) gets a prefix; names that have that prefix
    already get it once more, so that no two resources share a kind.
    """
    vendor = f"cdi.{namespace}" if _needs_prefix(namespace, "cdi.") else namespace
    name = f"type-{resource_type}" if _needs_prefix(resource_type, "type-") else resource_type
    if len(name) > _MAX_CLASS:
        name = f"{name[: _MAX_CLASS - 9]}-{digest(resource_type)}"
    return f"{vendor}/{name}"


def _needs_prefix(name: str, prefix: str) -> bool:
    return name[0].isdigit() or len(name) == 1 or name.startswith(prefix)


def device_name(device_id: str) -> str:
    """Return the CDI name of a device: its id, where CDI allows it.

    Other ids get odd characters replaced and end in a digest.  A name stands for its device
    alone, not for what the device is at the moment: the kubelet keeps the names that a pod was
    given over restarts and reboots, and a container that is started again shall get its own
    device as it is then.
    """
    if _NAME.fullmatch(device_id) and not _DIGESTED.search(device_id):
        return device_id
    stem = _NOT_NAME.sub("-", device_id)
    return f"{stem if stem[0].isalnum() else f'id{stem}'}-{digest(device_id, 16)}"


def qualified_name(kind: str, name: str) -> str:
    """Return the name in an allocation, ``vendor/class=name``."""
    return f"{kind}={name}"


# Devices


def edits(device: CDIDevice) -> dict[str, Any]:
    """Return a device's `containerEdits` (CDI specification, "OCI Edits") without defaults."""
    return _given(
        env=_environment(device.env),
        deviceNodes=[_node(node) for node in device.nodes],
        netDevices=[
            {"hostInterfaceName": net.host_name, "name": net.name} for net in device.net_devices
        ],
        hooks=[_hook(hook) for hook in device.hooks],
        mounts=[
            _given(
                hostPath=mount.host_path,
                containerPath=mount.container_path,
                options=list(mount.options),
                type=mount.type,
            )
            for mount in device.mounts
        ],
        intelRdt=None if device.intel_rdt is None else _rdt(device.intel_rdt),
        additionalGids=list(device.additional_gids),
    )


def _node(node: CDINode) -> dict[str, Any]:
    return _given(
        path=node.path,
        hostPath=None if node.host_path == node.path else node.host_path,
        type=node.type,
        major=node.major,
        minor=node.minor,
        fileMode=node.file_mode,
        permissions=node.permissions,
        uid=node.uid,
        gid=node.gid,
    )


def _hook(hook: CDIHook) -> dict[str, Any]:
    return _given(
        hookName=hook.name,
        path=hook.path,
        args=list(hook.args),
        env=_environment(hook.env),
        timeout=hook.timeout,
    )


def _rdt(rdt: CDIIntelRdt) -> dict[str, Any]:
    return _given(
        closID=rdt.clos_id,
        l3CacheSchema=rdt.l3_cache_schema,
        memBwSchema=rdt.mem_bw_schema,
        schemata=list(rdt.schemata),
        enableMonitoring=rdt.enable_monitoring or None,
    )


def _environment(env: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(env.items())]


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def entry_of(device_id: str, device: CDIDevice) -> Entry:
    """Return the device's entry in a spec."""
    return _entry({"name": device_name(device_id), "containerEdits": edits(device)})


def host_nodes(entry: Entry) -> set[str]:
    """Return the host paths of the nodes in a device's entry."""
    nodes = json.loads(entry.text)["containerEdits"].get("deviceNodes") or ()
    return {str(node.get("hostPath") or node.get("path")) for node in nodes}


def _entry(content: dict[str, Any]) -> Entry:
    return Entry(content["name"], _dumped(content), _version(content))


def _version(content: Mapping[str, Any]) -> str:
    """Return the version that one device needs."""
    made = content["containerEdits"]
    rdt = made.get("intelRdt")
    if made.get("netDevices") or (rdt and (rdt.get("schemata") or rdt.get("enableMonitoring"))):
        return "1.1.0"
    if rdt is not None or made.get("additionalGids"):
        return "0.7.0"
    if content.get("annotations"):
        return "0.6.0"
    if content["name"][0].isdigit() or any(
        node.get("hostPath") for node in made.get("deviceNodes", ())
    ):
        return "0.5.0"
    if any(mount.get("type") for mount in made.get("mounts", ())):
        return "0.4.0"
    return VERSIONS[0]


# Specs


def minimum_version(kind: str, entries: Iterable[Entry]) -> str:
    """Return the lowest version for a spec of these devices: a loader refuses a lower one."""
    needed = {VERSIONS[0], *(entry.version for entry in entries)}
    if "." in kind.partition("/")[2]:
        needed.add("0.6.0")
    return max(needed, key=VERSIONS.index)


def spec_text(kind: str, entries: Iterable[Entry], version: str | None = None) -> bytes:
    """Return the content of a spec file; one line a device, in the order of their names.

    It states `version` instead of the lowest version, if given.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    stated = version or minimum_version(kind, ordered)
    head = f'{{"cdiVersion": {_dumped(stated)}, "kind": {_dumped(kind)}, "devices": ['
    return "\n".join([head, ",\n".join(entry.text for entry in ordered), "]}\n"]).encode()


def parse_spec(data: bytes, kind: str) -> Spec:
    """Parse the content of a spec file; raises ValueError unless it is a spec of `kind`."""
    try:
        content = json.loads(data)
        if content["kind"] != kind:
            raise ValueError(f"its kind is {shown(content['kind'])}, not {kind!r}")
        entries = [_entry(device) for device in content["devices"]]
        version = content["cdiVersion"]
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is no CDI spec ({type(error).__name__}: {error})") from error
    if not all(isinstance(text, str) for text in (version, *(entry.name for entry in entries))):
        raise ValueError("it is no CDI spec (a version or name is not text)")
    if not _VERSION.fullmatch(version):
        raise ValueError(f"it is no CDI spec (its version is {shown(version)})")
    return Spec(version, {entry.name: entry for entry in entries})


# Loaders read JSON as YAML, which does not accept surrogate pairs as escapes, and folds or refuses
# some characters that are not escaped.
_TO_ESCAPE = re.compile("[\x7f-\uffff]")


def _dumped(content: Any) -> str:
    # Python would write NaN and Infinity, which JSON does not have.
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
