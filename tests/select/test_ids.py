"""Tests for `twistdp.select.ids`, `twistdp.select.serials` and `twistdp.select.buses`."""

import re
import tempfile
from collections.abc import Sequence
from unittest import mock

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import FAST, host, named, recorded
from twistdp.model.names import check_device_id
from twistdp.recording.layout import lay_out
from twistdp.recording.text import Recorded, parse, write
from twistdp.select.buses import place
from twistdp.select.host import Host
from twistdp.select.ids import default_id, stable_path
from twistdp.select.kinds import belonging
from twistdp.select.serials import is_placeholder, why_no_serial

TREES = ("twins", "camera", "cards", "nvme")
CONTROLLER = "/devices/pci0000:00/0000:00:14.0"
_SERIALS = st.sampled_from(["", "0001", "AB12CD34", "AB12CD35", "x" * 126, "ä ö/ü", "serial"])


def dongle(port: int, serial: str, number: int, ports: int) -> list[Recorded]:
    """A USB serial adapter with some ports, plugged in somewhere."""
    path = f"{CONTROLLER}/usb1/1-{port}"
    attributes = {"serial": serial.encode()} if serial else {}
    usb = {"DEVTYPE": "usb_device", "PRODUCT": "403/6001/600", "SUBSYSTEM": "usb"}
    found = [
        Recorded(path, f"bus/usb/001/{port:03}", properties=usb, attributes=attributes),
        Recorded(
            f"{path}/1-{port}:1.0",
            properties={"DEVTYPE": "usb_interface", "SUBSYSTEM": "usb"},
            attributes={"bInterfaceNumber": b"00\n"},
        ),
    ]
    for each in range(ports):
        name = f"ttyUSB{number + each}"
        above = f"{path}/1-{port}:1.0/{name}"
        serial_port = {"SUBSYSTEM": "usb-serial"}
        attributes = {"port_number": f"{each}\n".encode()}
        found.append(Recorded(above, properties=serial_port, attributes=attributes))
        tty = {"SUBSYSTEM": "tty", "MAJOR": "188", "MINOR": str(number + each)}
        found.append(Recorded(f"{above}/tty/{name}", name, properties=tty))
    return found


def bus() -> list[Recorded]:
    """A controller with its root hub."""
    hub = {"DEVTYPE": "usb_device", "PRODUCT": "1d6b/2/608", "SUBSYSTEM": "usb"}
    return [
        Recorded(CONTROLLER, properties={"SUBSYSTEM": "pci", "PCI_ID": "8086:9A13"}),
        Recorded(
            f"{CONTROLLER}/usb1", "bus/usb/001/100", properties=hub, attributes={"version": b"2.00"}
        ),
    ]


def adapter(*hosts: int) -> list[Recorded]:
    """A SCSI or SATA adapter with some hosts."""
    host = {"SUBSYSTEM": "scsi", "DEVTYPE": "scsi_host"}
    found = [Recorded(f"{CONTROLLER}/host{number}", properties=host) for number in hosts]
    return [*bus()[:1], *found]


def disks(*units: str) -> list[Recorded]:
    """Disks at places below an adapter."""
    found = []
    for number, unit in enumerate(units):
        path = f"{CONTROLLER}/{unit}"
        scsi = {"SUBSYSTEM": "scsi", "DEVTYPE": "scsi_device"}
        name = f"sd{chr(ord('a') + number)}" if number < 26 else f"sdz{number}"
        found += [
            Recorded(path, properties=scsi),
            Recorded(
                f"{path}/block/{name}", name, properties={"SUBSYSTEM": "block", "DEVTYPE": "disk"}
            ),
            Recorded(
                f"{path}/scsi_generic/sg{number}", f"sg{number}",
                properties={"SUBSYSTEM": "scsi_generic"},
            ),
        ]  # fmt: skip
    return found


def ids(devices: Sequence[Recorded], *, udev: bool = True) -> dict[str, str]:
    """The ids of the devices with nodes, by their nodes."""
    with tempfile.TemporaryDirectory(prefix="twistdp-ids-", dir=FAST) as root:
        lay_out(devices, root, udev=udev)
        found = (each for each in Host(root).devices() if each.node is not None)
        return {str(each.node): default_id(each) for each in found}


class IdTests(SynchronousTestCase):
    """`default_id`"""

    def test_forms(self) -> None:
        """Each kind of device has the id that stays the longest."""
        for tree, name, wanted in (
            ("twins", "1-3.1", "pci-0000:00:0d.0-usbv2-0:3.1"),
            ("twins", "ttyUSB0", "pci-0000:00:0d.0-usbv2-0:3.1-if00-port0"),
            ("camera", "1-5", "0c45-6366-LC4400217"),
            ("camera", "video3", "0c45-6366-LC4400217-if00-video-index1"),
            ("camera", "pcmC1D0c", "0c45-6366-LC4400217-if02-pcmD0c"),
            ("camera", "event3", "pci-0000:00:0d.0-usbv2-0:6-if00-event"),
            ("camera", "enx020000aabbcc", "pci-0000:00:0d.0-usbv3-0:5-if00-net"),
            ("cards", "0000:01:00.0", "0000:01:00.0"),
            ("cards", "renderD128", "0000:00:02.0-render"),
            ("cards", "kvm", "kvm"),
            ("nvme", "nvme1", "0000:03:00.0-nvme"),
            ("nvme", "nvme0n1", "eui.00250300000004d2"),
            ("nvme", "nvme0n1p1", "eui.00250300000004d2-part1"),
        ):
            self.assertEqual(default_id(named(host(tree), name)), wanted)

    def test_unique(self) -> None:
        """No two devices of a host have one id, and every id is a valid one."""
        for tree in TREES:
            found = [default_id(each) for each in host(tree).devices() if each.node is not None]
            self.assertEqual(len(found), len(set(found)))
            for each in found:
                check_device_id(each)

    def test_without_udev(self) -> None:
        """Ids are the same with udev's data base and without it."""
        for tree in TREES:
            one, other = host(tree), host(tree, udev=False)
            self.assertEqual(
                list(map(default_id, one.devices())), list(map(default_id, other.devices()))
            )

    def test_replugged(self) -> None:
        """Adapters that come back in the other order, on a bus of another number, keep ids."""
        by_place = [
            {default_id(each): place(each) for each in host(tree).by_subsystem["tty"]}
            for tree in ("twins", "twins-replugged")
        ]
        self.assertEqual(by_place[0], by_place[1])
        self.assertEqual(default_id(named(host("twins"), "ttyUSB0")),
                         default_id(named(host("twins-replugged"), "ttyUSB1")))  # fmt: skip

    @settings(max_examples=8)
    @given(st.integers(1, 90), st.integers(1, 9), st.sampled_from(TREES))
    def test_renumbered(self, number: int, bus: int, tree: str) -> None:
        """Numbers that the kernel counts are in no id."""

        def counted(found: "re.Match[str]") -> str:
            return f"{found[1]}{int(found[2]) + number}"

        text = write(recorded(tree))
        text = re.sub(r"\b(ttyUSB|video|hidraw|event|input|renderD)(\d+)\b", counted, text)
        text = re.sub(r"(drm/card|dri/card)(\d+)", counted, text)
        text = re.sub(r"\b(controlC|pcmC|sound/card)(\d+)", counted, text)
        text = re.sub(r"/usb1\b", f"/usb{bus + 2}", text)
        text = re.sub(r"/1-", f"/{bus + 2}-", text)
        text = re.sub(r"(bus/usb/)001/(\d+)", rf"\g<1>{bus + 2:03}/1\2", text)
        kept = ("nvme", "kvm", "vfio")
        before = {each for each in ids(recorded(tree)).values() if not each.startswith(kept)}
        after = {each for each in ids(parse(text)).values() if not each.startswith(kept)}
        self.assertEqual(before, after)

    @settings(max_examples=8)
    @given(
        st.lists(st.tuples(_SERIALS, st.integers(1, 3)), min_size=1, max_size=4),
        st.booleans(),
    )
    def test_dongles(self, plugged: list[tuple[str, int]], udev: bool) -> None:
        """Ids are unique and valid, whatever is plugged in, and neighbours are no part of them.

        Only a serial number that a second device has too is no one's any more.
        """
        devices = bus()
        for port, (serial, ports) in enumerate(plugged, 1):
            devices += dongle(port, serial, 10 * port, ports)
        found = ids(devices, udev=udev)
        self.assertEqual(len(found), len(set(found.values())))
        for each in found.values():
            check_device_id(each)
        serial, ports = plugged[0]
        if [each for each, _ in plugged].count(serial) == 1:
            alone = ids(bus() + dongle(1, serial, 0, ports))
            self.assertEqual(alone["/dev/ttyUSB0"], found["/dev/ttyUSB10"])

    def test_counted_controller(self) -> None:
        """A controller that a driver made has a number that is another after the next boot."""
        board = "/devices/platform/fc000000.usb"
        found = []
        for number in (0, 3):
            made = f"{board}/xhci-hcd.{number}.auto"
            devices = [
                attrs.evolve(each, path=each.path.replace(CONTROLLER, made))
                for each in (*bus()[1:], *dongle(1, "", 0, 1))
            ]
            above = {path: {"SUBSYSTEM": "platform"} for path in (board, made)}
            devices += [Recorded(path, properties=each) for path, each in above.items()]
            rtc = {"SUBSYSTEM": "rtc"}
            devices.append(Recorded(f"{made}/rtc/rtc0", "rtc0", properties=rtc))
            found.append(ids(devices))
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0]["/dev/rtc0"], "platform-fc000000.usb-rtc")
        self.assertEqual(found[0]["/dev/ttyUSB0"], "platform-fc000000.usb-usbv2-0:1-if00-port0")

    def test_scsi(self) -> None:
        """A unit without a number of its own has its port, target and LUN, alone or not."""
        units = ["host4/target4:0:0/4:0:0:0", "host5/target5:0:0/5:0:0:0",
                 "host5/target5:0:3/5:0:3:1"]  # fmt: skip
        found = ids([*adapter(4, 5), *disks(*units)])
        self.assertEqual(
            found,
            {
                "/dev/sda": "0000:00:14.0-disk",
                "/dev/sg0": "0000:00:14.0-sg",
                "/dev/sdb": "0000:00:14.0-1:0:0:0-disk",
                "/dev/sg1": "0000:00:14.0-1:0:0:0-sg",
                "/dev/sdc": "0000:00:14.0-1:0:3:1-disk",
                "/dev/sg2": "0000:00:14.0-1:0:3:1-sg",
            },
        )
        left = ids([*adapter(6, 7), *disks("host7/target7:0:3/7:0:3:1")])
        self.assertEqual(left["/dev/sda"], found["/dev/sdc"])

    def test_paired(self) -> None:
        """Mouse and keyboard of one receiver keep their ids, whichever is switched on first."""
        found = []
        for mouse, keyboard in ((4, 5), (7, 6)):
            above = f"{CONTROLLER}/usb1/1-1/1-1:1.0/0003:0403:6001.0003"
            devices = [*bus(), *dongle(1, "", 0, 0)]
            devices.append(Recorded(above, properties={"SUBSYSTEM": "hid"}))
            devices.append(
                Recorded(f"{above}/hidraw/hidraw0", "hidraw0", properties={"SUBSYSTEM": "hidraw"})
            )
            for model, number in (("4024", mouse), ("400E", keyboard)):
                path = f"{above}/0003:046D:{model}.{number:04X}"
                devices.append(Recorded(path, properties={"SUBSYSTEM": "hid"}))
                event = Recorded(
                    f"{path}/input/input{number}/event{number}",
                    f"input/{model}",
                    properties={"SUBSYSTEM": "input"},
                )
                devices.append(event)
            found.append(ids(devices))
        self.assertEqual(found[0], found[1])
        port = "pci-0000:00:14.0-usbv2-0:1-if00"
        self.assertEqual(found[0]["/dev/input/4024"], f"{port}-046d:4024-event")
        self.assertEqual(found[0]["/dev/hidraw0"], f"{port}-hidraw")

    def test_effort(self) -> None:
        """The functions of one adapter are looked through once for all their ids."""
        many = disks(*(f"host0/target0:0:{each}/0:0:{each}:0" for each in range(100)))
        with mock.patch("twistdp.select.ids.belonging", side_effect=belonging) as looked:
            self.assertEqual(len(set(ids([*adapter(0), *many]).values())), 200)
        above = [call for call in looked.call_args_list if call.args[0].subsystem == "pci"]
        self.assertEqual(len(above), 1)


class StablePathTests(SynchronousTestCase):
    """`stable_path`"""

    def test_forms(self) -> None:
        """A link of the device's own: by-id for a real serial number, else by-path."""
        for tree, name, wanted in (
            ("twins", "ttyUSB0", "/dev/serial/by-path/pci-0000:00:0d.0-usb-0:3.1:1.0-port0"),
            ("twins", "1-3.1", "/dev/bus/usb/001/003"),
            ("camera", "video2", "/dev/v4l/by-id/usb-Sonar_Lab_Camera_LC4400217-video-index0"),
            ("cards", "card1", "/dev/dri/by-path/pci-0000:00:02.0-card"),
            ("nvme", "nvme0n1", "/dev/disk/by-id/nvme-Lab_Drive_NVLAB000317"),
            ("cards", "kvm", "/dev/kvm"),
            ("cards", "0000:00:02.0", None),
        ):
            self.assertEqual(stable_path(named(host(tree), name)), wanted)

    def test_two_buses(self) -> None:
        """Where a port number is on two buses, the link that names the version of USB is taken."""
        devices = [
            _with_serial(each, b"0001\n")
            for each in recorded("camera")
            if "usb-Sonar" not in each.path
        ]
        with tempfile.TemporaryDirectory(prefix="twistdp-ids-", dir=FAST) as root:
            lay_out(devices, root)
            self.assertEqual(
                stable_path(named(Host(root), "video2")),
                "/dev/v4l/by-path/pci-0000:00:0d.0-usbv2-0:5:1.0-video-index0",
            )


def _with_serial(device: Recorded, serial: bytes) -> Recorded:
    if device.name == "1-5":
        return Recorded(
            device.path,
            device.node,
            properties=device.properties,
            attributes={**device.attributes, "serial": serial},
        )
    return device


class SerialTests(SynchronousTestCase):
    """`is_placeholder` and `why_no_serial`"""

    def test_placeholders(self) -> None:
        """What manufacturers put in place of a serial number, and what is a real one."""
        for text in (
            "0001", "000001", "00000000", "0", "1", "0123456789ABCDEF", "0123456789", "123456789",
            "1234567890", "12345678", "FFFFFFFF", "ffff", "None", "N/A", "Default", "xxxxxxxx",
            "serial number", "To Be Filled By O.E.M.", "0000:00:14.0", "123456789012",
            "0000000000001",
        ):  # fmt: skip
            self.assertTrue(is_placeholder(text), text)
        for text in (
            "AQ01XK7T", "DE2400042", "20240131120000", "7503533353835190A1C2", "00000002",
            "c0ffee00112233445566778899aabbcc", "0070EX42", "U00001A2N000042", "9F0213DE",
            "1234567A", "FT7EXMPL",
        ):  # fmt: skip
            self.assertFalse(is_placeholder(text), text)

    def test_reasons(self) -> None:
        """Reports say why a serial number is not used."""
        devices: list[Recorded] = bus()
        for port, serial in enumerate(("AB12CD34", "AB12CD34", "0001", "", "ZZ9"), 1):
            devices += dongle(port, serial, 10 * port, 1)
        with tempfile.TemporaryDirectory(prefix="twistdp-ids-", dir=FAST) as root:
            lay_out(devices, root)
            subject = Host(root)
            self.assertEqual(
                why_no_serial(named(subject, "1-1")),
                "1 other device has its serial number AB12CD34",
            )
            self.assertEqual(
                why_no_serial(named(subject, "1-3")), "its serial number 0001 is a placeholder"
            )
            self.assertEqual(why_no_serial(named(subject, "1-4")), "it has no serial number")
            self.assertEqual(why_no_serial(named(subject, "1-5")), "")
            self.assertEqual(why_no_serial(named(subject, "0000:00:14.0")), "it is no USB device")
