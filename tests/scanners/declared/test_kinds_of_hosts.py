"""Tests on small trees of their own: boards, virtual functions, VFIO, cards, optional members."""

import os
from collections.abc import Mapping
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import devices, nodes, resources, scanner
from tests.support.helpers import temporary_directory
from tests.support.trees import tree
from twistdp.recording.layout import lay_out
from twistdp.recording.root import read_recording
from twistdp.scanners.declared.explanation import explained
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.survey import Survey
from twistdp.select.explaining import Cause
from twistdp.select.host import Host
from twistdp.select.ids import default_id


def recorded(case: SynchronousTestCase, text: str) -> Host:
    """The host of a recording: one device in each line, as ``PATH SUBSYSTEM [NODE] [KEY=VALUE]``.

    A key with ``:`` before it is a line of its kind (``A:`` an attribute, ``L:`` a link, ``E:`` a
    property), others are properties too.
    """
    directory = temporary_directory(case)
    lines = []
    for number, line in enumerate(dedent(text).strip().splitlines()):
        path, subsystem, *rest = line.split()
        lines += [f"P: {path}", f"E: SUBSYSTEM={subsystem}"]
        for word in rest:
            if word.startswith("/dev/"):
                lines += [f"N: {word.removeprefix('/dev/')}", f"E: DEVNAME={word}"]
                lines += ["E: MAJOR=240", f"E: MINOR={number}"]
            elif word[1] == ":":
                lines.append(f"{word[0]}: {word[2:]}")
            else:
                lines.append(f"E: {word}")
        lines.append("")
    path = os.path.join(directory, "recording")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines))
    lay_out(read_recording(path), os.path.join(directory, "root"))
    return Host(os.path.join(directory, "root"))


def survey(host: Host, text: str) -> Survey:
    """What resources find on a host."""
    found = Survey([Rule(name, each) for name, each in resources(text).items()])
    found.look(host)
    return found


def nodes_of(found: Survey) -> list[list[str]]:
    """The nodes of the devices of ``thing``."""
    return [
        [node.host_path for node in info.nodes]
        for info in found.ledger.devices.get("thing", {}).values()
    ]


def left_out(found: Survey) -> Mapping[str, tuple[str, Cause]]:
    """What is left out, with the reason and the cause."""
    everything = [*found.left_out, *found.missing_of(0)]
    return {each.what: (each.reason, each.cause) for each in everything}


def notes(found: Survey) -> list[str]:
    """The notes on what is listed."""
    return [text for _, text in found.warnings()]


SRIOV = """
    /devices/pci0000:3a/0000:3a:00.0 pci PCI_CLASS=60400 PCI_ID=8086:1
    /devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0 pci PCI_ID=1234:1 PCI_CLASS=20000 L:driver=x/ice
    /devices/pci0000:3a/0000:3a:00.0/0000:3b:02.0 pci PCI_ID=1234:2 PCI_CLASS=20000 \
L:physfn=../0000:3b:00.0 A:numa_node=1
    /devices/pci0000:3a/0000:3a:00.0/0000:3b:02.0/net/eth4 net IFINDEX=4
    /devices/pci0000:3a/0000:3a:00.0/0000:3b:02.0/accel/accel4 accel /dev/accel/accel4
    /devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/accel/accel3 accel /dev/accel/accel3
"""

VFIO = """
    /devices/pci0000:00/0000:00:01.0 pci PCI_CLASS=60400 PCI_ID=8086:1 DRIVER=pcieport \
L:driver=x/pcieport L:iommu_group=../../../kernel/iommu_groups/7
    /devices/pci0000:00/0000:00:01.0/0000:01:00.0 pci PCI_CLASS=20000 PCI_ID=15b3:1 \
L:driver=x/mlx5_vfio_pci L:iommu_group=../../../kernel/iommu_groups/7
    /devices/pci0000:00/0000:00:01.0/0000:01:00.1 pci PCI_CLASS=20000 PCI_ID=15b3:1 \
L:driver=x/pci-stub L:iommu_group=../../../kernel/iommu_groups/7
    /devices/pci0000:00/0000:00:02.0 pci PCI_CLASS=10700 PCI_ID=1000:97 \
L:driver=x/mpt3sas L:iommu_group=../../../kernel/iommu_groups/8
    /devices/virtual/vfio/7 vfio /dev/vfio/7
"""


class FunctionTests(SynchronousTestCase):
    """Functions of PCI"""

    def test_virtual(self) -> None:
        """`physfn` holds for what belongs to a virtual function, too."""
        host = recorded(self, SRIOV)
        found = scanner(host, "thing: {subsystem: accel, physfn: {driver: ice}}").discover()
        self.assertEqual(nodes(found), {"0000:3b:02.0-accel": ["/dev/accel/accel4"]})
        text = "thing: {as: net, pci: '1234:*', physfn: {pci: '1234:1'}, env: {N: '{physfn}'}}"
        (info,) = devices(scanner(host, text).discover()).values()
        self.assertEqual(info.envs, {"N": "0000:3b:00.0"})
        only = survey(host, "thing: {subsystem: accel, not: {physfn: {pci: '*:*'}}}")
        self.assertEqual(list(only.ledger.devices["thing"]), ["0000:3b:00.0-accel"])

    def test_vfio(self) -> None:
        """The kernel's variants of vfio-pci count, bridges are not given, reasons have drivers."""
        host = recorded(self, VFIO.replace("pci-stub", "vfio-pci"))
        found = survey(host, "thing: {pci: '*:*', as: vfio}")
        self.assertEqual(list(found.ledger.devices["thing"]), ["0000:01:00.0", "0000:01:00.1"])
        reasons = left_out(found)
        self.assertIn("0000:00:01.0 is a bridge", reasons["0000:00:01.0"][0])
        self.assertIn("it is bound to mpt3sas, and must be", reasons["0000:00:02.0"][0])
        (note,) = notes(found)
        self.assertIn("devices 0000:01:00.0, 0000:01:00.1 have the same /dev/vfio/7", note)
        group = survey(host, "thing: {pci: '15b3:*', group: iommu}")
        self.assertEqual(list(group.ledger.devices["thing"]), ["0000:01:00.0"])
        self.assertEqual(notes(group), [])
        other = survey(host, "thing: {pci: '1000:97', as: vfio}")
        self.assertFalse(other.is_absent(0))

    def test_idle(self) -> None:
        """A function that no driver of VFIO has cannot be opened; its group can."""
        for driver, why in (
            (" L:driver=x/pci-stub", "is bound to pci-stub"),
            ("", "has no driver"),
        ):
            host = recorded(self, VFIO.replace(" L:driver=x/pci-stub", driver))
            found = survey(host, "thing: {pci: '*:*', as: vfio}")
            self.assertEqual(list(found.ledger.devices["thing"]), ["0000:01:00.0"])
            self.assertEqual(
                left_out(found)["0000:01:00.1"][0],
                f"0000:01:00.1 {why}, and must be bound to vfio-pci",
            )
            group = survey(host, "thing: {pci: '15b3:*', group: iommu}")
            self.assertEqual(list(group.ledger.devices["thing"]), ["0000:01:00.0"])


BOARD = """
    /devices/platform/display drm-owner
    /devices/platform/soc/fd100000.gpio/gpiochip{0} gpio /dev/gpiochip{0}
    /devices/platform/soc/fd200000.gpio/gpiochip{1} gpio /dev/gpiochip{1}
    /devices/platform/soc/fd300000.rga/misc/rga{0} misc /dev/rga{0}
    /devices/platform/fd000000.npu platform OF_COMPATIBLE_0=lab,npu-2
    /devices/platform/fd000000.npu/drm/card{0} drm /dev/dri/card{0}
    /devices/platform/fd000000.npu/drm/renderD12{0} drm /dev/dri/renderD12{0}
    /devices/platform/fe000000.gpu platform
    /devices/platform/fe000000.gpu/drm/card{1} drm /dev/dri/card{1}
"""


class BoardTests(SynchronousTestCase):
    """Boards without ids"""

    def test_ids(self) -> None:
        """Names come from the board and not from a count, whatever the kernel counts first."""
        text = "thing: {subsystem: [gpio, misc]}"
        wanted = {
            "platform-fd100000.gpio-gpiochip": ["/dev/gpiochip0"],
            "platform-fd200000.gpio-gpiochip": ["/dev/gpiochip1"],
            "platform-fd300000.rga-rga": ["/dev/rga0"],
        }
        first = recorded(self, BOARD.format(0, 1))
        self.assertEqual(nodes(scanner(first, text).discover()), wanted)
        other = recorded(self, BOARD.format(1, 0))
        found = nodes(scanner(other, text).discover())
        self.assertEqual(found["platform-fd100000.gpio-gpiochip"], ["/dev/gpiochip1"])
        self.assertEqual(set(found), set(wanted))
        (chip, *_) = Host(first.root).by_subsystem["gpio"]
        self.assertEqual(
            [default_id(chip), default_id(chip)], ["platform-fd100000.gpio-gpiochip"] * 2
        )

    def test_ranks(self) -> None:
        """Several in one directory have their ranks."""
        host = recorded(
            self,
            """
            /devices/platform/x.gpio/gpio/gpiochip0 gpio
            /devices/platform/x.gpio/gpiochip2 gpio /dev/gpiochip2
            /devices/platform/x.gpio/gpiochip10 gpio /dev/gpiochip10
        """,
        )
        found = nodes(scanner(host, "thing: {subsystem: gpio}").discover())
        self.assertEqual(found["platform-x.gpio-gpiochip"], ["/dev/gpiochip2"])
        self.assertEqual(found["platform-x.gpio-gpiochip-1"], ["/dev/gpiochip10"])

    def test_parent(self) -> None:
        """A device of the board, which has no node itself, is the parent of its nodes."""
        host = recorded(self, BOARD.format(0, 1))
        wanted = [["/dev/dri/card0", "/dev/dri/renderD120"]]
        for text in (
            "uevent: {OF_COMPATIBLE_0: '*npu*'}, group: parent",
            "kernelName: card0, group: parent",
            "subsystem: drm, parent: {uevent: {OF_COMPATIBLE_0: 'lab,npu-2'}}, group: parent",
        ):
            self.assertEqual(nodes_of(survey(host, f"thing: {{{text}}}")), wanted, text)

    def test_cards(self) -> None:
        """Two nodes of one card are one card; those of two are reported."""
        host = recorded(self, BOARD.format(0, 1))
        self.assertEqual(notes(survey(host, "thing: {subsystem: drm, group: card}")), [])
        (note,) = notes(survey(host, "thing: {path: /dev/dri, group: all}"))
        self.assertIn("nodes of 2 cards, fd000000.npu, fe000000.gpu", note)


class AbsentTests(SynchronousTestCase):
    """What is not on this node, and what is and has no node"""

    def test_refused(self) -> None:
        """What is here and refused is not absent; hardware without such a node is."""
        root = Host(tree(self, "camera"))
        found = survey(root, """
            typed: {subsystem: hidraw}
            nodeless: {usb: "0c45:*"}
            tty: {usb: "0c45:*", as: tty}
            unsaid: {subsystem: usb, devtype: usb_interface}
        """)  # fmt: skip
        self.assertEqual(
            [found.is_absent(order) for order in range(4)], [False, False, True, False]
        )
        why = {each.resource: each.absent for each in explained(found, root)}
        self.assertEqual(
            why["tty"], "nothing that meets the rule has such a node: 1-5 has no node of the "
            "kind tty"
        )  # fmt: skip
        self.assertEqual((why["typed"], why["unsaid"]), ("", ""))

    def test_directory_of_links(self) -> None:
        """A directory of links has no nodes; the pattern that means the links is named."""
        host = Host(tree(self, "twins"))
        (found,) = explained(survey(host, "thing: /dev/serial/by-id"), host)
        self.assertIn("has only links; write /dev/serial/by-id/* for these", found.absent)

    def test_optional(self) -> None:
        """An optional member that is not there is named."""
        found = survey(Host(tree(self, "cards")), """
            thing:
              path: /dev/kvm
              members: [{path: /dev/absent, optional: true}, {path: /dev/vfio/vfio, optional: true}]
        """)  # fmt: skip
        self.assertEqual(left_out(found), {"/dev/absent": ("optional, not there", Cause.ABSENT)})
        self.assertEqual(list(found.ledger.devices["thing"]), ["kvm"])


ADAPTERS = """
    /devices/pci0000:00/0000:00:0d.0 pci PCI_ID=8086:1 PCI_CLASS=c0330
    /devices/pci0000:00/0000:00:0d.0/usb1 usb DEVTYPE=usb_device PRODUCT=1d6b/2/1 /dev/bus/usb/001/1
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1 usb DEVTYPE=usb_device PRODUCT=10c4/ea60/1 \
/dev/bus/usb/001/002 A:product={0} A:serial={2}
    /devices/pci0000:00/0000:00:0d.0/usb1/1-2 usb DEVTYPE=usb_device PRODUCT=10c4/ea60/1 \
/dev/bus/usb/001/003 A:product={1} A:serial=B2
"""


class AdapterTests(SynchronousTestCase):
    """USB devices"""

    def test_unlike(self) -> None:
        """One USB id of several products is reported, unless the rule says more."""
        host = recorded(self, ADAPTERS.format("Radio", "Meter", "A1"))
        (note,) = notes(survey(host, "thing: {usb: '10c4:ea60'}"))
        self.assertIn("10c4:ea60 is the id of different devices here (Radio, Meter)", note)
        self.assertEqual(notes(survey(host, "thing: {usb: '10c4:ea60', product: '*'}")), [])
        alike = recorded(self, ADAPTERS.format("Radio", "Radio", "A1"))
        self.assertEqual(notes(survey(alike, "thing: {usb: '10c4:ea60'}")), [])

    def test_no_serial(self) -> None:
        """An empty serial number is none."""
        host = recorded(self, ADAPTERS.format("Radio", "Radio", ""))
        found = survey(host, "thing: {usb: '10c4:ea60', id: 'radio-{serial}'}")
        self.assertEqual(list(found.ledger.devices["thing"]), ["radio-B2"])
        ((reason, cause),) = left_out(found).values()
        self.assertIn("the device has no serial", reason)
        self.assertIs(cause, Cause.FAULT)


PRINTER = """
    /devices/pci0000:00/0000:00:0d.0 pci PCI_ID=8086:1 PCI_CLASS=c0330
    /devices/pci0000:00/0000:00:0d.0/usb1 usb DEVTYPE=usb_device PRODUCT=1d6b/2/1 /dev/bus/usb/001/1
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1 usb DEVTYPE=usb_device PRODUCT=4b8/7/1 \
/dev/bus/usb/001/002 A:serial=P4411X
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.0 usb DEVTYPE=usb_interface L:driver=x/usblp \
A:bInterfaceNumber=00
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.0/usbmisc/lp0 usbmisc /dev/usb/lp0
    /devices/pci0000:00/0000:00:1d.0 pci PCI_ID=1ac1:89a PCI_CLASS=ff00
    /devices/pci0000:00/0000:00:1d.0/apex/apex_0 apex /dev/apex_0
"""


class FunctionNodeTests(SynchronousTestCase):
    """Which node of hardware is given"""

    def test_driver(self) -> None:
        """A driver alone means the function's node, and not the raw one too."""
        host = recorded(self, PRINTER)
        found = survey(host, "thing: {driver: usblp}")
        self.assertEqual(nodes_of(found), [["/dev/usb/lp0"]])
        self.assertIn(
            "write as: usb to give 1-1 itself", left_out(found)["/dev/bus/usb/001/002"][0]
        )
        for text in ("driver: usblp, as: usb", "driver: usblp, usb: '4b8:*'"):
            self.assertEqual(
                nodes_of(survey(host, f"thing: {{{text}}}")), [["/dev/bus/usb/001/002"]], text
            )

    def test_unbound(self) -> None:
        """An interface that no driver has is named where a node is missing."""
        host = recorded(
            self, PRINTER.replace(" L:driver=x/usblp", "").replace(" usbmisc /", " x /")
        )
        found = survey(host, "thing: {usb: '4b8:*', as: printer}")
        reason = left_out(found)["/dev/bus/usb/001/002"][0]
        self.assertEqual(reason, "1-1 has no node of the kind printer; 1-1:1.0 has no driver")
        second = "/devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.1 usb DEVTYPE=usb_interface"
        host = recorded(self, f"{PRINTER.replace(' L:driver=x/usblp', '')}    {second}\n")
        reason = left_out(survey(host, "thing: {usb: '4b8:*', as: tty}"))["/dev/bus/usb/001/002"][0]
        self.assertEqual(reason, "1-1 has no node of the kind tty; 1-1:1.0, 1-1:1.1 have no driver")

    def test_ways(self) -> None:
        """What has no node of its own is left out with what gives one."""
        found = left_out(survey(recorded(self, PRINTER), "thing: {subsystem: [usb, pci]}"))
        self.assertEqual(
            found["1-1:1.0"][0],
            "1-1:1.0 has no node of its own; say which of its nodes is meant with as: printer",
        )
        self.assertTrue(found["0000:00:1d.0"][0].endswith("is meant with subsystem: apex"))
        self.assertEqual(found["0000:00:0d.0"][0], "0000:00:0d.0 has no node of its own")


DRIVES = """
    /devices/pci0000:00/0000:00:0e.0 pci PCI_ID=8086:1 PCI_CLASS=10400
    /devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0 pci PCI_ID=144d:1 \
PCI_CLASS=10802 A:numa_node=0
    /devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0 nvme \
/dev/nvme0 A:model=LabDrive A:serial=N77
    /devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0/nvme0n1 \
block /dev/nvme0n1 DEVTYPE=disk
    /devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0 scsi A:model=OldDisk
    /devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda block /dev/sda \
DEVTYPE=disk
    /devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1 block \
/dev/sda1 DEVTYPE=partition A:partition=1
    /devices/platform/x.mmc/mmc_host/mmc0/mmc0:0001 mmc A:name=LABCARD A:serial=0x12ab34cd
    /devices/platform/x.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0 block /dev/mmcblk0 DEVTYPE=disk
"""


SOUND = """
    /devices/pci0000:00/0000:00:0d.0 pci PCI_ID=8086:1 PCI_CLASS=c0330
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1 usb DEVTYPE=usb_device PRODUCT=d8c/14/1 \
/dev/bus/usb/001/002 A:serial=S9911
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.0 usb DEVTYPE=usb_interface
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.0/sound/card3 sound
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.0/sound/card3/controlC3 sound \
/dev/snd/controlC3
    /devices/pci0000:00/0000:00:0d.0/usb1/1-1/1-1:1.0/sound/card3/pcmC3D0p sound /dev/snd/pcmC3D0p
    /devices/virtual/sound/timer sound /dev/snd/timer
"""


class CardTests(SynchronousTestCase):
    """``group: card``"""

    def test_sound(self) -> None:
        """A sound card is found by its USB id too, and by one of its nodes."""
        host = recorded(self, SOUND)
        wanted = [["/dev/snd/controlC3", "/dev/snd/pcmC3D0p"]]
        for text in (
            "usb: 0d8c, as: sound, group: card",
            "usb: 0d8c, group: card",
            "subsystem: sound, group: card",
            "kernelName: 'pcm*', group: card",
        ):
            found = [sorted(each) for each in nodes_of(survey(host, f"thing: {{{text}}}"))]
            self.assertEqual(found, wanted, text)


class LimitTests(SynchronousTestCase):
    """``limit`` with ``replicas``"""

    def test_fewer(self) -> None:
        """A device of which there would be too many replicas is listed as often as allowed."""
        root = Host(tree(self, "cards"))
        found = survey(root, "thing: {path: /dev/kvm, replicas: 5, limit: 3}")
        self.assertEqual(list(found.ledger.devices["thing"]), ["kvm-0", "kvm-1", "kvm-2"])


class DriveTests(SynchronousTestCase):
    """Drives and disks"""

    def test_names(self) -> None:
        """A model or a serial number alone finds drives, whatever bus they are on."""
        host = recorded(self, DRIVES)
        for text, wanted in (
            ("modelName: 'Lab*', as: block", [["/dev/nvme0n1"]]),
            ("serial: N77, as: block", [["/dev/nvme0n1"]]),
            ("serial: N77", [["/dev/nvme0"]]),
            ("modelName: OldDisk, as: block", [["/dev/sda"]]),
            ("modelName: LABCARD, as: block", [["/dev/mmcblk0"]]),
            ("serial: 0x12ab34cd, as: block", [["/dev/mmcblk0"]]),
            ("pciBusID: '10000:e1:00.0', as: block", [["/dev/nvme0n1"]]),
        ):
            self.assertEqual(nodes_of(survey(host, f"thing: {{{text}}}")), wanted, text)
        (id_,) = survey(host, "thing: {modelName: 'Lab*', as: block}").ledger.devices["thing"]
        self.assertEqual(id_, "10000:e1:00.0-disk")

    def test_mounted(self) -> None:
        """A disk that the node uses itself, or a part of which it uses, is listed with a note."""
        host = recorded(self, DISKS)
        os.makedirs(f"{host.root}/proc/self")
        with open(f"{host.root}/proc/self/mountinfo", "w", encoding="ascii") as file:
            file.write("22 1 240:1 / / rw,relatime - ext4 /dev/root rw\n")
        found = survey(host, "thing: {subsystem: block, devtype: disk}")
        self.assertEqual(nodes_of(found), [["/dev/vda"], ["/dev/vdb"]])
        self.assertEqual(
            [text for _, text in found.warnings()],
            [
                "device platform-a-disk: /dev/vda has the file system that is mounted at / on this "
                "node, and a container that gets the disk can change it; say which disks are "
                "meant, or leave this one out with not"
            ],
        )


DISKS = """
    /devices/platform/a/block/vda block /dev/vda DEVTYPE=disk
    /devices/platform/a/block/vda/vda1 block /dev/vda1 DEVTYPE=partition
    /devices/platform/b/block/vdb block /dev/vdb DEVTYPE=disk
"""


NODES = """
    /devices/pci0000:00/0000:00:02.0 pci PCI_ID=8086:1 PCI_CLASS=30000 A:numa_node=0
    /devices/pci0000:00/0000:00:02.0/drm/card0 drm /dev/dri/card0
    /devices/pci0000:80/0000:80:02.0 pci PCI_ID=8086:1 PCI_CLASS=30000 A:numa_node=1
    /devices/pci0000:80/0000:80:02.0/drm/card1 drm /dev/dri/card1
"""


class NumaTests(SynchronousTestCase):
    """NUMA nodes"""

    def test_several(self) -> None:
        """A device with parts on several nodes has all of these."""
        host = recorded(self, NODES)
        found = scanner(host, "thing: {path: /dev/dri, group: all}").discover()
        self.assertEqual(devices(found)["thing"].topology, (0, 1))
        found = scanner(host, "thing: {path: /dev/dri}").discover()
        self.assertEqual([each.topology for each in devices(found).values()], [(0,), (1,)])
