"""What a look at a host finds: units, the devices that they make, and what is left out."""

from collections.abc import Sequence

import attrs

from twistdp.model import DeviceInfo
from twistdp.select import Cause, Device


@attrs.define(eq=False)
class Unit:
    """The parts that are one device: what it is named after, and its functions."""

    key: str
    owner: Device
    functions: list[Device] = attrs.Factory(list)


@attrs.frozen
class LeftOut:
    """Something that a rule looked at and did not list; `what` is a path or a device's name."""

    resource: str
    what: str
    reason: str
    cause: Cause
    device: Device | None = attrs.field(default=None, eq=False, repr=False)
    has_no_node: bool = attrs.field(default=False, eq=False)
    """Whether it is hardware that the rule may mean, without a node of the kind that it wants."""


@attrs.frozen
class Listed:
    """A device of a resource, before replicas: its id, what containers get, and its parts."""

    resource: str
    id: str
    info: DeviceInfo
    lead: Device = attrs.field(eq=False, repr=False)
    """The device that templates and health checks are about."""
    functions: Sequence[Device] = attrs.field(default=(), eq=False, repr=False)
    """The devices whose nodes are given, unless that is `lead` alone; see `parts`."""
    common: Sequence[Device] = attrs.field(default=(), eq=False, repr=False)
    """Those of them that members name by a path, so that every device may have them."""
    numbered: Sequence[tuple[str, str]] = ()
    """Environment variables with `NUMBER` where a container's count of devices goes."""
    missing: Sequence[str] = ()
    """The optional members that are not there."""

    @property
    def parts(self) -> Sequence[Device]:
        """The devices whose nodes are given, or `lead` if it has none."""
        return self.functions or (self.lead,)

    @property
    def claims(self) -> Sequence[str]:
        """What another resource may give too: nodes, or the names of devices without one."""
        own = (each for each in self.parts if each not in self.common)
        return tuple(dict.fromkeys(each.node or each.identity for each in own))
