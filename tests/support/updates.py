"""Updates of resources as scans lead to them."""

from twistdp.model.acceptance import Accepted, Update
from twistdp.model.devices import Devices, DeviceTree
from twistdp.scan.prepare import Preparation


class Scans:
    """Scans of one resource; NUMA nodes are those that `sysfs` tells."""

    def __init__(self, sysfs: str = "/nonexistent") -> None:
        self._prepare = Preparation("scanner", "a.example.com", sysfs)

    def update(self, devices: Devices) -> Update:
        """The update that a scan leads to which finds these."""
        tree = DeviceTree()
        tree.add_devices("thing", devices)
        return self._prepare(tree).get("thing", Update(devices))


def first(devices: Devices, sysfs: str = "/nonexistent") -> Update:
    """The update that the first scan leads to."""
    return Scans(sysfs).update(devices)


def resources(accepted: Accepted) -> dict[str, Devices]:
    """The devices of each type that has any."""
    return {kind: update.devices for kind, update in accepted.resources.items() if update.devices}
