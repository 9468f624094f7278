"""Devices that vanished while containers had them."""

from collections.abc import Callable, Collection

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twistdp.model import UNHEALTHY, DeviceInfo, Devices

REASON = "it was unplugged"
"""What the list's reader and a refused pod are told of a vanished device."""


class Departures:
    """Keeps devices that vanish in the list for a while, unhealthy, if they were handed out.

    The kubelet shows a device that is simply gone as healthy in the status of the pod that has
    it; one that is listed as unhealthy is shown so.  `grace` is in seconds; with 0 everything
    that vanishes is gone at once.  `expired` is called when a device's time has run out.
    """

    def __init__(self, grace: float, clock: IReactorTime, expired: Callable[[], None]) -> None:
        self._grace = grace
        self._clock = clock
        self._expired = expired
        self._leaving: dict[str, tuple[DeviceInfo, IDelayedCall]] = {}
        self._shown: set[str] = set()  # listed the last time only because they were leaving

    def __bool__(self) -> bool:
        return bool(self._leaving)

    def apply(self, before: Devices, wanted: Devices, handed_out: Collection[str]) -> Devices:
        """The devices to list after `before`, when the scanner has found `wanted`."""
        for id_ in self._leaving.keys() & wanted.keys():
            self._leaving.pop(id_)[1].cancel()
        if self._grace > 0:
            for id_ in (before.keys() - wanted.keys() - self._shown) & set(handed_out):
                gone = attrs.evolve(before[id_], state=UNHEALTHY, reason=REASON)
                timer = self._clock.callLater(self._grace, self._expire, id_)
                self._leaving[id_] = gone, timer
        self._shown = set(self._leaving)
        if not self._leaving:
            return wanted
        return {**wanted, **{id_: info for id_, (info, _) in self._leaving.items()}}

    def stop(self) -> None:
        """Forget all that is leaving."""
        for _, timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()

    def _expire(self, device_id: str) -> None:
        del self._leaving[device_id]
        self._expired()
