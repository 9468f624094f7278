"""What a scanner says of the hardware: devices, and trees of them.

Values only; no input or output, no Twisted, no gRPC.  The names are those of Intel's
`pkg/deviceplugin` (DeviceInfo, DeviceTree), the fields those of the device plugin API v1beta1.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from twistdp.secrecy import names_only

if TYPE_CHECKING:
    from twistdp.cdi import CDIDevice

HEALTHY: Final = "Healthy"
"""State of a device that pods can use (API: exactly this word)."""

UNHEALTHY: Final = "Unhealthy"
"""State of a device that is there but must not be handed out."""


class Auto(enum.Enum):
    """The type of `AUTO`."""

    AUTO = "auto"


AUTO: Final = Auto.AUTO
"""The topology of a device that is to be looked up in sysfs."""

Devices: TypeAlias = Mapping[str, "DeviceInfo"]
"""The devices of one resource, by id."""

Resources: TypeAlias = Mapping[str, Devices]
"""All devices of one scanner: resource type to id to device."""


@attrs.frozen
class DeviceSpec:
    """A device node that a container gets.

    `host_path` may be a link, and had better be one where the node's own name can change: the
    kubelet keeps what a pod was given, also over a reboot, and the container runtime follows the
    link each time it starts a container.  `container_path` is the same unless it is given.
    `permissions` are letters of ``rwm``: read, write, mknod.
    """

    host_path: str
    container_path: str = attrs.field(
        default=attrs.Factory(lambda self: self.host_path, takes_self=True)
    )
    permissions: str = "rw"


@attrs.frozen
class Mount:
    """A file or directory of the host that a container gets."""

    host_path: str
    container_path: str
    read_only: bool = False


NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
"""The variables or annotations of a device without any."""


def _copied_sequence(value: Any) -> Any:
    if type(value) is tuple or value is AUTO or value is None:
        return value  # the usual, without a question to an abstract class
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _copied_mapping(value: Any) -> Any:
    if value is NO_TEXTS or not isinstance(value, Mapping):
        return value
    return MappingProxyType(dict(value)) if value else NO_TEXTS  # one for thousands of devices


@attrs.frozen
class DeviceInfo:
    """One device: its health, and what a container that is given it needs.

    The value is frozen; sequences and mappings are copied.  Nothing is refused here: `problem`
    says what is wrong, and the framework leaves such a device out of the tree, alone.

    `state` is `HEALTHY` or `UNHEALTHY`; `reason` says in a few words why, for people.
    `topology` are the NUMA nodes that the device is near to: `AUTO` looks up those of `nodes`,
    None means no preference.  `cdi` are changes to the container that its runtime makes by the
    Container Device Interface.  `group` names the physical device or card that the id is a part
    of, for policies of preferred devices; None means that it is one of its own.
    """

    state: str
    nodes: Sequence[DeviceSpec] = attrs.field(default=(), converter=_copied_sequence)
    mounts: Sequence[Mount] = attrs.field(default=(), converter=_copied_sequence)
    envs: Mapping[str, str] = attrs.field(
        default=NO_TEXTS, converter=_copied_mapping, hash=False, repr=names_only
    )
    annotations: Mapping[str, str] = attrs.field(
        default=NO_TEXTS, converter=_copied_mapping, hash=False, repr=names_only
    )
    topology: Sequence[int] | Auto | None = attrs.field(default=AUTO, converter=_copied_sequence)
    cdi: "CDIDevice | None" = None
    group: str | None = None
    reason: str = ""


class DeviceTree:
    """What one scan found: resource type to device id to `DeviceInfo`.

    Nothing is refused here either, so that one bad device costs only itself.
    """

    def __init__(self) -> None:
        self._types: dict[str, dict[str, DeviceInfo]] = {}

    def add_device(self, resource_type: str, device_id: str, info: DeviceInfo) -> None:
        """Add a device; one with the same type and id is replaced."""
        self._types.setdefault(resource_type, {})[device_id] = info

    def add_devices(self, resource_type: str, devices: Devices) -> None:
        """Add many devices at once, by id."""
        self._types.setdefault(resource_type, {}).update(devices)

    def copy(self) -> "DeviceTree":
        """Another tree with the same devices."""
        tree = DeviceTree()
        tree._types = {kind: dict(devices) for kind, devices in self._types.items()}
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
