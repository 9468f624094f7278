"""The page after random events in any order."""

import json
import os
import random

from twisted.internet.defer import Deferred

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.case import PageCase, a_tree, text_of

SEED = int(os.environ.get("TWISTDP_PAGE_SEED", "1"))
STEPS = 60
IDS = [f"cam-{number}" for number in range(300)]

ROWS = """
JSON.stringify([...document.querySelectorAll("tbody tr:not(.details)")].map((row) => [
  row.querySelector("th").textContent,
  row.querySelector(".why")?.textContent ?? "",
  row.querySelector("[data-head='Held by'] span")?.firstChild.textContent ?? "",
]).sort())
"""
"""An expression: ids, reasons and pods of all devices that are shown."""


class ChanceTests(PageCase):
    """The page shows what the plugin knows."""

    async def test_same(self) -> None:
        """Devices and resources come and go, kubelets restart, streams end: nothing is missed."""
        chance = random.Random(SEED)
        await self.kubelet.start()
        there, ill = set(IDS), dict[str, str]()
        scanner = ToldScanner(a_tree(IDS))
        page = await self.show(scanner)
        await page.until(f"{text_of('.choice')}.includes('All 300')")
        for step in range(STEPS):
            for id_ in chance.sample(IDS, chance.choice([0, 1, 2, 60, 150])):
                there ^= {id_}
            for id_ in chance.sample(IDS, chance.choice([0, 1, 3, 120])):
                if ill.pop(id_, None) is None:
                    ill[id_] = f"reason {step}"
            scanner.tell(a_tree(sorted(there), ill, blue=chance.choice([0, 3, 3])))
            if step % 20 == 5:
                await self.kubelet.restart()
            if step % 20 == 10:
                for each in list(self.routes.streams._open):
                    each.stop()
            if step % 20 == 15:
                free = sorted(there - ill.keys())
                await self.listed(there, len(free))
                await self.kubelet.allocate(YELLOW, ids=[chance.choice(free)], pod=f"pod-{step}")
            if chance.random() < 0.5:
                await page.run(f"new Promise((go) => setTimeout(go, {chance.choice([10, 100])}))")
        rows = json.dumps(await self.rows(), separators=(",", ":"), ensure_ascii=False)
        more = "[...document.querySelectorAll('.devices .more')].forEach((each) => each.click())"
        await page.until(f"{more}, {ROWS} === {json.dumps(rows)}")

    def listed(self, ids: set[str], allocatable: int) -> Deferred[None]:
        """Wait until the kubelet knows these ids, and that so many can be allocated."""
        return self.kubelet.until(
            lambda: (
                self.kubelet.devices(YELLOW).keys() == ids
                and self.kubelet.allocatable(YELLOW) == allocatable
            ),
            30,
        )

    async def rows(self) -> list[list[str]]:
        """Return the rows that the page should show."""
        state = await self.state()
        return sorted(
            [
                device["id"],
                device["reason"] if device["health"] != "Healthy" else "",
                "{namespace}/{pod}".format(**device["holder"]) if device["holder"] else "",
            ]
            for resource in state["resources"]
            for device in resource["devices"]
        )
