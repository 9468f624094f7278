"""Tests for `twistdp.host.topology`."""

import errno
import os
import stat
import tempfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.host.topology import Kind, Topology

BRIDGE = "devices/pci0000:00/0000:00:02.0"
CARD = f"{BRIDGE}/0000:03:00.0"
OTHER_CARD = "devices/pci0000:80/0000:80:01.0"


class Tree:
    """A sysfs to be filled; paths are relative to its root."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        os.makedirs(self.root)

    def path(self, name: str) -> str:
        """Return the path of something in the tree."""
        return os.path.join(self.root, name)

    def directory(self, name: str) -> str:
        """Make a directory and those above it."""
        os.makedirs(self.path(name), exist_ok=True)
        return name

    def file(self, name: str, content: bytes) -> None:
        """Write a file."""
        self.directory(os.path.dirname(name))
        with open(self.path(name), "wb") as file:
            file.write(content)

    def numa(self, directory: str, value: object) -> None:
        """Write `numa_node` of a directory as the kernel does."""
        self.file(f"{directory}/numa_node", f"{value}\n".encode())

    def link(self, name: str, target: str) -> None:
        """Make a relative link, as the kernel's are, to something of the tree."""
        self.directory(os.path.dirname(name))
        relative = os.path.relpath(self.path(target), os.path.dirname(self.path(name)))
        os.symlink(relative, self.path(name))

    def device(self, kind: Kind, numbers: str, directory: str) -> None:
        """Make a device's directory, its `dev` and the link to it."""
        self.file(f"{directory}/dev", f"{numbers}\n".encode())
        self.link(f"dev/{kind}/{numbers}", directory)
        if kind == "block" and not os.path.exists(self.path(f"{directory}/partition")):
            self.directory(f"{directory}/slaves")

    def disk(self, numbers: str, directory: str, numa: object) -> None:
        """Make a disk's directory, below that of its controller, which is on a node."""
        self.device("block", numbers, directory)
        self.numa(directory.partition("/ata")[0], numa)

    def stacked(self, numbers: str, name: str, *slaves: str) -> str:
        """Make a block device that stands on others."""
        directory = f"devices/virtual/block/{name}"
        self.device("block", numbers, directory)
        for slave in slaves:
            self.link(f"{directory}/slaves/{os.path.basename(slave)}", slave)
        return directory

    def group(self, number: int, minor: int, *devices: str, prefix: str = "") -> None:
        """Make an IOMMU group and vfio's device of it."""
        self.vfio(f"devices/virtual/vfio/{prefix}{number}", minor)
        for device in devices:
            self.directory(device)
            self.link(
                f"kernel/iommu_groups/{number}/devices/{os.path.basename(device)}",
                device,
            )

    def vfio(self, directory: str, minor: int) -> None:
        """Make vfio's device of a group."""
        self.device("char", f"243:{minor}", directory)
        self.directory("class/vfio")
        self.link(f"{directory}/subsystem", "class/vfio")

    def char(self, major: int, minor: int) -> set[int]:
        """The nodes of a character device."""
        return set(Topology(self.root).of_device("char", major, minor))

    def block(self, major: int, minor: int) -> set[int]:
        """The nodes of a block device."""
        return set(Topology(self.root).of_device("block", major, minor))


class TreeTestCase(SynchronousTestCase):
    """Base: an empty sysfs, and a directory beside it."""

    def setUp(self) -> None:
        """Make them."""
        self.above = os.path.realpath(self.mktemp())
        self.tree = Tree(os.path.join(self.above, "sys"))


class UpwardsTests(TreeTestCase):
    """The nearest usable `numa_node`, from the device upwards, decides."""

    def test_pci_behind_bridge(self) -> None:
        """A graphics card has the node of its own PCI function, not that of the bridge."""
        self.tree.numa(BRIDGE, 0)
        self.tree.numa(CARD, 1)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")
        self.tree.device("char", "226:128", f"{CARD}/drm/renderD128")
        self.assertEqual(self.tree.char(226, 0), {1})
        self.assertEqual(self.tree.char(226, 128), {1})

    def test_usb_behind_hub(self) -> None:
        """A USB serial port has the node of its PCI host controller."""
        controller = "devices/pci0000:00/0000:00:14.0"
        self.tree.numa(controller, 1)
        port = f"{controller}/usb1/1-2/1-2.4/1-2.4:1.0/ttyUSB0/tty/ttyUSB0"
        self.tree.device("char", "188:0", port)
        self.tree.device("char", "189:5", f"{controller}/usb1/1-2/1-2.4")
        self.assertEqual(self.tree.char(188, 0), {1})
        self.assertEqual(self.tree.char(189, 5), {1})

    def test_nvme(self) -> None:
        """An NVMe controller, its namespace and a partition have the controller's node."""
        controller = f"{CARD}/nvme/nvme0"
        self.tree.numa(CARD, 1)
        self.tree.numa(controller, 1)
        self.tree.device("char", "241:0", controller)
        self.tree.device("block", "259:0", f"{controller}/nvme0n1")
        self.tree.file(f"{controller}/nvme0n1/nvme0n1p1/partition", b"1\n")
        self.tree.device("block", "259:1", f"{controller}/nvme0n1/nvme0n1p1")
        self.assertEqual(self.tree.char(241, 0), {1})
        self.assertEqual(self.tree.block(259, 0), {1})
        self.assertEqual(self.tree.block(259, 1), {1})

    def test_minus_one_is_passed_by(self) -> None:
        """A device that has no node of its own has that of its parent, as in the kernel."""
        self.tree.numa(BRIDGE, 1)
        self.tree.numa(CARD, -1)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")
        self.assertEqual(self.tree.char(226, 0), {1})

    def test_minus_one_all_the_way(self) -> None:
        """Nothing is known where every directory says -1."""
        for directory in (CARD, BRIDGE):
            self.tree.numa(directory, -1)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")
        self.assertEqual(self.tree.char(226, 0), set())

    def test_virtual(self) -> None:
        """Devices that are software only have no node."""
        self.tree.device("char", "1:3", "devices/virtual/mem/null")
        self.tree.device("block", "7:0", "devices/virtual/block/loop0")
        self.assertEqual(self.tree.char(1, 3), set())
        self.assertEqual(self.tree.block(7, 0), set())

    def test_kinds_are_apart(self) -> None:
        """A character device and a block device with the same numbers are two devices."""
        self.tree.numa(CARD, 0)
        self.tree.numa(OTHER_CARD, 1)
        self.tree.device("char", "8:0", f"{CARD}/x/x0")
        self.tree.device("block", "8:0", f"{OTHER_CARD}/block/sda")
        self.assertEqual(self.tree.char(8, 0), {0})
        self.assertEqual(self.tree.block(8, 0), {1})

    def test_unknown_numbers(self) -> None:
        """A device that sysfs does not have, and one of a sysfs that is not there, has no node."""
        self.tree.numa(CARD, 0)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")
        for major, minor in ((226, 1), (0, 0), (-1, -1), (1 << 80, 1 << 80)):
            self.assertEqual(self.tree.char(major, minor), set())
        self.assertEqual(Topology(f"{self.above}/nowhere").of_device("char", 226, 0), frozenset())

    def test_nothing_above_the_root(self) -> None:
        """Directories above sysfs are not asked."""
        self.tree.device("char", "226:0", "devices/x")
        for directory in (self.above, self.tree.root):
            with open(os.path.join(directory, "numa_node"), "w") as file:
                file.write("1\n")
        self.assertEqual(self.tree.char(226, 0), set())

    def test_linked_root(self) -> None:
        """Sysfs may be given by a link, or relative to the working directory."""
        self.tree.numa(CARD, 1)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")
        link = os.path.join(self.above, "link")
        os.symlink("sys", link)
        for root in (link, f"{link}/", os.path.relpath(link)):
            self.assertEqual(Topology(root).of_device("char", 226, 0), {1})


class ValueTests(TreeTestCase):
    """The contents that a `numa_node` may have."""

    def setUp(self) -> None:
        """Make a card on a bridge that is on node 7."""
        super().setUp()
        self.tree.numa(BRIDGE, 7)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")

    def test_numbers(self) -> None:
        """A number is a node, with or without a newline."""
        for content, node in ((b"0\n", 0), (b"3", 3), (b"12\n", 12), (b"1023\n", 1023)):
            self.tree.file(f"{CARD}/numa_node", content)
            self.assertEqual(self.tree.char(226, 0), {node}, content)

    def test_garbage(self) -> None:
        """Anything else is passed by."""
        for content in (
            b"",
            b"\n",
            b"-1\n",
            b"-2\n",
            b"+1\n",
            b"1.0\n",
            b"0x1\n",
            b"1_0\n",
            b"1 2\n",
            b"1,2\n",
            b"one\n",
            b"1\0",
            b"\xff\xfe",
            "²\n".encode(),
            "\u0661\n".encode(),
            b"1024\n",
            b"65535\n",
            b"4294967295\n",
            b"9" * 5000,
            b"1" + b" " * 14 + b"x",
            b"1" + b" " * 15 + b"x",
            b"1" + b" " * 5000 + b"x",
        ):
            self.tree.file(f"{CARD}/numa_node", content)
            self.assertEqual(self.tree.char(226, 0), {7}, content)

    def test_no_regular_file(self) -> None:
        """A directory, a pipe and a link in place of the file are passed by, and do not block."""
        name = f"{CARD}/numa_node"
        self.tree.directory(name)
        self.assertEqual(self.tree.char(226, 0), {7})
        os.rmdir(self.tree.path(name))
        os.mkfifo(self.tree.path(name))
        self.assertEqual(self.tree.char(226, 0), {7})
        os.unlink(self.tree.path(name))
        self.tree.file(f"{CARD}/other", b"3\n")
        self.tree.link(name, f"{CARD}/other")
        self.assertEqual(self.tree.char(226, 0), {7})

    def test_unreadable(self) -> None:
        """A file that must not be opened, or fails to be read, is passed by."""
        self.tree.numa(CARD, 3)
        forbidden = self.tree.path(f"{CARD}/numa_node")
        real = os.open

        def refusing(path: Any, *rest: Any) -> int:
            # Not by the file's mode: root may read everything.
            if path == forbidden:
                raise PermissionError(errno.EACCES, "no", path)
            return real(path, *rest)

        def failing(file: int, size: int) -> bytes:
            raise OSError(errno.EIO, "no")

        opening = self.patch(os, "open", refusing)
        self.assertEqual(self.tree.char(226, 0), {7})
        opening.restore()
        self.assertEqual(self.tree.char(226, 0), {3})
        self.patch(os, "read", failing)
        self.assertEqual(self.tree.char(226, 0), set())

    def test_no_descriptor_left(self) -> None:
        """If a file cannot be opened now, that is an error and not an unknown node."""
        self.tree.numa(CARD, 3)

        def full(*_: Any) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        opening = self.patch(os, "open", full)
        self.assertRaises(OSError, self.tree.char, 226, 0)
        opening.restore()
        self.assertEqual(self.tree.char(226, 0), {3})

    def test_absent_node(self) -> None:
        """If the machine lists its nodes, an unlisted one is passed by."""
        self.tree.numa(CARD, 3)
        self.tree.directory("devices/system/node/node3")
        self.assertEqual(self.tree.char(226, 0), {3})
        os.rename(
            self.tree.path("devices/system/node/node3"),
            self.tree.path("devices/system/node/node7"),
        )
        self.assertEqual(self.tree.char(226, 0), {7})
        os.rmdir(self.tree.path("devices/system/node/node7"))
        self.assertEqual(self.tree.char(226, 0), set())

    def test_nothing_stays_open(self) -> None:
        """Neither a file that is read nor one that cannot be leaves a descriptor open."""
        before = len(os.listdir("/proc/self/fd"))
        self.tree.char(226, 0)
        self.tree.directory(f"{CARD}/numa_node")
        self.tree.char(226, 0)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class SlavesTests(TreeTestCase):
    """A block device that stands on others has their nodes."""

    def setUp(self) -> None:
        """Make two disks on different nodes."""
        super().setUp()
        self.sda = f"{CARD}/ata1/host0/target0:0:0/0:0:0:0/block/sda"
        self.sdb = f"{OTHER_CARD}/ata2/host1/target1:0:0/1:0:0:0/block/sdb"
        self.tree.disk("8:0", self.sda, 0)
        self.tree.disk("8:16", self.sdb, 1)

    def test_one_disk(self) -> None:
        """A disk has the node of its controller."""
        self.assertEqual(self.tree.block(8, 0), {0})
        self.assertEqual(self.tree.block(8, 16), {1})

    def test_two_disks(self) -> None:
        """A volume on two disks has the nodes of both."""
        self.tree.stacked("253:0", "dm-0", self.sda, self.sdb)
        self.assertEqual(self.tree.block(253, 0), {0, 1})

    def test_nested(self) -> None:
        """A volume on a volume, beside a disk, has the nodes of all at the bottom."""
        inner = self.tree.stacked("253:0", "dm-0", self.sda)
        outer = self.tree.stacked("253:1", "dm-1", inner)
        self.tree.stacked("253:2", "dm-2", outer, self.sdb)
        self.assertEqual(self.tree.block(253, 1), {0})
        self.assertEqual(self.tree.block(253, 2), {0, 1})

    def test_on_partition(self) -> None:
        """A volume may stand on a partition of a disk."""
        self.tree.file(f"{self.sdb}/sdb1/partition", b"1\n")
        self.tree.device("block", "8:17", f"{self.sdb}/sdb1")
        self.tree.stacked("253:0", "dm-0", f"{self.sdb}/sdb1")
        self.assertEqual(self.tree.block(253, 0), {1})

    def test_partition_of_array(self) -> None:
        """A partition of an array has the array's nodes."""
        array = self.tree.stacked("9:0", "md0", self.sda, self.sdb)
        self.tree.file(f"{array}/md0p1/partition", b"1\n")
        self.tree.device("block", "259:0", f"{array}/md0p1")
        self.assertEqual(self.tree.block(259, 0), {0, 1})

    def test_circle(self) -> None:
        """The search ends for volumes that stand on each other and on themselves."""
        first, second = (f"devices/virtual/block/dm-{number}" for number in range(2))
        self.tree.stacked("253:0", "dm-0", first, second)
        self.tree.stacked("253:1", "dm-1", first, self.sdb)
        self.assertEqual(self.tree.block(253, 0), {1})
        self.assertEqual(self.tree.block(253, 1), {1})

    def test_some_unknown(self) -> None:
        """The nodes of one part do not depend on another part whose node is unknown."""
        loop = self.tree.stacked("7:0", "loop0")
        volume = self.tree.stacked("253:0", "dm-0", loop, self.sda)
        os.symlink("../../nowhere", self.tree.path(f"{volume}/slaves/gone"))
        self.tree.file(f"{volume}/slaves/file", b"1\n")
        self.assertEqual(self.tree.block(253, 0), {0})

    def test_nvme_with_several_paths(self) -> None:
        """A namespace and its partitions are near to the controllers of their subsystem."""
        subsystem = "devices/virtual/nvme-subsystem/nvme-subsys0"
        for name, node in (("nvme0", 1), ("nvme1", 2)):
            controller = f"devices/pci0/{name}/nvme/{name}"
            self.tree.directory(controller)
            self.tree.numa(f"devices/pci0/{name}", node)
            self.tree.link(f"{subsystem}/{name}", controller)
        self.tree.device("block", "259:0", f"{subsystem}/nvme0n1")
        self.tree.device("block", "259:1", f"{subsystem}/nvme0n1/nvme0n1p1")
        for minor in (0, 1):
            self.assertEqual(self.tree.block(259, minor), {1, 2})

    def test_slaves_of_the_unexpected(self) -> None:
        """A file and a dangling link in place of the directory of slaves are nothing."""
        self.tree.device("block", "253:0", "devices/virtual/block/dm-0")
        slaves = self.tree.path("devices/virtual/block/dm-0/slaves")
        os.rmdir(slaves)
        with open(slaves, "w"):
            pass
        self.assertEqual(self.tree.block(253, 0), set())
        os.unlink(slaves)
        os.symlink("nowhere", slaves)
        self.assertEqual(self.tree.block(253, 0), set())

    def test_not_of_character_devices(self) -> None:
        """A directory of that name means nothing in a character device."""
        directory = "devices/virtual/misc/x"
        self.tree.device("char", "10:1", directory)
        self.tree.link(f"{directory}/slaves/sda", self.sda)
        self.assertEqual(self.tree.char(10, 1), set())


class GroupTests(TreeTestCase):
    """A group of vfio has the nodes of the devices in its IOMMU group."""

    def setUp(self) -> None:
        """Make two PCI functions of one node and one of another."""
        super().setUp()
        self.tree.numa(CARD, 0)
        self.tree.numa(f"{BRIDGE}/0000:03:00.1", 0)
        self.tree.numa(OTHER_CARD, 1)

    def test_one_node(self) -> None:
        """Functions of one card give one node."""
        self.tree.group(12, 0, CARD, f"{BRIDGE}/0000:03:00.1")
        self.assertEqual(self.tree.char(243, 0), {0})

    def test_two_nodes(self) -> None:
        """A group may span nodes."""
        self.tree.group(12, 0, CARD, OTHER_CARD)
        self.assertEqual(self.tree.char(243, 0), {0, 1})

    def test_groups_are_apart(self) -> None:
        """The number in the device's name is the group's, its minor number is not."""
        self.tree.group(1, 0, CARD)
        self.tree.group(0, 1, OTHER_CARD)
        self.assertEqual(self.tree.char(243, 0), {0})
        self.assertEqual(self.tree.char(243, 1), {1})

    def test_mediated_device(self) -> None:
        """A mediated device in a group has the node of the device that it is a part of."""
        self.tree.group(12, 0, f"{CARD}/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")
        self.assertEqual(self.tree.char(243, 0), {0})

    def test_without_iommu(self) -> None:
        """Without an IOMMU the group's device has a prefix, and its group a number as well."""
        self.tree.group(12, 0, OTHER_CARD, prefix="noiommu-")
        self.assertEqual(self.tree.char(243, 0), {1})

    def test_class_directory(self) -> None:
        """The directory names the class, or the link to it if the directory is elsewhere."""
        self.tree.group(12, 0, OTHER_CARD)
        self.tree.device("char", "243:1", "class/vfio/12")
        self.tree.vfio("devices/elsewhere/12", 2)
        self.assertEqual(self.tree.char(243, 1), {1})
        self.assertEqual(self.tree.char(243, 2), {1})

    def test_device_without_group(self) -> None:
        """The newer device of one PCI function is found below it."""
        self.tree.device("char", "511:0", f"{OTHER_CARD}/vfio-dev/vfio0")
        self.assertEqual(self.tree.char(511, 0), {1})

    def test_others_with_a_number(self) -> None:
        """A number as name, or the container of vfio, does not make a group."""
        self.tree.group(12, 0, OTHER_CARD)
        self.tree.device("char", "10:196", "devices/virtual/misc/vfio")
        self.tree.device("char", "5:12", "devices/virtual/other/12")
        self.tree.device("char", "5:13", "devices/virtual/another/12")
        self.tree.link("devices/virtual/another/12/subsystem", "class/another")
        for major, minor in ((10, 196), (5, 12), (5, 13)):
            self.assertEqual(self.tree.char(major, minor), set())

    def test_group_that_vanishes(self) -> None:
        """A group whose devices cannot be listed gives nothing."""
        self.tree.group(12, 0, OTHER_CARD)

        def failing(path: Any) -> list[str]:
            raise FileNotFoundError(errno.ENOENT, "no", path)

        self.patch(os, "listdir", failing)
        self.assertEqual(self.tree.char(243, 0), set())

    def test_missing_group(self) -> None:
        """A group that sysfs does not have, or that is empty, gives nothing."""
        self.tree.vfio("devices/virtual/vfio/7", 0)
        self.assertEqual(self.tree.char(243, 0), set())
        self.tree.directory("kernel/iommu_groups/7/devices")
        self.assertEqual(self.tree.char(243, 0), set())

    def test_not_of_block_devices(self) -> None:
        """A block device is never a group."""
        self.tree.group(12, 0, OTHER_CARD)
        self.tree.device("block", "5:12", "devices/virtual/vfio/12")
        self.assertEqual(self.tree.block(5, 12), set())


class LinkTests(TreeTestCase):
    """Links lead where they may, and nowhere else."""

    def setUp(self) -> None:
        """Make a card, and one outside of sysfs."""
        super().setUp()
        self.tree.numa(CARD, 1)
        self.tree.device("char", "226:0", f"{CARD}/drm/card0")
        self.outside = Tree(os.path.join(self.above, "outside"))
        self.outside.numa("card", 2)
        self.tree.directory("dev/block")

    def raw(self, name: str, target: str) -> None:
        """Make a link of just this text."""
        self.tree.directory(os.path.dirname(name))
        os.symlink(target, self.tree.path(name))

    def test_loops(self) -> None:
        """Links to themselves and to each other are nothing."""
        self.raw("dev/char/1:1", "1:1")
        self.raw("dev/char/1:2", "1:3")
        self.raw("dev/char/1:3", "1:2")
        self.raw("dev/char/1:4", "../../devices/loop/x")
        self.raw("devices/loop", "../devices/loop/loop")
        for minor in range(1, 5):
            self.assertEqual(self.tree.char(1, minor), set())

    def test_dangling(self) -> None:
        """A link to nothing, to a file and through a file is nothing."""
        self.raw("dev/char/1:1", "../../devices/nowhere")
        self.raw("dev/char/1:2", f"../../{CARD}/numa_node")
        self.raw("dev/char/1:3", f"../../{CARD}/numa_node/x")
        self.raw("dev/char/1:4", "x" * 4000)
        for minor in range(1, 5):
            self.assertEqual(self.tree.char(1, minor), set())

    def test_leaving(self) -> None:
        """A link out of sysfs is ignored, however it leads there."""
        card = self.outside.path("card")
        self.raw("dev/char/1:1", card)
        self.raw("dev/char/1:2", "../../../outside/card")
        self.raw("devices/exit", self.outside.root)
        self.raw("dev/char/1:3", "../../devices/exit/card")
        self.raw("dev/char/1:4", "../../devices/exit/../outside/card")
        self.raw("dev/block/1:5", "../../devices/virtual/block/dm-0")
        self.raw("devices/virtual/block/dm-0/slaves", card)
        self.raw("dev/block/1:6", "../../devices/virtual/block/dm-1")
        self.raw("devices/virtual/block/dm-1/slaves/card", card)
        for minor in range(1, 5):
            self.assertEqual(self.tree.char(1, minor), set(), minor)
        for minor in range(5, 7):
            self.assertEqual(self.tree.block(1, minor), set(), minor)

    def test_leaving_to_a_similar_name(self) -> None:
        """A directory whose name only begins like that of sysfs is outside."""
        similar = Tree(f"{self.tree.root}2")
        similar.numa("card", 2)
        self.raw("dev/char/1:1", similar.path("card"))
        self.assertEqual(self.tree.char(1, 1), set())

    def test_whole_directory_leaving(self) -> None:
        """Links in place of directories that sysfs always has lead nowhere else either."""
        self.outside.numa("x", 2)
        self.outside.device("char", "1:1", "x")
        os.rename(self.tree.path("dev"), self.tree.path("olddev"))
        os.symlink(self.outside.path("dev"), self.tree.path("dev"))
        self.assertEqual(self.tree.char(1, 1), set())

    def test_within(self) -> None:
        """Links to links, absolute links and links of directories are followed in sysfs."""
        self.raw("dev/char/1:1", "226:0")
        self.raw("dev/char/1:2", self.tree.path(CARD))
        self.raw("class/drm", f"../{CARD}/drm")
        self.raw("dev/char/1:3", "../../class/drm/card0")
        for minor in range(1, 4):
            self.assertEqual(self.tree.char(1, minor), {1}, minor)

    def test_decides_where_it_leads(self) -> None:
        """The parents are those of the directory, not those of a link to it."""
        self.tree.numa("class", 5)
        self.raw("class/drm", f"../{CARD}/drm")
        self.raw("dev/char/1:1", "../../class/drm/card0")
        self.assertEqual(self.tree.char(1, 1), {1})


class NodesTests(TreeTestCase):
    """`Topology.nodes` takes the paths of device nodes."""

    def setUp(self) -> None:
        """Give two devices, of which every machine has the nodes, other places in sysfs."""
        super().setUp()
        self.tree.numa(CARD, 1)
        self.tree.numa(OTHER_CARD, 0)
        self.tree.device("char", "1:3", f"{CARD}/x/null")
        self.tree.device("char", "1:5", f"{OTHER_CARD}/x/zero")

    def nodes(self, *paths: str) -> tuple[int, ...] | None:
        """The nodes of these paths."""
        return Topology(self.tree.root).nodes(paths)

    def test_sorted_and_distinct(self) -> None:
        """The nodes of all paths come together, sorted, each once."""
        self.assertEqual(self.nodes("/dev/null"), (1,))
        self.assertEqual(self.nodes("/dev/null", "/dev/zero", "/dev/null"), (0, 1))

    def test_node_zero(self) -> None:
        """Node 0 is a node."""
        self.assertEqual(self.nodes("/dev/zero"), (0,))

    def test_link_to_a_device_node(self) -> None:
        """A path that is a link stands for what it leads to, as in a container."""
        link = os.path.join(self.above, "by-id")
        os.symlink("/dev/null", link)
        self.assertEqual(self.nodes(link), (1,))

    def test_block_devices(self) -> None:
        """A block device is looked for among the block devices."""
        self.tree.device("block", "8:0", f"{CARD}/block/sda")
        self.tree.device("char", "8:0", f"{OTHER_CARD}/char/x")
        real = os.stat

        def fake(path: Any) -> os.stat_result:
            if path != "/dev/sda":
                return real(path)
            device: Any = {"st_rdev": os.makedev(8, 0)}
            return os.stat_result([stat.S_IFBLK | 0o660] + [0] * 9, device)

        self.patch(os, "stat", fake)
        self.assertEqual(self.nodes("/dev/sda"), (1,))

    def test_none(self) -> None:
        """None, and never an empty tuple, where nothing is known."""
        self.assertIsNone(self.nodes())
        self.assertIsNone(self.nodes("/dev/full"))

    def test_no_device_nodes(self) -> None:
        """Other paths contribute nothing, and take nothing from the others."""
        self.tree.file("file", b"")
        self.tree.directory("directory")
        os.symlink("circle", self.tree.path("circle"))
        os.mkfifo(self.tree.path("pipe"))
        others = [self.tree.path(name) for name in ("file", "directory", "circle", "pipe")]
        others += [
            "",
            "/dev/no such device",
            "/dev/null/x",
            "/dev/\0",
            "/dev/\udcff",
            "/dev/\ud800",
            "/" + "x" * 5000,
        ]
        for other in others:
            self.assertIsNone(self.nodes(other))
        self.assertEqual(self.nodes(*others, "/dev/null", *others), (1,))

    def test_generator(self) -> None:
        """The paths may come from a generator."""
        self.assertEqual(Topology(self.tree.root).nodes(path for path in ["/dev/null"]), (1,))


class TopologyTests(TreeTestCase):
    """A `Topology` reads what devices share once."""

    def setUp(self) -> None:
        """Make many ports of one card."""
        super().setUp()
        self.tree.numa(CARD, 1)
        for minor in range(50):
            self.tree.device("char", f"4:{minor}", f"{CARD}/tty/ttyS{minor}")
        self.topology = Topology(self.tree.root)

    def test_shared_directories_are_read_once(self) -> None:
        """Fifty ports of a card cost one read of the card's node, and a look at each directory."""
        opened: list[Any] = []
        examined: list[Any] = []
        real_open, real_lstat = os.open, os.lstat

        def opening(path: Any, *rest: Any) -> int:
            opened.append(path)
            return real_open(path, *rest)

        def examining(path: Any) -> os.stat_result:
            examined.append(path)
            return real_lstat(path)

        self.tree.directory("devices/system/node/node1")
        self.patch(os, "open", opening)
        self.patch(os, "lstat", examining)
        for minor in range(50):
            self.assertEqual(self.topology.of_device("char", 4, minor), {1})
        self.assertEqual(opened, [self.tree.path(f"{CARD}/numa_node")])
        self.assertEqual(sorted(examined), sorted(set(examined)))

    def test_same_as_anew(self) -> None:
        """The memory of one device does not change the result for another."""
        self.tree.numa(BRIDGE, 0)
        self.tree.device("char", "5:0", f"{BRIDGE}/x/x0")
        self.tree.device("char", "5:1", "devices/virtual/x/x1")
        self.tree.device("block", "8:0", f"{OTHER_CARD}/block/sda")
        self.tree.numa(OTHER_CARD, 2)
        self.tree.stacked("253:0", "dm-0", f"{OTHER_CARD}/block/sda")
        devices: list[tuple[Kind, int, int]] = [
            ("char", 4, 0),
            ("char", 5, 0),
            ("char", 5, 1),
            ("block", 253, 0),
            ("block", 8, 0),
        ]
        expected = [Topology(self.tree.root).of_device(*device) for device in devices]
        self.assertEqual(expected, [{1}, {0}, set(), {2}, {2}])
        for order in (devices, devices[::-1], devices * 2):
            topology = Topology(self.tree.root)
            found = {device: topology.of_device(*device) for device in order}
            self.assertEqual([found[device] for device in devices], expected)

    def test_new_device_in_a_known_directory(self) -> None:
        """A device that is plugged in while an instance is in use is found by it."""
        self.assertEqual(self.topology.of_device("char", 4, 64), frozenset())
        self.tree.device("char", "4:64", f"{CARD}/tty/ttyS64")
        self.assertEqual(self.topology.of_device("char", 4, 64), {1})

    def test_other_device_at_the_same_number(self) -> None:
        """A number that another device has got leads to that device."""
        self.assertEqual(self.topology.of_device("char", 4, 0), {1})
        self.tree.numa(OTHER_CARD, 0)
        os.unlink(self.tree.path("dev/char/4:0"))
        self.tree.device("char", "4:0", f"{OTHER_CARD}/tty/ttyS0")
        self.assertEqual(self.topology.of_device("char", 4, 0), {0})

    def test_removed_device(self) -> None:
        """A device whose link is gone has no nodes any more."""
        self.assertEqual(self.topology.of_device("char", 4, 0), {1})
        os.unlink(self.tree.path("dev/char/4:0"))
        self.assertEqual(self.topology.of_device("char", 4, 0), frozenset())

    def test_functions_read_anew(self) -> None:
        """The functions keep nothing: what was written since counts."""
        self.assertEqual(Topology(self.tree.root).of_device("char", 4, 0), {1})
        self.tree.numa(CARD, 0)
        self.assertEqual(Topology(self.tree.root).of_device("char", 4, 0), {0})


HOMES = ["devices/a", "devices/a/3", "devices/virtual/a", "devices/virtual/vfio/3"]
LINKS = [
    *(f"{home}/slaves/{name}" for home in HOMES for name in ("a", "3")),
    "kernel/iommu_groups/3/devices/a",
    "kernel/iommu_groups/3/devices/3",
    "devices/a/3/subsystem",
    "devices/a",
    "dev",
]
names = st.sampled_from(["..", "dev", "char", "1:1", "devices", "virtual", "vfio", "3", "slaves"])
mess = st.lists(names, min_size=1, max_size=6).map("/".join)
values = st.one_of(
    st.integers(0, 9).map(lambda number: b"%d\n" % number),
    st.integers().map(lambda number: b"%d" % number),
    st.binary(max_size=20),
)
ways = st.one_of(st.sampled_from([*HOMES, "class/vfio", "..", "../outside", "../outside/a"]), mess)
devices = st.sampled_from(["dev/char/1:1", "dev/char/1:2", "dev/block/1:1", "dev/block/1:2"])
entries = st.one_of(
    st.tuples(st.just("file"), st.sampled_from(HOMES).map("{}/numa_node".format), values),
    st.tuples(st.just("file"), mess, values),
    st.tuples(st.just("link"), devices, ways),
    st.tuples(st.just("link"), st.sampled_from(LINKS) | mess, ways),
    st.tuples(st.just("directory"), st.sampled_from([*HOMES, *LINKS]) | mess, st.just("")),
)
nodes = st.sampled_from([None, "-1", "0", "1", "2", "x"])
volumes = st.lists(st.sets(st.integers(0, 11), max_size=3), max_size=6)


class RandomTests(SynchronousTestCase):
    """Whatever is in the tree."""

    @given(st.lists(entries, max_size=40))
    @settings(max_examples=100)
    def test_any_tree(self, made: list[tuple[str, str, Any]]) -> None:
        """Nothing raises, and each node is one that a `numa_node` of the tree says."""
        with tempfile.TemporaryDirectory() as above:
            above = os.path.realpath(above)
            outside = Tree(os.path.join(above, "outside"))
            for directory in (".", "a", "3", "char", "devices", "slaves/3"):
                outside.numa(directory, 777)
            tree = Tree(os.path.join(above, "sys"))
            said = set()
            for what, name, value in made:
                # Nothing is made where a name or one of the links leads out of the tree.
                place = os.path.join(
                    os.path.realpath(os.path.dirname(tree.path(name))), os.path.basename(name)
                )
                if os.path.commonpath([place, tree.root]) != tree.root:
                    continue
                try:
                    os.makedirs(os.path.dirname(place), exist_ok=True)
                    if what == "file":
                        with open(place, "xb") as file:
                            file.write(value)
                        said.add(value.strip())
                    elif what == "link":
                        os.symlink(os.path.relpath(tree.path(value), os.path.dirname(place)), place)
                    else:
                        os.mkdir(place)
                except OSError:
                    continue  # something is there already, or not a directory
            shared = Topology(tree.root)
            kinds: tuple[Kind, ...] = ("char", "block")
            for kind in kinds:
                for minor in (1, 2):
                    found = shared.of_device(kind, 1, minor)
                    self.assertEqual(found, Topology(tree.root).of_device(kind, 1, minor))
                    self.assertLessEqual(found, {int(text) for text in said if text.isdigit()})

    @given(st.lists(st.tuples(nodes, nodes), min_size=1, max_size=6), volumes)
    @settings(max_examples=50)
    def test_any_stack(self, disks: list[tuple[Any, Any]], stacks: list[set[int]]) -> None:
        """Volumes on whatever disks and volumes have the nodes of all disks that are reached."""
        with tempfile.TemporaryDirectory() as above:
            tree = Tree(os.path.join(above, "sys"))
            directories = []
            known: list[set[int]] = []
            for number, (bridge, card) in enumerate(disks):
                upper = f"devices/pci0000:00/0000:00:{number:02x}.0"
                lower = f"{upper}/0000:{number + 1:02x}:00.0"
                for directory, value in ((upper, bridge), (lower, card)):
                    if value is not None:
                        tree.numa(directory, value)
                directories.append(f"{lower}/block/sd{number}")
                tree.device("block", f"8:{number}", directories[-1])
                usable = [int(value) for value in (card, bridge) if value in ("0", "1", "2")]
                known.append(set(usable[:1]))
            directories += [f"devices/virtual/block/dm-{n}" for n in range(len(stacks))]
            below = [{part % len(directories) for part in parts} for parts in stacks]
            for number, parts in enumerate(below):
                tree.stacked(
                    f"253:{number}", f"dm-{number}", *(directories[part] for part in parts)
                )
            shared = Topology(tree.root)
            for number in range(len(stacks)):
                reached = set()
                todo = [len(disks) + number]
                while todo:
                    part = todo.pop()
                    if part not in reached:
                        reached.add(part)
                        todo += below[part - len(disks)] if part >= len(disks) else ()
                expected = set().union(*(known[part] for part in reached if part < len(disks)))
                self.assertEqual(shared.of_device("block", 253, number), expected)
            for number, expected in enumerate(known):
                self.assertEqual(shared.of_device("block", 8, number), expected)


class MachineTests(SynchronousTestCase):
    """The sysfs of this machine."""

    def test_null(self) -> None:
        """`/dev/null` is on no node."""
        self.assertIsNone(Topology().nodes(["/dev/null"]))

    def test_all_devices(self) -> None:
        """Every node in `/dev` has nodes of this machine, or none."""
        topology = Topology()
        paths = [
            os.path.join(directory, name)
            for directory, _, names in os.walk("/dev")
            for name in names
        ]
        self.assertIn("/dev/null", paths)
        for path in paths:
            for node in topology.nodes([path]) or ():
                self.assertTrue(os.path.isdir(f"/sys/devices/system/node/node{node}"), path)
