"""GPU-like cards: devices of several nodes, shares of a card, and a policy for them.

Cards appear as ``card0``, ``card1`` in a directory, as in /dev/dri.  Their render nodes are counted
by themselves (``renderD128`` and so on), so sysfs says which one is a card's.  With
``--set shares=4`` every card is offered four times; `group` tells the policies which ids are shares
of one card, and `numa` takes cards of one NUMA node, then of one card:

    twistd -n --pidfile= deviceplugin --scanner=examples.gpu:GpuScanner --set shares=4 \\
        --preferred=numa
"""

import os
import re

from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner, entries


class GpuScanner(WatchingScanner):
    """Offers each card of `directory` `shares` times."""

    namespace = "gpu.example.com"

    # Containers that have several cards see all their numbers: VISIBLE_CARDS=0,3
    join = {"VISIBLE_CARDS": ","}  # noqa: RUF012

    def __init__(self, directory: str = "/dev/dri", shares: int = 1, sysfs: str = "/sys"):
        if shares < 1:
            raise ValueError(f"shares={shares}: offer every card at least once")
        super().__init__(paths=[directory], contents=False)
        self.directory = directory
        self.shares = shares
        self.sysfs = sysfs

    def discover(self) -> DeviceTree:
        """One id for each share; shares of one card differ only in their id."""
        tree = DeviceTree()
        for card in entries(self.directory):
            if not re.fullmatch("card[0-9]+", card):
                continue
            nodes = [card, *self.render_nodes(card)]
            info = DeviceInfo(
                HEALTHY,
                nodes=[DeviceSpec(os.path.join(self.directory, name)) for name in nodes],
                envs={"VISIBLE_CARDS": card.removeprefix("card")},
                group=card,
                # Without a topology the framework looks up the NUMA nodes of the card in sysfs.
            )
            for share in range(self.shares):
                tree.add_device("card", f"{card}-{share}", info)
        return tree

    def render_nodes(self, card: str) -> list[str]:
        """The names of a card's render nodes; a card with outputs alone has none."""
        names = entries(os.path.join(self.sysfs, "class/drm", card, "device/drm"))
        return [name for name in names if name.startswith("renderD")]
