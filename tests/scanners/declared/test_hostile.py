"""Trees that no kernel makes, or that change while they are read: bounded, without an error."""

import os
import shutil

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import CONDITIONS
from tests.support.declarations import devices, resources
from tests.support.helpers import temporary_directory
from tests.support.trees import TREES, named, tree
from twistdp.errors import BadSetting
from twistdp.recording.layout import lay_out, plug, unplug
from twistdp.recording.recorder import record
from twistdp.recording.text import parse, write
from twistdp.scanners.declared.explanation import explained
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.declared.survey import Survey
from twistdp.select.host import Host

RULES = "\n".join(
    (
        *(
            f"k{number}: {{{key}: {value}}}"
            for number, (key, value) in enumerate(CONDITIONS.items())
        ),
        "all: {path: '/dev/**', group: all}",
        "ports: {usb: '1a86:*', as: tty, id: '{serial}', env: {A: '{attribute:a/b}'}}",
        "groups: {subsystem: tty, parent: {usb: '*'}, group: parent, members: [{path: /dev/x}]}",
        "cards: {pci: '*', group: iommu, as: vfio, mounts: '/opt/{product}'}",
        "healthy: {usb: '*', as: usb, health: {attribute: authorized, min: 1}}",
    )
)
NAMES = ("twins", "camera", "cards", "nvme")
LINES = (
    *("P: /devices/a", "N: null", "S: null", "E: SUBSYSTEM=usb", "E: DEVTYPE=usb_device"),
    *("E: DEVNAME=../../etc", f"E: MAJOR={'9' * 30}", "E: MINOR=-1", "L: subsystem=/etc"),
    *("L: driver=../../../../x", "L: iommu_group=../..", "L: physfn=.", "A: uevent=x"),
    *("A: numa_node=99999", "A: serial=../../x", "A: idVendor=\\n\\n", "H: descriptors=ff", ""),
)


def look(host: Host) -> Survey:
    """All rules on a host, explained."""
    survey = Survey([Rule(name, each) for name, each in resources(RULES).items()])
    survey.look(host)
    for each in explained(survey, host):
        str(each)
    return survey


class HostileTests(SynchronousTestCase):
    """A scan of such a tree"""

    def test_odd(self) -> None:
        """Pipes do not block, links that turn in circles end, odd bytes are no error."""
        root = tree(self, "twins")
        one, two = (named(Host(root), name).path for name in ("1-3.1", "1-3.4"))
        for path in (f"{one}/product", f"{two}/uevent", f"{root}/run/udev/data/c188:0"):
            os.unlink(path)
            os.mkfifo(path)
        for path, target in (
            (f"{one}/loop", ".."),
            (f"{one}/root", "/"),
            (f"{one}/self", "self"),
            (f"{root}/dev/one", "two"),
            (f"{root}/dev/two", "one"),
            (f"{root}/dev/file", "/etc/passwd"),
        ):
            os.symlink(target, path)
        os.unlink(f"{one}/idVendor")
        os.mkdir(f"{one}/idVendor")
        os.mkfifo(f"{root}/dev/pipe")
        odd = os.path.join(os.fsencode(root), b"dev/\xff\n")
        os.mkdir(odd)
        for path_, content in (
            (os.path.join(odd, b"\xfe"), b""),
            (os.fsencode(f"{one}/manufacturer"), b"\xff\0\n" * 5000),
            (os.fsencode(f"{root}/run/udev/data/c188:1"), b"S:../..\nE:\0=\nE:\nG:\n\xff" * 5000),
        ):
            with open(path_, "wb") as file:
                file.write(content)
        look(Host(root))
        write(record(Host(root))).encode()

    def test_changes(self) -> None:
        """What goes away after it was found is left out."""
        for part in ("sys/devices", "sys/class", "dev", "run/udev"):
            root = tree(self, "twins")
            host = Host(root)
            self.assertTrue(list(host.devices()))
            host.nodes("/dev/*")
            shutil.rmtree(f"{root}/{part}")
            look(host)
            found = resources("thing: {subsystem: tty}")
            made = DeclaredScanner(found, tree(self, "twins"))
            self.assertEqual(len(devices(made.discover())), 2)
            shutil.rmtree(f"{made._root}/{part}")
            made.follow([f"{made._root}/dev/ttyUSB0", f"{made._root}/run/udev/data/c188:0"])

    @settings(max_examples=60)
    @given(st.sampled_from(NAMES), st.data())
    def test_recordings(self, name: str, data: st.DataObject) -> None:
        """A recording with any lines is refused, or makes a tree that can be looked at."""
        with open(f"{TREES}/{name}.umockdev", encoding="utf-8") as file:
            lines = file.read().split("\n")
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(lines) - 1))
            lines[at : at + data.draw(st.integers(0, 2))] = [
                data.draw(st.sampled_from(LINES) | st.sampled_from(lines))
            ]
        root = temporary_directory(self)
        try:
            recorded = parse("\n".join(lines))
            lay_out(recorded, root)
        except BadSetting:
            return
        look(Host(root))
        parse(write(record(Host(root))))
        device = data.draw(st.sampled_from(recorded))
        for change in (unplug, plug):
            try:
                change(recorded, root, device.path)
            except BadSetting:
                return
        look(Host(root))
