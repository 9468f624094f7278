"""What a look at a host comes to: the devices that are listed, and those that are left out."""

import enum
from collections.abc import Sequence

import attrs

from twistdp.model import DeviceInfo
from twistdp.select import Device


class Cause(enum.Enum):
    """Why something is left out."""

    ABSENT = "not on this node"
    """Nothing here meets the rule, which is the normal state in a pool of unlike nodes."""
    RULE = "by the rule"
    """The configuration says so: another kind of node, a limit, a resource with a prior claim."""
    FAULT = "fault"
    """The device is here and cannot be given as the configuration wants it."""
    UNDECIDABLE = "undecidable"
    """A condition needs what cannot be known here."""


@attrs.frozen
class LeftOut:
    """Something that a rule looked at and did not list; `what` is a path or a device's name."""

    resource: str
    what: str
    reason: str
    cause: Cause
    device: Device | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class Listed:
    """A device of a resource, before replicas: its id, what containers get, and its parts."""

    resource: str
    id: str
    info: DeviceInfo
    lead: Device = attrs.field(eq=False, repr=False)
    """The device that templates and health checks are about."""
    functions: Sequence[Device] = attrs.field(default=(), eq=False, repr=False)
    """The devices whose nodes are given."""
    numbered: Sequence[tuple[str, str]] = ()
    """Environment variables with `NUMBER` where a container's count of devices goes."""
