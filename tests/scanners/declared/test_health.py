"""Tests for the health checks that scans make."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import devices, resources
from tests.support.trees import tree
from twistdp.model.devices import HEALTHY, UNHEALTHY
from twistdp.scanners.declared.scanner import DeclaredScanner

FIRST = "pci-0000:00:0d.0-usbv2-0:3.1-if00-port0"
ATTRIBUTE = "sys/devices/pci0000:00/0000:00:0d.0/usb1/1-3/1-3.1/1-3.1:1.0/authorized"


class HealthTests(SynchronousTestCase):
    """`Health`"""

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
        state, reason = self.state(made)
        self.assertEqual(state, UNHEALTHY)
        self.assertTrue(reason.endswith("/state is no file that is there"), reason)
        with open(os.path.join(self.root, "state"), "w", encoding="ascii") as file:
            file.write("up\n")
        self.assertEqual(self.state(made), (HEALTHY, ""))

    def test_others(self) -> None:
        """A check that is not made is reported."""
        made = self.scanner("command: [/bin/true]")
        self.assertEqual(self.state(made), (HEALTHY, ""))
        self.assertIn("its health check command is not made", str(list(made.survey.warnings())))

    def test_hysteresis(self) -> None:
        """So many results in a row change the state, both ways; events between do not count."""
        self.write("1")
        made = self.scanner(
            'attribute: authorized, equals: "1", unhealthyAfter: 2, healthyAfter: 3'
        )
        self.assertEqual(self.state(made)[0], HEALTHY)
        self.write("0")
        self.assertEqual(self.state(made)[0], HEALTHY)
        made.follow([os.path.join(self.root, "dev/ttyUSB0")])
        self.assertEqual(devices(made.follow([]))[FIRST].state, HEALTHY)
        self.assertEqual(self.state(made)[0], UNHEALTHY)
        self.write("1")
        states = [self.state(made)[0] for _ in range(3)]
        self.assertEqual(states, [UNHEALTHY, UNHEALTHY, HEALTHY])

    def test_no_recovery(self) -> None:
        """Without recovery a device stays unhealthy until it is plugged in again."""
        self.write("0")
        made = self.scanner('attribute: authorized, equals: "1", recover: false')
        self.assertEqual(self.state(made)[0], UNHEALTHY)
        self.write("1")
        self.assertEqual(self.state(made)[0], UNHEALTHY)
        node = os.path.join(self.root, "dev/ttyUSB0")
        os.unlink(node)
        self.assertEqual(devices(made.discover()), {})
        with open(node, "wb"):
            pass
        self.assertEqual(self.state(made)[0], HEALTHY)

    def test_interval(self) -> None:
        """The scanner looks as often as its checks ask for, within bounds."""
        self.assertEqual(self.scanner("attribute: a, every: 7").rescan_interval, 7.0)
        self.assertEqual(self.scanner("attribute: a, every: 0.1").rescan_interval, 5.0)
        plain = DeclaredScanner(resources("thing: /dev/ttyUSB0"), self.root)
        self.assertEqual(plain.rescan_interval, 60.0)
