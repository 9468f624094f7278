"""Tests for the health checks of the configuration's devices."""

import os

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.declarations import devices, resources
from tests.support.helpers import Recorder
from tests.support.trees import tree
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceTree
from twistdp.scanners.declared.scanner import DeclaredScanner

FIRST = "pci-0000:00:0d.0-usbv2-0:3.1-if00-port0"
ATTRIBUTE = "sys/devices/pci0000:00/0000:00:0d.0/usb1/1-3/1-3.1/1-3.1:1.0/authorized"


class HealthTests(SynchronousTestCase):
    """Checks that are made once, as ``twistdp scan`` makes them."""

    def setUp(self) -> None:
        """A tree that may be changed."""
        self.root = tree(self, "twins")

    def write(self, text: str) -> None:
        """Set the attribute of the first adapter."""
        with open(os.path.join(self.root, ATTRIBUTE), "w", encoding="ascii") as file:
            file.write(f"{text}\n")

    def scanner(self, check: str) -> DeclaredScanner:
        """A scanner with a check of the first adapter."""
        text = f"thing: {{path: /dev/ttyUSB0, health: {{{check}}}}}"
        return DeclaredScanner(resources(text), self.root)

    def state(self, made: DeclaredScanner) -> tuple[str, str]:
        """State and reason after another look."""
        info = devices(made.discover())[FIRST]
        return info.state, info.reason

    def test_attribute(self) -> None:
        """The nearest ancestor with the attribute counts; reasons say what is and must be."""
        for check, value, reason in (
            ('equals: "1"', "1", ""),
            ('equals: ["0", "2"]', "1", "attribute authorized is 1, and must be 0 or 2"),
            ("contains: up", "down", "attribute authorized is down, and must contain up"),
            ("min: 10", "9", "attribute authorized is 9, less than 10"),
            ("max: 16", "0x11", "attribute authorized is 0x11, more than 16"),
            ("max: 10", "hot", "attribute authorized is hot, which is no number"),
            ("min: 1, max: 3", "2", ""),
        ):
            with self.subTest(check):
                self.write(value)
                state = UNHEALTHY if reason else HEALTHY
                found = self.state(self.scanner(f"attribute: authorized, {check}"))
                self.assertEqual(found, (state, reason))

    def test_missing(self) -> None:
        """An attribute that no ancestor has is a failed check; the file's reason comes first."""
        made = self.scanner('attribute: absent, reason: "{kernelName} is odd"')
        self.assertEqual(
            self.state(made), (UNHEALTHY, "ttyUSB0 is odd: there is no attribute absent")
        )

    def test_node_of_host(self) -> None:
        """Checks mean the node on the host, whatever its name in containers."""
        for word in ("node", "hostNode"):
            text = f"""
                thing: {{path: /dev/ttyUSB0, node: /dev/modem, health: {{present: "{{{word}}}"}}}}
            """
            made = DeclaredScanner(resources(text), self.root)
            self.assertEqual(self.state(made), (HEALTHY, ""))

    def test_present(self) -> None:
        """A path must be there."""
        made = self.scanner('present: "{node}.ready"')
        self.assertEqual(self.state(made), (UNHEALTHY, "/dev/ttyUSB0.ready is not there"))
        with open(os.path.join(self.root, "dev/ttyUSB0.ready"), "wb"):
            pass
        self.assertEqual(self.state(made), (HEALTHY, ""))

    def test_file(self) -> None:
        """A file must be there, and have the content."""
        made = self.scanner("file: /state, contains: up")
        self.assertEqual(self.state(made), (UNHEALTHY, "/state is no file that is there"))
        with open(os.path.join(self.root, "state"), "w", encoding="ascii") as file:
            file.write("up\n")
        self.assertEqual(self.state(made), (HEALTHY, ""))

    def test_others(self) -> None:
        """Of a host that was recorded no command is run, and that is reported."""
        made = self.scanner("command: [/bin/false]")
        self.assertEqual(self.state(made), (HEALTHY, ""))
        reported = [text for _, text in made.survey.warnings()]
        self.assertIn(
            "thing: its health check command is not made, since this host is a recording", reported
        )

    def test_no_such_word(self) -> None:
        """A template of something that the device lacks makes it unhealthy; the rest is checked."""
        made = self.scanner("present: '/{serial}', reason: '{serial} is odd'")
        state, reason = self.state(made)
        self.assertEqual(state, UNHEALTHY)
        self.assertIn("the device has no serial", reason)

    def test_replicas(self) -> None:
        """All replicas of a device have its state."""
        text = "thing: {path: /dev/ttyUSB0, replicas: 3, health: {present: /nowhere}}"
        found = devices(DeclaredScanner(resources(text), self.root).discover())
        self.assertEqual([each.state for each in found.values()], [UNHEALTHY] * 3)


class FollowedTests(TestCase):
    """Checks that are made while the plugin runs."""

    def setUp(self) -> None:
        """A tree with two adapters whose checks are running."""
        self.root = tree(self, "twins")
        self.woken = Recorder()

    def path(self, name: str) -> str:
        """A file of the tree."""
        return os.path.join(self.root, name)

    def scanner(self, check: str) -> DeclaredScanner:
        """Start the checks of a scanner."""
        text = f"thing: {{path: /dev/ttyUSB*, health: {{{check}}}}}"
        made = DeclaredScanner(resources(text), self.root)
        made.checks.start(reactor, lambda: self.woken(None))
        self.addCleanup(made.checks.stop)
        return made

    def look(self, made: DeclaredScanner) -> DeviceTree:
        """A whole look, as the framework has it."""
        with made.checks.scan(is_whole=True):
            return made.discover()

    async def become(self, made: DeclaredScanner, *states: str) -> None:
        """Look after each change until checks have found these states, in any order."""
        while True:
            count = len(self.woken.calls)
            found = devices(made.follow([])).values()
            is_checked = not any("first check" in each.reason for each in found)
            if is_checked and sorted(each.state for each in found) == sorted(states):
                return
            await self.woken.until(lambda calls: len(calls) > count)  # noqa: B023

    async def test_changes(self) -> None:
        """A check that fails changes its device at the next look at no path, and so back."""
        for name in ("ttyUSB0", "ttyUSB1"):
            with open(self.path(name), "wb"):
                pass
        made = self.scanner('present: "/{kernelName}", every: 0.1, unhealthyAfter: 2')
        self.look(made)
        await self.become(made, HEALTHY, HEALTHY)
        os.unlink(self.path("ttyUSB0"))
        await self.become(made, HEALTHY, UNHEALTHY)
        with open(self.path("ttyUSB0"), "wb"):
            pass
        await self.become(made, HEALTHY, HEALTHY)

    async def test_memory(self) -> None:
        """A look, and a configuration with other resources, change no check that stays."""
        made = self.scanner("present: /nowhere, every: 600, recover: false")
        self.look(made)
        await self.become(made, UNHEALTHY, UNHEALTHY)
        text = "{other: /dev/ttyUSB0, thing: {path: /dev/ttyUSB*, health: {%s}}}"
        made.replace(resources(text % "present: /nowhere, every: 600, recover: false"))
        found = self.look(made)["thing"]
        self.assertEqual([each.reason for each in found.values()], ["/nowhere is not there"] * 2)
        made.replace(resources(text % "present: /dev"))
        self.assertEqual({each.state for each in self.look(made)["thing"].values()}, {UNHEALTHY})
        await self.become(made, HEALTHY, HEALTHY)
        self.assertEqual({each.state for each in self.look(made)["thing"].values()}, {HEALTHY})

    async def test_gone(self) -> None:
        """A device that is gone has no checks; when it is back, it starts again."""
        made = self.scanner("present: /nowhere, every: 600, recover: false")
        self.look(made)
        await self.become(made, UNHEALTHY, UNHEALTHY)
        with open(self.path("nowhere"), "wb"):
            pass
        os.rename(self.path("dev/ttyUSB0"), self.path("ttyUSB0"))
        made.follow([self.path("dev/ttyUSB0")])
        os.rename(self.path("ttyUSB0"), self.path("dev/ttyUSB0"))
        made.follow([self.path("dev/ttyUSB0")])
        await self.become(made, HEALTHY, UNHEALTHY)
