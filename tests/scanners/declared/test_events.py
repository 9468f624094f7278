"""Tests for looking again at what the kernel's events name: it finds what a whole look would."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import resources
from tests.support.trees import FAST, recorded, tree
from twistdp.model.devices import DeviceInfo
from twistdp.recording.layout import lay_out, plug, unplug
from twistdp.recording.text import Recorded
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.declared.subsystems import subsystems

RULES = {
    "twins": """
        port: {usb: "1a86:7523", as: tty}
        raw: {usb: "1a86:*"}
        bound: {driver: ch341, subsystem: tty}
        hub: {parent: {usb: "05e3:0610"}, subsystem: tty}
        known: {subsystem: tty, property: {ID_VENDOR_ID: "1a86"}}
        having: {match: {usb: "05e3:*", child: {subsystem: tty}}, as: usb}
        all: {subsystem: tty, group: all}
        both: {usb: "1a86:*", as: tty, members: [{as: usb}, {path: /dev/ttyUSB0, optional: true}]}
        mounting:
          usb: "1a86:*"
          as: tty
          mounts:
            - {hostPath: /dev/bus/usb/001/003, optional: true}
            - {hostPath: "/dev/serial/by-path/{usbPath}:1.0-port0", optional: true}
            - {hostPath: "/sys{property:DEVPATH}", optional: true}
    """,
    "cards": """
        gpu: {match: {subsystem: drm, parent: {driver: i915}}, group: card}
        vfio: {match: {pci: "*:*", driver: vfio-pci}, as: vfio}
        group: {match: {pci: "*:*", driver: vfio-pci}, as: vfio, group: iommu}
        kvm: {match: {subsystem: misc, kernelName: kvm}}
        given: {match: {pci: "*:*", driver: vfio-pci}, as: vfio, members: [{path: /dev/kvm}]}
        shown: {match: {subsystem: drm, kernelName: card*}, members: [{subsystem: drm}]}
    """,
    "nvme": """
        disk: {subsystem: block, as: block}
        card: {pci: "*:*", as: block}
        controller: {pci: "*:*", as: nvme}
        both: {pci: "*:*", as: nvme, members: [{as: block}]}
    """,
    "camera": """
        camera: {match: {subsystem: video4linux}, parent: {usb: "*:*"}, group: parent}
        picture: {usb: "*:*", as: video}
        wire: {usb: "*:*", as: net, env: {NAME: "{kernelName}"}}
        whole: {usb: "*:*", as: video, members: [{as: sound, optional: true}, {as: usb}]}
        linked: {subsystem: net, attribute: {operstate: up}, env: {NAME: "{kernelName}"}}
    """,
    "board": """
        card: {match: {subsystem: sound}, parent: {subsystem: platform}, group: card}
        sound: {subsystem: sound, path: /dev/snd/pcm*}
        heard: {match: {subsystem: sound, path: /dev/snd/pcm*}, members: [{as: sound}]}
        child: {match: {subsystem: platform, child: {subsystem: sound}}, env: {A: b}}
    """,
}


def reported(device: Recorded) -> Iterator[str]:
    """What is reported when a device comes or goes: by the kernel, and by inotify."""
    yield f"sys{device.path}"
    for name in (device.node, *device.claims):
        if name is not None:
            yield f"dev/{name}"
    major, minor = device.properties.get("MAJOR"), device.properties.get("MINOR")
    kind = "b" if device.subsystem == "block" else "c"
    name = f"{kind}{major}:{minor}" if major else f"+{device.subsystem}:{device.name}"
    yield f"run/udev/data/{name}"


def of(scanner: DeclaredScanner) -> Mapping[str, Mapping[str, DeviceInfo]]:
    """What a scanner lists."""
    devices = scanner.survey.ledger.devices
    return {kind: dict(sorted(devices[kind].items())) for kind in sorted(devices)}


class EventsTests(SynchronousTestCase):
    """`DeclaredScanner.follow` with paths of sysfs, on trees"""

    def start(self, name: str, rules: str | None = None) -> None:
        """Lay a tree out, and look at it."""
        self.root = tree(self, name)
        self.rules = resources(rules or RULES[name])
        self.scanner = DeclaredScanner(self.rules, self.root)
        self.scanner.discover()
        self.first = of(self.scanner)

    def path(self, name: str) -> str:
        """A path in the tree."""
        return os.path.join(self.root, name.lstrip("/"))

    def follow(self, *names: str) -> Mapping[str, Mapping[str, DeviceInfo]]:
        """What the scanner finds after events at these paths, which a whole look finds too."""
        self.patch(self.scanner, "discover", lambda: self.fail("a whole look"))
        self.scanner.follow([self.path(name) for name in names])
        again = DeclaredScanner(self.rules, self.root)
        again.discover()
        self.assertEqual(of(self.scanner), of(again))
        return of(self.scanner)

    def bind(self, path: str, driver: str | None) -> None:
        """Change the driver of a device."""
        if os.path.lexists(self.path(f"sys{path}/driver")):
            os.unlink(self.path(f"sys{path}/driver"))
        with open(self.path(f"sys{path}/uevent"), encoding="ascii") as file:
            lines = [line for line in file if not line.startswith("DRIVER=")]
        if driver is not None:
            lines.append(f"DRIVER={driver}\n")
            os.symlink(f"drivers/{driver}", self.path(f"sys{path}/driver"))
        with open(self.path(f"sys{path}/uevent"), "w", encoding="ascii") as file:
            file.writelines(lines)

    def test_driver(self) -> None:
        """A driver is unbound and bound: what is below the device has another one."""
        self.start("cards")
        gpu = "/devices/pci0000:00/0000:00:02.0"
        self.assertIn("gpu", self.first)
        self.bind(gpu, None)
        self.assertNotIn("gpu", self.follow(f"/sys{gpu}"))
        self.bind(gpu, "i915")
        self.assertEqual(self.follow(f"/sys{gpu}"), self.first)

    def test_driver_in_the_group(self) -> None:
        """A function's driver decides about the other functions of its IOMMU group."""
        self.start("cards")
        group = "sys/kernel/iommu_groups/2/devices"
        one, *others = sorted(os.listdir(self.path(group)))
        self.assertIn("group", self.first)
        for name in (one, *others):
            path = os.path.realpath(self.path(f"{group}/{name}")).removeprefix(self.root)
            syspath = path.removeprefix("/sys")
            self.bind(syspath, "snd_hda_intel")
            self.follow(path)
            self.bind(syspath, "vfio-pci")
            self.follow(path)

    def test_newcomer_in_the_group(self) -> None:
        """A function that comes into an IOMMU group and is bound elsewhere makes it unready."""
        self.start("cards")
        audio = "/devices/pci0000:00/0000:00:01.0/0000:01:00.1"
        self.bind(audio, "vfio-pci")
        ready = self.follow(f"/sys{audio}")
        self.assertIn("0000:01:00.0", ready["vfio"])
        group = "sys/kernel/iommu_groups/2"
        for top in ("/devices/pci0000:00", "/devices/pci0000:00/0000:00:02.0"):
            path = f"{top}/0000:05:00.0"
            shutil.copytree(
                self.path("sys/devices/pci0000:00/0000:00:1c.0"),
                self.path(f"sys{path}"),
                symlinks=True,
            )
            os.unlink(self.path(f"sys{path}/iommu_group"))
            os.symlink(self.path(group), self.path(f"sys{path}/iommu_group"))
            os.symlink(self.path(f"sys{path}"), self.path(f"{group}/devices/0000:05:00.0"))
            found = self.follow(f"/sys{path}")
            self.assertNotIn("0000:01:00.0", found["vfio"])
            shutil.rmtree(self.path(f"sys{path}"))
            os.unlink(self.path(f"{group}/devices/0000:05:00.0"))
            self.assertEqual(self.follow(f"/sys{path}"), ready)

    def test_group_in_any_order(self) -> None:
        """A group comes back, and a function's event before those of what is above and beside."""
        devices = recorded("cards")
        port = "/devices/pci0000:00/0000:00:01.0"
        events = [f"/sys{port}/0000:01:00.{number}" for number in (0, 1)]
        for order in ([*events, f"/sys{port}"], [events[0], f"/sys{port}", events[1]]):
            self.start("cards")
            unplug(devices, self.root, port)
            self.follow(*reversed(order))
            plug(devices, self.root, port)
            self.assertEqual(self.follow(*order), self.first)

    def test_gone_beside_what_comes(self) -> None:
        """A virtual function goes, and the event of its physical function comes before its own."""
        devices = recorded("cards")
        physical, virtual = (f"/devices/pci0000:00/0000:00:1c.{number}" for number in (0, 1))
        self.start("cards")
        self.assertIn("0000:00:1c.1", self.first["vfio"])
        unplug(devices, self.root, physical)
        self.follow(f"/sys{physical}")
        self.follow("/sys/devices/virtual/vfio/8")  # the virtual function is read again
        plug(devices, self.root, physical)
        unplug(devices, self.root, virtual)
        found = self.follow(f"/sys{physical}", f"/sys{virtual}")
        self.assertNotIn("0000:00:1c.1", str(found))

    def test_part_before_the_whole(self) -> None:
        """An event of a device is about what is plugged into it, though its part had one before."""
        self.start("twins", 'on: {subsystem: tty, parent: {usb: "05e3:0610", driver: usb}}')
        hub = "/devices/pci0000:00/0000:00:0d.0/usb1/1-3"
        for driver in ("other", "usb"):
            self.bind(hub, driver)
            found = self.follow(f"/sys{hub}/1-3:1.0", f"/sys{hub}")
            self.assertEqual("on" in found, driver == "usb")

    def test_below_what_was_listed(self) -> None:
        """What appears below a device is seen, though the device was just listed."""
        self.start("twins")
        hub = "/devices/pci0000:00/0000:00:0d.0/usb1/1-3"
        shutil.rmtree(self.path(f"sys{hub}/1-3.4"))
        self.follow(f"/sys{hub}/1-3.4")
        old, new = f"{hub}/1-3.1/1-3.1:1.0", f"{hub}/1-3.1/1-3.1:1.1"
        shutil.copytree(self.path(f"sys{old}"), self.path(f"sys{new}"), symlinks=True)
        os.rename(self.path(f"sys{new}/ttyUSB0"), self.path(f"sys{new}/ttyUSB2"))
        tty = self.path(f"sys{new}/ttyUSB2/tty")
        os.rename(f"{tty}/ttyUSB0", f"{tty}/ttyUSB2")
        with open(f"{tty}/ttyUSB2/uevent", "w", encoding="ascii") as file:
            file.write("MAJOR=188\nMINOR=2\nDEVNAME=ttyUSB2\n")
        with open(self.path("dev/ttyUSB2"), "xb"):
            pass
        found = self.follow(f"/sys{new}", f"/sys{new}/ttyUSB2/tty/ttyUSB2", "/dev/ttyUSB2")
        self.assertIn("/dev/ttyUSB2", str(found))

    def test_driver_of_the_physical_function(self) -> None:
        """The driver of a physical function decides about its virtual functions."""
        self.start("cards", 'virtual: {match: {pci: "*:*", physfn: {driver: "i*"}}, as: vfio}')
        physical = "/devices/pci0000:00/0000:00:1c.0"
        for driver in (None, "ice", "vfio-pci", "ixgbe"):
            self.bind(physical, driver)
            found = self.follow(f"/sys{physical}")
            self.assertEqual("virtual" in found, driver in ("ice", "ixgbe"), driver)

    def test_attribute(self) -> None:
        """An attribute of a device without a node."""
        self.start("camera")
        (name,) = os.listdir(self.path("sys/class/net"))
        path = os.path.realpath(self.path(f"sys/class/net/{name}"))
        for state in ("up", "down", "up"):
            with open(f"{path}/operstate", "w", encoding="ascii") as file:
                file.write(f"{state}\n")
            found = self.follow(path.removeprefix(self.root))
            self.assertEqual("linked" in found, state == "up")

    def test_late_udev(self) -> None:
        """Udev writes after the kernel's event: what depends on it is right in the end."""
        self.start("twins")
        entry = self.path("run/udev/data/c188:0")
        shutil.move(entry, f"{self.root}/kept")
        found = self.follow(
            "/sys/devices/pci0000:00/0000:00:0d.0/usb1/1-3/1-3.1/1-3.1:1.0/ttyUSB0/tty/ttyUSB0",
            "/run/udev/data/c188:0",
        )
        self.assertEqual(len(found["known"]), 1)
        shutil.move(f"{self.root}/kept", entry)
        self.assertEqual(self.follow("/run/udev/data/c188:0"), self.first)

    def test_late_udev_of_others(self) -> None:
        """The same for devices without a node: of a bus, a class, and of the network."""
        self.start(
            "camera",
            """
            net: {subsystem: net, property: {ID_TEST: "1"}, env: {NAME: "{kernelName}"}}
            usb: {subsystem: video4linux, parent: {subsystem: usb, property: {ID_TEST: "1"}}}
            card: {subsystem: sound, parent: {subsystem: sound, property: {ID_TEST: "1"}}}
            """,
        )
        self.assertEqual(self.first, {})
        (index,) = (name for name in os.listdir(self.path("run/udev/data")) if name[0] == "n")
        for key, kind in ((index, "net"), ("+usb:1-5:1.0", "usb"), ("+sound:card1", "card")):
            path = f"run/udev/data/{key}"
            with open(self.path(path), "a", encoding="ascii") as file:
                file.write("E:ID_TEST=1\n")
            self.assertIn(kind, self.follow(path))
        for key in ("+usb:..", "+..:usb", "+", "+x", "n0", "n", "c1", "x1:1", ""):
            self.follow(f"run/udev/data/{key}")

    def test_elsewhere(self) -> None:
        """Events of processors, of modules, and of what was never seen, change nothing."""
        self.start("twins")
        for path in ("/devices/system/cpu/cpu0", "/module/loop", "/devices/x/y", "/devices"):
            self.assertEqual(self.follow(f"/sys{path}"), self.first)

    def test_too_many(self) -> None:
        """With very many devices below the one of an event, a whole look is made."""
        self.start("twins")
        for number in range(1001):
            path = self.path(f"sys/devices/pci0000:00/0000:00:0d.0/x{number}")
            os.mkdir(path)
            with open(f"{path}/uevent", "xb"):
                pass
        looks: list[None] = []
        self.patch(self.scanner, "discover", lambda: looks.append(None))
        self.scanner.follow([self.path("/sys/devices/pci0000:00/0000:00:0d.0")])
        self.assertEqual(len(looks), 1)


class RandomEventsTests(SynchronousTestCase):
    """Devices come and go in any order, with the kernel's events"""

    @settings(max_examples=40)
    @given(st.data())
    def test_events(self, data: st.DataObject) -> None:
        """After each batch of events the scanner lists what a whole look finds."""
        name = data.draw(st.sampled_from(sorted(RULES)))
        devices = recorded(name)
        root = tempfile.mkdtemp(prefix="twistdp-tree-", dir=FAST)
        try:
            lay_out(devices, root)
            rules = resources(RULES[name])
            scanner = DeclaredScanner(rules, root)
            scanner.discover()
            self.patch(scanner, "discover", lambda: self.fail("a whole look"))
            by_path = {device.path: device for device in devices}
            nodes = {f"dev/{device.node}" for device in devices}
            # The kernel keeps a subsystem while it has a controller.
            paths = [path for path in by_path if not path.endswith("/nvme-subsys0")]
            for _ in range(data.draw(st.integers(1, 6))):
                events: dict[str, None] = {}
                for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3)):
                    below = [each for each in paths if f"{each}/".startswith(f"{path}/")]
                    if os.path.exists(f"{root}/sys{path}/uevent"):
                        unplug(devices, root, path)
                        below.reverse()
                    elif os.path.exists(f"{root}/sys{os.path.dirname(path)}"):
                        plug(devices, root, path)
                    else:
                        continue
                    for each in below:
                        events |= dict.fromkeys(reported(by_path[each]))
                order = list(events)
                data.draw(st.randoms()).shuffle(order)
                # In a tree of files only sysfs says which device a node is.
                first = [each for each in order if each.startswith("sys/") or each in nodes]
                for some in (first, [each for each in order if each not in first]):
                    scanner.follow([f"{root}/{each}" for each in some])
                again = DeclaredScanner(rules, root)
                again.discover()
                self.assertEqual(of(scanner), of(again), list(events))
        finally:
            shutil.rmtree(root)


class SubsystemsTests(SynchronousTestCase):
    """`subsystems`"""

    def of(self, text: str) -> tuple[str, ...]:
        """The subsystems whose events concern a resource."""
        rules = resources(f"thing: {text}")
        return subsystems(Rule(name, each) for name, each in rules.items())

    def test_of_rules(self) -> None:
        """What a rule says of its devices says which events concern it."""
        for text, wanted in (
            ("/dev/kvm", ()),
            ("{path: /dev/snd, group: all}", ()),
            ('{usb: "1a86:*", as: tty}', ("pci", "tty", "usb")),
            ("{path: /dev/video*, as: video, group: parent}", ("pci", "usb", "video4linux")),
            ("{subsystem: tty}", ("pci", "tty", "usb")),
            ("{match: [{subsystem: tty}, {path: /dev/x}]}", ("pci", "tty", "usb")),
            ("{udev: 'SUBSYSTEM==\"net\"', env: {A: b}}", ("net", "pci", "usb")),
            ("{pci: '8086:*', driver: vfio-pci, as: vfio}", ("pci", "usb", "vfio", "vfio-dev")),
            ("{subsystem: drm, parent: {subsystem: pci}}", ("drm", "pci", "usb")),
            ("{subsystem: drm, driver: i915}", ("*",)),
            ("{subsystem: drm, parent: {driver: i915}}", ("*",)),
            ("{subsystem: 't*'}", ("*",)),
            ("{attribute: {x: '1'}}", ("*",)),
            ("{path: /dev/x, not: {driver: y}}", ("*",)),
            ("{path: /dev/x, members: [{as: sound, optional: true}]}", ("pci", "sound", "usb")),
        ):
            self.assertEqual(self.of(text), wanted, text)

    def test_another_tree(self) -> None:
        """The kernel's events are not about a tree that was laid out."""
        self.assertEqual(DeclaredScanner(resources("x: {usb: '1:2'}")).uevents, ("pci", "usb"))
        self.assertEqual(DeclaredScanner(resources("x: {usb: '1:2'}"), "/tmp").uevents, ())
