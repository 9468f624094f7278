"""A resource with more devices than one message to the kubelet has room for."""

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner
from tests.support.helpers import PATIENCE
from tests.support.long_lists import SMALL, devices_for
from twistdp import DeviceInfo, DeviceTree
from twistdp.resource.room import MOST_BYTES

WAIT = PATIENCE
"""Seconds for a list of four megabytes, on a machine that has other things to do too."""


def tree_of(devices: dict[str, DeviceInfo]) -> DeviceTree:
    """A tree of them."""
    tree = DeviceTree()
    for id_, info in devices.items():
        tree.add_device("yellow", id_, info)
    return tree


class LongListTests(LifeTestCase):
    """The list for a kubelet, which drops every device for one byte too many."""

    async def test_full_to_the_last_byte(self) -> None:
        """All devices are counted that just fit, and nothing is complained of."""
        full = devices_for(MOST_BYTES)
        await self.kubelet.start()
        self.manage(ToldScanner(tree_of(full)))
        await self.kubelet.listed(YELLOW, full, timeout=WAIT)
        self.assertEqual(self.logged("not listed"), [])

    async def test_too_many(self) -> None:
        """Devices that fit are counted, the rest logged once; when all fit, all are counted."""
        full = devices_for(MOST_BYTES)
        await self.kubelet.start()
        scanner = ToldScanner(tree_of({**full, "z": SMALL, "zz": SMALL}))
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, full, timeout=WAIT)
        (line,) = self.logged("are not listed")
        self.assertIn(f"2 of {len(full) + 2} devices are not listed", line)
        self.assertIn(f"{MOST_BYTES + 29} bytes", line)
        self.assertIn(f"takes {MOST_BYTES};", line)

        del full["b000"]
        fewer = {**full, "z": SMALL, "zz": SMALL}
        scanner.tell(tree_of(fewer))
        await self.kubelet.listed(YELLOW, fewer, timeout=WAIT)
        self.assertEqual(len(self.logged("are not listed")), 1)
        self.assertEqual(len(self.logged("all devices are listed again")), 1)

    async def test_device_that_is_not_listed_any_more(self) -> None:
        """A pod that was promised one gets it, and from then on it is listed first."""
        full = devices_for(MOST_BYTES)
        await self.kubelet.start()
        scanner = ToldScanner(tree_of({**full, "z": SMALL}))
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, full, timeout=WAIT)
        self.kubelet.resources[YELLOW].devices["z"] = "Healthy"  # as an older list would have it
        await self.kubelet.allocate(YELLOW, ids=["z"])
        scanner.tell(tree_of({**full, "z": SMALL, "zz": SMALL}))
        await self.kubelet.until(lambda: "z" in self.kubelet.devices(YELLOW), WAIT)
        self.assertNotIn("zz", self.kubelet.devices(YELLOW))
