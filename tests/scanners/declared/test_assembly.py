"""Tests for what containers get of a device."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import devices, scanner
from tests.support.trees import named, tree
from twistdp.model.devices import AUTO, DeviceInfo, DeviceSpec, Mount
from twistdp.select.explaining import Cause
from twistdp.select.host import Host


class HostNodeTests(SynchronousTestCase):
    """`{hostNode}`"""

    def test_words(self) -> None:
        """The node on the host and that in the container are two words."""
        (info,) = devices(
            scanner("twins", """
                thing:
                  path: /dev/ttyUSB0
                  node: /dev/modem
                  env: {INSIDE: "{node}", OUTSIDE: "{hostNode}"}
                  cdi: {deviceNodes: [{path: /dev/second, hostPath: "{hostNode}"}]}
            """).discover()
        ).values()  # fmt: skip
        outside = "/dev/serial/by-path/pci-0000:00:0d.0-usb-0:3.1:1.0-port0"
        self.assertEqual(info.envs, {"INSIDE": "/dev/modem", "OUTSIDE": outside})
        assert info.cdi is not None
        self.assertEqual(info.cdi.nodes[0].host_path, outside)


class AssemblyTests(SynchronousTestCase):
    """`assemble`"""

    def only(self, where: str | Host, keys: str) -> DeviceInfo:
        """The one device of a resource with these keys."""
        (info,) = devices(scanner(where, f"thing: {{{keys}}}").discover()).values()
        return info

    def reasons(self, where: str | Host, keys: str) -> list[str]:
        """Why the devices of such a resource are left out, all as faults."""
        made = scanner(where, f"thing: {{{keys}}}")
        self.assertEqual(devices(made.discover()), {})
        found = list(made.survey.left_out)
        self.assertEqual({each.cause for each in found}, {Cause.FAULT})
        return [each.reason for each in found]

    def test_node(self) -> None:
        """The file says path, permissions and further paths; ``{index}`` counts the nodes."""
        info = self.only(
            "camera",
            "usb: 0c45, as: video, node: {containerPath: '/dev/video{index}', permissions: r, "
            "link: [/dev/eye, '/dev/eyes/{serial}']}",
        )
        host_path = "/dev/v4l/by-id/usb-Sonar_Lab_Camera_LC4400217-video-index0"
        self.assertEqual(
            list(info.nodes),
            [
                DeviceSpec(host_path, "/dev/video0", "r"),
                DeviceSpec(host_path, "/dev/eye", "r"),
                DeviceSpec(host_path, "/dev/eyes/LC4400217", "r"),
            ],
        )

    def test_index(self) -> None:
        """Nodes of one device are counted over the device, members after them."""
        info = self.only(
            "camera",
            "usb: 0c45, as: video, group: parent, node: '/dev/part{index}', "
            "members: [{as: sound, node: '/dev/part{index}'}]",
        )
        self.assertEqual(
            [node.container_path for node in info.nodes], ["/dev/part0", "/dev/part1", "/dev/part2"]
        )

    def test_one_place(self) -> None:
        """Two nodes at one place are a fault of the file."""
        (reason,) = self.reasons("cards", "path: /dev/dri, group: all, node: /dev/card")
        self.assertIn("/dev/card", reason)

    def test_texts(self) -> None:
        """Variables and annotations are templates, of the node's path too."""
        info = self.only(
            "camera",
            "usb: 0c45, as: video, env: {NODE: '{node}', ID: '{id}'}, "
            "annotations: {example.com/camera: '{vendorID}:{attribute:index}'}",
        )
        self.assertEqual(info.envs["NODE"], "/dev/video2")
        self.assertEqual(info.envs["ID"], "0c45-6366-LC4400217-if00-video-index0")
        self.assertEqual(dict(info.annotations), {"example.com/camera": "0c45:0"})

    def test_missing_text(self) -> None:
        """A template without a value is a fault that names the word."""
        (reason,) = self.reasons("cards", "path: /dev/kvm, env: {A: '{attribute:absent}'}")
        self.assertIn("the device has no attribute:absent", reason)

    def test_undecidable(self) -> None:
        """Without udev's data base a property says that it is undecidable."""
        made = scanner("twins", "thing: {path: /dev/ttyUSB0, env: {A: '{property:X}'}}", udev=False)
        made.discover()
        (found,) = made.survey.left_out
        self.assertIn("{property:X} is undecidable: udev's data base is not here", found.reason)

    def test_mounts(self) -> None:
        """A mount must be there unless it is optional."""
        root = tree(self, "cards")
        keys = "path: /dev/kvm, mounts: [{hostPath: '/fw/{kernelName}', readOnly: true}]"
        (reason,) = self.reasons(Host(root), keys)
        self.assertEqual(reason, "/fw/kvm is not there, and is to be mounted")
        optional = keys.replace("readOnly", "optional: true, readOnly")
        self.assertEqual(list(self.only(Host(root), optional).mounts), [])
        os.makedirs(os.path.join(root, "fw/kvm"))
        mounts = list(self.only(Host(root), keys).mounts)
        self.assertEqual(mounts, [Mount("/fw/kvm", "/fw/kvm", True)])

    def test_requires(self) -> None:
        """A device is left out while a path is missing that it requires, and gets nothing of it."""
        root = tree(self, "cards")
        keys = "path: /dev/kvm, requires: '/fw/{kernelName}'"
        (reason,) = self.reasons(Host(root), keys)
        self.assertEqual(reason, "/fw/kvm is not there, and the resource requires it")
        os.makedirs(os.path.join(root, "fw/kvm"))
        info = self.only(Host(root), keys)
        self.assertEqual(([each.host_path for each in info.nodes], list(info.mounts)),
                         (["/dev/kvm"], []))  # fmt: skip

    def test_numa(self) -> None:
        """The NUMA node is the device's, none, or that of the file."""
        card = "path: /dev/dri/renderD128"
        self.assertEqual(self.only("cards", card).topology, (0,))
        self.assertIsNone(self.only("cards", f"{card}, numa: none").topology)
        self.assertEqual(self.only("cards", f"{card}, numa: 3").topology, (3,))
        self.assertIsNot(self.only("cards", "path: /dev/kvm").topology, AUTO)

    def test_cdi(self) -> None:
        """Changes by CDI are filled in for each device."""
        info = self.only(
            "camera",
            "usb: 0c45, as: video, cdi: {deviceNodes: ['{node}'], env: {EYE: '{serial}'}, "
            "additionalGIDs: [44]}",
        )
        assert info.cdi is not None
        self.assertEqual([node.path for node in info.cdi.nodes], ["/dev/video2"])
        self.assertEqual(dict(info.cdi.env), {"EYE": "LC4400217"})

    def test_cdi_with_nodes(self) -> None:
        """The device's nodes and mounts can be in the CDI device, too; what it has itself stays."""
        root = tree(self, "cards")
        os.makedirs(os.path.join(root, "opt/fw"))
        keys = (
            "path: /dev/dri/*, group: all, node: {permissions: rw}, mounts: [/opt/fw, "
            "{hostPath: /opt/fw, containerPath: /fw, readOnly: true}], cdi: {withNodes: true, "
            "deviceNodes: [{path: /dev/dri/renderD128, gid: 44}], mounts: [{hostPath: /opt/fw}]}"
        )
        info = self.only(Host(root), keys)
        assert info.cdi is not None
        first, *others = info.cdi.nodes
        self.assertEqual((first.path, first.gid), ("/dev/dri/renderD128", 44))
        self.assertEqual(
            [(each.path, each.host_path, each.permissions) for each in others],
            [(each.container_path, each.host_path, "rw") for each in info.nodes
             if each.container_path != first.path],
        )  # fmt: skip
        self.assertGreater(len(others), 0)
        self.assertEqual(
            [(each.host_path, each.container_path, [*each.options]) for each in info.cdi.mounts],
            [("/opt/fw", "/opt/fw", ["ro", "bind"]), ("/opt/fw", "/fw", ["ro", "bind"])],
        )
        info = self.only(Host(root), "path: /dev/kvm, mounts: [/opt/fw], cdi: {withNodes: true}")
        assert info.cdi is not None
        self.assertEqual([*info.cdi.mounts[0].options], ["rw", "bind"])

    def test_hostile(self) -> None:
        """What a device says of itself leads no path elsewhere, and names no odd variable."""
        for value, keys, reason in (
            ("../../etc", "mounts: '/opt/{serial}'", "which is no name for '/opt/{serial}'"),
            ("", "mounts: '/opt/{serial}'", "'/opt/{serial}'"),
            (".", "mounts: '/opt/{serial}/'", "which leads elsewhere"),
            ("/etc", "node: '/dev/eyes{serial}'", "which is no name for"),
            ("a/b", "node: {link: '/dev/{serial}'}", "which is no name for"),
            ("..", "cdi: {deviceNodes: '/dev/{serial}/x'}", "which leads elsewhere"),
            ("../x", "cdi: {mounts: '/opt/{serial}'}", "which is no name for"),
            ("=x", "env: {'A{serial}{n}': a}", "envs: key 'A=' must be"),
            ("a\0b", "env: {A: '{serial}'}", "{serial} has a NUL in it"),
            ("a\0b", "env: {'A{n}': '{serial}'}", "{serial} has a NUL in it"),
        ):
            with self.subTest(value=value, keys=keys):
                root = tree(self, "camera")
                device = named(Host(root), "1-5")
                with open(f"{device.path}/serial", "w", encoding="ascii") as file:
                    file.write(value)
                found = self.reasons(Host(root), f"path: /dev/video2, id: eye, {keys}")
                self.assertIn(reason, found[0])

    def test_nothing(self) -> None:
        """A device that gives a container nothing is left out."""
        (reason,) = self.reasons("camera", "subsystem: net, as: net")
        self.assertIn("has no node, and the resource gives containers nothing else", reason)

    def test_gone(self) -> None:
        """A device whose node is gone is left out, with the node."""
        root = tree(self, "twins")
        os.unlink(os.path.join(root, "dev/ttyUSB1"))
        made = scanner(Host(root), "thing: {subsystem: tty}")
        self.assertEqual(len(devices(made.discover())), 1)
        (found,) = made.survey.left_out
        self.assertEqual(found.reason, "the node /dev/ttyUSB1 is gone")
