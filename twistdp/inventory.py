"""The devices of one resource, encoded once and joined."""

from collections.abc import Iterable

import attrs

from twistdp.allocation import SharedClaims, combine, select
from twistdp.devices import DeviceInfo, Devices
from twistdp.kubelet.messages import container_part, listed_part
from twistdp.naming import natural_key


@attrs.frozen
class _Entry:
    info: DeviceInfo
    listed: bytes
    container: bytes


class Inventory:
    """What is advertised of a resource, and what containers get of it.

    A device's bytes are made when it appears or changes, kept, and joined for each message.
    """

    def __init__(self, resource: str, devices: Devices) -> None:
        self._resource = resource
        self._entries: dict[str, _Entry] = {}
        self._shared = SharedClaims()
        self.devices: Devices = {}
        self.update(devices)

    def update(self, devices: Devices) -> bool:
        """Take over another set of devices; whether the advertised list changed by it."""
        before, self.devices = self.devices, devices
        listed = before.keys() != devices.keys()
        for device_id in before.keys() - devices.keys():
            self._shared.remove(self._entries.pop(device_id).info)
        for device_id, info in devices.items():
            entry = self._entries.get(device_id)
            if entry is not None:
                if entry.info is info or entry.info == info:
                    continue
                self._shared.remove(entry.info)
            fresh = _Entry(info, listed_part(device_id, info), container_part(info))
            self._entries[device_id] = fresh
            self._shared.add(info)
            listed = listed or entry is None or entry.listed != fresh.listed
        return listed

    def listed(self) -> bytes:
        """The ListAndWatchResponse, in natural order of the ids."""
        return b"".join(
            self._entries[device_id].listed for device_id in sorted(self._entries, key=natural_key)
        )

    def container(self, ids: Iterable[str]) -> bytes:
        """The ContainerAllocateResponse for these ids; raises what `select` and `combine` do."""
        chosen = select(self._resource, self.devices, ids)
        if not self._shared or len(chosen) == 1:
            return b"".join(self._entries[device_id].container for device_id in chosen)
        return container_part(combine(self._resource, [(id_, self.devices[id_]) for id_ in chosen]))
