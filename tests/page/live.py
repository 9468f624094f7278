"""The page, as people see it: live, without errors, and accessible."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.case import PageCase, a_tree, text_of
from tests.support.declarations import resources
from tests.support.helpers import until
from twistdp.model import Holder
from twistdp.scanners.declared import DeclaredScanner
from twistdp.status import Kind
from twistdp.web.answers import Answer, text
from twistdp.web.routes import Routes

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
        await page.until(f"{text_of('#verdict')} === '1 problem'")
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

    async def test_explain_the_last(self) -> None:
        """Of two questions, the last one's answer is shown, whichever answer comes first."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until("!document.getElementById('explain').hidden")
        late: Deferred[Answer] = Deferred()
        answers: list[Answer | Deferred[Answer]] = [late, text("the second", 404)]
        self.routes._routes["/api/v1/explain"] = lambda _: answers.pop(0)
        ask = "document.querySelector('#explain button').click()"
        await page.run(f"document.getElementById('explain-path').value = '/dev/one'; {ask}")
        await until(lambda: len(answers) == 1)
        await page.run(f"document.getElementById('explain-path').value = '/dev/two'; {ask}")
        await page.until(f"{text_of('#explanation')} === 'the second'")
        loaded = "performance.getEntriesByType('resource').filter((e) => e.name.includes('one'))"
        late.callback(text("the first", 404))
        await page.until(f"{loaded}.length > 0")
        self.assertEqual(await page.run(text_of("#explanation")), "the second")

    async def test_keyboard(self) -> None:
        """A problem leads to its device; the focus stays there when the device changes."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a", "b"], {"b": "too hot"}))
        page = await self.show(scanner)
        await page.until(f"{text_of('#problems')}.includes('too hot')")
        await page.press("Tab")
        self.assertEqual(await page.run("document.activeElement.className"), "skip")
        await page.press("Enter")
        await page.until("document.activeElement.id === 'resources'")
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
