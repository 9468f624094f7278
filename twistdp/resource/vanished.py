"""Keeps devices that vanish while containers have them in the list for a while, unhealthy."""

from collections.abc import Callable, Collection

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twistdp.model import NO_DEVICES, UNHEALTHY, DeviceInfo, Update

REASON = "it was unplugged"
"""The reason that the kubelet and a refused pod are given for a vanished device."""


class Departures:
    """Adds devices that are leaving to what the scanner has found.

    The kubelet shows a device that is simply gone as healthy in the status of the pod that has
    it; one that is listed as unhealthy is shown so.  `grace` is in seconds; with 0 everything
    that vanishes is gone at once.  When a device's time has run out, `expired` is called with the
    update that removes it.
    """

    def __init__(
        self, grace: float, clock: IReactorTime, expired: Callable[[Update], None]
    ) -> None:
        self._grace = grace
        self._clock = clock
        self._expired = expired
        self._leaving: dict[str, tuple[DeviceInfo, IDelayedCall]] = {}
        self._listed = NO_DEVICES

    def apply(self, found: Update, handed_out: Collection[str]) -> Update:
        """Return the update to list when the scanner has found `found`."""
        for device_id in self._leaving.keys() & found.devices.keys():
            self._leaving.pop(device_id)[1].cancel()
        if self._grace > 0:
            for device_id in set(found.removed) & set(handed_out) - self._leaving.keys():
                self._leave(device_id)
        leaving = {device_id: info for device_id, (info, _) in self._leaving.items()}
        if leaving:
            numa = {id_: n for id_ in leaving if (n := self._listed.numa.get(id_))}
            found = Update(
                {**found.devices, **leaving},
                [*found.changed, *(id_ for id_ in found.removed if id_ in leaving)],
                [id_ for id_ in found.removed if id_ not in leaving],
                {**found.numa, **numa},
            )
        self._listed = found
        return found

    def stop(self) -> None:
        """Forget all that is leaving."""
        for _, timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()

    def _leave(self, device_id: str) -> None:
        gone = self._listed.devices.get(device_id)
        if gone is not None:
            gone = attrs.evolve(gone, state=UNHEALTHY, reason=REASON)
            timer = self._clock.callLater(self._grace, self._expire, device_id)
            self._leaving[device_id] = gone, timer

    def _expire(self, device_id: str) -> None:
        del self._leaving[device_id]
        devices = {id_: info for id_, info in self._listed.devices.items() if id_ != device_id}
        numa = {id_: nodes for id_, nodes in self._listed.numa.items() if id_ != device_id}
        self._listed = Update(devices, (), [device_id], numa)
        self._expired(self._listed)
