"""Tests for `twistdp.scanners.binding`: what is written to a kernel that is emulated on a tree."""

import errno
import os

from tests.scanners.test_qat import own_tree, pci
from tests.support.logs import LogTestCase
from twistdp.scanners.binding import Binder, write
from twistdp.scanners.qat import QatScanner
from twistdp.select.device import Device
from twistdp.select.host import Host

UNBOUND, OF_KERNEL, BOUND = "0000:6c:00.2", "0000:6b:00.2", "0000:6b:00.1"
PROBE = "/sys/bus/pci/drivers_probe"


class Kernel:
    """Does what sysfs does with what is written to the files of drivers."""

    def __init__(self, tree: str) -> None:
        self.tree = tree
        self.written: list[tuple[str, str]] = []
        self.refuses: str | tuple[str, ...] = ()
        """The ends of the paths of files that cannot be written."""
        for driver in ("vfio-pci", "4xxxvf"):
            os.makedirs(f"{tree}/sys/bus/pci/drivers/{driver}", exist_ok=True)

    def write(self, path: str, text: str) -> None:
        """Take what a driver of functions writes."""
        path = path.removeprefix(self.tree)
        self.written.append((path, text))
        if path.endswith(self.refuses):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if path.endswith("/unbind"):
            self.bind(text, None)
        elif path.endswith("/bind"):
            self.bind(text, path.split("/")[-2])
        elif path == PROBE:
            self.bind(text, "4xxxvf")

    def bind(self, address: str, driver: str | None) -> None:
        """Bind a function to a driver, or to none."""
        link = f"{self.tree}/sys/{pci(address, 'driver')}"
        if os.path.lexists(link):
            os.unlink(link)
        uevent = f"{self.tree}/sys/{pci(address, 'uevent')}"
        with open(uevent, encoding="ascii") as file:
            lines = [line for line in file if not line.startswith("DRIVER=")]
        with open(uevent, "w", encoding="ascii") as file:
            file.writelines(lines)
        if driver is not None:
            os.symlink(f"../../../bus/pci/drivers/{driver}", link)


class BinderTests(LogTestCase):
    """`Binder`"""

    def setUp(self) -> None:
        """A tree with functions of each kind, and the kernel below it."""
        super().setUp()
        self.tree = own_tree()
        self.kernel = Kernel(self.tree)
        self.kernel.bind(UNBOUND, None)
        self.binder = Binder("vfio-pci", ["4xxxvf"], self.tree, self.kernel.write)

    def functions(self, *addresses: str) -> list[Device]:
        """Functions as they are now."""
        host = Host(self.tree)
        found = [host.linked(f"/bus/pci/devices/{address}") for address in addresses]
        return [each for each in found if each is not None]

    def drivers(self, *addresses: str) -> list[str | None]:
        """The drivers of functions."""
        return [each.driver for each in self.functions(*addresses)]

    def test_bound(self) -> None:
        """A function is taken from its kernel driver, or from none, and from no other one."""
        self.binder.bind(self.functions(BOUND, OF_KERNEL, UNBOUND))
        self.assertEqual(self.drivers(BOUND, OF_KERNEL, UNBOUND), ["vfio-pci"] * 3)
        drivers = "/sys/bus/pci/drivers"
        self.assertEqual(
            self.kernel.written,
            [
                (f"/sys/{pci(OF_KERNEL, 'driver_override')}", "vfio-pci"),
                (f"{drivers}/4xxxvf/unbind", OF_KERNEL),
                (f"{drivers}/vfio-pci/bind", OF_KERNEL),
                (f"/sys/{pci(UNBOUND, 'driver_override')}", "vfio-pci"),
                (f"{drivers}/vfio-pci/bind", UNBOUND),
            ],
        )
        one, other = self.lines
        self.assertIn(f"bound {OF_KERNEL} to vfio-pci; it had the driver 4xxxvf", one)
        self.assertIn(f"bound {UNBOUND} to vfio-pci; it had no driver", other)

    def test_once(self) -> None:
        """A function that somebody binds otherwise stays so, until it is another function."""
        self.binder.bind(self.functions(OF_KERNEL))
        self.kernel.bind(OF_KERNEL, "4xxxvf")
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(self.drivers(OF_KERNEL), ["4xxxvf"])
        self.binder.bind([])
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(self.drivers(OF_KERNEL), ["vfio-pci"])

    def test_in_use(self) -> None:
        """A function with another driver, of a program perhaps, is never touched."""
        for driver, why in (("igb_uio", "which a pod may use"), ("other", "not its kernel driver")):
            self.kernel.bind(OF_KERNEL, driver)
            self.binder.bind(self.functions(OF_KERNEL))
            self.binder.bind(self.functions(OF_KERNEL))
            self.assertEqual((self.drivers(OF_KERNEL), self.kernel.written), ([driver], []))
            (line,) = self.lines
            self.assertIn(f"not bound: {OF_KERNEL}: it is bound to {driver}, ", line)
            self.assertIn(why, line)
            self.kernel.bind(OF_KERNEL, "vfio-pci")
            self.binder.bind(self.functions(OF_KERNEL))
            self.binder.bind([])
            self.kept.written.clear()

    def test_not_loaded(self) -> None:
        """A driver that is not loaded is waited for, before anything is unbound."""
        os.rmdir(f"{self.tree}/sys/bus/pci/drivers/vfio-pci")
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(self.kernel.written, [])
        self.assertIn("load it with modprobe vfio-pci", self.lines[0])
        os.makedirs(f"{self.tree}/sys/bus/pci/drivers/vfio-pci")
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(self.drivers(OF_KERNEL), ["vfio-pci"])

    def test_failure(self) -> None:
        """A function that cannot be bound gets its kernel driver back, and is not tried again."""
        self.kernel.refuses = "vfio-pci/bind"
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(self.drivers(OF_KERNEL), ["4xxxvf"])
        self.assertEqual(
            self.kernel.written[-2:],
            [(f"/sys/{pci(OF_KERNEL, 'driver_override')}", "\n"), (PROBE, OF_KERNEL)],
        )
        (line,) = self.lines
        self.assertRegex(line, rf"cannot bind {OF_KERNEL} to vfio-pci: .*/bind: Read-only file")
        count = len(self.kernel.written)
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(len(self.kernel.written), count)

    def test_not_given_back(self) -> None:
        """If that fails too, it is logged."""
        self.kernel.refuses = "vfio-pci/bind", PROBE
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertIn(f"cannot give {OF_KERNEL} back to its kernel driver", self.lines[1])

    def test_nothing_written(self) -> None:
        """A /sys that cannot be written is one fault, and there is nothing to give back."""
        self.kernel.refuses = "driver_override"
        self.binder.bind(self.functions(OF_KERNEL))
        self.assertEqual(len(self.kernel.written), 1)
        (line,) = self.lines
        self.assertIn(f"cannot bind {OF_KERNEL} to vfio-pci", line)

    def test_write(self) -> None:
        """A file is written that is there, and none is made."""
        path = f"{self.tree}/sys/{pci(BOUND, 'driver_override')}"
        self.assertRaises(FileNotFoundError, write, path, "x")
        with open(path, "w", encoding="ascii"):
            pass
        write(path, "vfio-pci")
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "vfio-pci")


class ScannerTests(LogTestCase):
    """`QatScanner` with ``bind``."""

    def setUp(self) -> None:
        """A tree whose files can be written; links stay as they are."""
        super().setUp()
        self.tree = own_tree()
        self.override = f"{self.tree}/sys/{pci(OF_KERNEL, 'driver_override')}"
        drivers = f"{self.tree}/sys/bus/pci/drivers"
        for path in (self.override, f"{drivers}/4xxxvf/unbind", f"{drivers}/vfio-pci/bind"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii"):
                pass

    def written(self) -> str:
        """What the function's override is."""
        with open(self.override, encoding="ascii") as file:
            return file.read()

    def test_wanted(self) -> None:
        """Functions are bound if that is wanted."""
        QatScanner(root=self.tree).discover()
        self.assertEqual(self.written(), "")
        QatScanner(bind=True, root=self.tree).discover()
        self.assertEqual(self.written(), "vfio-pci")

    def test_only_looking(self) -> None:
        """A scanner that may not act binds nothing."""
        scanner = QatScanner(bind=True, root=self.tree)
        scanner.may_act = False
        scanner.discover()
        self.assertEqual(self.written(), "")
