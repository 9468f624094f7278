"""Tests for `twistdp.resource.inventory`."""

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from random import Random
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.long_lists import BIG, SMALL, devices_for
from tests.support.strategies import made
from tests.support.updates import Scans
from twistdp.errors import ConflictingDevices, UnhealthyDevice, UnknownDevice
from twistdp.kubelet import messages
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    ContainerAllocateResponse,
    Device,
    ListAndWatchResponse,
)
from twistdp.model.allocation import combine, select
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, Mount
from twistdp.model.names import natural_key
from twistdp.resource import inventory as inventory_module
from twistdp.resource.inventory import Inventory
from twistdp.resource.policies import Candidate
from twistdp.resource.room import MOST_BYTES

RESOURCE = "lab.example/x"
GOOD = DeviceInfo(HEALTHY)

Devices = Mapping[str, DeviceInfo]

paths = st.sampled_from(["/dev/a", "/dev/b", "/dev/c", "/dev/ä"])
texts = st.dictionaries(st.sampled_from(["A", "B", "Ü"]), st.sampled_from(["", "1", "ß"]))
infos = st.builds(
    made(DeviceInfo, DeviceInfo(HEALTHY)),
    st.sampled_from([HEALTHY, HEALTHY, UNHEALTHY]),
    nodes=st.lists(
        st.builds(DeviceSpec, paths, paths, st.sampled_from(["r", "rw"])),
        unique_by=lambda node: node.container_path,
        max_size=2,
    ),
    mounts=st.lists(
        st.builds(Mount, paths, paths, st.booleans()),
        unique_by=lambda mount: mount.container_path,
        max_size=2,
    ),
    envs=texts,
    annotations=texts,
)
device_sets = st.dictionaries(
    st.integers(0, 12).map(lambda number: f"x{number}"), infos, max_size=6
)
apart_infos = st.integers(0, 12).flatmap(
    lambda number: st.tuples(
        st.just(f"x{number}"),
        st.builds(
            DeviceInfo,
            st.just(HEALTHY),
            nodes=st.just([DeviceSpec(f"/dev/{number}", f"/dev/{number}")]),
            mounts=st.just([Mount(f"/{number}", f"/{number}", True)]),
            envs=st.just({f"E{number}": "v"}),
            annotations=st.just({f"a{number}": "v"}),
        ),
    )
)


class Scanned(Inventory):
    """An inventory of what scans find."""

    def __init__(self, devices: Devices, sysfs: str = "/nowhere") -> None:
        self._scans = Scans(sysfs)
        super().__init__(RESOURCE, self._scans.update(devices))

    def scan(self, devices: Devices, first: Collection[str] = ()) -> bool:
        """The next scan finds these; whether the list changed by it."""
        return self.update(self._scans.update(devices), first) is not None


def advertised(devices: Devices) -> ListAndWatchResponse:
    """Return the whole list, built from nothing."""
    return ListAndWatchResponse(
        devices=[
            Device(ID=device_id, health=devices[device_id].state)
            for device_id in sorted(devices, key=natural_key)
        ]
    )


def given_to(devices: Devices, ids: list[str]) -> ContainerAllocateResponse:
    """Return a container's answer, built from nothing."""
    allocation = combine(RESOURCE, [(id_, devices[id_]) for id_ in select(RESOURCE, devices, ids)])
    return ContainerAllocateResponse.FromString(messages.container_part(allocation))


class ListedTests(SynchronousTestCase):
    """The advertised list."""

    def test_natural_order(self) -> None:
        """Devices are listed in natural order with their health."""
        devices = {"x10": GOOD, "x9": DeviceInfo(UNHEALTHY), "x1": GOOD}
        listed = ListAndWatchResponse.FromString(Scanned(devices).listed)
        self.assertEqual(
            [(device.ID, device.health) for device in listed.devices],
            [("x1", HEALTHY), ("x9", UNHEALTHY), ("x10", HEALTHY)],
        )

    def test_empty(self) -> None:
        """Without devices the list is the empty message."""
        self.assertEqual(Scanned({}).listed, b"")

    @given(st.lists(device_sets, min_size=1, max_size=4))
    def test_equals_one_built_anew(self, states: list[Devices]) -> None:
        """However the devices changed, the joined bytes are the message of the last state."""
        subject = Scanned(states[0])
        for state in states[1:]:
            before = advertised(subject.devices)
            changed = subject.scan(state)
            self.assertEqual(changed, before != advertised(state))
        self.assertEqual(ListAndWatchResponse.FromString(subject.listed), advertised(states[-1]))


class UpdateTests(SynchronousTestCase):
    """`Inventory.update` takes over another set of devices."""

    def test_says_whether_the_list_changed(self) -> None:
        """Ids that come or go and health change the list; other parts do not."""
        sick = DeviceInfo(UNHEALTHY)
        for before, after, changed in (
            ({}, {}, False),
            ({"a": GOOD}, {"a": GOOD}, False),
            ({"a": GOOD}, {"a": DeviceInfo(HEALTHY)}, False),
            ({"a": GOOD}, {"a": DeviceInfo(HEALTHY, envs={"A": "1"})}, False),
            ({"a": sick}, {"a": attrs.evolve(sick, reason="hot")}, False),
            ({"a": GOOD, "b": GOOD}, {"b": GOOD, "a": GOOD}, False),
            ({}, {"a": GOOD}, True),
            ({"a": GOOD}, {}, True),
            ({"a": GOOD}, {"b": GOOD}, True),
            ({"a": GOOD}, {"a": sick}, True),
            ({"a": GOOD, "b": sick}, {"a": sick, "b": sick}, True),
            ({"a": GOOD, "b": GOOD}, {"a": sick, "b": DeviceInfo(HEALTHY)}, True),
        ):
            subject = Scanned(before)
            self.assertIs(subject.scan(after), changed)
            self.assertEqual(subject.devices, after)

    def test_figures(self) -> None:
        """However devices come, change and go, the counts are those of a new inventory."""

        def figures(subject: Inventory) -> list[object]:
            return [subject.size, subject.unhealthy, subject.placed, dict(subject.nodes)]

        both = DeviceInfo(HEALTHY, topology=[0, 1])
        sick = DeviceInfo(UNHEALTHY, topology=[1])
        placeless = DeviceInfo(HEALTHY, topology=None)
        subject = Scanned({})
        for state in (
            {"a": both, "b": sick, "c": placeless},
            {"a": both, "b": both, "c": placeless},
            {"a": both, "c": sick},
            {"a": placeless, "c": sick},
            {"a": placeless},
            {},
            {"long-id": both},
        ):
            subject.scan(state)
            self.assertEqual(figures(subject), figures(Scanned(state)))
        subject.scan({"a": both, "b": sick})
        self.assertEqual(figures(subject)[1:], [1, 2, {0: 1, 1: 2}])

    def test_encodes_only_what_changed(self) -> None:
        """A device's bytes are made when it appears or changes, and then no more."""
        encoded: list[str] = []

        def recorded(device_id: str, *rest: Any) -> bytes:
            encoded.append(device_id)
            return messages.listed_part(device_id, *rest)

        self.patch(inventory_module, "listed_part", recorded)
        devices = {f"x{number}": GOOD for number in range(100)}
        subject = Scanned(devices)
        self.assertEqual(encoded, list(devices))
        del encoded[:]
        for state, expected in (
            (devices, []),
            ({key: DeviceInfo(HEALTHY) for key in devices}, []),
            ({**devices, "x7": DeviceInfo(UNHEALTHY)}, ["x7"]),
            ({**devices, "y": GOOD}, ["x7", "y"]),
            (devices, []),
            ({**devices, "x1": DeviceInfo(HEALTHY, envs={"A": "1"})}, ["x1"]),
        ):
            subject.scan(state)
            subject.container(["x2", "x3"])
            self.assertEqual(encoded, expected)
            del encoded[:]

    def test_one_among_many(self) -> None:
        """A change of one device among thousands costs one encoding, and so does handing it out."""
        encoded: list[str] = []

        def counted(kind: str) -> None:
            encode = getattr(messages, kind)

            def recorded(*arguments: Any) -> bytes:
                encoded.append(kind)
                return bytes(encode(*arguments))

            self.patch(inventory_module, kind, recorded)

        devices = {f"x{number}": DeviceInfo(HEALTHY, topology=None) for number in range(10_000)}
        subject = Scanned(devices)
        for kind in ("listed_part", "container_part"):
            counted(kind)
        for state, changes in (
            ({**devices, "x7": DeviceInfo(UNHEALTHY)}, 1),
            ({**devices, "x7": DeviceInfo(UNHEALTHY), "y": GOOD}, 1),
            ({**devices, "y": DeviceInfo(HEALTHY)}, 1),
            (devices, 0),
            ({key: attrs.evolve(info) for key, info in devices.items()}, 0),
        ):
            subject.scan(state)
            self.assertEqual(encoded, ["listed_part"] * changes)
            self.assertEqual(subject.unhealthy, state["x7"].state == UNHEALTHY)
            del encoded[:]
        for _ in range(2):
            subject.container(["x1", "x2"])
        self.assertEqual(encoded, ["container_part"] * 2)

    def test_new_container_parts(self) -> None:
        """A part that is not advertised is nevertheless taken over."""
        subject = Scanned({"a": GOOD})
        subject.scan({"a": DeviceInfo(HEALTHY, envs={"A": "1"})})
        answer = ContainerAllocateResponse.FromString(subject.container(["a"]))
        self.assertEqual(dict(answer.envs), {"A": "1"})


class LongListTests(SynchronousTestCase):
    """Lists at the limit of a kubelet's messages."""

    def setUp(self) -> None:
        """Devices that fill it to the last byte."""
        self.full = devices_for(MOST_BYTES)

    def listed(self, subject: Inventory) -> set[str]:
        """The ids in the list, which always fits."""
        self.assertLessEqual(len(subject.listed), MOST_BYTES)
        return {device.ID for device in ListAndWatchResponse.FromString(subject.listed).devices}

    def test_full(self) -> None:
        """A list of just so many bytes has all devices."""
        subject = Scanned(self.full)
        self.assertEqual(len(subject.listed), MOST_BYTES)
        self.assertEqual(subject.size, MOST_BYTES)
        self.assertEqual(self.listed(subject), self.full.keys())
        self.assertEqual(subject.left_out, frozenset())

    def test_one_byte_more(self) -> None:
        """With one byte more it has as many as fit, and all again when they fit again."""
        *_, last = self.full
        more = {id_: info for id_, info in self.full.items() if id_ != last}
        more[f"{last}y"] = SMALL
        subject = Scanned(more)
        self.assertEqual(subject.size, MOST_BYTES + 1)
        self.assertEqual(subject.left_out, {f"{last}y"})
        self.assertEqual(self.listed(subject), more.keys() - subject.left_out)
        self.assertIs(subject.scan(self.full), True)
        self.assertEqual(self.listed(subject), self.full.keys())
        self.assertEqual(subject.left_out, frozenset())

    def test_newcomers_drive_nobody_out(self) -> None:
        """A listed device stays listed, whatever comes before it in the order."""
        subject = Scanned(self.full)
        for number in range(3):
            newcomers = {f"a{number}": BIG for number in range(number + 1)}
            self.assertIs(subject.scan({**newcomers, **self.full}), False)
            self.assertEqual(subject.left_out, newcomers.keys())

    def test_room_for_some(self) -> None:
        """Room that a vanished device leaves goes to the first in natural order."""
        subject = Scanned(self.full)
        waiting = {f"a{number}": BIG for number in (10, 9, 2)}
        subject.scan({**waiting, **self.full})
        for gone, left_out in (("b000", {"a9", "a10"}), ("b001", {"a10"})):
            del self.full[gone]
            self.assertIs(subject.scan({**waiting, **self.full}), True)
            self.assertEqual(subject.left_out, left_out)

    def test_those_handed_out_first(self) -> None:
        """Devices that containers have are listed before all others."""
        subject = Scanned(self.full)
        more = {**self.full, "z": BIG}
        subject.scan(more, first={"z", "gone"})
        self.assertIn("z", self.listed(subject))
        self.assertEqual(len(subject.left_out), 1)

    def test_given_nevertheless(self) -> None:
        """A device that is there and healthy is given, listed or not."""
        subject = Scanned({**self.full, "z": attrs.evolve(BIG, envs={"A": "1"})})
        self.assertEqual(subject.left_out, {"z"})
        answer = ContainerAllocateResponse.FromString(subject.container(["z"]))
        self.assertEqual(dict(answer.envs), {"A": "1"})


class ContainerTests(SynchronousTestCase):
    """Answers for containers."""

    @given(st.lists(device_sets, min_size=1, max_size=3), st.randoms(use_true_random=False))
    def test_equals_one_built_anew(self, states: list[Devices], random: Random) -> None:
        """However the devices changed, the bytes are the message of the chosen devices.

        And where these cannot be given together, that is refused.
        """
        subject = Scanned(states[0])
        for state in states[1:]:
            subject.scan(state)
        healthy = [id_ for id_, info in states[-1].items() if info.state == HEALTHY]
        chosen = random.sample(healthy, random.randint(0, len(healthy)))
        try:
            expected = given_to(states[-1], chosen)
        except ConflictingDevices as error:
            refusal = self.assertRaises(ConflictingDevices, subject.container, chosen)
            self.assertEqual(str(refusal), str(error))
        else:
            self.assertEqual(
                ContainerAllocateResponse.FromString(subject.container(chosen)), expected
            )

    @given(st.lists(apart_infos, max_size=8).map(dict))
    def test_joined_blindly(self, devices: Devices) -> None:
        """Devices that share nothing are joined without being combined."""
        self.patch(inventory_module, "combine", None)
        self.assertEqual(
            ContainerAllocateResponse.FromString(Scanned(devices).container(devices)),
            given_to(devices, list(devices)),
        )

    def test_shared_things_once(self) -> None:
        """A node that several devices need is given once."""
        control = DeviceSpec("/dev/ctl", "/dev/ctl")
        subject = Scanned(
            {
                key: DeviceInfo(HEALTHY, nodes=[control, DeviceSpec(f"/dev/{key}", f"/dev/{key}")])
                for key in "ab"
            },
        )
        answer = ContainerAllocateResponse.FromString(subject.container(["b", "a"]))
        self.assertEqual(
            [node.host_path for node in answer.devices], ["/dev/ctl", "/dev/a", "/dev/b"]
        )

    def test_conflict(self) -> None:
        """Devices that contradict each other are refused together and given alone."""
        subject = Scanned({key: DeviceInfo(HEALTHY, envs={"KEY": key}) for key in "ab"})
        error = self.assertRaises(ConflictingDevices, subject.container, ["a", "b"])
        self.assertIn("devices a and b", str(error))
        self.assertIn("KEY", str(error))
        for key in "ab":
            answer = ContainerAllocateResponse.FromString(subject.container([key]))
            self.assertEqual(dict(answer.envs), {"KEY": key})

    def test_conflict_that_goes_and_comes(self) -> None:
        """A conflict is noticed when it appears by an update and forgotten when it vanishes."""
        apart = {key: DeviceInfo(HEALTHY, envs={f"KEY_{key}": key}) for key in "ab"}
        clash = {**apart, "b": DeviceInfo(HEALTHY, envs={"KEY_a": "other"})}
        subject = Scanned(apart)
        for _ in range(2):
            subject.scan(clash)
            self.assertRaises(ConflictingDevices, subject.container, ["a", "b"])
            subject.scan(apart)
            answer = ContainerAllocateResponse.FromString(subject.container(["a", "b"]))
            self.assertEqual(dict(answer.envs), {"KEY_a": "a", "KEY_b": "b"})

    def test_joined_blindly_again(self) -> None:
        """Devices that share nothing any more are joined without being combined."""
        apart = {key: DeviceInfo(HEALTHY, envs={f"KEY_{key}": key}) for key in "ab"}
        subject = Scanned(apart)
        self.patch(inventory_module, "combine", None)
        for shared in ({**apart, "b": apart["a"]}, {**apart, "c": apart["a"]}):
            subject.scan(shared)
            subject.scan(apart)
            answer = ContainerAllocateResponse.FromString(subject.container(["a", "b"]))
            self.assertEqual(dict(answer.envs), {"KEY_a": "a", "KEY_b": "b"})

    def test_known(self) -> None:
        """Return the known ones of the ids, with their devices."""
        subject = Scanned({"a": GOOD, "b": GOOD})
        self.assertEqual(subject.known(["b", "z"]), {"b": GOOD})

    def test_repeated_id(self) -> None:
        """An id that is asked for twice is given once."""
        subject = Scanned({"a": DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/a", "/dev/a")])})
        self.assertEqual(subject.container(["a", "a"]), subject.container(["a"]))

    def test_repeated_node_within_a_device(self) -> None:
        """A node that one device lists twice is given once, also to a container of its own."""
        node = DeviceSpec("/dev/a", "/dev/a")
        subject = Scanned({"a": DeviceInfo(HEALTHY, nodes=[node, node])})
        answer = ContainerAllocateResponse.FromString(subject.container(["a"]))
        self.assertEqual(len(answer.devices), 1)

    def test_refusals(self) -> None:
        """Devices that are unknown, vanished or unhealthy are refused."""
        subject = Scanned({"a": GOOD, "b": GOOD})
        subject.scan({"a": DeviceInfo(UNHEALTHY)})
        self.assertRaises(UnknownDevice, subject.container, ["b"])
        self.assertRaises(UnhealthyDevice, subject.container, ["a"])


class TopologyTests(SynchronousTestCase):
    """NUMA nodes in the advertised list."""

    def nodes_of(self, info: DeviceInfo, sysfs: str = "/nowhere") -> list[int] | None:
        """The nodes that are advertised for a device; None for no topology at all."""
        subject = Scanned({"a": info}, sysfs)
        (device,) = ListAndWatchResponse.FromString(subject.listed).devices
        return [n.ID for n in device.topology.nodes] if device.HasField("topology") else None

    def test_given_nodes(self) -> None:
        """Nodes that the scanner gives are advertised; None and an empty list are no topology."""
        for nodes, expected in (([1, 0], [1, 0]), (None, None), ([], None)):
            self.assertEqual(self.nodes_of(DeviceInfo(HEALTHY, topology=nodes)), expected)

    def test_looked_up_nodes(self) -> None:
        """Without a word of the scanner they come from sysfs, by the device node's numbers."""
        sysfs = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, sysfs)
        device = os.path.join(sysfs, "devices", "pci0000:00", "0000:00:02.0")
        os.makedirs(os.path.join(device, "mem", "null"))
        os.makedirs(os.path.join(sysfs, "dev", "char"))
        with open(os.path.join(device, "numa_node"), "w", encoding="ascii") as file:
            file.write("1\n")
        os.symlink(
            "../../devices/pci0000:00/0000:00:02.0/mem/null",
            os.path.join(sysfs, "dev", "char", "1:3"),
        )
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/null", "/dev/null")])
        self.assertEqual(self.nodes_of(info, sysfs), [1])
        self.assertEqual(self.nodes_of(info), None)
        self.assertEqual(self.nodes_of(attrs.evolve(info, topology=None), sysfs), None)

    def test_natural(self) -> None:
        """Each id once, those that there are and others, numbers by their value."""
        subject = Scanned(dict.fromkeys(["x9", "x10"], DeviceInfo(HEALTHY)))
        self.assertEqual(
            subject.natural(["x10", "x9", "x11", "x10", "x2"]), ["x2", "x9", "x10", "x11"]
        )

    def test_candidates(self) -> None:
        """Policies see groups, nodes and natural order of those ids that there are."""
        devices = {
            "x10": DeviceInfo(HEALTHY, topology=[1]),
            "x9": DeviceInfo(HEALTHY, topology=None, group="card"),
        }
        subject = Scanned(devices)
        self.assertEqual(
            subject.candidates(["x10", "y", "x9"]),
            [Candidate("x9", "card"), Candidate("x10", "x10", (1,))],
        )

    def test_candidates_in_natural_order(self) -> None:
        """Policies get ids in natural order, whether few of the devices are asked for or all."""
        subject = Scanned({f"x{n}": DeviceInfo(HEALTHY) for n in range(100)})
        for number in (3, 100):
            some = [f"x{n}" for n in range(100 - number, 100)]
            found = subject.candidates(Random(7).sample(some * 2, k=2 * number))
            self.assertEqual([each.id for each in found], some)
