"""Sums up the devices of a resource, and a change of them, in one line however many there are."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twistdp.model import HEALTHY, Devices, Update, named, natural_key, printable

LONGEST_REASON = 500
"""Characters of a reason in such a line."""


class Change(NamedTuple):
    """How a resource's devices have changed: their ids."""

    came: Sequence[str] = ()
    went: Sequence[str] = ()
    worse: Sequence[str] = ()
    """Devices that have become unhealthy, or are so for another reason, by that reason."""
    better: Sequence[str] = ()
    """Healthy again."""
    fallen: int = 0
    """How many have become unhealthy, and were not before."""
    ill: Sequence[str] = ()
    """The ids of `worse`."""
    altered: Sequence[str] = ()
    """Devices that are as healthy as before, but differ in other ways."""

    @property
    def ids(self) -> Sequence[str]:
        """All devices that have changed."""
        return [*self.came, *self.went, *self.ill, *self.better, *self.altered]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many devices have changed how."""
        return {
            "added": len(self.came),
            "removed": len(self.went),
            "unhealthy": self.fallen,
            "healthy": len(self.better),
        }

    def __bool__(self) -> bool:
        return bool(self.came or self.went or self.worse or self.better)

    def __str__(self) -> str:
        """Describe the change in a few words; empty if nothing has changed."""
        signs = named([*(f"+{id_}" for id_ in self.came), *(f"-{id_}" for id_ in self.went)], " ")
        parts = [signs] if signs else []
        if self.worse:
            parts.append(f"unhealthy: {named(self.worse)}")
        if self.better:
            parts.append(f"healthy again: {named(self.better)}")
        if self.altered:
            parts.append(f"changed: {named(self.altered)}")
        return "; ".join(parts)


def change(before: Devices, update: Update) -> Change:
    """Return what an update of the devices `before` changes for people: ids and health."""
    came, better, altered = [], [], []
    worse: dict[str, list[str]] = {}
    fallen = 0
    for id_ in update.changed:
        old, info = before.get(id_), update.devices[id_]
        if old is None:
            came.append(id_)
        if info.state != HEALTHY:
            is_new = old is None or old.state == HEALTHY
            fallen += is_new
            if is_new or (old is not None and old.reason != info.reason):
                worse.setdefault(info.reason, []).append(id_)
            elif old is not None:
                altered.append(id_)
        elif old is not None and old.state != HEALTHY:
            better.append(id_)
        elif old is not None:
            altered.append(id_)
    went = sorted((id_ for id_ in update.removed if id_ in before), key=natural_key)
    texts = [_with_reason(*each) for each in worse.items()]
    ill = [id_ for ids in worse.values() for id_ in ids]
    return Change(came, went, texts, better, fallen, ill, altered)


def counted(devices: int, unhealthy: int, left_out: int) -> str:
    """Describe how many devices there are, and how many of them cannot be used."""
    text = f"{devices} device{'' if devices == 1 else 's'}"
    text += f", {unhealthy} unhealthy" if unhealthy else ""
    return f"{text}, {left_out} not listed" if left_out else text


def _with_reason(reason: str, ids: Sequence[str]) -> str:
    shown = printable(" ".join(reason.split()), LONGEST_REASON)
    return f"{named(ids)} ({shown})" if shown else named(ids)
