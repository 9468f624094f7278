"""Names the containers that have devices, in log lines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from twisted.logger import Logger

from twistdp.model import Holder, named

_log = Logger()

MOST: Final = 100
"""Most devices, and resources, in a line for programs."""

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


def warn_of_users(found: Mapping[str, Users]) -> None:
    """Log which containers have devices that are gone or unhealthy, by resource; may be nothing."""
    names = [name for name, users in found.items() if users]
    if names:
        users = [user for name in names for user in found[name]]
        _log.warn(
            "{resource}: devices that are gone or unhealthy are in use: {users}",
            resource=named(names),
            users=named_users(users),
            log_constant="devices that are gone or unhealthy are in use",
            log_facts={
                **({"resource": names[0]} if len(names) == 1 else {"resources": names[:MOST]}),
                **users_facts(users),
            },
        )
