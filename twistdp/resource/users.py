"""Finds the containers that have devices which are gone or unhealthy, and names them in the log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from twistdp.kubelet import Held, Holdings
from twistdp.model import HEALTHY, Holder, named
from twistdp.resource.inventory import Inventory
from twistdp.resource.summary import Change

_log = Logger()

MOST: Final = 100
"""Most devices, and resources, in a line for programs."""

Users: TypeAlias = Sequence[tuple[str, Holder]]
"""Ids of devices, and the containers that have them."""


class Inquiry:
    """Finds the containers that have devices of a resource which a change has made unusable."""

    def __init__(self, resource: str, inventory: Inventory, holdings: Holdings) -> None:
        self._resource = resource
        self._inventory = inventory
        self._holdings = holdings
        self._asked: Deferred[Any] | None = None

    def known(self, what: Change) -> Users:
        """The containers known to have devices that are gone or have become unhealthy."""
        return self._users([*what.went, *what.ill], self._holdings.current)

    def ask(self, what: Change) -> Deferred[Users]:
        """Ask the kubelet for these containers, and return those whose devices still are so.

        Fires with none if nobody has such a device, if they are known already, or if `stop` is
        called before.
        """
        concerned = [*what.went, *what.ill]
        if not concerned or self._holdings.current is not None or self._asked is not None:
            return succeed([])

        def answered(held: Held | None) -> Users:
            self._asked = None
            devices = self._inventory.devices
            bad = [id_ for id_ in concerned if id_ not in devices or devices[id_].state != HEALTHY]
            return self._users(bad, held)

        asked = self._asked = self._holdings.ask()
        return asked.addCallbacks(answered, lambda cancelled: [])

    def stop(self) -> None:
        """Ask no more."""
        if self._asked is not None:
            self._asked.cancel()

    def _users(self, ids: Iterable[str], held: Held | None) -> Users:
        holders = (held or {}).get(self._resource, {})
        return [(id_, holders[id_]) for id_ in ids if id_ in holders]


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
