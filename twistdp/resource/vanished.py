"""Keeps devices that vanish while containers have them in the list for a while, unhealthy."""

from collections.abc import Callable, Collection

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twistdp.kubelet import Holdings
from twistdp.model import NO_DEVICES, UNHEALTHY, DeviceInfo, Update

REASON = "it was unplugged"
"""The reason that the kubelet and a refused pod are given for a vanished device."""

REASON_BEFORE = "it was gone when the plugin started"
"""The same for one that a container has and no scan of this process has found."""


class Departures:
    """Adds devices of `resource` that are leaving to what the scanner has found.

    The kubelet shows a device that is simply gone as healthy in the status of the pod that has
    it; one that is listed as unhealthy is shown so.  `grace` is in seconds; with 0 everything
    that vanishes is gone at once.  `update` is called when a device's time has run out, with what
    removes it.

    What containers were given before this process started is asked of `holdings`: a device that
    one has and that is gone already is added, too.
    """

    def __init__(
        self,
        resource: str,
        grace: float,
        holdings: Holdings,
        clock: IReactorTime,
        update: Callable[[Update], None],
    ) -> None:
        self._resource = resource
        self._grace = grace
        self._holdings = holdings
        self._clock = clock
        self._update = update
        self._leaving: dict[str, tuple[DeviceInfo, IDelayedCall]] = {}
        self._expired: set[str] = set()
        """Devices that containers still have, and whose time has run out."""
        self._listed = NO_DEVICES
        self._unfollow: Callable[[], None] | None = None

    def begin(self) -> None:
        """Ask what containers have, if that matters."""
        if self._grace > 0 and self._unfollow is None:
            self._unfollow = self._holdings.follow(self._look)

    def apply(self, found: Update, handed_out: Collection[str]) -> Update:
        """Return the update to list when the scanner has found `found`."""
        for device_id in self._leaving.keys() & found.devices.keys():
            self._leaving.pop(device_id)[1].cancel()
        if self._grace > 0:
            self._expired.difference_update(found.changed)
            in_use = {*handed_out, *self._held()}
            for device_id in set(found.removed) & in_use - self._leaving.keys():
                if (gone := self._listed.devices.get(device_id)) is not None:
                    self._leave(device_id, attrs.evolve(gone, state=UNHEALTHY, reason=REASON))
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
        if self._unfollow is not None:
            self._unfollow()
            self._unfollow = None
        for _, timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()

    def _held(self) -> Collection[str]:
        """The devices that containers have, as far as the kubelet has reported them."""
        held = self._holdings.held
        return () if held is None else held.get(self._resource, ())

    def _look(self) -> None:
        """List devices that containers have and no scan has found."""
        if self._holdings.held is None:
            return
        held = set(self._held())
        self._expired &= held
        lost = sorted(held - self._listed.devices.keys() - self._expired)
        for device_id in lost:
            self._leave(device_id, DeviceInfo(UNHEALTHY, reason=REASON_BEFORE))
        if lost:
            devices = {id_: self._leaving[id_][0] for id_ in lost}
            numa = self._listed.numa
            self._listed = Update({**self._listed.devices, **devices}, lost, (), numa)
            self._update(self._listed)

    def _leave(self, device_id: str, gone: DeviceInfo) -> None:
        timer = self._clock.callLater(self._grace, self._expire, device_id)
        self._leaving[device_id] = gone, timer

    def _expire(self, device_id: str) -> None:
        del self._leaving[device_id]
        self._expired.add(device_id)
        devices = {id_: info for id_, info in self._listed.devices.items() if id_ != device_id}
        numa = {id_: nodes for id_, nodes in self._listed.numa.items() if id_ != device_id}
        self._listed = Update(devices, (), [device_id], numa)
        self._update(self._listed)
