"""The page with very many devices, resources and events."""

import os
import time
from statistics import median

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.case import LOOKS, PICTURES, PageCase, a_tree, text_of
from tests.page.chromium import Page
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceTree
from twistdp.status import Kind

VERDICTS = """
  window.verdicts = new Set();
  const look = () => {
    window.verdicts.add(document.getElementById("verdict")?.textContent);
    requestAnimationFrame(look);
  };
  look();
"""
"""A script that keeps all verdicts that the page has shown."""

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
"""An expression: when the page has shown something first, in milliseconds."""


def busy() -> float:
    """How much slower everything is because of others who use the processors; 1 if it is not."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class ManyTests(PageCase):
    """Ten thousand devices."""

    async def test_quick(self) -> None:
        """The first paint takes less than a second, an update less than 100 ms."""
        await self.kubelet.start()
        ids = [f"cam-{number}" for number in range(10_000)]
        scanner = ToldScanner(a_tree(ids))
        page = await self.show(scanner)
        paints = []
        for _ in range(3):
            await page.open(f"http://127.0.0.1:{self.port}/")
            await page.until(f"{text_of('.choice')}.includes('All 10,000')", timeout=60)
            paints.append(await page.run(PAINT))
        self.assertLess(min(paints), 1000 * busy())
        updates = []
        for number in range(21):
            tree = a_tree(ids, {f"cam-{number}": f"reason {number}"})
            told = time.time()
            scanner.tell(tree)
            shown = await page.until(f"{text_of('#problems')}.includes('reason {number}')")
            updates.append(shown - told * 1000)
        self.assertLess(min(updates), 100 * busy(), updates)
        os.makedirs(PICTURES, exist_ok=True)
        with open(os.path.join(PICTURES, "figures.txt"), "w", encoding="utf-8") as file:
            file.write(f"first paint {median(paints):.0f} ms, update {median(updates):.0f} ms\n")
        await page.until(f"{text_of('#events')}.includes('cam-20')")
        await page.look_like(LOOKS["phone-dark"])
        await self.see(page, "many", ["desktop-dark", "phone-light", "narrow"])
        self.assertEqual(page.complaints, [])

    async def test_never_well_meanwhile(self) -> None:
        """While the devices come, those that are unhealthy are counted already."""
        await self.kubelet.start()
        ids = [f"cam-{number}" for number in range(3000)]
        page = await self.show(ToldScanner(a_tree(ids, {ids[-1]: "too hot"})), VERDICTS)
        await page.until(f"{text_of('#problems')}.includes('too hot')", timeout=60)
        verdicts = await page.run("[...window.verdicts].join(';')")
        self.assertIn("1 problem", verdicts)
        self.assertNotIn("All is well", verdicts)

    async def test_resources(self) -> None:
        """Two hundred resources, with one problem that is the same for many."""
        await self.kubelet.start()
        tree = DeviceTree()
        for number in range(200):
            for part in ("a", "b"):
                ill = part == "b" and number % 10 == 0
                info = DeviceInfo(UNHEALTHY if ill else HEALTHY, reason="no link" if ill else "")
                tree.add_device(f"kind{number}", f"{part}{number}", info)
        page = await self.show(ToldScanner(tree))
        await page.until("document.querySelectorAll('.chip').length === 400", timeout=60)
        await page.until(f"{text_of('#verdict')} === '1 problem'")
        await page.until(f"{text_of('#numbers')}.includes('200 / 200')", timeout=60)
        self.assertIn("20 devices of 20 resources unhealthy", await page.run(text_of("#problems")))
        names = (await page.run(text_of(".card h3"))).split()
        self.assertEqual(names, [f"color.example.com/kind{number}" for number in range(200)])
        await page.run("document.querySelector('#problems button').click()")
        self.assertTrue(await page.run("document.querySelector('.card').open"))
        await self.see(page, "resources", ["zoomed"])
        self.assertEqual(page.complaints, [])

    async def test_many_problems(self) -> None:
        """The first problems are shown, and the others on demand."""
        await self.kubelet.start()
        tree = DeviceTree()
        for number in range(40):
            info = DeviceInfo(UNHEALTHY, reason=f"reason {number}")
            tree.add_device(f"kind{number}", f"a{number}", info)
        page = await self.show(ToldScanner(tree))
        await page.until(f"{text_of('#numbers')}.includes('40 / 40')")
        await page.until(f"{text_of('#verdict')} === '40 problems'")
        self.assertEqual(await page.run(text_of("#all-problems")), "Show 32 more")
        await page.run("document.getElementById('all-problems').click()")
        self.assertEqual(await page.run("document.querySelectorAll('#problems li').length"), 40)
        self.assertTrue(await page.run("document.activeElement.textContent.includes('kind8:')"))

    async def test_hours(self) -> None:
        """A page that is open for long keeps no more than it shows."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        await page.run("document.getElementById('quiet').click()")
        await page.call("Performance.enable")
        first = await self._grown(page, 600, "first")
        second = await self._grown(page, 3000, "second")
        self.assertLess(second["Nodes"], first["Nodes"] + 100)
        self.assertLess(second["JSEventListeners"], first["JSEventListeners"] + 20)
        self.assertLess(second["JSHeapUsedSize"], first["JSHeapUsedSize"] + 2_000_000)
        self.assertLessEqual(await page.run("document.querySelectorAll('#events li').length"), 100)

    async def _grown(self, page: Page, count: int, word: str) -> dict[str, float]:
        """How large the page is after so many events, a few hundred at a time."""
        for number in range(count):
            self.events.emit(Kind.REGISTERED, resource=YELLOW)
            self.events.emit(Kind.KUBELET_APPEARED, directory=f"/{word}/{number}")
            if number % 100 == 99:
                await page.until(f"{text_of('#events')}.includes('/{word}/{number}')")
        await page.call("HeapProfiler.collectGarbage")
        found = await page.call("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in found["metrics"]}
