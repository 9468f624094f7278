"""Tests for `twistdp.recording.layout` and `twistdp.recording.root`."""

import os
import stat

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.trees import TREES, recorded, tree
from tests.support.users import ALICE, NEEDS_ROOT, given_to
from twistdp.errors import BadSetting
from twistdp.recording.layout import lay_out, plug, unplug
from twistdp.recording.root import open_root, read_recording
from twistdp.recording.text import BadRecording, Recorded, parse


class LayoutTests(SynchronousTestCase):
    """`lay_out`"""

    def test_places(self) -> None:
        """The kernel's keys are in uevent, udev's in its data base, and links are relative."""
        root = tree(self, "twins")
        path = "sys/devices/pci0000:00/0000:00:0d.0/usb1/1-3/1-3.1/1-3.1:1.0/ttyUSB0/tty/ttyUSB0"
        with open(f"{root}/{path}/uevent", encoding="ascii") as file:
            self.assertEqual(file.read(), "DEVNAME=ttyUSB0\nMAJOR=188\nMINOR=0\n")
        with open(f"{root}/run/udev/data/c188:0", encoding="ascii") as file:
            text = file.read()
        self.assertIn("E:ID_VENDOR_ID=1a86\n", text)
        self.assertIn("S:serial/by-id/usb-1a86_USB2.0-Serial-if00-port0\n", text)
        self.assertIn("G:systemd\n", text)
        self.assertEqual(os.path.realpath(f"{root}/sys/class/tty/ttyUSB0"), f"{root}/{path}")
        self.assertEqual(os.path.realpath(f"{root}/sys/dev/char/188:0"), f"{root}/{path}")
        by_id = f"{root}/dev/serial/by-id/usb-1a86_USB2.0-Serial-if00-port0"
        self.assertEqual(os.readlink(by_id), "../../ttyUSB0")

    def test_without_udev(self) -> None:
        """A container often has no data base of udev."""
        self.assertFalse(os.path.exists(f"{tree(self, 'twins', udev=False)}/run"))

    def test_iommu(self) -> None:
        """The members of an IOMMU group are listed in it."""
        root = tree(self, "cards")
        self.assertEqual(
            sorted(os.listdir(f"{root}/sys/kernel/iommu_groups/2/devices")),
            ["0000:00:01.0", "0000:01:00.0", "0000:01:00.1"],
        )

    def test_not_empty(self) -> None:
        """A directory with something in it is left alone."""
        directory = temporary_directory(self)
        os.mkdir(f"{directory}/x")
        error = self.assertRaises(BadSetting, lay_out, (), directory)
        self.assertIn("is not empty", str(error))

    def test_directory_of_a_user(self) -> None:
        """Root makes and removes nothing where others could put a link in the directory's place."""
        users = temporary_directory(self)
        devices = recorded("cards")
        (path,) = [each.path for each in devices if each.node == "kvm"]
        lay_out(devices, f"{users}/old")
        given_to(users, ALICE, 0o755)
        reason = f"{users} belongs to user {ALICE} (mode 0755), who could replace it"
        for refused in (
            lambda: lay_out(devices, f"{users}/new"),
            lambda: plug(devices, f"{users}/old", path),
            lambda: unplug(devices, f"{users}/old", path),
        ):
            self.assertIn(reason, str(self.assertRaises(BadSetting, refused)))
        self.assertEqual(os.listdir(users), ["old"])
        self.assertTrue(os.path.exists(f"{users}/old/dev/kvm"))

    test_directory_of_a_user.skip = NEEDS_ROOT  # type: ignore[attr-defined]

    def test_mode(self) -> None:
        """A node has the mode that was recorded."""
        status = os.stat(f"{tree(self, 'cards')}/dev/kvm")
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o660)

    def test_null_nodes(self) -> None:
        """Root can have real nodes, which are like /dev/null."""
        if os.geteuid() != 0:
            raise SkipTest("only root can make device nodes")
        root = f"{temporary_directory(self)}/root"
        lay_out(recorded("twins"), root, null_nodes=True)
        self.assertEqual(os.stat(f"{root}/dev/ttyUSB1").st_rdev, os.makedev(1, 3))

    def test_escape(self) -> None:
        """A recording from a stranger writes nothing outside its directory."""
        place = temporary_directory(self)
        root, outside = f"{place}/root", f"{place}/outside"
        os.mkdir(outside)
        lay_out(
            parse(
                f"P: /devices/a\nE: SUBSYSTEM=../../../x\nA: power/control=on\nL: power={outside}\n"
                f"L: driver=../../../../outside/d\n\n"
                f"P: /devices/b\nL: link={outside}\n\nP: /devices/b/link/c\nA: x=1\n\n"
                f"P: /devices/d\nE: SUBSYSTEM=pci\nL: iommu_group=../../../outside/g\n"
            ),
            root,
        )
        self.assertEqual(os.listdir(outside), [])
        self.assertEqual(sorted(os.listdir(place)), ["outside", "root"])

    def test_escape_later(self) -> None:
        """Neither does it when devices are unplugged and plugged, and nothing outside is removed.

        The link of a device has the place of another one after that was unplugged.
        """
        place = temporary_directory(self)
        root, outside = f"{place}/root", f"{place}/outside"
        os.makedirs(f"{outside}/d")
        devices = parse(
            f"P: /devices/a\nL: b={outside}\n\nP: /devices/a/b\nA: x=1\n\n"
            "P: /devices/a/b/d\nA: y=1\n"
        )
        lay_out(devices, root)
        unplug(devices, root, "/devices/a/b")
        self.assertEqual(os.readlink(f"{root}/sys/devices/a/b"), outside)
        for path in ("/devices/a/b", "/devices/a/b/d"):
            error = self.assertRaises(BadSetting, plug, devices, root, path)
            self.assertIn("is no directory", str(error))
            unplug(devices, root, path)
        self.assertEqual(os.listdir(outside), ["d"])
        self.assertEqual(os.listdir(f"{outside}/d"), [])

    def test_running_host(self) -> None:
        """Devices of a host that runs are not unplugged, for their nodes would be removed."""
        (device, *_) = devices = parse("P: /devices/virtual/mem/null\nN: null\n")
        for directory in ("/", "/proc", temporary_directory(self)):
            for change in (plug, unplug):
                error = self.assertRaises(BadSetting, change, devices, directory, device.path)
                self.assertIn("is none that 'twistdp fake' made", str(error))
        self.assertTrue(os.path.exists("/dev/null"))


class RootTests(SynchronousTestCase):
    """`open_root` and `read_recording`"""

    def test_recording(self) -> None:
        """A recording lies in a directory that goes away again."""
        with open_root(os.path.join(TREES, "twins.umockdev")) as root:
            self.assertTrue(os.path.exists(f"{root}/dev/ttyUSB0"))
        self.assertFalse(os.path.exists(root))

    def test_directory(self) -> None:
        """A directory is its own root."""
        with open_root("/proc") as root:
            self.assertEqual(root, "/proc")

    def test_errors(self) -> None:
        """A file that is no recording is refused with the line."""
        path = f"{temporary_directory(self)}/file"
        error = self.assertRaises(BadRecording, read_recording, path)
        self.assertIn("No such file", str(error))
        with open(path, "wb") as file:
            file.write(b"P: /devices/a\nA: x=\xff\n")
        error = self.assertRaises(BadRecording, read_recording, path)
        self.assertEqual(str(error), f"{path}:2: the text is not UTF-8")

    def test_cannot_be_laid_out(self) -> None:
        """A recording that the file system does not take is refused without a traceback."""
        path = f"{temporary_directory(self)}/file"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"P: /devices/{'y' * 255}\nE: SUBSYSTEM={'x' * 255}\n")
        with self.assertRaises(BadRecording) as caught, open_root(path):
            pass
        self.assertIn("File name too long", str(caught.exception))

    def test_byte_order_mark(self) -> None:
        """A byte order mark, as Windows' editors write it, does no harm."""
        path = f"{temporary_directory(self)}/file"
        with open(path, "wb") as file:
            file.write(b"\xef\xbb\xbfP: /devices/a\n")
        self.assertEqual(read_recording(path), (Recorded("/devices/a"),))

    def test_empty(self) -> None:
        """An empty recording is a host without devices."""
        self.assertEqual(parse(""), ())
        self.assertEqual(Recorded("/devices/a/b").name, "b")
