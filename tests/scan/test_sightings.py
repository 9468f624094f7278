"""Tests for `twistdp.scan.sightings`."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any
from unittest import SkipTest

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.cdi import CDIDevice, CDINode
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.scan import sightings
from twistdp.scan.prepare import Preparation
from twistdp.scan.sightings import Sightings, sightings_of

A, B = "a.example.com/one", "b.example.com/two"


class SightingsTestCase(SynchronousTestCase):
    """Has device nodes, and the sightings of them."""

    def setUp(self) -> None:
        """Make a directory for the nodes."""
        if os.geteuid() != 0:
            raise SkipTest("making device nodes needs root")
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.subject = Sightings()
        self.trees: dict[str, Mapping[str, DeviceInfo]] = {}

    def node(self, name: str, minor: int, major: int = 240) -> str:
        """Make a node."""
        path = os.path.join(self.directory, name)
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(major, minor))
        return path

    def link(self, name: str, target: str) -> str:
        """Make a link, or let it lead elsewhere."""
        path = os.path.join(self.directory, name)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)
        return path

    def info(self, *paths: str, **fields: Any) -> DeviceInfo:
        """A device."""
        return DeviceInfo(HEALTHY, nodes=[DeviceSpec(path) for path in paths], **fields)

    def found(self, resource: str = A, /, **devices: DeviceInfo) -> list[str]:
        """Return the log's lines when a scan finds these."""
        before = self.trees.get(resource, {})
        fresh = {id_: info for id_, info in devices.items() if before.get(id_) != info}
        with capturedLogs() as events:
            self.subject.look(resource, before.keys() - devices.keys(), fresh)
        self.trees[resource] = devices
        self.assertTrue(all(event["log_level"] is LogLevel.warn for event in events))
        return [formatEvent(event) or "" for event in events]


class NameTests(SightingsTestCase):
    """A node under a second id."""

    def test_renamed(self) -> None:
        """A node that is there under another id is reported, with both ids and the remedy; once."""
        node = self.node("tty0", 0)
        self.assertEqual(self.found(tty0=self.info(node)), [])
        (line,) = self.found(by_id=self.info(self.link("by-id", node)))
        for part in (A, "was listed as tty0", "is listed as by_id", "twistdp.device_id"):
            self.assertIn(part, line)
        self.assertEqual(self.found(tty0=self.info(node)), [])

    def test_renamed_later(self) -> None:
        """So is one that no scan found in between."""
        node = self.node("tty0", 0)
        self.found(a=self.info(node))
        self.found()
        self.assertEqual(len(self.found(b=self.info(node))), 1)

    def test_second_id(self) -> None:
        """So is one that is there under both ids."""
        node = self.node("tty0", 0)
        self.found(a=self.info(node))
        self.assertEqual(len(self.found(a=self.info(node), b=self.info(node))), 1)

    def test_two_names_at_once(self) -> None:
        """So is one that comes under two ids, by two names, in one scan; once."""
        node = self.node("tty0", 0)
        other = os.path.join(self.directory, "tty0-again")
        os.link(node, other)
        (line,) = self.found(a=self.info(node), b=self.info(other))
        for part in (A, f"{node} and {other} are one device", "listed as a and as b"):
            self.assertIn(part, line)
        self.assertEqual(self.found(b=self.info(other), c=self.info(self.link("l", node))), [])

    def test_two_names_on_purpose(self) -> None:
        """Parts of one device, and several ids for the same names, are not."""
        node = self.node("tty0", 0)
        link = self.link("by-id", node)
        self.assertEqual(self.found(a=self.info(node, group="g"), b=self.info(link, group="g")), [])
        self.assertEqual(self.found(B, a=self.info(link), b=self.info(link)), [])

    def test_same_id(self) -> None:
        """A device that comes and goes under its id, and one whose parts change, are right."""
        one, other = self.node("tty0", 0), self.node("tty1", 1)
        for infos in ({"a": self.info(one)}, {}, {"a": self.info(one)}):
            self.assertEqual(self.found(**infos), [])
        self.assertEqual(self.found(a=self.info(one, other)), [])
        self.assertEqual(self.found(a=self.info(other)), [])

    def test_other_device(self) -> None:
        """Another device that gets the same number is another one."""
        path = self.node("tty0", 0)
        self.found(serial1=self.info(path))
        os.rename(path, f"{path}-kept")  # so that its inode number is not used again
        self.node("tty0", 0)
        self.assertEqual(self.found(serial2=self.info(path)), [])

    def test_links_exchanged(self) -> None:
        """Links that lead to each other's nodes by now are right."""
        one, other = self.node("tty0", 0), self.node("tty1", 1)
        a, b = self.link("a", one), self.link("b", other)
        self.found(a=self.info(a), b=self.info(b))
        self.link("a", other)
        os.unlink(b)
        self.assertEqual(self.found(a=self.info(a), c=self.info(self.link("c", one))), [])

    def test_parts(self) -> None:
        """Parts of one device, and ids that a device has had from the beginning, are right."""
        node = self.node("card0", 0)
        self.found(a=self.info(node, group="card0"))
        self.assertEqual(
            self.found(a=self.info(node, group="card0"), b=self.info(node, group="card0")), []
        )
        node = self.node("fuse", 1)
        two = {"a": self.info(node), "b": self.info(node)}
        self.assertEqual(self.found(B, **two), [])
        self.assertEqual(self.found(B, **two, c=self.info(node)), [])

    def test_common_nodes(self) -> None:
        """A node that all devices of a driver have beside their own is right."""
        control = self.node("control", 9)
        first, second = (self.info(self.node(f"card{n}", n), control) for n in range(2))
        self.found(a=first)
        self.assertEqual(self.found(a=first, b=second), [])

    def test_no_hardware(self) -> None:
        """/dev/null stands in for any device."""
        null = self.info("/dev/null")
        self.found(a=null)
        self.assertEqual(self.found(a=null, b=null), [])
        self.assertEqual(self.found(b=null), [])

    def test_bad_devices(self) -> None:
        """Devices that cannot be looked at are ignored."""
        bad: Any = [5, None, "x"]
        self.assertEqual(self.found(a=bad[0], b=bad[1], c=bad[2], d=self.info("/absent")), [])

    def test_bounded(self) -> None:
        """However many there are, few are remembered."""
        self.patch(sightings, "MOST", 3)
        self.patch(sightings, "_MOST_GONE", 2)
        infos = {f"d{n}": self.info(self.node(f"n{n}", n)) for n in range(9)}
        for _ in range(2):
            self.found(**infos)
            self.assertEqual(sum(map(len, self.subject._here.values())), 3)
            self.found()
        self.assertLessEqual(len(self.subject._gone), 2)
        self.assertEqual((len(self.subject._by_node), self.subject._count), (0, 0))


class ResourceTests(SightingsTestCase):
    """A node in two resources."""

    def test_both(self) -> None:
        """A node that two resources offer is reported once, by path, ids and resources."""
        node = self.node("tty0", 0)
        self.found(A, zigbee=self.info(self.link("zigbee", node)))
        (line,) = self.found(B, tty0=self.info(node))
        for part in (node, f"tty0 of {B}", f"zigbee of {A}"):
            self.assertIn(part, line)
        self.found(B)
        self.assertEqual(self.found(B, tty0=self.info(node)), [])

    def test_part_of_a_device(self) -> None:
        """So is one that is one of several of a device, and one that CDI gives."""
        one, other = self.node("tty0", 0), self.node("tty1", 1)
        self.found(A, all=self.info(one, other))
        cdi = CDIDevice(nodes=[CDINode("/dev/x", host_path=one)])
        self.assertEqual(len(self.found(B, tty0=DeviceInfo(HEALTHY, cdi=cdi))), 1)

    def test_later(self) -> None:
        """So is one that a device gets later; not one that it has no more."""
        one, other = self.node("tty0", 0), self.node("tty1", 1)
        self.found(A, a=self.info(one))
        self.found(A, a=self.info(other))
        self.assertEqual(self.found(B, b=self.info(one)), [])
        self.assertEqual(len(self.found(B, b=self.info(other))), 1)

    def test_in_turn(self) -> None:
        """A node that one resource has no more may be the other's."""
        node = self.node("tty0", 0)
        self.found(A, a=self.info(node))
        self.found(A)
        self.assertEqual(self.found(B, a=self.info(node)), [])
        self.found(A, a=self.info(node))
        self.subject.forget([A, B])
        self.assertEqual(self.subject._count, 0)

    def test_shared_on_purpose(self) -> None:
        """Devices that both offer several times are shared, as are nodes beside a device's own."""
        fuse, control = self.node("fuse", 0), self.node("control", 9)
        both = {"x": self.info(fuse), "y": self.info(fuse)}
        self.assertEqual(self.found(A, **both) + self.found(B, **both), [])
        one, other = (self.info(self.node(f"card{n}", 5 + n), control) for n in range(2))
        self.assertEqual(self.found(A, one=one) + self.found(B, other=other), [])

    def test_reported_by_the_scanner(self) -> None:
        """A scanner that reports it itself has no second report, but with another's resource."""

        class Reporting:
            """Reports what its own resources share."""

            reports_shared = True

        info = self.info(self.node("tty0", 0))
        look = self.subject.look_for(Reporting())
        with capturedLogs() as events:
            look(A, [], {"x": info})
            look(B, [], {"x": info})
            self.assertEqual(events, [])
            self.subject.look_for(Reporting())("b.example.com/three", [], {"x": info})
            self.assertEqual({event["other"] for event in events}, {A, B})
            for name in ("four", "five"):
                self.subject.look_for(object())(f"c.example.com/{name}", [], {"x": info})
        self.assertEqual(len(events), 2 + 3 + 4)


class PreparationTests(SightingsTestCase):
    """The sightings of a scanner's trees that `Preparation` reports."""

    def test_trees(self) -> None:
        """Devices and types that are new, changed and gone."""
        told: list[tuple[str, set[str], set[str]]] = []

        def look(resource: str, gone: Iterable[str], fresh: Iterable[str]) -> None:
            told.append((resource, set(gone), set(fresh)))

        prepare = Preparation("scanner", "a.b", "/nonexistent", look)
        for ids in ("ab", "bc", ""):
            tree = DeviceTree()
            for id_ in ids:
                tree.add_device("x", id_, self.info("/dev/null"))
            prepare(tree)
        self.assertEqual(
            told,
            [
                ("a.b/x", set(), {"a", "b"}),
                ("a.b/x", {"a"}, {"c"}),
                ("a.b/x", {"b", "c"}, set()),
            ],
        )

    def test_one_of_a_process(self) -> None:
        """All managers on a reactor share one."""
        clock = Clock()
        one = sightings_of(clock)
        self.assertIs(sightings_of(clock), one)
        self.assertIsNot(sightings_of(Clock()), one)
