"""What tests of the page share: a plugin, an emulated kubelet and a browser that shows the page."""

import json
import os
from collections.abc import Iterable
from typing import Any

from twisted.internet import reactor

from tests.page.chromium import Chromium, Look, Page
from tests.support.helpers import stopped, temporary_directory, until
from tests.web.test_routes import RoutesCase
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.status import events_of
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
"""A script that returns the violations that axe-core finds."""

LOOKS = {
    "desktop-light": Look(1280, 900, dark=False),
    "desktop-dark": Look(1280, 900, dark=True),
    "phone-light": Look(360, 740, dark=False),
    "phone-dark": Look(360, 740, dark=True),
    "narrow": Look(320, 560, dark=False),
    "zoomed": Look(640, 450, dark=False),
}


HURRY = """
  const [every, timeout] = [window.setInterval, AbortSignal.timeout];
  window.setInterval = (call, time) => every(call, time / 50);
  AbortSignal.timeout = (time) => timeout.call(AbortSignal, time / 50);
"""
"""A script: the page does fifty times as often what it repeats."""


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

    timeout = 300

    def setUp(self) -> None:
        """No event of another test is kept."""
        super().setUp()
        self.events = events_of(reactor)
        self.events.kept.clear()

    async def show(self, scanner: Any, first: str = "") -> Page:
        """Start all, and open the page, in which the script `first` runs before all else."""
        await self.serve(scanner)
        await self.listen(0)
        self.browser = Chromium(temporary_directory(self), reactor)
        self.addCleanup(self.browser.close)
        return await self.open(first)

    async def open(self, first: str = "") -> Page:
        """Open the page once more."""
        page = await self.browser.page()
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=first)
        await page.look_like(LOOKS["desktop-light"])
        await page.open(f"http://127.0.0.1:{self.port}/")
        return page

    async def listen(self, port: int) -> None:
        """Listen where a browser can ask, on any port if it is 0."""
        self.tcp = Web(lambda: self.routes, reactor, endpoints=[f"tcp:{port}:interface=127.0.0.1"])
        self.tcp.startService()
        self.addCleanup(stopped, self.tcp)
        await until(lambda: self.tcp._ports)
        listening: Any
        (listening,) = self.tcp._ports
        self.port = listening.getHost().port

    async def picture(self, page: Page, name: str) -> None:
        """Take a picture."""
        os.makedirs(PICTURES, exist_ok=True)
        await page.screenshot(os.path.join(PICTURES, f"{name}.png"))

    async def see(self, page: Page, name: str, looks: Iterable[str] = LOOKS) -> None:
        """Have axe-core check it, and take pictures, in these looks."""
        with open(AXE, encoding="utf-8") as file:
            axe = file.read()
        for name_of_look in looks:
            look = LOOKS[name_of_look]
            await page.look_like(look)
            width = await page.run("document.documentElement.scrollWidth")
            await self.picture(page, f"{name}-{name_of_look}")
            self.assertLessEqual(width, look.width, look)
            await page.run(f"{axe}; 0")
            found = json.loads(await page.run(CHECK))
            self.assertEqual(found, [], look)


def text_of(selector: str) -> str:
    """An expression: the text of what a selector finds."""
    return (
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.innerText).join(' ')"
    )


CHIPS = "document.querySelectorAll('.chip').length"
"""An expression: how many devices have their names in the picture."""
