"""Everything that a user can say in a configuration file.

A value that was made in Python is checked by ``load(show(value))``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import attrs

from twistdp.config.cdi import CDI
from twistdp.config.checks import AnyCheck
from twistdp.config.fields import flattened, key
from twistdp.config.merging import both, over
from twistdp.config.problems import BadKey
from twistdp.config.rules import (
    Copies,
    Count,
    Domain,
    HostPath,
    IdTemplate,
    NodePlace,
    NumaNode,
    Numbered,
    NumberedVariable,
    Permissions,
    Place,
    ResourceName,
    ResourceType,
    Seconds,
    Some,
    Template,
    Word,
)
from twistdp.errors import BadSetting
from twistdp.select import Match

As = Literal[
    "usb", "tty", "video", "hid", "input", "sound", "block", "net", "pci", "drm", "accel",
    "printer", "i2c", "spi", "gpio", "iio", "tpm", "watchdog", "vfio", "media", "dvb", "nvme",
]  # fmt: skip
"""Which node of a device is given."""

Group = Literal["none", "parent", "all", "usb", "pci", "iommu", "card"]
"""Which nodes are one device."""

Policy = Literal["none", "packed", "spread", "numa"]


@attrs.frozen(kw_only=True)
class Node:
    """How a device's node appears in the container."""

    container_path: NodePlace | None = key(
        "containerPath",
        "The path in the container; that on the host by default.",
        None,
        '"/dev/video{index}"',
        short=True,
    )
    permissions: Permissions | None = key(
        "permissions", "What the container may do: letters of `rwm`, all by default.", None, "rw"
    )
    link: Sequence[NodePlace] = key(
        "link", "Further paths in the container for the same node.", (), "[/dev/camera]"
    )


@attrs.frozen(kw_only=True)
class Member:
    """Another node of each device: of the same hardware, or a fixed path."""

    where: Match = flattened(Match)
    as_: As | None = key("as", "Which node of the hardware.", None, "sound")
    optional: bool = key("optional", "Whether the device exists without this node.", False, "true")
    node: Node | None = key("node", "How it appears in the container.", None, "/dev/snd/mic")


@attrs.frozen(kw_only=True)
class Mount:
    """A file or directory of the host that containers get."""

    host_path: HostPath = key("hostPath", "The path on the host.", short=True, example="/opt/fw")
    container_path: Place | None = key(
        "containerPath", "The path in the container; `hostPath` by default.", None, "/fw"
    )
    read_only: bool = key("readOnly", "Whether the container may only read.", False, "true")
    optional: bool = key(
        "optional", "Whether the device exists while there is no such path.", False, "true"
    )


@attrs.frozen(kw_only=True)
class Replicas:
    """Several ids for one device, which containers then share."""

    count: Copies = key("count", "How many.", short=True, example="4")
    rename: ResourceType | None = key(
        "rename", "The name of the resource of shared devices.", None, "camera-shared"
    )
    match: Annotated[Sequence[Match], Some] = key(
        "match", "Which devices are shared; all by default.", (), "{driver: i915}"
    )
    more_per_container: bool = key(
        "morePerContainer",
        "Whether a container may get several; each is the same device, so it is refused otherwise.",
        False,
        "true",
    )


@attrs.frozen(kw_only=True)
class Resource:
    """Which devices a resource has, and what a container that gets one is given.

    The keys of a match are written directly, or below `match` with alternatives.
    """

    where: Match = flattened(Match)
    match: Annotated[Sequence[Match], Some] = key(
        "match",
        "What devices must meet; of a list, one.",
        (),
        '[{usb: "2341:0043"}, {usb: "2341:0001"}]',
    )
    use: Word | None = key(
        "use", "An entry of the catalogue; the other keys override it.", None, "intel-gpu"
    )
    as_: As | None = key("as", "Which node of the device is given.", None, "tty")
    group: Group | None = key(
        "group",
        "Which nodes are one device: those below one parent, of one USB or PCI device, IOMMU group "
        "or card, or all that match.",
        None,
        "parent",
    )
    members: Sequence[Member] = key(
        "members",
        "Further nodes of each device.",
        (),
        "[{as: sound, optional: true}, {path: /dev/snd/timer}]",
    )
    id: IdTemplate | None = key(
        "id",
        "The devices' ids; by default serial number, USB port or PCI address, or the node's name.",
        None,
        '"{serial}-{portNumber}"',
    )
    node: Node | None = key(
        "node",
        "How the device's node appears in the container.",
        None,
        "{containerPath: /dev/modem, permissions: rw}",
    )
    mounts: Sequence[Mount] = key(
        "mounts",
        "Files and directories of the host that containers get.",
        (),
        "[{hostPath: /opt/fw, readOnly: true}]",
    )
    requires: Sequence[HostPath] = key(
        "requires",
        "Paths of the host that must be there; a device is left out while one is missing.",
        (),
        "/dev/sgx_provision",
    )
    env: Mapping[NumberedVariable, Numbered] = key(
        "env",
        "Environment variables.  `{n}` in a name numbers the devices of a container from 0.",
        {},
        '{CAMERA: "{node}", "CAM{n}": "{serial}"}',
    )
    annotations: Mapping[Word, Template] = key(
        "annotations", "Annotations for the runtime.", {}, '{example.com/card: "{pciBusID}"}'
    )
    cdi: CDI | None = key(
        "cdi", "Changes to the container by CDI.", None, '{env: {CARD: "{pciBusID}"}}'
    )
    replicas: Replicas | None = key(
        "replicas", "How many containers share a device.", None, "{count: 4, rename: gpu-shared}"
    )
    limit: Count | None = key("limit", "At most so many devices are listed.", None, "10")
    numa: Literal["auto", "none"] | NumaNode = key(
        "numa", "The NUMA node: looked up (`auto`), `none`, or its number.", "auto", "0"
    )
    preferred: Policy | None = key(
        "preferred", "The policy by which a container gets some devices first.", None, "numa"
    )
    removal_grace: Seconds | None = key(
        "removalGrace",
        "Seconds that a device that a container has stays listed, unhealthy, after it vanished.",
        None,
        "5",
    )
    exclusive: bool | None = key(
        "exclusive",
        "Whether devices of this resource are left out of those after it; by default as the file "
        "says.",
        None,
        "true",
    )
    health: Sequence[AnyCheck] = key(
        "health", "Checks; a device is healthy while all are good.", (),
        '{attribute: authorized, equals: "1"}',
    )  # fmt: skip
    given: frozenset[str] = attrs.field(factory=frozenset, eq=False, repr=False)
    """The keys that the file has, for `over`."""

    def __attrs_post_init__(self) -> None:
        if self.match and self.where.any:
            raise BadSetting("match and any are both alternatives; put any into match")
        if self.use is None and Match() in self.alternatives:
            raise BadSetting(
                "the resource selects no device; give a path, conditions, or an entry of the "
                "catalogue with use"
            )

    @property
    def alternatives(self) -> tuple[Match, ...]:
        """The conditions of the resource: a device meets all of one of these."""
        return tuple(both(self.where, each) for each in self.match) or (self.where,)

    def types(self, own: str) -> tuple[str, ...]:
        """The types under which its devices may be listed; `own` is that of the resource."""
        replicas = self.replicas
        if replicas is None or replicas.rename is None:
            return (own,)
        return (own, replicas.rename) if replicas.match else (replicas.rename,)

    def over(self, entry: "Resource") -> "Resource":
        """`entry`, which `use` names, with what the file says instead."""
        return attrs.evolve(over(entry, self, self.given), given=self.given)


@attrs.frozen(kw_only=True)
class Config:
    """A configuration file."""

    domain: Domain | None = key(
        "domain", "The domain of resources whose names have none.", None, "lab.example.com"
    )
    exclusive: bool = key(
        "exclusive",
        "Whether a device belongs to the first resource that selects it; otherwise resources may "
        "share it, which is reported once.",
        False,
        "true",
    )
    resources: Mapping[ResourceName, Resource] = key(
        "resources",
        "The resources by name, with a domain and `/` before it for another domain.",
        example="{serial: /dev/serial/by-id/*}",
    )

    def __attrs_post_init__(self) -> None:
        names: dict[str, str] = {}
        for name in self.resources:
            if "/" not in name and self.domain is None:
                raise BadKey(
                    f"resource {name!r} has no domain; add a domain to the file, or write it as "
                    f"domain/{name}",
                    "resources",
                    name,
                )
            other = names.setdefault(self.full_name(name), name)
            if other is not name:
                text = f"resources {other!r} and {name!r} are the same"
                raise BadKey(text, "resources", name)
        self._check_settings()

    def _check_settings(self) -> None:
        """Check that resources with devices under one name have no different settings for it."""
        known: dict[tuple[str, str], tuple[str, object]] = {}
        for name, resource in self.resources.items():
            for full, setting, value in self._settings(name, resource):
                other, found = known.setdefault((full, setting), (name, value))
                if found != value:
                    or_none = "" if isinstance(value, bool) else ", or one of them none"
                    text = (
                        f"resources {other!r} and {name!r} both list devices as {full}, with a "
                        f"different {setting}; give both the same{or_none}"
                    )
                    raise BadKey(text, "resources", name)

    def _settings(self, name: str, resource: Resource) -> Iterator[tuple[str, str, object]]:
        """What a resource says about the names under which its devices are listed."""
        names = self.names(name)
        for full in names:
            if resource.preferred is not None:
                yield full, "preferred", resource.preferred
            if resource.removal_grace is not None:
                yield full, "removalGrace", resource.removal_grace
        replicas = resource.replicas
        if replicas is not None and replicas.count > 1:
            yield names[-1], "morePerContainer", replicas.more_per_container  # that of replicas

    def names(self, name: str) -> tuple[str, ...]:
        """The names, with the domain, under which the devices of a resource may be listed."""
        domain, _, own = self.full_name(name).rpartition("/")
        return tuple(f"{domain}/{each}" for each in self.resources[name].types(own))

    def full_name(self, name: str) -> str:
        """A resource's name with its domain."""
        return name if "/" in name else f"{self.domain}/{name}"
