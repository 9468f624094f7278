"""GPU-like cards: several nodes a device, shares of a card, a policy for them.

Cards appear as ``card0``, ``card1`` in a directory, each with a ``renderD128`` of its own, as in
/dev/dri.  With ``--set shares=4`` every card is offered four times; `group` tells the policies
which ids are shares of one card, and `numa` takes cards of one NUMA node, then of one card:

    twistd -n --pidfile= deviceplugin --scanner=examples.gpu:GpuScanner --set shares=4 \\
        --preferred=numa
"""

import glob
import os
import re

from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner


class GpuScanner(WatchingScanner):
    """Offers each card of `directory` `shares` times."""

    namespace = "gpu.example.com"

    # Containers that have several cards see all their numbers: VISIBLE_CARDS=0,3
    join = {"VISIBLE_CARDS": ","}  # noqa: RUF012

    def __init__(self, directory: str = "/dev/dri", shares: int = 1):
        if shares < 1:
            raise ValueError(f"shares={shares}: offer every card at least once")
        super().__init__(paths=[directory], contents=False)
        self.directory = directory
        self.shares = shares

    def discover(self) -> DeviceTree:
        """One id a share; shares of one card are equal but for their id."""
        tree = DeviceTree()
        for path in glob.glob(os.path.join(self.directory, "card[0-9]*")):
            number = int(re.sub(r"\D", "", os.path.basename(path)))
            render = os.path.join(self.directory, f"renderD{128 + number}")
            info = DeviceInfo(
                HEALTHY,
                nodes=[DeviceSpec(p, p) for p in (path, render) if os.path.exists(p)],
                envs={"VISIBLE_CARDS": str(number)},
                group=f"card{number}",
                # topology is left out: the NUMA nodes of the card are looked up in sysfs.
            )
            for share in range(self.shares):
                tree.add_device("card", f"card{number}-{share}", info)
        return tree
