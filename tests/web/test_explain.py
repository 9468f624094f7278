"""Tests of explaining a path over HTTP."""

import json
from typing import Any

from twisted.internet.defer import Deferred

from tests.integration.test_life import YELLOW, ToldScanner, tree_of
from tests.support.declarations import resources
from tests.support.helpers import until
from tests.support.http import connect
from tests.web.test_routes import RoutesCase
from twistdp.scanners.declared import DeclaredScanner
from twistdp.web import explain
from twistdp.web.explain import MOST_WAITING

RULES = """
    void:
      match: {path: /dev/null}
    noise:
      match: {path: /dev/random}
"""


class ExplainTests(RoutesCase):
    """What is answered."""

    def setUp(self) -> None:
        """Do not wait between two questions."""
        super().setUp()
        self.patch(explain, "PAUSE", 0)

    async def explained(self, path: str) -> Any:
        """The answer about a path."""
        reply = await self.ask(f"/api/v1/explain?path={path}")
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/json"))
        return json.loads(reply.body)

    async def test_rules(self) -> None:
        """Each rule of a configuration says what it made of the device, and why."""
        await self.serve(DeclaredScanner(resources(RULES)))
        for path in ("/dev/null", "/sys/devices/virtual/mem/null"):
            found = await self.explained(path)
            self.assertEqual(found["device"]["node"], "/dev/null")
            void, noise = found["rules"]
            self.assertEqual(void["resource"], "color.example.com/void")
            self.assertEqual(void["candidates"][0]["verdict"], "listed")
            self.assertEqual(noise["candidates"][0]["verdict"], "not selected")
            self.assertIn("/dev/random", noise["candidates"][0]["reason"])

    async def test_scanner(self) -> None:
        """Of a scanner in Python, whether it lists the device, and as which."""
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a", "b")))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        (rule,) = (await self.explained("/dev/null"))["rules"]
        self.assertEqual((rule["resource"], rule["candidates"][0]["ids"]), (YELLOW, ["a", "b"]))
        self.assertIn("ToldScanner", rule["candidates"][0]["reason"])
        (rule,) = (await self.explained("/dev/zero"))["rules"]
        self.assertEqual(rule["candidates"], [])

    async def test_refused(self) -> None:
        """A path that is none, and one of no device, whether it exists or not."""
        await self.serve(ToldScanner(tree_of("a")))
        for query in ("", "?path=", "?path=dev/null", "?path=/dev/%00"):
            self.assertEqual((await self.ask(f"/api/v1/explain{query}")).status, 400, query)
        for path in ("/dev", "/etc/shadow", "/root", "/nothing", "/sys/../etc/shadow", "/%ff"):
            reply = await self.ask(f"/api/v1/explain?path={path}")
            self.assertEqual(
                (reply.status, reply.body), (404, b"no device of this host has this path\n"), path
            )

    async def test_bounded(self) -> None:
        """One look at a time; who comes too late is refused, who goes away is not looked for."""
        looks: list[str] = []
        answering: list[Deferred[None]] = []

        def call(function: Any) -> Any:
            looks.append(function.args[0])
            answering.append(Deferred())
            return answering[-1].addCallback(lambda _: function())

        await self.serve(ToldScanner(tree_of("a")))
        self.patch(self.routes._explainer._worker, "call", call)
        wires = []
        explainer = self.routes._explainer
        for number in range(MOST_WAITING + 1):
            wires.append(await connect(self.endpoint))
            wires[-1].send(
                f"GET /api/v1/explain?path=/dev/{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            )
            await until(lambda: len(looks) + len(explainer._waiting) == len(wires))
        self.assertEqual(len(explainer._waiting), MOST_WAITING)
        self.assertEqual((await self.ask("/api/v1/explain?path=/dev/null")).status, 503)
        wires[0].close()
        wires[1].close()
        await until(lambda: len([*self.web._doors[0].transports()]) == MOST_WAITING - 1)
        late = await connect(self.endpoint)  # there is room again
        late.send(b"GET /api/v1/explain?path=/dev/late HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: len(self.routes._explainer._waiting) == MOST_WAITING)
        late.close()
        while len(looks) < MOST_WAITING:
            count = len(looks)
            answering[-1].callback(None)
            await until(lambda count=count: len(looks) > count)  # type: ignore[misc]
        self.assertEqual(looks, ["/dev/0", "/dev/2", "/dev/3", "/dev/4"])
        answering[-1].callback(None)
        await until(lambda: b"404" in wires[-1].received)

    async def test_broken(self) -> None:
        """A look that fails is answered, and the next one is made."""
        await self.serve(ToldScanner(tree_of("a")))

        def fail() -> Any:
            raise ZeroDivisionError

        self.patch(explain, "Host", fail)
        for _ in range(2):
            reply = await self.ask("/api/v1/explain?path=/dev/null")
            self.assertEqual(reply.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
