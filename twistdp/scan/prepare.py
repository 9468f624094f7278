"""Turns a scanner's trees into updates, in the scanner's thread rather than the reactor's."""

from collections.abc import Collection
from functools import partial

from twistdp.host import Topology
from twistdp.model import (
    NO_DEVICES,
    NOTHING,
    Auto,
    DeviceInfo,
    DeviceTree,
    Update,
    Updates,
    accept,
    check_tree,
)
from twistdp.scan.faults import Faults
from twistdp.scan.sightings import Look
from twistdp.scan.vetting import Vetting


class Preparation:
    """Compares the trees of one scanner, each with the one before; never two at once.

    Trees are compared nowhere else: every later step gets the difference.
    `scanner` is the name to log, `namespace` the domain of the resources; the NUMA nodes are those
    in `sysfs`.  `sightings` checks devices that are new or have other nodes, and `vetting` leaves
    out devices with paths that others could change.
    """

    def __init__(
        self,
        scanner: str,
        namespace: str,
        sysfs: str = "/sys",
        sightings: Look | None = None,
        vetting: Vetting | None = None,
    ) -> None:
        self._faults = Faults(scanner)
        self._namespace = namespace
        self._sysfs = sysfs
        self._sightings = sightings
        self._vetting = vetting
        self._before = NOTHING

    def __call__(self, tree: DeviceTree) -> Updates:
        """Return an update of each resource type whose devices differ from the last tree's.

        Mistakes in the tree are left out and logged.  Raises `BadTree` for anything but a tree, and
        OSError if the process has too few descriptors to read sysfs.  After an error, the next tree
        is compared with the last good one.
        """
        check_tree(tree)  # before `begin`, which reports a changed directory only once
        if self._vetting is None:
            accepted = accept(tree, self._before)
        else:
            self._vetting.begin()
            refuse = partial(self._vetting.refused, checked=tree.checked)
            accepted = accept(tree, self._before, refuse)
        topology = Topology(self._sysfs)  # a new one, because it remembers what it has read
        moved: dict[str, list[str]] = {}
        updates: dict[str, Update] = {}
        for kind, update in accepted.resources.items():
            if update:
                known = self._before.resources.get(kind, NO_DEVICES).devices
                moved[kind] = [i for i in update.changed if _moved(known.get(i), update.devices[i])]
                updates[kind] = _placed(update, moved[kind], topology)
        self._faults.report(self._before, accepted)
        if self._sightings is not None:
            for kind, update in updates.items():
                self._sightings(
                    f"{self._namespace}/{kind}",
                    update.removed,
                    {id_: update.devices[id_] for id_ in moved[kind]},
                )
        # Last, because an error before this line must lose no difference.
        tree.settle()
        self._before = accepted._replace(resources={**accepted.resources, **updates})
        return updates


def _placed(update: Update, moved: Collection[str], topology: Topology) -> Update:
    """Add the NUMA nodes of the devices that are new or have other nodes than before."""
    numa = dict(update.numa)
    for device_id in [*update.removed, *moved]:
        numa.pop(device_id, None)
    for device_id in moved:
        info = update.devices[device_id]
        nodes = info.topology
        if isinstance(nodes, Auto):
            nodes = topology.nodes(node.host_path for node in info.nodes)
        if nodes:
            numa[device_id] = tuple(nodes)
    return update._replace(numa=numa)


def _moved(old: DeviceInfo | None, new: DeviceInfo) -> bool:
    """Whether the device nodes or NUMA nodes of a device may be others than before."""
    try:
        return old is None or old.nodes != new.nodes or old.topology != new.topology
    except Exception:  # of the values' own methods
        return True
