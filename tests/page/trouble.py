"""The page while the plugin, the kubelet or the connection is in trouble."""

import time
from types import SimpleNamespace

from twisted.internet.defer import Deferred

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.case import CHIPS, HURRY, PageCase, a_tree, text_of
from tests.support.helpers import soon, until
from twistdp import DeviceTree
from twistdp.web import state as state_module
from twistdp.web import stream

CONNECTION = text_of("#connection")


class PluginTests(PageCase):
    """The plugin ends, is silent, or has too many who look at it."""

    async def test_another_process(self) -> None:
        """The page says that the plugin is gone, and goes on when another one is there."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner)
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        await soon(self.tcp.stopService())
        await page.until(f"{text_of('#connection')}.includes('lost')")
        await page.until(f"{text_of('#verdict')}.startsWith('No answer since')")
        scanner.tell(a_tree(["a", "b"]))
        self.observatory._start += 1
        await self.listen(self.port)
        await page.until(f"{text_of('tbody th')} === 'blue-0 blue-1 blue-2 a b'")
        await page.until(f"{text_of('#connection')} === 'Live'")

    async def test_another_version(self) -> None:
        """A plugin of another version has its own page, which is loaded."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        await page.run("window.same = true")
        await soon(self.tcp.stopService())
        await page.until(f"{CONNECTION}.includes('lost')")
        self.observatory._start += 1
        self.patch(state_module, "__version__", SimpleNamespace(public=lambda: "9.9.9"))
        await self.listen(self.port)
        await page.until(f"{text_of('#about')}.includes('9.9.9')")
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        self.assertIsNone(await page.run("window.same"))

    async def test_silent(self) -> None:
        """An open connection that leads nowhere is noticed, and found again."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner, HURRY)
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        routes = self.routes._routes
        answer = routes["/api/v1/state"]
        routes["/api/v1/state"] = lambda _: Deferred()
        await page.until(f"{CONNECTION}.includes('Connection lost at')")
        scanner.tell(a_tree(["a", "b"]))
        routes["/api/v1/state"] = answer
        await page.until(f"{CONNECTION} === 'Live'")
        await page.until(f"{CHIPS} === 5")

    async def test_refused(self) -> None:
        """A user who cannot follow live still sees everything, and changes a little later."""
        await self.kubelet.start()
        self.patch(stream, "MOST_STREAMS", 0)
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner, HURRY)
        await page.until(f"{CONNECTION}.startsWith('Not live')")
        await page.until(f"{CHIPS} === 4")
        scanner.tell(a_tree(["a", "b"]))
        await page.until(f"{CHIPS} === 5")

    async def test_clock_set_back(self) -> None:
        """When the node's clock is set back, what happens then is seen too."""
        await self.kubelet.start()
        ahead = SimpleNamespace(time=lambda: time.time() + 3600)
        self.patch(state_module, "time", ahead)
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner, HURRY)
        await page.until(f"{CHIPS} === 4")
        self.patch(state_module, "time", time)
        scanner.tell(a_tree(["a", "b"]))
        await page.until(f"{CHIPS} === 5")

    async def test_resources_go(self) -> None:
        """Resources that are not served any more disappear from the page, even the last one."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a", "b"], {"b": "too hot"}))
        page = await self.show(scanner)
        await page.until(f"{CHIPS} === 5")
        scanner.tell(a_tree([]))
        await page.until(f"{CHIPS} === 3")
        await page.until("document.querySelectorAll('.card').length === 1")
        scanner.tell(DeviceTree())
        await page.until("document.querySelectorAll('.card').length === 0")
        await page.until(f"{CHIPS} === 0")
        await page.until(f"{text_of('#verdict')} === 'No devices were found'")
        self.assertIn("Nothing is served", await page.run(text_of("#resources")))
        scanner.tell(a_tree(["a"]))
        await page.until(f"{CHIPS} === 4")
        self.assertEqual(page.complaints, [])


class KubeletTests(PageCase):
    """The kubelet is not there."""

    async def test_long_gone(self) -> None:
        """Before there is a kubelet, and long after it has gone."""
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until(f"{text_of('#verdict')} === 'Not ready'")
        await page.until(f"{text_of('#problems')}.includes('waiting for a kubelet')")
        await page.until(f"{text_of('#holders-note')}.includes('not known')")
        await self.see(page, "waiting")
        await self.kubelet.start()
        await page.until(f"{text_of('#verdict')}.startsWith('All is well')")
        await page.until("document.getElementById('holders-note').hidden")
        await self.kubelet.stop()
        await page.until(f"{text_of('#verdict')} === 'Not ready'")
        await page.until("document.querySelector('.strip [data-tone=wait]') !== null")
        await page.until("document.querySelector('.strip [data-tone=good]') !== null")
        self.assertEqual(await page.run("document.querySelector('.strip [data-tone=bad]')"), None)
        self.assertIn("Not registered: no kubelet", await page.run(text_of("#events")))
        await self.kubelet.start()
        await page.until(f"{text_of('#verdict')}.startsWith('All is well')")
        self.assertEqual(page.complaints, [])


class TabTests(PageCase):
    """Several pages in one browser."""

    async def test_hidden(self) -> None:
        """A page that nobody sees asks for nothing, and catches up when it is seen again."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner)
        await page.until(f"{CHIPS} === 4")
        other = await self.open()
        await other.until(f"{CHIPS} === 4")
        await page.call("Page.bringToFront")
        await until(lambda: len(self.routes.streams) == 1)
        scanner.tell(a_tree(["a", "b"]))
        await page.until(f"{CHIPS} === 5")
        self.assertEqual(await other.run(CHIPS), 4)
        await other.call("Page.bringToFront")
        await other.until(f"{CHIPS} === 5")
        await until(lambda: len(self.routes.streams) == 1)

    async def test_back(self) -> None:
        """A user who comes back from another page sees the current state."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner)
        await page.until(f"{CHIPS} === 4")
        await page.open(f"http://127.0.0.1:{self.port}/readyz?verbose")
        await until(lambda: not len(self.routes.streams))
        scanner.tell(a_tree(["a", "b"]))
        await page.run("history.back()")
        await page.until(f"{CHIPS} === 5")
        await page.until(f"{CONNECTION} === 'Live'")
        await self.kubelet.listed(YELLOW, ["a", "b"])
