"""Tests for looking again only at what changed: it finds what a whole look would."""

import os
import shutil
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import devices, nodes, resources, yielded
from tests.support.trees import tree
from twistdp.model.devices import DeviceTree
from twistdp.scanners.declared import selection
from twistdp.scanners.declared.assembly import assemble
from twistdp.scanners.declared.found import LeftOut, Listed, Unit
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.declared.selection import Selection
from twistdp.select.host import Host

RULES = """
    port: {usb: "1a86:7523", as: tty}
    raw: {usb: "1a86:*"}
    glob: /dev/ttyUSB*
    link: /dev/serial/by-path/*
    all: {path: /dev/ttyUSB*, group: all}
    hub: {parent: {usb: "05e3:0610"}, subsystem: tty, members: [{path: /dev/extra}]}
    any: {subsystem: tty, exclusive: true}
    last: /dev/ttyUSB*
"""
USB = "sys/devices/pci0000:00/0000:00:0d.0/usb1/1-3/1-3.1"
LINKS = tuple(
    f"dev/serial/by-path/pci-0000:00:0d.0-{usb}-0:3.1:1.0-port0" for usb in ("usb", "usbv2")
)
LINK = LINKS[0]


class FollowTests(SynchronousTestCase):
    """`DeclaredScanner.follow`"""

    def setUp(self) -> None:
        """A tree that may be changed, and a scanner that has looked at it."""
        self.root = tree(self, "twins")
        self.scanner = DeclaredScanner(resources(RULES), self.root)
        self.first = self.all_nodes(self.scanner.discover())

    def all_nodes(self, found: DeviceTree) -> dict[str, dict[str, list[str]]]:
        """The nodes of all devices."""
        return {kind: dict(sorted(nodes(found, kind).items())) for kind in sorted(found)}

    def path(self, name: str) -> str:
        """A path in the tree."""
        return os.path.join(self.root, name)

    def follow(self, *names: str) -> dict[str, dict[str, list[str]]]:
        """What the scanner finds when these have changed, compared with a whole look."""
        self.patch(self.scanner, "discover", lambda: self.fail("a whole look"))
        found = self.all_nodes(self.scanner.follow([self.path(name) for name in names]))
        again = DeclaredScanner(resources(RULES), self.root).discover()
        self.assertEqual(found, self.all_nodes(again))
        return found

    def test_node(self) -> None:
        """A node goes and comes back."""
        os.unlink(self.path("dev/ttyUSB0"))
        found = self.follow("dev/ttyUSB0")
        self.assertEqual(len(found["port"]), 1)
        self.assertEqual(len(found["raw"]), 2)
        self.assertEqual(len(found["all"]["all"]), 1)
        with open(self.path("dev/ttyUSB0"), "wb"):
            pass
        self.assertEqual(self.follow("dev/ttyUSB0"), self.first)

    def test_link(self) -> None:
        """A link goes, and the host path is the node; it comes back."""
        targets = {link: os.readlink(self.path(link)) for link in LINKS}
        for link in LINKS:
            os.unlink(self.path(link))
        found = self.follow(*LINKS)
        self.assertEqual(len(found["link"]), 1)
        self.assertIn(["/dev/ttyUSB0"], found["port"].values())
        for link, target in targets.items():
            os.symlink(target, self.path(link))
        self.assertEqual(self.follow(*LINKS), self.first)

    def test_required(self) -> None:
        """What a resource requires goes and comes back; its directory is watched."""
        rules = "thing: {path: /dev/ttyUSB0, requires: /dev/more/key}"
        scanner = DeclaredScanner(resources(rules), self.root)
        self.assertEqual(len(scanner.discover()), 0)
        self.assertIn(self.path("dev/more"), scanner.paths)
        key = self.path("dev/more/key")
        os.makedirs(os.path.dirname(key))
        for count in (1, 0, 1):
            if count:
                with open(key, "wb"):
                    pass
            else:
                os.unlink(key)
            self.assertEqual(len(scanner.follow([key])), count)

    def test_device(self) -> None:
        """A whole device goes, with everything below it, and is plugged in again."""
        kept = self.path("kept")
        names = ("dev/ttyUSB0", "dev/bus/usb/001/003", LINK)
        target = os.readlink(self.path(LINK))
        shutil.move(self.path(USB), kept)
        for name in names:
            os.unlink(self.path(name))
        found = self.follow(*names)
        self.assertEqual((len(found["port"]), len(found["raw"])), (1, 1))
        shutil.move(kept, self.path(USB))
        for name in names[:2]:
            with open(self.path(name), "wb"):
                pass
        os.symlink(target, self.path(LINK))
        found = self.all_nodes(self.scanner_of_all().follow([self.path(each) for each in names]))
        self.assertEqual(found, self.first)

    def scanner_of_all(self) -> DeclaredScanner:
        """The scanner, which may look at everything again."""
        self.scanner.__dict__.pop("discover", None)
        return self.scanner

    def test_serial(self) -> None:
        """A device in the same place with another serial number is another device."""
        with open(self.path(f"{USB}/serial"), "w", encoding="ascii") as file:
            file.write("LAB000231\n")
        found = self.follow("dev/bus/usb/001/003")
        self.assertIn("1a86-7523-LAB000231", found["raw"])
        self.assertIn("1a86-7523-LAB000231-if00-port0", found["port"])

    def test_seed_that_gives_nothing(self) -> None:
        """A seed that gives nothing when another path changes may change, and give it again."""
        root = tree(self, "nvme")
        extra = os.path.join(root, "dev/extra")
        with open(extra, "wb"):
            pass
        rules = (
            'disk: {pciClass: "0108*", as: block, members: [{path: /dev/extra, optional: true}]}'
        )
        scanner = DeclaredScanner(resources(rules), root)
        first = list(scanner.discover()["disk"])
        self.patch(scanner, "discover", lambda: self.fail("a whole look"))
        name = "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/hidden"
        hidden = os.path.join(root, name)
        with open(hidden, "w", encoding="ascii") as file:
            file.write("1\n")
        os.unlink(extra)
        self.assertNotIn("disk", scanner.follow([extra]))
        seed = os.path.join(root, "sys/devices/pci0000:00/0000:00:06.0/0000:02:00.0")
        self.assertNotIn("disk", scanner.follow([seed]))
        os.unlink(hidden)
        self.assertEqual(list(scanner.follow([os.path.dirname(hidden)])["disk"]), first)

    def test_member(self) -> None:
        """A member that appears completes a device."""
        self.assertNotIn("hub", self.first)
        with open(self.path("dev/extra"), "wb"):
            pass
        found = self.all_nodes(self.scanner.follow([self.path("dev/extra")]))
        self.assertEqual(len(found["hub"]), 2)
        os.unlink(self.path("dev/extra"))
        self.assertNotIn("hub", self.follow("dev/extra"))

    def made_again(self, made: DeclaredScanner, *names: str) -> list[str]:
        """The units that a scanner makes again when these have changed."""
        units: list[str] = []

        def counted(rule: Rule, unit: Unit, *more: Any) -> Listed | LeftOut:
            units.append(unit.owner.name)
            return assemble(rule, unit, *more)

        patched = self.patch(selection, "assemble", counted)
        self.patch(made, "discover", lambda: self.fail("a whole look"))
        made.follow([self.path(name) for name in names])
        patched.restore()
        return sorted(units)

    def test_touched(self) -> None:
        """Only those units are made again whose hardware, members or mounts have changed."""
        made = DeclaredScanner(
            resources("""
            port:
              usb: "1a86:7523"
              as: tty
              members: [{as: usb}, {path: /dev/extra, optional: true}]
              mounts:
                - {hostPath: /opt/lab, optional: true}
                - {hostPath: "/dev/lab/{kernelName}", optional: true}
        """),
            self.root,
        )  # fmt: skip
        made.discover()
        both = ["ttyUSB0", "ttyUSB1"]
        self.assertEqual(self.made_again(made, "dev/bus/usb/001/003"), ["ttyUSB0"])
        self.assertEqual(self.made_again(made, "dev/null"), [])
        os.mkdir(self.path("dev/lab"))
        os.symlink("nothing", self.path("dev/lab/ttyUSB1"))
        self.assertEqual(self.made_again(made, "dev/lab"), ["ttyUSB1"])
        self.assertEqual(self.made_again(made, "dev/lab"), [])
        os.makedirs(self.path("opt/lab"))
        self.assertEqual(self.made_again(made, "dev/null"), both)
        for act in (partial(os.symlink, "ttyUSB0"), os.unlink):
            act(self.path("dev/extra"))
            self.assertEqual(self.made_again(made, "dev/extra"), both)
            self.assertNotIn("ttyUSB1", self.made_again(made, "dev/extra"))
        shutil.rmtree(self.path(USB))
        self.assertEqual(self.made_again(made, USB), [])
        mounts = [info.mounts for info in devices(made.follow([]), "port").values()]
        self.assertEqual(
            [[mount.host_path for mount in each] for each in mounts],
            [["/opt/lab", "/dev/lab/ttyUSB1"]],
        )

    def test_member_without_units(self) -> None:
        """A member that goes while no device needs it is missing from the next one."""
        made = DeclaredScanner(
            resources("port: {path: /dev/ttyUSB?, members: [{path: /dev/extra}]}"),
            self.root,
        )
        os.symlink("bus/usb/001/002", self.path("dev/extra"))
        self.assertEqual(len(made.discover()["port"]), 2)
        ports = ["dev/ttyUSB0", "dev/ttyUSB1"]
        for port in ports:
            os.rename(self.path(port), self.path(f"{port}.kept"))
        self.patch(made, "discover", lambda: self.fail("a whole look"))
        self.assertNotIn("port", made.follow([self.path(port) for port in ports]))
        os.unlink(self.path("dev/extra"))
        made.follow([self.path("dev/extra")])
        for port in ports:
            os.rename(self.path(f"{port}.kept"), self.path(port))
        self.assertNotIn("port", made.follow([self.path(port) for port in ports]))

    def test_directory(self) -> None:
        """A directory goes and comes back with links in it; it is watched again."""
        kept = self.path("kept")
        shutil.move(self.path("dev/serial"), kept)
        self.assertNotIn("link", self.follow("dev/serial"))
        shutil.move(kept, self.path("dev/serial"))
        self.assertEqual(self.follow("dev/serial"), self.first)
        self.assertIn(self.path("dev/serial/by-path"), self.scanner.paths)

    def test_twin(self) -> None:
        """A twin with the same serial number does not change the id of a device in use."""
        for name in ("3.1", "3.4"):
            with open(
                self.path(USB.replace("3.1", name) + "/serial"), "w", encoding="ascii"
            ) as file:
                file.write("LAB000231\n")
            where = "dev/bus/usb/001/003" if name == "3.1" else "dev/bus/usb/001/004"
            found = nodes(self.scanner.follow([self.path(where)]), "raw")
            self.assertIn("1a86-7523-LAB000231", found)
        self.assertEqual(found["1a86-7523-LAB000231"], ["/dev/bus/usb/001/003"])
        self.assertEqual(len(found), 2)
        self.assertEqual(nodes(self.scanner.discover(), "raw"), found)
        # A scanner that starts while both are there cannot know which was the first.
        text = 'raw: {usb: "1a86:7523"}'
        ports = [f"pci-0000:00:0d.0-usbv2-0:{port}" for port in ("3.1", "3.4")]
        started = nodes(DeclaredScanner(resources(text), self.root).discover(), "raw")
        self.assertEqual([*started], ports)

    def test_twin_of_a_port(self) -> None:
        """An id of the port does not depend on other devices, as the documentation promises."""
        found = yielded(Host(self.root), '''
            thing: {usb: "1a86:7523", as: tty, id: "{usbPath}-{interfaceNumber}"}
        ''')  # fmt: skip
        with open(self.path(f"{USB}/serial"), "w", encoding="ascii") as file:
            file.write("LAB000231\n")
        again = yielded(Host(self.root), '''
            thing: {usb: "1a86:7523", as: tty, id: "{usbPath}-{interfaceNumber}"}
        ''')  # fmt: skip
        self.assertEqual(again, found)
        self.assertEqual(next(iter(found)), "pci-0000:00:0d.0-usbv2-0:3.1-00")

    def test_limit(self) -> None:
        """A listed device keeps its place when one with a lower id comes, and over a reload."""
        text = "port: {path: /dev/ttyUSB*, limit: 1}"
        os.unlink(self.path("dev/ttyUSB0"))
        made = DeclaredScanner(resources(text), self.root)
        first = nodes(made.discover(), "port")
        self.assertEqual(len(first), 1)
        with open(self.path("dev/ttyUSB0"), "wb"):
            pass
        self.assertEqual(nodes(made.follow([self.path("dev/ttyUSB0")]), "port"), first)
        made.replace(resources(f"{text}\nother: /dev/kvm"))
        self.assertEqual(nodes(made.discover(), "port"), first)
        again = nodes(DeclaredScanner(resources(text), self.root).discover(), "port")
        self.assertNotEqual(again, first)

    def test_failure(self) -> None:
        """After a whole look that failed everything is looked at, and a limit's places stay."""
        text = "port: {path: /dev/ttyUSB*, limit: 1}"
        os.unlink(self.path("dev/ttyUSB0"))
        made = DeclaredScanner(resources(text), self.root)
        first = nodes(made.discover(), "port")
        with open(self.path("dev/ttyUSB0"), "wb"):
            pass
        patched = self.patch(Selection, "look", lambda *_: 1 / 0)
        self.assertRaises(ZeroDivisionError, made.discover)
        patched.restore()
        self.assertEqual(nodes(made.follow([self.path("dev/ttyUSB0")]), "port"), first)

    def test_ancestor(self) -> None:
        """An event makes what is above its device be read again too."""
        text = 'port: {subsystem: tty, parent: {attribute: {lab: "1"}}}'
        made = DeclaredScanner(resources(text), self.root)
        made.discover()
        hub = self.path(os.path.dirname(USB))
        for value, count in (("0", 0), ("1", 1), ("0", 0)):
            with open(f"{hub}/lab", "w", encoding="ascii") as file:
                file.write(value)
            found = nodes(made.follow([self.path("dev/ttyUSB0")]), "port")
            self.assertEqual(len(found), count)
