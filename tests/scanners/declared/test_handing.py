"""Tests for what depends on all devices of a container."""

import os
from collections.abc import Sequence
from threading import current_thread

import attrs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.declarations import devices, nodes, resources, scanner
from tests.support.helpers import temporary_directory
from tests.support.trees import tree
from twistdp.errors import AllocationRefused
from twistdp.kubelet.checkpoint import Checkpoint
from twistdp.kubelet.messages import container_part
from twistdp.model.allocation import combine
from twistdp.model.calls import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerAllocateResponse,
    PreStartContainerRequest,
)
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceSpec
from twistdp.scanners.declared import handing
from twistdp.scanners.declared.rule import Rule
from twistdp.scanners.declared.scanner import FIRMWARE, DeclaredScanner
from twistdp.settings import Settings
from twistdp.testing.kubeletdirectory import write_checkpoint
from twistdp.testing.pods import Holding

RAW_NODE = "/dev/bus/usb/001/007"


def answer(made: DeclaredScanner, *ids: str, kind: str = "thing") -> AllocateResponse:
    """The answer for one container that gets these devices of a scanner."""
    found = devices(made.discover(), kind)
    return answer_of(made, {id_: found[id_] for id_ in ids}, kind)


def answer_of(
    made: DeclaredScanner, chosen: dict[str, DeviceInfo], kind: str = "thing"
) -> AllocateResponse:
    """The same for devices as they were found."""
    request = AllocateRequest(
        f"x.example.com/{kind}", [ContainerAllocateRequest(tuple(chosen), chosen)]
    )
    first = ContainerAllocateResponse(*combine(kind, chosen.items(), made.join))
    return made.post_allocate(AllocateResponse([first], request))


class EnvTests(SynchronousTestCase):
    """Variables of a container with several devices."""

    def test_numbered(self) -> None:
        """``{n}`` counts the devices of the container from 0."""
        made = scanner("twins", """
            thing:
              usb: "1a86:7523"
              as: tty
              env: {"PORT{n}": "{node}", "NUMBER{n}": "{n} {kernelName}", ALL: "{node}"}
        """)  # fmt: skip
        ids = list(devices(made.discover()))
        (got,) = answer(made, *ids).container_responses
        self.assertEqual(
            got.envs,
            {
                "PORT0": "/dev/ttyUSB0",
                "PORT1": "/dev/ttyUSB1",
                "NUMBER0": "0 ttyUSB0",
                "NUMBER1": "1 ttyUSB1",
                "ALL": "/dev/ttyUSB0,/dev/ttyUSB1",
            },
        )
        (got,) = answer(made, ids[1]).container_responses
        self.assertEqual(got.envs["PORT0"], "/dev/ttyUSB1")


class ReplicaTests(SynchronousTestCase):
    """Several replicas in one container."""

    def test_refused(self) -> None:
        """More than one is refused unless the file allows it."""
        made = scanner("cards", "thing: {path: /dev/kvm, replicas: 2}")
        answer(made, "kvm-0")
        error = self.assertRaises(AllocationRefused, answer, made, "kvm-0", "kvm-1")
        self.assertIn("x.example.com/thing: a container gets one", str(error))

    def test_allowed(self) -> None:
        """``morePerContainer`` allows it."""
        made = scanner(
            "cards", "thing: {path: /dev/kvm, replicas: {count: 2, morePerContainer: true}}"
        )
        (got,) = answer(made, "kvm-0", "kvm-1").container_responses
        self.assertEqual([node.host_path for node in got.devices], ["/dev/kvm"])


class RawNodeTests(SynchronousTestCase):
    """Nodes whose names are counted."""

    def test_pre_start(self) -> None:
        """A container does not start with a node that its device no longer has."""
        made = scanner("camera", 'thing: {usb: "0c45:6366"}')
        answer(made, "0c45-6366-LC4400217")

        def start(node: str) -> None:
            info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(node, node)])
            made.pre_start_container(
                PreStartContainerRequest(
                    "x.example.com/thing", ["0c45-6366-LC4400217"], {"0c45-6366-LC4400217": info}
                )
            )

        start("/dev/bus/usb/001/007")
        error = self.assertRaises(AllocationRefused, start, "/dev/bus/usb/001/009")
        self.assertIn("was /dev/bus/usb/001/007", str(error))
        self.assertIn("is /dev/bus/usb/001/009 now; delete the pod", str(error))

    def test_without_links(self) -> None:
        """Other nodes that no link leads to are checked likewise."""
        made = scanner("camera", "thing: {usb: 04d9, as: hid}")
        (id_,) = devices(made.discover())
        answer(made, id_)
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/hidraw7", "/dev/hidraw7")])
        request = PreStartContainerRequest("x.example.com/thing", [id_], {id_: info})
        error = self.assertRaises(AllocationRefused, made.pre_start_container, request)
        self.assertIn("was /dev/hidraw0", str(error))

    def test_more(self) -> None:
        """Of a directory that is one device, nodes that appear do not matter; those that go do."""
        root = tree(self, "camera")
        text = "thing: {path: /dev/bus/usb, group: all}"
        made = DeclaredScanner(resources(text), root)
        ids = list(devices(made.discover()))
        answer(made, *ids)
        new, old = f"{root}/dev/bus/usb/001/042", f"{root}/dev/bus/usb/001/007"

        def start() -> None:
            found = dict(devices(made.discover()))
            made.pre_start_container(PreStartContainerRequest("x.example.com/thing", ids, found))

        device = f"{root}/sys/devices/pci0000:00/0000:00:0d.0/usb1/1-9"
        os.makedirs(device)
        with open(f"{device}/uevent", "w", encoding="ascii") as file:
            file.write("DEVTYPE=usb_device\nMAJOR=189\nMINOR=41\nDEVNAME=bus/usb/001/042\n")
        with open(new, "w", encoding="ascii"):
            pass
        start()
        self.assertIn("/dev/bus/usb/001/042", nodes(made.discover())["thing"])
        os.unlink(old)
        error = self.assertRaises(AllocationRefused, start)
        self.assertIn("/dev/bus/usb/001/007", str(error))

    def test_others(self) -> None:
        """Without such nodes containers start without that call, which needs the plugin."""
        made = scanner("twins", """
            port: {usb: "1a86:7523", as: tty}
            raw: {usb: "1a86:7523"}
            member: {path: /dev/kvm, members: [{usb: "1a86:7523"}]}
            named: {path: /dev/kvm, members: [{as: usb, optional: true}]}
        """)  # fmt: skip
        asked = {
            kind: made.settings_of(kind, Settings()).pre_start
            for kind in ("port", "raw", "member", "named")
        }
        self.assertEqual(asked, {"port": False, "raw": True, "member": True, "named": True})

    def test_ids_of_places(self) -> None:
        """A device that changes its maker keeps the id of its port, whatever serial it has."""
        place = "pci-0000:00:0d.0-usbv2-0:5"
        for text in (
            "usb: ['1a6e:089a', '0c45:6366']",
            "usb: ['1a6e:089a', '0c45:6366'], as: usb",
            "match: [{usb: '1a6e:089a'}, {vendorID: 0c45, productID: 6366}]",
            "any: [{usb: '1a6e:089a'}, {usb: '0c45:6366'}], subsystem: usb, devtype: usb_device",
        ):
            made = scanner("camera", f"thing: {{{text}}}")
            self.assertEqual(list(devices(made.discover())), [place], text)
            ((_, note),) = made.survey.warnings()
            self.assertIn("the container that has it must start again", note)
        made = scanner("camera", "thing: {usb: ['0c45:6366', '0c45:1'], as: usb}")
        self.assertEqual(list(devices(made.discover())), ["0c45-6366-LC4400217"])

    def test_may_be_raw(self) -> None:
        """Whichever way a rule may give a raw node, starts are checked; no other way."""
        for text, wanted in (
            ("subsystem: usb, vendorID: 0c45", True),
            ("usb: 0c45, group: parent", True),
            ("any: [{usb: 0c45}]", True),
            ("devtype: usb_device", True),
            ("path: /dev/bus", True),
            ("path: '/dev/**'", True),
            ("path: /dev/bus/usb/001/*", True),
            ("pathRegex: bus/usb", True),
            ("kernelName: '1-*'", True),
            ("path: /dev/kvm, members: [{as: usb}]", True),
            ("path: /dev/kvm, members: [/dev/bus/usb]", True),
            ("""udev: 'SUBSYSTEM=="usb"'""", True),
            ("usb: 04d9, as: hid", True),
            ("subsystem: hidraw", True),
            ("path: /dev/hidraw3", True),
            ("path: /dev/usb/lp*", True),
            ("usb: 04b8, as: printer", True),
            ("path: /dev/kvm, members: [{as: hid, optional: true}]", True),
            ("path: /dev/kvm", False),
            ("usb: 0c45, as: video", False),
            ("subsystem: tty, usb: 0c45", False),
            ("path: /dev/ttyUSB*, members: [{as: tty}]", False),
            ("pathRegex: ^/dev/tty", False),
            ("pci: 8086, group: pci", False),
            ("kernelName: ttyUSB*", False),
            ("""udev: 'SUBSYSTEM=="tty", ATTRS{idVendor}=="0c45"'""", False),
        ):
            made = scanner("camera", f"thing: {{{text}}}")
            self.assertIs(made.settings_of("thing", Settings()).pre_start, wanted, text)

    def test_shared_name(self) -> None:
        """The settings of a name that several resources give are those of all of them."""
        share = "replicas: {count: 2, rename: x}"
        made = DeclaredScanner(
            resources(
                f"a: {{path: /dev/kvm, {share}}}\n"
                f"b: {{usb: ['1:1', '2:2'], preferred: numa, {share}}}\n"
                f"c: {{path: /dev/fuse, removalGrace: 9, {share}}}"
            )
        )
        settings = made.settings_of("x", Settings())
        self.assertTrue(settings.pre_start)
        self.assertEqual((settings.removal_grace, settings.preferred), (9.0, "numa"))
        self.assertEqual(made.settings_of("a", Settings()), Settings())

    def test_firmware(self) -> None:
        """A device that comes back as another one has a grace, unless the file has its own."""
        two = resources('thing: {match: [{usb: "1a6e:089a"}, {usb: "18d1:9302"}]}')
        made = DeclaredScanner(two)
        self.assertTrue(Rule("thing", two["thing"]).changes_identity)
        self.assertEqual(made.settings_of("thing", Settings()).removal_grace, FIRMWARE)
        own = DeclaredScanner(resources("thing: {usb: ['1:1', '2:2'], removalGrace: 2}"))
        self.assertEqual(own.settings_of("thing", Settings()).removal_grace, 2.0)
        several = DeclaredScanner(resources("thing: {usb: ['1:1', '2:2'], as: usb}"))
        self.assertEqual(several.settings_of("thing", Settings()).removal_grace, FIRMWARE)
        other = DeclaredScanner(resources("thing: {path: /dev/kvm, preferred: numa}"))
        settings = other.settings_of("thing", Settings())
        self.assertEqual((settings.removal_grace, settings.preferred), (0.0, "numa"))


class CheckpointTests(TestCase):
    """What the plugin before this one gave."""

    async def test_checkpoint(self) -> None:
        """It is in the kubelet's checkpoint, which is not read in the reactor's thread."""
        directory = temporary_directory(self)
        made = DeclaredScanner(resources('thing: {usb: "0c45:6366"}'), plugin_dir=directory)
        threads: list[object] = []
        read = Checkpoint.kept_nodes

        def noted(found: Checkpoint, resource: str, ids: Sequence[str]) -> list[frozenset[str]]:
            threads.append(current_thread())
            return read(found, resource, ids)

        self.patch(Checkpoint, "kept_nodes", noted)

        async def start(*kept: str) -> None:
            answer = ContainerAllocateResponse(
                devices=[DeviceSpec(node, node) for node in (*kept, "/dev/null")]
            )
            held = Holding("n", "p", "c", "x.example.com/thing", ("a",), {}, container_part(answer))
            write_checkpoint(directory, [attrs.evolve(held, answer=b""), held])
            now = DeviceInfo(HEALTHY, nodes=[DeviceSpec(RAW_NODE, RAW_NODE)])
            started = made.pre_start_container(
                PreStartContainerRequest("x.example.com/thing", ["a"], {"a": now})
            )
            assert started is not None
            await started

        await start(RAW_NODE)
        await start()
        with self.assertRaises(AllocationRefused) as caught:
            await start("/dev/bus/usb/001/006")
        self.assertIn("a was /dev/bus/usb/001/006 when this pod", str(caught.exception))
        self.assertEqual(len(threads), 3)
        self.assertNotIn(current_thread(), threads)

    async def test_forgotten(self) -> None:
        """Of very many ids the oldest are forgotten, and the checkpoint has them."""
        self.patch(handing, "MOST_GIVEN", 2)
        directory = temporary_directory(self)
        made = DeclaredScanner(resources('thing: {usb: "0c45:6366"}'), plugin_dir=directory)
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec(RAW_NODE, RAW_NODE)])
        for id_ in "abac":
            answer_of(made, {id_: info})
        asked = {
            id_: made.pre_start_container(
                PreStartContainerRequest("x.example.com/thing", [id_], {id_: info})
            )
            for id_ in "abc"
        }
        (read,) = (read for read in asked.values() if read is not None)
        self.assertIs(read, asked["b"])
        await read
