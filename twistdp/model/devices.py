"""The devices that a scanner reports, and trees of them.

Values only; no input or output, no Twisted, no gRPC.  The names are those of Intel's
`pkg/deviceplugin` (DeviceInfo, DeviceTree), the fields those of the device plugin API v1beta1.
"""

import enum
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from twistdp.errors import BadDevice
from twistdp.model.secrecy import names_only
from twistdp.model.text import LONGEST, one_line, shown
from twistdp.model.validate import (
    check_cdi,
    check_choice,
    check_name,
    check_path,
    check_permissions,
    check_places,
    check_type,
    checked_annotations,
    checked_env,
    checked_items,
    checked_topology,
)

if TYPE_CHECKING:
    from twistdp.model.cdi import CDIDevice

HEALTHY: Final = "Healthy"
"""State of a device that pods can use (API: exactly this word)."""

UNHEALTHY: Final = "Unhealthy"
"""State of a device that is present but must not be given to a pod."""


class Auto(enum.Enum):
    """The type of `AUTO`."""

    AUTO = "auto"


AUTO: Final = Auto.AUTO
"""The topology of a device whose NUMA nodes are looked up in sysfs."""

Devices: TypeAlias = Mapping[str, "DeviceInfo"]
"""The devices of one resource, by id."""

Resources: TypeAlias = Mapping[str, Devices]
"""All devices of one scanner: resource type to id to device."""


_USUAL: Final = "rw"


@attrs.frozen
class DeviceSpec:
    """A device node that a container gets.  Raises `twistdp.BadDevice`.

    `host_path` may be a link.  Use one where the node's own name can change: the kubelet remembers
    what a pod was given, also over a reboot, and the container runtime follows the link each time
    it starts a container.  `container_path` is the same by default.
    `permissions` are letters of ``rwm``: read, write, mknod.
    """

    host_path: str
    container_path: str = attrs.field(
        default=attrs.Factory(lambda self: self.host_path, takes_self=True)
    )
    permissions: str = _USUAL

    def __attrs_post_init__(self) -> None:
        check_path("host_path", self.host_path, is_place=True)
        if self.container_path is not self.host_path:
            check_path("container_path", self.container_path, is_place=True)
        if self.permissions is not _USUAL:
            check_permissions("permissions", self.permissions)


@attrs.frozen
class Mount:
    """A file or directory of the host that a container gets.  Raises `twistdp.BadDevice`."""

    host_path: str
    container_path: str
    read_only: bool = False

    def __attrs_post_init__(self) -> None:
        check_path("host_path", self.host_path)
        check_path("container_path", self.container_path, is_place=True)
        if type(self.read_only) is not bool:
            raise BadDevice(f"read_only {shown(self.read_only)}: use True or False")


NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
"""The variables or annotations of a device without any."""


_set = object.__setattr__  # sets a field of a frozen value while it is made


@attrs.frozen
class DeviceInfo:
    """One device: its health, and what a container needs to use it.

    The value is frozen; sequences and mappings are copied.  Raises `twistdp.BadDevice` for a field
    that no container could get, on the line that makes the device.

    `state` is `HEALTHY` or `UNHEALTHY`; `reason` tells people why in a few words, and becomes one
    line without control characters.
    `topology` has the NUMA nodes that the device is near to: `AUTO` looks up those of `nodes`,
    None means no preference.  `cdi` has changes to the container that its runtime makes by the
    Container Device Interface.  `group` names the physical device or card that the id is a part
    of, for policies of preferred devices; None means that the device is a card of its own.
    """

    state: str
    nodes: Sequence[DeviceSpec] = ()
    mounts: Sequence[Mount] = ()
    envs: Mapping[str, str] = attrs.field(default=NO_TEXTS, hash=False, repr=names_only)
    annotations: Mapping[str, str] = attrs.field(default=NO_TEXTS, hash=False, repr=names_only)
    topology: Sequence[int] | Auto | None = AUTO
    cdi: "CDIDevice | None" = None
    group: str | None = None
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        # This runs thousands of times a scan, so the usual values are recognised first.
        if self.state is not HEALTHY and self.state is not UNHEALTHY:
            check_choice("state", self.state, (HEALTHY, UNHEALTHY), "twistdp.HEALTHY or UNHEALTHY")
        if type(self.reason) is not str:
            check_type("reason", self.reason, str, "a str")
        if self.reason and (not self.reason.isprintable() or len(self.reason) > LONGEST):
            # Often the text of an error: it is cleaned, and the device is not refused for it.
            _set(self, "reason", one_line(self.reason))
        group = self.group
        if group is not None and not (
            type(group) is str and group.isascii() and group.isprintable()
        ):
            check_name("group", group, empty=True)
        if self.topology is not AUTO and self.topology is not None:
            _set(self, "topology", checked_topology(self.topology))
        if self.cdi is not None:
            check_cdi(self.cdi)
        if type(self.nodes) is not tuple or self.nodes:
            _set(self, "nodes", checked_items("nodes", self.nodes, DeviceSpec))
        if type(self.mounts) is not tuple or self.mounts:
            _set(self, "mounts", checked_items("mounts", self.mounts, Mount))
        if len(self.nodes) + len(self.mounts) > 1:
            check_places([*self.nodes, *self.mounts])
        if self.envs is not NO_TEXTS:
            _set(self, "envs", checked_env("envs", self.envs) or NO_TEXTS)
        if self.annotations is not NO_TEXTS:
            texts = checked_annotations("annotations", self.annotations)
            _set(self, "annotations", texts or NO_TEXTS)


@attrs.frozen(order=True)
class Holder:
    """The container that has a device."""

    namespace: str
    pod: str
    container: str


class DeviceTree:
    """The devices that one scan found: resource type to device id to `DeviceInfo`.

    Nothing is refused here.  A bad type or id, which often comes from a file's name, is left out
    later, and costs no other device.

    Of two different devices with one type and id the last one counts.  In one scan that is a
    mistake, and is logged; in a tree that was given to a notifier it is how a device changes.
    """

    def __init__(self) -> None:
        self._types: dict[str, dict[str, DeviceInfo]] = {}
        self._settled = False
        self.repeated: set[tuple[str, str]] = set()
        """Type and id of devices that were added twice, differently, since the tree was made."""
        self.checked: Collection[str] = ()
        """Host paths that passed `twistdp.check_trusted` while the tree was made."""

    def add_device(self, resource_type: str, device_id: str, info: DeviceInfo) -> None:
        """Add a device; one with the same type and id is replaced."""
        devices = self._types.setdefault(resource_type, {})
        if device_id in devices and not self._settled and _differ(devices[device_id], info):
            self.repeated.add((resource_type, device_id))
        devices[device_id] = info

    def add_devices(self, resource_type: str, devices: Devices) -> None:
        """Add many devices at once, by id."""
        known = self._types.setdefault(resource_type, {})
        if known and not self._settled:
            for device_id in known.keys() & devices.keys():
                if _differ(known[device_id], devices[device_id]):
                    self.repeated.add((resource_type, device_id))
        known.update(devices)

    def settle(self) -> set[tuple[str, str]]:
        """Return what was `repeated`; from now on a device that is added again has changed."""
        repeated, self.repeated = self.repeated, set()
        self._settled = True
        return repeated

    def copy(self) -> "DeviceTree":
        """Return another tree with the same devices."""
        tree = DeviceTree()
        tree._types = {kind: dict(devices) for kind, devices in self._types.items()}
        tree.repeated = set(self.repeated)
        return tree

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __getitem__(self, resource_type: str) -> MappingProxyType[str, DeviceInfo]:
        return MappingProxyType(self._types[resource_type])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DeviceTree):
            return NotImplemented
        return self._types == other._types

    __hash__ = None  # type: ignore[assignment]  # it is mutable

    def __repr__(self) -> str:
        return f"DeviceTree({self._types!r})"


def _differ(one: object, other: object) -> bool:
    try:
        return one is not other and bool(one != other)
    except Exception:  # of the values' own methods, such as comparing an array
        return True
