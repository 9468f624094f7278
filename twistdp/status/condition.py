"""How far the resources of a scanner have come, for a service manager that watches us."""

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple


class Standing(Enum):
    """How a resource stands with the kubelet; the value is the text for people."""

    REGISTERING = "registering"
    """It is not registered yet, or no longer, and that is about to change."""
    REGISTERED = "registered"
    """The kubelet has accepted it."""
    WAITING = "waiting for a kubelet"
    """No kubelet was there at the last attempt; more attempts follow."""
    STANDING_BY = "standing by until another plugin ends"
    """Another process serves it; this one takes over when that ends."""
    FAILING = "not registered, see the log"
    """The last attempt failed though there may be a kubelet; more attempts follow."""
    STUCK = "neither registered nor trying to be"
    """Nothing would change that: there is a fault in this process."""


class ResourceCondition(NamedTuple):
    """One resource."""

    devices: int
    standing: Standing


class Condition(NamedTuple):
    """All resources of a scanner."""

    place: str
    """The directory in which the kubelet and the plugin meet."""
    scanned: bool
    """Whether a scan has ended well since the start."""
    resources: tuple[ResourceCondition, ...] = ()


def ready(conditions: Iterable[Condition]) -> bool:
    """Whether every scanner has scanned, and no resource awaits its first attempt."""
    return all(
        one.scanned and all(r.standing is not Standing.REGISTERING for r in one.resources)
        for one in conditions
    )


def sound(conditions: Iterable[Condition]) -> bool:
    """Whether every resource is registered, or another attempt will follow."""
    return all(r.standing is not Standing.STUCK for one in conditions for r in one.resources)


def summary(conditions: Sequence[Condition]) -> str:
    """Return one line for people, such as ``2 resources, 10 devices, registered``."""
    resources = [resource for one in conditions for resource in one.resources]
    parts = []
    if resources:
        parts.append(_counted(len(resources), "resource"))
        parts.append(_counted(sum(resource.devices for resource in resources), "device"))
        standings = Counter(_standing(one, r) for one in conditions for r in one.resources)
        if len(standings) == 1:
            parts += standings
        else:
            parts += [f"{count} {standing}" for standing, count in sorted(standings.items())]
    if not all(one.scanned for one in conditions):
        parts.append("scanning")
    return ", ".join(parts) or "no devices"


def _standing(condition: Condition, resource: ResourceCondition) -> str:
    text = resource.standing.value
    return f"{text} in {condition.place}" if resource.standing is Standing.WAITING else text


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
