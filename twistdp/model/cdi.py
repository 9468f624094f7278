"""Changes that a container runtime makes to a container which gets a device, as values.

They are the edits of one device in the Container Device Interface (CDI) specification, versions
0.3.0 to 1.1.0.  Like the values of `twistdp.model.devices`, these raise `BadDevice` for wrong
fields: one bad device would make a runtime refuse the whole spec, and with it all other devices.
`twistdp.cdi.spec` makes a spec of them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from twistdp.errors import BadDevice
from twistdp.model.secrecy import kind_of, names_only, number_only
from twistdp.model.text import shown
from twistdp.model.validate import (
    check_name,
    check_number,
    check_once,
    check_path,
    check_payload,
    check_permissions,
    checked_env,
    items,
)

HOOKS: Final = ("createRuntime", "createContainer", "startContainer", "poststart", "poststop")
"""Moments in a container's life at which a hook can run (OCI runtime specification)."""

_NODE_TYPES = ("b", "c", "u", "p")
_MAX_ID = 2**32 - 1
_MAX_NUMBER = 2**63 - 1


def _copied_sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _copied_mapping(value: Any) -> Any:
    return MappingProxyType(dict(value)) if isinstance(value, Mapping) else value


@attrs.frozen
class CDINode:
    """A device node that the runtime makes at `path` in the container.

    `host_path` is the host's node; None means the same path.  `permissions` are letters of
    ``rwm``: read, write, mknod.  The runtime takes the rest from the host's node where it is None:
    `type` (``b`` block, ``c`` or ``u`` character, ``p`` FIFO), the `major` and `minor` number (both
    or neither), `file_mode` (0 to 0o777).  Without `uid` and `gid` it takes the container's user.
    """

    path: str
    host_path: str | None = None
    type: str | None = None
    major: int | None = None
    minor: int | None = None
    permissions: str = "rw"
    file_mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_node(self)


@attrs.frozen
class CDIMount:
    """A mount in the container: a bind mount, unless `type` names another file system.

    `options` are those of mount(8); a bind mount must have ``bind`` or ``rbind`` among them.
    `host_path` is a path of the host, or the source of another file system.
    """

    host_path: str
    container_path: str
    options: Sequence[str] = attrs.field(
        default=("rbind",), converter=_copied_sequence, repr=number_only
    )
    type: str = ""

    def __attrs_post_init__(self) -> None:
        _check_mount(self)


@attrs.frozen
class CDIHook:
    """A program of the host that the runtime runs; `name` is one of `HOOKS`.

    `args` begin with the program's own name, as for execv.  `timeout` is in whole seconds; None
    means no limit.
    """

    name: str
    path: str
    args: Sequence[str] = attrs.field(default=(), converter=_copied_sequence, repr=number_only)
    env: Mapping[str, str] = attrs.field(
        factory=dict, converter=_copied_mapping, hash=False, repr=names_only
    )
    timeout: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_hook(self)


@attrs.frozen
class CDINetDevice:
    """A network interface of the host that moves into the container under `name` (CDI 1.1.0)."""

    host_name: str
    name: str

    def __attrs_post_init__(self) -> None:
        _check_interface("host_name", self.host_name)
        _check_interface("name", self.name)


@attrs.frozen
class CDIIntelRdt:
    """Cache and memory bandwidth of the container through Linux' resctrl (CDI 0.7.0).

    `clos_id` names the class of service; the schemas are lines in the form of resctrl.
    `schemata` and `enable_monitoring` need CDI 1.1.0.
    """

    clos_id: str = ""
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: Sequence[str] = attrs.field(default=(), converter=_copied_sequence)
    enable_monitoring: bool = False

    def __attrs_post_init__(self) -> None:
        _check_rdt(self)


@attrs.frozen
class CDIDevice:
    """All changes that a runtime makes for one device; at least one part is needed.

    `additional_gids` are supplementary groups of the container's process (CDI 0.7.0).
    The value is frozen; sequences and mappings are copied.
    """

    nodes: Sequence[CDINode] = attrs.field(default=(), converter=_copied_sequence)
    mounts: Sequence[CDIMount] = attrs.field(default=(), converter=_copied_sequence)
    env: Mapping[str, str] = attrs.field(
        factory=dict, converter=_copied_mapping, hash=False, repr=names_only
    )
    hooks: Sequence[CDIHook] = attrs.field(default=(), converter=_copied_sequence)
    additional_gids: Sequence[int] = attrs.field(default=(), converter=_copied_sequence)
    net_devices: Sequence[CDINetDevice] = attrs.field(default=(), converter=_copied_sequence)
    intel_rdt: CDIIntelRdt | None = None

    def __attrs_post_init__(self) -> None:
        _check_device(self)


def _check_device(device: CDIDevice) -> None:
    parts = (
        items("cdi nodes", device.nodes, CDINode),
        items("cdi mounts", device.mounts, CDIMount),
        items("cdi hooks", device.hooks, CDIHook),
        items("cdi net_devices", device.net_devices, CDINetDevice),
        items("cdi additional_gids", device.additional_gids, object),
    )
    for gid in device.additional_gids:
        check_number("cdi additional_gids", gid, _MAX_ID)
    checked_env("cdi env", device.env)
    rdt: object = device.intel_rdt
    if rdt is not None and not isinstance(rdt, CDIIntelRdt):
        raise BadDevice(f"cdi intel_rdt: {kind_of(rdt)} is not a twistdp.CDIIntelRdt")
    check_once("cdi nodes: path", (node.path for node in device.nodes))
    check_once("cdi mounts: container_path", (mount.container_path for mount in device.mounts))
    check_once("cdi net_devices: host_name", (net.host_name for net in device.net_devices))
    check_once("cdi net_devices: name", (net.name for net in device.net_devices))
    if not any(parts) and not device.env and rdt is None:
        raise BadDevice("cdi: it is empty, which runtimes refuse; give a part, or leave cdi out")


def _check_node(node: CDINode) -> None:
    check_path("cdi node path", node.path, is_place=True)
    if node.host_path is not None:
        check_path("cdi node host_path", node.host_path, is_place=True)
    if node.type is not None and node.type not in _NODE_TYPES:
        raise BadDevice(f"cdi node type {shown(node.type)}: use one of {', '.join(_NODE_TYPES)}")
    check_permissions("cdi node permissions", node.permissions)
    if (node.major is None) != (node.minor is None):
        raise BadDevice(f"cdi node {shown(node.path)}: give both of major and minor, or neither")
    for field, highest in (
        ("major", _MAX_NUMBER),
        ("minor", _MAX_NUMBER),
        ("file_mode", 0o777),
        ("uid", _MAX_ID),
        ("gid", _MAX_ID),
    ):
        if (number := getattr(node, field)) is not None:
            check_number(f"cdi node {field}", number, highest)


def _check_mount(mount: CDIMount) -> None:
    check_path("cdi mount container_path", mount.container_path, is_place=True)
    for option in items("cdi mount options", mount.options, str):
        check_name("cdi mount options", option)
    check_name("cdi mount type", mount.type, empty=True)
    if "bind" in mount.options or "rbind" in mount.options:
        check_path("cdi mount host_path", mount.host_path)
    elif mount.type in ("", "none", "bind"):
        raise BadDevice(
            "cdi mount options: add 'bind' or 'rbind' to mount "
            f"{shown(mount.host_path)} of the host, or give the type of another file system"
        )
    else:
        check_name("cdi mount host_path", mount.host_path)


def _check_hook(hook: CDIHook) -> None:
    if hook.name not in HOOKS:
        raise BadDevice(f"cdi hook name {shown(hook.name)}: use one of {', '.join(HOOKS)}")
    check_path("cdi hook path", hook.path)
    for arg in items("cdi hook args", hook.args, str):
        check_payload("cdi hook args: each", arg)
    checked_env("cdi hook env", hook.env)
    if hook.timeout is not None:
        check_number("cdi hook timeout", hook.timeout, 2**31 - 1, lowest=1)


def _check_rdt(rdt: CDIIntelRdt) -> None:
    for field in ("clos_id", "l3_cache_schema", "mem_bw_schema"):
        check_name(f"cdi intel_rdt {field}", getattr(rdt, field), empty=True)
    if rdt.clos_id in (".", "..") or set(rdt.clos_id) & set("/\n") or len(rdt.clos_id) >= 4096:
        raise BadDevice(f"cdi intel_rdt clos_id {shown(rdt.clos_id)}: it must be a file's name")
    for line in items("cdi intel_rdt schemata", rdt.schemata, str):
        check_name("cdi intel_rdt schemata", line)
    if not isinstance(rdt.enable_monitoring, bool):
        raise BadDevice(f"enable_monitoring {shown(rdt.enable_monitoring)}: use True or False")


def _check_interface(field: str, name: Any) -> None:
    check_name(f"cdi net_devices {field}", name)
    odd = any(letter in "/:" or letter.isspace() for letter in name)
    if odd or name in (".", "..") or len(name.encode()) > 15:
        raise BadDevice(
            f"cdi net_devices {field} {shown(name)}: an interface's name has at most 15 bytes, "
            "no space, no '/' and no ':'"
        )
