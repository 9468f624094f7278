"""Names the containers that have devices, in log lines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from twistdp.model import Holder, named

MOST: Final = 100
"""Most devices in a line for programs."""

Users: TypeAlias = Sequence[tuple[str, Holder]]
"""Ids of devices, and the containers that have them."""


def users_of(ids: Iterable[str], held: Mapping[str, Holder]) -> Users:
    """Return the devices that containers have; `held` has who holds those of the resource."""
    return [(id_, held[id_]) for id_ in ids if id_ in held]


def named_users(users: Users) -> str:
    """Name the first of the devices, with their containers."""
    return named(f"{id_} by {by.namespace}/{by.pod} ({by.container})" for id_, by in users)


def users_facts(users: Users) -> dict[str, object]:
    """Return the field of a line for programs; no field if nobody has a device."""
    if not users:
        return {}
    found = [
        {"id": id_, "namespace": by.namespace, "pod": by.pod, "container": by.container}
        for id_, by in users[:MOST]
    ]
    return {"inUse": found}
