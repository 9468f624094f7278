"""What a tree costs, paid in the scanner's thread before the reactor's gets it."""

from collections.abc import Iterable, Mapping
from typing import Final

from twistdp.host import NumaNodes, alike
from twistdp.model import DeviceInfo, Devices, DeviceTree, keep_unchanged
from twistdp.scan.sightings import Sightings
from twistdp.scan.vetting import Vetting

_NONE: Final[Mapping[str, DeviceInfo]] = {}


class Preparation:
    """Prepares one scanner's trees, one after the other, in its thread.

    A device that is equal to that of the last tree becomes the same object, which makes it
    free to all that follows, and the NUMA nodes of others are looked up.  `sightings` are told of
    those, as devices of resources of `namespace`.  `vetting` says which are left out since others
    could change their paths.
    """

    def __init__(
        self,
        numa: NumaNodes,
        namespace: str = "",
        sightings: Sightings | None = None,
        vetting: Vetting | None = None,
    ) -> None:
        self._numa = numa
        self._namespace = namespace
        self._sightings = sightings
        self._vetting = vetting
        self._before: Mapping[str, Devices] = {}

    def __call__(self, tree: DeviceTree) -> DeviceTree:
        """A copy of `tree`, prepared.  Refuses nothing; that is left to `accept`."""
        prepared = DeviceTree()
        prepared.repeated |= tree.settle()
        last: dict[str, Devices] = {}
        fresh: list[DeviceInfo] = []
        if self._vetting is not None:
            self._vetting.begin()
        for kind in self._before.keys() - set(tree):
            self._sight(kind, self._before[kind], {})
        for kind in tree:
            before = self._before.get(kind, _NONE)
            devices, changed = keep_unchanged(tree[kind], before)
            prepared.add_devices(kind, devices)
            last[kind] = prepared[kind]
            if self._vetting is not None:
                refused = self._vetting.refused(kind, devices, changed)
                if refused:
                    prepared.untrusted[kind] = refused
            others = {
                id_: devices[id_] for id_ in changed if not _alike(before.get(id_), devices[id_])
            }
            fresh += others.values()
            self._sight(kind, before.keys() - devices.keys(), others)
        self._before = last
        self._numa.look_ahead(fresh)
        return prepared

    def _sight(self, kind: object, gone: Iterable[str], fresh: Devices) -> None:
        # Of what is no text there will be no resource, and it may be impossible to show.
        if self._sightings is not None and isinstance(kind, str):
            self._sightings.look(f"{self._namespace}/{kind}", gone, fresh)


def _alike(one: object, other: object) -> bool:
    """The same for what may be no devices."""
    both = isinstance(one, DeviceInfo) and isinstance(other, DeviceInfo)
    try:
        return both and alike(one, other)  # type: ignore[arg-type]
    except Exception:  # of the values' own methods
        return False
