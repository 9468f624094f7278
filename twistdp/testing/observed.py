"""What tests see of an emulated node, and how they wait for it."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from twistdp.testing.conditions import Conditions
from twistdp.testing.node import NodeResource


@attrs.frozen
class Registration:
    """A Register call, or a plugin found in the registry, whose `endpoint` is an absolute path.

    `error` is the text of the refusal, or empty.
    """

    resource: str
    endpoint: str
    version: str
    seconds: float
    error: str = ""


class ObservedNode:
    """A node's resources; `observe` is called with a line for people for everything that happens.

    `reactor` times what is waited for.
    """

    def __init__(self, observe: Callable[[str], None], reactor: Any) -> None:
        self.resources: dict[str, NodeResource] = {}
        """The node's resources by name; a restart forgets them."""
        self.registrations: list[Registration] = []
        """Every Register call and every plugin found, oldest first; kept over restarts."""
        self._observe = observe
        self._reactor = reactor
        self._conditions = Conditions(reactor)

    def capacity(self, resource: str) -> int:
        """Devices of a resource, healthy or not."""
        return self.resources[resource].capacity if resource in self.resources else 0

    def allocatable(self, resource: str) -> int:
        """Devices of a resource that pods may get."""
        return self.resources[resource].allocatable if resource in self.resources else 0

    def devices(self, resource: str) -> dict[str, str]:
        """Ids and health, as in the last list; all unhealthy once its stream has ended."""
        return dict(self.resources[resource].devices) if resource in self.resources else {}

    def until(self, condition: Callable[[], object], timeout: float = 5.0) -> Deferred[None]:
        """Fires as soon as `condition` is true; it is called whenever anything happens here.

        Fails with Twisted's TimeoutError after `timeout` seconds.
        """
        waiting = self._conditions.add(condition, timeout)
        self._changed()
        return waiting

    def listed(self, resource: str, ids: Iterable[str], timeout: float = 5.0) -> Deferred[None]:
        """Fires when exactly these devices of a resource are allocatable."""
        wanted = set(ids)
        return self.until(
            lambda: (
                self.devices(resource).keys() == wanted
                and self.allocatable(resource) == len(wanted)
            ),
            timeout,
        )

    def record(self, resource: str, endpoint: str, version: str, error: str) -> None:
        """Record that a plugin was registered, or why it was refused."""
        now = self._reactor.seconds()
        self.registrations.append(Registration(resource, endpoint, version, now, error))
        self.say(f"{resource} ({endpoint}) " + (f"refused: {error}" if error else "registered"))

    def say(self, line: str) -> None:
        """Report a line to the observer, and fire the Deferreds of `until` that are due."""
        self._observe(line)
        self._changed()

    def _changed(self) -> None:
        self._conditions.look()
