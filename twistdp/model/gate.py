"""Health with hysteresis, so that one odd check does not make a device unhealthy.

A scanner may own a gate and use it in its own thread, but not in several threads at once.
"""

from collections.abc import Iterable

import attrs

from twistdp.model.devices import HEALTHY, UNHEALTHY


@attrs.define
class Memory:
    """The state that the results of checks in a row have led to; the first one decides."""

    healthy: bool
    against: int = 0  # checks in a row that contradict `healthy`
    reason: str = ""

    def take(self, healthy: bool, reason: str, bad: int, good: int, recover: bool = True) -> None:
        """Take note of a result; after `bad` or `good` ones against the state, it changes."""
        self.against = 0 if healthy == self.healthy else self.against + 1
        if self.against >= (bad if self.healthy else good) and (recover or self.healthy):
            self.healthy = healthy
            self.against = 0
        if not healthy:
            self.reason = reason


class HealthGate:
    """Turns checks of devices into states that do not flutter.

    The first check of a device decides at once.  Afterwards `bad` bad checks in a row make a
    healthy device unhealthy, and `good` good checks in a row make an unhealthy one healthy again.
    No state is final.

    Raises `ValueError` for counts less than 1.
    """

    def __init__(self, bad: int = 3, good: int = 2) -> None:
        for name, count in (("bad", bad), ("good", good)):
            if count < 1:
                raise ValueError(f"{name}={count!r}: at least one check is needed")
        self._bad = bad
        self._good = good
        self._memory: dict[str, Memory] = {}

    def check(self, device_id: str, healthy: bool, reason: str = "") -> str:
        """Take note of a check and return the device's state, `HEALTHY` or `UNHEALTHY`.

        `reason` says why a check was bad; for a good check it is ignored.
        """
        memory = self._memory.setdefault(device_id, Memory(healthy))
        memory.take(healthy, reason, self._bad, self._good)
        return HEALTHY if memory.healthy else UNHEALTHY

    def reason(self, device_id: str) -> str:
        """The reason of an unhealthy device's last bad check; empty for any other device."""
        memory = self._memory.get(device_id)
        return "" if memory is None or memory.healthy else memory.reason

    def keep(self, device_ids: Iterable[str]) -> None:
        """Forget all devices but these, so that a device that comes back starts again.

        `device_ids` may name devices that were never checked.
        """
        kept = set(device_ids)
        self._memory = {id_: memory for id_, memory in self._memory.items() if id_ in kept}
