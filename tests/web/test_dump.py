"""Tests for the state in the log."""

import os
from typing import Any

from twisted.internet.defer import Deferred

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import until
from tests.web.observed import observe
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, klog
from twistdp.kubelet import Held
from twistdp.model import Holder
from twistdp.web import dump
from twistdp.web.state import Observatory

HELD: Held = {YELLOW: {"a": Holder("default", "painter", "brush")}}


class DumpTests(LifeTestCase):
    """The lines about a manager with an emulated kubelet."""

    async def observe(self, scanner: ToldScanner) -> Observatory:
        """A manager that serves, observed; what is logged from now on is kept."""
        await self.kubelet.start()
        pods = os.path.join(self.directory, "pods.sock")
        observatory, _ = observe(self, scanner, pods)
        await self.kubelet.until(lambda: self.kubelet.capacity(YELLOW))

        def are_registered() -> bool:
            resources = observatory.state(devices=False).resources
            return all(each.session.standing == "registered" for each in resources)

        await until(are_registered)
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.patch(klog, "info", lambda text, /, **fields: self.lines.append((text, fields)))
        return observatory

    async def test_lines(self) -> None:
        """A line is about the process, and one about each resource, with what is ill and why."""
        tree = tree_of("a", "c")
        tree.add_device("red", "r", DeviceInfo(HEALTHY))
        tree.add_device("yellow", "b", DeviceInfo(UNHEALTHY, reason="worn out"))
        observatory = await self.observe(ToldScanner(tree))
        self.patch(observatory.holdings, "held", HELD)
        self.patch(observatory.holdings, "fresh", lambda: Deferred.fromCoroutine(at_once()))
        dump.begin(observatory)
        texts = [text for text, _ in self.lines]
        self.assertEqual(texts, ["state of the process", *["state of a resource"] * 2])
        (_, process), (_, red), (_, yellow) = self.lines
        self.assertEqual((process["resources"], process["pluginDir"]), (2, self.directory))
        self.assertEqual(process["scanners"][0]["source"], "--scanner x:Y")
        self.assertNotIn("time", process)
        self.assertEqual((red["resource"], red["unhealthy"]), (YELLOW.replace("yellow", "red"), []))
        self.assertEqual(
            {key: yellow[key] for key in ("capacity", "allocatable", "held", "unhealthy")},
            {
                "capacity": 3,
                "allocatable": 2,
                "held": 1,
                "unhealthy": [{"id": "b", "reason": "worn out"}],
            },
        )
        self.assertEqual(yellow["session"]["standing"], "registered")

    async def test_bounded(self) -> None:
        """Neither many resources nor many unhealthy devices fill the log."""
        tree = tree_of(*map(str, range(30)), state=UNHEALTHY)
        tree.add_device("red", "r", DeviceInfo(HEALTHY))
        observatory = await self.observe(ToldScanner(tree))
        dump.begin(observatory)
        await until(lambda: len(self.lines) == 3)
        _, _, (_, yellow) = self.lines
        self.assertEqual([each["id"] for each in yellow["unhealthy"]], list(map(str, range(20))))
        self.assertEqual((yellow["capacity"], yellow["allocatable"], yellow["held"]), (30, 0, None))
        self.lines.clear()
        self.patch(dump, "MOST_RESOURCES", 1)
        dump.begin(observatory)
        await until(lambda: len(self.lines) == 2)
        self.assertEqual(self.lines[0][1]["resources"], 2)

    async def test_again_and_again(self) -> None:
        """It is logged once if it is asked for meanwhile, and again afterwards."""
        observatory = await self.observe(ToldScanner(tree_of("a")))
        asked: Deferred[None] = Deferred()
        self.patch(observatory.holdings, "fresh", lambda: asked)
        dump.begin(observatory)
        dump.begin(observatory)
        self.assertEqual(self.lines, [])
        asked.callback(None)
        self.assertEqual(len(self.lines), 2)
        dump.begin(observatory)
        self.assertEqual(len(self.lines), 4)

    async def test_fault(self) -> None:
        """A fault is logged, and the next one may work."""
        observatory = await self.observe(ToldScanner(tree_of("a")))
        self.patch(observatory, "state", lambda **_: 1 / 0)
        dump.begin(observatory)
        await until(lambda: not dump._under_way)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


async def at_once() -> None:
    """Nothing is waited for."""
