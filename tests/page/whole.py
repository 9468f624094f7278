"""The page, as people see it: live, without errors, accessible, and quick with many devices."""

import json
import os
from typing import Any

from twisted.internet import reactor

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.chromium import Chromium, Look, Page
from tests.support.helpers import temporary_directory, until
from tests.web.test_routes import RoutesCase
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.web.service import Web

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AXE = os.path.join(ROOT, ".cache", "page", "package", "axe.min.js")
PICTURES = os.path.join(ROOT, "build", "page")

CHECK = """
axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(
  ({violations}) => JSON.stringify(violations.map(
    ({id, nodes}) => [id, nodes.map(({html, failureSummary}) => `${html} ${failureSummary}`)]
  ))
)
"""
"""What axe-core finds wrong."""

LOOKS = {
    "desktop-light": Look(1280, 900, dark=False),
    "desktop-dark": Look(1280, 900, dark=True),
    "phone-light": Look(360, 740, dark=False),
    "phone-dark": Look(360, 740, dark=True),
    "narrow": Look(320, 560, dark=False),
}


def a_tree(ids: list[str], ill: dict[str, str] | None = None, blue: int = 3) -> DeviceTree:
    """Yellow devices with these ids, some of them unhealthy for a reason, and blue ones."""
    ill = ill or {}
    tree = DeviceTree()
    for number, id_ in enumerate(ids):
        info = DeviceInfo(
            UNHEALTHY if id_ in ill else HEALTHY,
            nodes=[DeviceSpec("/dev/null", f"/dev/{id_}")],
            envs={"CAMERA": "hush"},
            topology=[number % 2],
            reason=ill.get(id_, ""),
        )
        tree.add_device("yellow", id_, info)
    for number in range(blue):
        node = DeviceSpec("/dev/zero", f"/dev/blue{number}")
        tree.add_device("blue", f"blue-{number}", DeviceInfo(HEALTHY, nodes=[node]))
    return tree


class PageCase(RoutesCase):
    """A plugin, an emulated kubelet, and a browser that shows the page."""

    timeout = 180

    async def show(self, scanner: ToldScanner) -> Page:
        """Start all, and open the page."""
        await self.serve(scanner)
        web = Web(lambda: self.routes, reactor, endpoints=["tcp:0:interface=127.0.0.1"])
        web.startService()
        self.addCleanup(web.stopService)
        await until(lambda: web._ports)
        port: Any
        (port,) = web._ports
        self.browser = Chromium(temporary_directory(self), reactor)
        self.addCleanup(self.browser.close)
        page = await self.browser.page()
        await page.look_like(LOOKS["desktop-light"])
        await page.open(f"http://127.0.0.1:{port.getHost().port}/")
        return page


def text_of(selector: str) -> str:
    """An expression: the text of what a selector finds."""
    return (
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.innerText).join(' ')"
    )


class LiveTests(PageCase):
    """The page follows what happens, without being loaded again."""

    async def test_live(self) -> None:
        """A hot plug, an illness, an allocation, a kubelet's restart; and it looks well."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["cam-1", "cam-2", "cam-10"]))
        page = await self.show(scanner)
        await self.kubelet.listed(YELLOW, ["cam-1", "cam-2", "cam-10"])
        await page.until(f"{text_of('tbody')}.includes('cam-10')")
        await page.run("window.same = true")
        scanner.tell(a_tree(["cam-1", "cam-2", "cam-9", "cam-10"]))
        await page.until(f"{text_of('tbody th')}.includes('cam-9 cam-10')")
        scanner.tell(
            a_tree(["cam-1", "cam-2", "cam-9", "cam-10"], {"cam-2": "the lens is too hot"})
        )
        await page.until(f"{text_of('tr[data-state=ill]')}.includes('the lens is too hot')")
        await page.until(f"{text_of('#problems')}.includes('cam-2')")
        await self.kubelet.allocate(YELLOW, ids=["cam-1", "cam-10"], pod="painter")
        await page.until(f"{text_of('tr[data-state=held]')}.includes('default/painter')")
        await self.kubelet.restart()
        await page.until(f"{text_of('#events')}.includes('A kubelet started')")
        await page.until(f"{text_of('.badge')}.match(/registered/g).length === 2")
        await page.until(f"{text_of('#verdict')} === '1 problem to look at'")
        self.assertTrue(await page.run("window.same"))
        await page.run("document.querySelector('tr[data-state=ill] button').click()")
        await page.run("document.querySelector('.session details').open = true")
        await self.see(page, "live")
        self.assertEqual(page.complaints, [])

    async def see(self, page: Page, name: str) -> None:
        """Have axe-core check it, and take pictures, in all looks."""
        os.makedirs(PICTURES, exist_ok=True)
        with open(AXE, encoding="utf-8") as file:
            axe = file.read()
        for name_of_look, look in LOOKS.items():
            await page.look_like(look)
            width = await page.run("document.documentElement.scrollWidth")
            await page.screenshot(os.path.join(PICTURES, f"{name}-{name_of_look}.png"))
            self.assertLessEqual(width, look.width, look)
            await page.run(f"{axe}; 0")
            found = json.loads(await page.run(CHECK))
            self.assertEqual(found, [], look)
