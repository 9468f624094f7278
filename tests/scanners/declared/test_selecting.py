"""Tests for which devices the resources of a file come to, with which nodes and ids."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.support.declarations import devices, nodes, scanner, yielded
from tests.support.trees import tree
from twistdp.select.explaining import Cause
from twistdp.select.host import Host

BY_PATH = "/dev/serial/by-path/pci-0000:00:0d.0-usb-0:{}:1.0-port0"
FIRST, SECOND = BY_PATH.format("3.1"), BY_PATH.format("3.4")
ID = "pci-0000:00:0d.0-usbv2-0:{}-if00-port0"
CAMERA = "/dev/v4l/by-id/usb-Sonar_Lab_Camera_LC4400217-video-index{} as /dev/video{}"
SOUND = (
    "/dev/snd/by-id/usb-Sonar_Lab_Camera_LC4400217-02 as /dev/snd/controlC1",
    "/dev/snd/pcmC1D0c",
)


class PathTests(SynchronousTestCase):
    """Paths of nodes and links."""

    def test_node(self) -> None:
        """A text is a path; a node without links has its own name in both places."""
        self.assertEqual(yielded("cards", "thing: /dev/kvm"), {"kvm": ["/dev/kvm"]})
        self.assertEqual(
            yielded("cards", "thing: /dev/vfio/vfio"), {"vfio_vfio": ["/dev/vfio/vfio"]}
        )
        self.assertEqual(yielded("cards", "thing: /dev/absent"), {})

    def test_renumbered_nodes(self) -> None:
        """A node that is numbered by its turn is given by the link that stays its own."""
        self.assertEqual(
            yielded("twins", "thing: /dev/ttyUSB*"),
            {
                ID.format("3.1"): [f"{FIRST} as /dev/ttyUSB0"],
                ID.format("3.4"): [f"{SECOND} as /dev/ttyUSB1"],
            },
        )

    def test_links(self) -> None:
        """A link stays a link in the container; several links to one node are one device."""
        self.assertEqual(
            yielded("twins", "thing: /dev/serial/by-path/*"),
            {ID.format("3.1"): [FIRST], ID.format("3.4"): [SECOND]},
        )

    def test_stable_link(self) -> None:
        """Of several links that match, the stable one is the path on the host and inside."""
        text = "thing: {path: [/dev/v4l/by-path/*-index0, /dev/v4l/by-id/*-index0]}"
        link = "/dev/v4l/by-id/usb-Sonar_Lab_Camera_LC4400217-video-index0"
        self.assertEqual(list(yielded("camera", text).values()), [[link]])

    def test_link_of_two(self) -> None:
        """A link that two adapters claim is a name in the container, and never the host path."""
        found = yielded("twins", "thing: /dev/serial/by-id/*")
        ((id_, (node,)),) = found.items()
        host_path, _, inside = node.partition(" as ")
        self.assertIn(host_path, (FIRST, SECOND))
        self.assertTrue(inside.startswith("/dev/serial/by-id/"), inside)
        self.assertIn(id_, (ID.format("3.1"), ID.format("3.4")))

    def test_contested(self) -> None:
        """Such a link is reported, once for each resource."""
        made = scanner("twins", "thing: /dev/ttyUSB*")
        made.discover()
        notes = {text for _, text in made.survey.warnings()}
        (note,) = notes
        self.assertRegex(note, r"^/dev/serial/by-id/\S+ is claimed by 2 devices and leads to one")

    def test_directory(self) -> None:
        """The nodes of a directory are a device each, or one with ``group: all``."""
        found = yielded("cards", "thing: /dev/dri")
        self.assertEqual(list(found), ["0000:00:02.0-card", "0000:00:02.0-render"])
        together = yielded("cards", "thing: {path: /dev/dri, group: all}")
        self.assertEqual(together, {"thing": [*found["0000:00:02.0-card"],
                                              *found["0000:00:02.0-render"]]})  # fmt: skip


class KindTests(SynchronousTestCase):
    """``as`` names the node of a device."""

    def test_tty(self) -> None:
        """The adapters keep their ids by their ports when the kernel counts them otherwise."""
        text = 'thing: {usb: "1a86:7523", as: tty}'
        before, after = yielded("twins", text), yielded("twins-replugged", text)
        self.assertEqual(before, {
            ID.format("3.1"): [f"{FIRST} as /dev/ttyUSB0"],
            ID.format("3.4"): [f"{SECOND} as /dev/ttyUSB1"],
        })  # fmt: skip
        self.assertEqual(list(after), list(before))
        self.assertEqual(after[ID.format("3.1")], [f"{FIRST} as /dev/ttyUSB1"])

    def test_raw(self) -> None:
        """A USB id alone means the raw node."""
        self.assertEqual(
            yielded("camera", 'thing: {usb: "0c45:6366"}'),
            {"0c45-6366-LC4400217": ["/dev/bus/usb/001/007"]},
        )

    def test_video(self) -> None:
        """``as: video`` leaves out the node for metadata."""
        self.assertEqual(
            yielded("camera", "thing: {usb: 0c45, as: video}"),
            {"0c45-6366-LC4400217-if00-video-index0": [CAMERA.format(0, 2)]},
        )

    def test_excluded(self) -> None:
        """What `not` and `any` say of hardware is about all that belongs to it."""
        camera = ["0c45-6366-LC4400217"]
        for text in (
            "subsystem: usb, devtype: usb_device, not: {usb: ['04d9', '1d6b:*', '0bda:*']}",
            "usb: '*:*', not: {usb: ['04d9', '1d6b:*', '0bda:*']}",
            "subsystem: video4linux, any: [{usb: 0c45}, {usb: 1:2}], group: usb",
            "subsystem: [video4linux, hidraw], not: {usb: 04d9}, group: usb",
            "any: [{usb: 0c45}, {usb: '0c45:2'}]",
        ):
            self.assertEqual(list(yielded("camera", f"thing: {{{text}}}")), camera, text)
        text = "thing: {subsystem: [video4linux, hidraw], not: {usb: 0c45}}"
        self.assertEqual(yielded("camera", text), {})

    def test_net(self) -> None:
        """A network interface has no node: its container gets variables alone."""
        found = scanner(
            "camera", 'thing: {subsystem: net, driver: r8152, as: net, env: {NIC: "{kernelName}"}}'
        ).discover()
        (info,) = devices(found).values()
        self.assertEqual((info.nodes, info.envs), ((), {"NIC": "enx020000aabbcc"}))

    def test_no_node(self) -> None:
        """A device that has no node is one if its containers get something else of it."""
        text = 'thing: {pci: "*:*", driver: labnic, env: {CARD: "{pciBusID}"}}'
        (info,) = devices(scanner("cards", text).discover()).values()
        self.assertEqual((info.nodes, info.envs), ((), {"CARD": "0000:00:1c.0"}))
        self.assertEqual(yielded("cards", 'thing: {pci: "*:*", driver: labnic}'), {})
        with_nodes = 'thing: {pci: "*:*", driver: i915, env: {CARD: "{pciBusID}"}}'
        self.assertEqual(yielded("cards", with_nodes), {})

    def test_no_node_to_name(self) -> None:
        """Without a node it is none, by the rule and no fault, if variables name the node."""
        for key in ('env: {CARD: "{node}", A: b}', 'annotations: {a: "{node}"}'):
            made = scanner("cards", f'thing: {{pci: "*:*", driver: labnic, {key}}}')
            self.assertEqual(devices(made.discover()), {})
            (left_out,) = made.survey.left_out
            self.assertEqual(left_out.cause, Cause.RULE)
            self.assertEqual(left_out.reason, "0000:00:1c.0 has no node of its own")


class GroupTests(SynchronousTestCase):
    """Several nodes that are one device."""

    def test_parent(self) -> None:
        """Everything below the camera is one device, but for its raw node."""
        self.assertEqual(
            yielded(
                "camera", "thing: {subsystem: video4linux, parent: {usb: 0c45}, group: parent}"
            ),
            {"0c45-6366-LC4400217": [CAMERA.format(0, 2), CAMERA.format(1, 3), *SOUND]},
        )

    def test_usb(self) -> None:
        """``usb`` has the raw node too."""
        (found,) = yielded("camera", "thing: {usb: 0c45, group: usb}").values()
        self.assertEqual(found[0], "/dev/bus/usb/001/007")
        self.assertEqual(found[1:], [CAMERA.format(0, 2), CAMERA.format(1, 3), *SOUND])

    def test_members(self) -> None:
        """Members are further nodes; the device waits for those that are not optional."""
        self.assertEqual(
            yielded("camera", """
                thing:
                  usb: 0c45
                  as: video
                  group: parent
                  members: [{as: sound}, {as: tty, optional: true}]
            """),
            {"0c45-6366-LC4400217": [CAMERA.format(0, 2), *SOUND]},
        )  # fmt: skip
        self.assertEqual(
            yielded("cards", "thing: {path: /dev/kvm, members: [{path: /dev/absent}]}"), {}
        )
        self.assertEqual(
            yielded("cards", "thing: {path: /dev/kvm, members: [{path: /dev/vfio/vfio}]}"),
            {"kvm": ["/dev/kvm", "/dev/vfio/vfio"]},
        )

    def test_card(self) -> None:
        """Card and render node of one function are one device."""
        (id_,) = yielded("cards", "thing: {subsystem: drm, group: card}")
        self.assertEqual(id_, "0000:00:02.0")

    def test_iommu(self) -> None:
        """The functions of a group are one device, once all of them are bound to vfio-pci."""
        text = "thing: {driver: vfio-pci, pciClass: '*', group: iommu}"
        self.assertEqual(yielded("cards", text), {"0000:00:1c.1": ["/dev/vfio/8"]})


class KeyboardTests(SynchronousTestCase):
    """Nodes that give what people type."""

    def test_unasked(self) -> None:
        """A keyboard is not given by a rule that only says the kind of node."""
        for text in (
            "subsystem: input",
            "subsystem: hidraw",
            "path: /dev/input/event*",
            "path: '/dev/input/event[0-9]'",
            "path: '/dev/hidraw?'",
            "path: /dev/input/by-id/usb-*",
            r"pathRegex: '^/dev/hidraw\d+$'",
            "kernelName: hidraw*",
            "usb: '*:*', as: hid",
            "subsystem: hidraw, serial: '*', any: [{usb: '*:*'}, {usb: 04d9}]",
            "subsystem: hidraw, parent: {subsystem: usb}",
            "subsystem: hidraw, pciBusID: '0000:00:0d.0'",
            "subsystem: input, not: {usb: 1}",
            "subsystem: input, property: {ID_BUS: usb}",
            "subsystem: hidraw, attribute: {dev: '*'}",
            """udev: 'SUBSYSTEM=="input"'""",
            """udev: 'SUBSYSTEM=="hidraw", KERNEL=="hidraw*", ATTRS{idVendor}=="*"'""",
            "match: [{subsystem: hidraw}, {usb: 0c45}], as: hid",
        ):
            self.assertEqual(yielded("camera", f"thing: {{{text}}}"), {}, text)

    def test_undecidable(self) -> None:
        """Without udev's data base a node that may be a keyboard's is kept back, and says why."""
        root = tree(self, "camera", udev=False)
        path = f"{root}/sys/devices/pci0000:00/0000:00:0d.0/usb1/1-6/1-6:1.0/uevent"
        with open(path, encoding="ascii") as file:
            text = file.read()
        self.assertIn("INTERFACE=3/1/1", text)
        with open(path, "w", encoding="ascii") as file:
            file.write(text.replace("INTERFACE=3/1/1", "INTERFACE=3/0/0"))
        made = scanner(Host(root), "thing: {subsystem: input}")
        self.assertEqual(devices(made.discover()), {})
        reasons = [each.reason for each in made.survey.left_out if each.what == "/dev/input/event3"]
        self.assertIn("may give what is typed on a keyboard: udev's data base", reasons[0])

    def test_no_entry(self) -> None:
        """Before udev has looked at a node nobody knows that it is no keyboard's."""
        root = tree(self, "camera")
        os.unlink(f"{root}/run/udev/data/c13:67")
        made = scanner(Host(root), "thing: {subsystem: input, property: {ID_INPUT: '1'}}")
        self.assertEqual(devices(made.discover()), {})
        reasons = [each.reason for each in made.survey.left_out if each.what == "/dev/input/event3"]
        self.assertIn("udev's data base has no entry of event3", reasons[0])
        typed = scanner(Host(root), "thing: {subsystem: hidraw}")
        self.assertEqual(devices(typed.discover()), {})

    def test_groups(self) -> None:
        """A group has such a node only if the rule selects the device that it is of."""
        raw = "/dev/bus/usb/001/008"
        whole = yielded("camera", "thing: {usb: 04d9, group: parent}")
        self.assertEqual(list(whole.values()), [[raw, "/dev/hidraw0", "/dev/input/event3"]])
        part = "thing: {subsystem: usb, devtype: usb_interface, parent: {usb: 04d9}, group: usb}"
        self.assertEqual(list(yielded("camera", part).values()), [[raw]])

    def test_asked(self) -> None:
        """A rule that selects it gives it."""
        for text in (
            "usb: 04d9, as: hid",
            "path: /dev/hidraw0",
            "kernelName: hidraw0",
            "subsystem: hidraw, parent: {vendorID: 04d9}",
            "subsystem: hidraw, any: [{usb: 04d9}, {product: Keys*}]",
            "match: [{subsystem: hidraw}, {usb: 04d9}], as: hid",
            """udev: 'SUBSYSTEM=="hidraw", ATTRS{idVendor}=="04d9"'""",
            """udev: 'SUBSYSTEM=="hidraw", KERNELS=="1-6"'""",
        ):
            self.assertEqual(
                list(yielded("camera", f"thing: {{{text}}}")),
                ["pci-0000:00:0d.0-usbv2-0:6-if00-hidraw"],
                text,
            )
        for text in (
            "subsystem: input, property: {ID_INPUT_KEYBOARD: 1}",
            """udev: 'ENV{ID_INPUT_KEYBOARD}=="1", KERNEL=="event*"'""",
        ):
            self.assertEqual(len(yielded("camera", f"thing: {{{text}}}")), 1, text)


class ReplicaTests(SynchronousTestCase):
    """``replicas``"""

    def test_renamed(self) -> None:
        """Each replica has an id of its own, and all are one device for policies."""
        found = scanner(
            "cards", "thing: {path: /dev/kvm, replicas: {count: 2, rename: shared}}"
        ).discover()
        self.assertEqual(nodes(found, "shared"), {"kvm-0": ["/dev/kvm"], "kvm-1": ["/dev/kvm"]})
        self.assertEqual({info.group for info in devices(found, "shared").values()}, {"kvm"})
        self.assertEqual(devices(found), {})

    def test_some(self) -> None:
        """Those that do not match stay as they are."""
        text = """
            thing:
              path: [/dev/kvm, /dev/vfio/vfio]
              replicas: {count: 2, match: {kernelName: kvm}}
        """
        self.assertEqual(list(yielded("cards", text)), ["kvm-0", "kvm-1", "vfio_vfio"])
        text = """
            thing:
              subsystem: tty
              replicas: {count: 2, match: [{usbPath: "*3.1", usb: "1a86:*"}]}
        """
        first, second = ID.format("3.1"), ID.format("3.4")
        self.assertEqual(list(yielded("twins", text)), [f"{first}-0", f"{first}-1", second])
