"""The page, as people see it: live, without errors, accessible, and quick with many devices."""

import json
import os
import time
from statistics import median
from typing import Any

from twisted.internet import reactor
from twisted.web.server import Request

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.chromium import Chromium, Look, Page
from tests.support.declarations import resources
from tests.support.helpers import soon, stopped, temporary_directory, until
from tests.web.test_routes import RoutesCase
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.model import Holder
from twistdp.scanners.declared import DeclaredScanner
from twistdp.status import Kind, events_of
from twistdp.web.answers import text
from twistdp.web.routes import Routes
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

NOBODY: dict[str, list[str]] = {name: [] for name in ("came", "went", "worse", "better")}
A_HOLDER = Holder("default", "painter", "brush")

FACTS: dict[Kind, dict[str, Any]] = {
    Kind.REGISTERED: {"resource": YELLOW},
    Kind.REGISTRATION_FAILED: {"resource": YELLOW, "reason": "no thanks", "refused": True},
    Kind.KUBELET_APPEARED: {"directory": "/somewhere"},
    Kind.STREAM_OPENED: {"resource": YELLOW, "kubelets": True},
    Kind.STREAM_ENDED: {"resource": YELLOW, "kubelets": False},
    Kind.LIST_SENT: {"resource": YELLOW, "size": 12, "skipped": 0},
    Kind.CALLED: {"resource": YELLOW, "method": "Allocate", "seconds": 0.001, "status": "OK"},
    Kind.ALLOCATED: {"resource": YELLOW, "ids": [["a"], ["b"]]},
    Kind.DEVICES_CHANGED: {
        "resource": YELLOW,
        **NOBODY,
        "touched": ["a"],
        "devices": 1,
        "changes": {},
    },
    Kind.NOT_LISTED: {"resource": YELLOW, "count": 2},
    Kind.HELD: {
        "resource": YELLOW,
        "held": [("a", A_HOLDER)],
        "released": [("b", A_HOLDER)],
        "changes": {"held": 1, "released": 1},
    },
    Kind.POD_RESOURCES: {"available": False, "reason": "nobody listens"},
    Kind.SCANNED: {"seconds": 0.1, "failed": True},
    Kind.SCAN_HUNG: {"seconds": 60.0},
    Kind.SCAN_RETURNED: {},
    Kind.SCAN_RECOVERED: {"failures": 2},
    Kind.OVERFLOWED: {"source": "inotify"},
    Kind.CONFIGURATION_READ: {"file": "/etc/x.yaml", "changed": [YELLOW]},
    Kind.CONFIGURATION_REFUSED: {"file": "/etc/x.yaml", "problems": ["line 1: no such key"]},
    Kind.SCAN_FAILED: {"reason": "the bus is stuck"},
}
"""An event of each kind."""

RULES = """
    void:
      match: {path: /dev/null}
    noise:
      match: {path: /dev/random}
"""

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

    def setUp(self) -> None:
        """No event of another test is kept."""
        super().setUp()
        self.events = events_of(reactor)
        self.events.kept.clear()

    async def show(self, scanner: Any) -> Page:
        """Start all, and open the page."""
        await self.serve(scanner)
        await self.listen(0)
        self.browser = Chromium(temporary_directory(self), reactor)
        self.addCleanup(self.browser.close)
        page = await self.browser.page()
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


class Prefixed(Routes):
    """What a proxy that adds ``/node`` to the paths makes of other routes."""

    def __init__(self, routes: Routes) -> None:
        self._behind = routes

    def answer(self, request: Request) -> Any:
        """Answer without the prefix."""
        if not request.path.startswith(b"/node/"):
            return text("the proxy has another place for this\n", 404)
        request.path = request.path.removeprefix(b"/node")
        request.uri = request.uri.removeprefix(b"/node")
        return self._behind.answer(request)

    def stop(self) -> None:
        """End all that is under way."""
        self._behind.stop()


class OtherTests(PageCase):
    """What else may happen to a page."""

    async def test_words(self) -> None:
        """Each kind of event has a sentence, and what is wrong is said first."""
        self.assertEqual(set(FACTS), set(Kind))
        self.kubelet.refusal = "no thanks"
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until(f"{text_of('#problems')}.includes('no thanks')")
        name = self.observatory.state(devices=False).scanners[0].name
        await page.run("document.getElementById('quiet').click()")
        for kind, facts in FACTS.items():
            self.events.emit(
                kind, **{"scanner": name} if kind.value.startswith("scan") else {}, **facts
            )
        await page.until(f"{text_of('#events')}.includes('Scans fail: the bus is stuck')")
        shown = await page.run(text_of("#events"))
        self.assertNotIn("{", shown)
        self.assertNotIn("undefined", shown)
        await page.until(f"{text_of('#problems')}.includes('the bus is stuck')")
        await page.until(f"{text_of('#sources')}.includes('fails')")
        await self.see(page, "wrong")
        self.assertEqual(page.complaints, [])

    async def test_explain(self) -> None:
        """Why a device is there, or not, by its path or from its row."""
        await self.kubelet.start()
        page = await self.show(DeclaredScanner(resources(RULES)))
        await page.until("!document.getElementById('explain').hidden")
        await page.until(f"{text_of('tbody')}.includes('null')")
        await page.run("document.querySelector('[aria-label=\"More about null\"]').click()")
        await page.run("document.querySelector('tr.details button').click()")
        await page.until(f"{text_of('#explanation')}.includes('listed as void')")
        await page.run("document.querySelector('#explanation details').open = true")
        self.assertIn("not selected", await page.run(text_of("#explanation")))
        await self.see(page, "explain")
        await page.run("document.getElementById('explain-path').value = 'nothing'")
        await page.run("document.querySelector('#explain button').click()")
        await page.until(f"{text_of('#explanation')}.includes('absolute path')")

    async def test_nothing_runs(self) -> None:
        """A reason that looks like HTML is shown as it is."""
        await self.kubelet.start()
        evil = "<img src=x onerror=window.ran=1><script>window.ran=1</script>"
        page = await self.show(ToldScanner(a_tree(["a"], {"a": evil})))
        await page.until(f"{text_of('tr[data-state=ill]')}.includes({json.dumps(evil)})")
        self.assertIsNone(await page.run("window.ran"))
        self.assertEqual(await page.run("document.images.length"), 1)
        self.assertEqual(page.complaints, [])

    async def test_keyboard(self) -> None:
        """A problem leads to its device; the focus stays there when the device changes."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a", "b"], {"b": "too hot"}))
        page = await self.show(scanner)
        await page.until(f"{text_of('#problems')}.includes('too hot')")
        await page.run("document.querySelector('#problems button').focus()")
        await page.press("Enter")
        focus = "document.activeElement.getAttribute('aria-label')"
        await page.until(f"{focus} === 'Less about b'")
        scanner.tell(a_tree(["a", "b"], {"b": "far too hot"}))
        await page.until(f"{text_of('tr.details')}.includes('far too hot')")
        self.assertEqual(await page.run(focus), "Less about b")
        await page.press("Enter")
        await page.until(f"{focus} === 'More about b'")
        self.assertEqual(await page.run(text_of("tr.details")), "")

    async def test_another_process(self) -> None:
        """The page says that the plugin is gone, and goes on when another one is there."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner)
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        await soon(self.tcp.stopService())
        await page.until(f"{text_of('#connection')}.includes('lost')")
        scanner.tell(a_tree(["a", "b"]))
        self.observatory._start += 1
        await self.listen(self.port)
        await page.until(f"{text_of('tbody th')} === 'blue-0 blue-1 blue-2 a b'")
        await page.until(f"{text_of('#connection')} === 'Live'")

    async def test_prefix(self) -> None:
        """It works behind a proxy that adds a prefix."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner)
        self.routes = Prefixed(self.routes)
        await self.listen(0)
        await page.open(f"http://127.0.0.1:{self.port}/node/")
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        self.assertEqual(page.complaints, [])


class ManyTests(PageCase):
    """Ten thousand devices."""

    async def test_quick(self) -> None:
        """The first paint takes less than a second, an update less than 100 ms."""
        await self.kubelet.start()
        ids = [f"cam-{number}" for number in range(10_000)]
        scanner = ToldScanner(a_tree(ids))
        page = await self.show(scanner)
        await page.until(f"{text_of('.choice')}.includes('All 10,000')", timeout=60)
        paint = await page.run(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        self.assertLess(paint, 1000)
        updates = []
        for number in range(21):
            scanner.tell(a_tree(ids, {f"cam-{number}": f"reason {number}"}))
            told = time.time()
            shown = await page.until(f"{text_of('#problems')}.includes('reason {number}')")
            updates.append(shown - told * 1000)
        self.assertLess(median(updates), 100, updates)
        await page.until(f"{text_of('#events')}.includes('cam-20')")
        await page.look_like(LOOKS["phone-dark"])
        await self.see(page, "many")
        self.assertEqual(page.complaints, [])
