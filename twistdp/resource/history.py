"""Keeps how the health of a resource's devices has changed, for people who ask later."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from twistdp.model import HEALTHY, DeviceInfo, Devices, Update

KEPT: Final = 10
"""Changes that are kept of each device."""


class Turn(NamedTuple):
    """One change of a device's health."""

    time: float
    """When, in seconds since the epoch."""
    state: str
    """What it became, as `DeviceInfo.state`."""
    reason: str
    """Why; empty where nobody gave one."""


class History:
    """The newest changes of health of each device that is there; none of one that never changed."""

    def __init__(self) -> None:
        self._turns: dict[str, deque[Turn]] = {}

    def record(self, before: Devices, update: Update) -> None:
        """Take note of what an update of the devices `before` changes."""
        for device_id in update.removed:
            self._turns.pop(device_id, None)
        for device_id in update.changed:
            old, info = before.get(device_id), update.devices[device_id]
            if _health(old) != _health(info):
                turns = self._turns.setdefault(device_id, deque(maxlen=KEPT))
                turns.append(Turn(time.time(), info.state, info.reason))

    def of(self, device_id: str) -> Sequence[Turn]:
        """The changes of a device, the oldest first."""
        return tuple(self._turns.get(device_id, ()))


def _health(info: DeviceInfo | None) -> tuple[str, str]:
    """The state and the reason, which a healthy device needs none of."""
    if info is None or info.state == HEALTHY:
        return HEALTHY, ""
    return info.state, info.reason
