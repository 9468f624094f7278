"""Tests for `twistdp.model.allocation`."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.strategies import made
from twistdp.errors import ConflictingDevices, UnhealthyDevice, UnknownDevice
from twistdp.model.allocation import Combined, SharedClaims, claims, combine, select
from twistdp.model.cdi import CDIDevice, CDIMount, CDINode
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, Mount

GOOD = DeviceInfo(HEALTHY)
RESOURCE = "lab.example/x"

texts = st.dictionaries(st.sampled_from("ABC"), st.sampled_from("12"), max_size=2)
infos = st.builds(
    made(DeviceInfo, DeviceInfo(HEALTHY)),
    st.just(HEALTHY),
    nodes=st.lists(st.sampled_from("ab").map(lambda n: DeviceSpec(f"/{n}", f"/{n}")), max_size=2),
    mounts=st.lists(st.sampled_from("ab").map(lambda n: Mount(f"/{n}", f"/{n}")), max_size=2),
    envs=texts,
    annotations=texts,
)


class SelectTests(SynchronousTestCase):
    """`select` checks and orders the requested ids."""

    def test_natural_order(self) -> None:
        """The ids come each once and in natural order, whatever order they were asked for in."""
        devices = {f"loop{number}": GOOD for number in range(12)}
        ids = [*devices, "loop3", "loop3"]
        random.Random(1).shuffle(ids)
        self.assertEqual(select(RESOURCE, devices, ids), list(devices))
        self.assertEqual(select(RESOURCE, devices, iter(["loop10", "loop9"])), ["loop9", "loop10"])

    def test_nothing(self) -> None:
        """Asking for no device selects none."""
        self.assertEqual(select(RESOURCE, {"a": GOOD}, []), [])

    def test_unknown(self) -> None:
        """A device that is not there is named with its resource, and the text says what to do."""
        error = self.assertRaises(UnknownDevice, select, RESOURCE, {"a": GOOD}, ["c", "a", "b"])
        self.assertEqual(
            str(error),
            "lab.example/x has no device b, c (any more): it was unplugged or renamed since the "
            "pod was scheduled; delete the pod, and a new one gets a present device",
        )

    def test_many_unknown(self) -> None:
        """Of many unknown devices the first eight are named and the others counted."""
        for count, listed in (
            (8, "d0, d1, d2, d3, d4, d5, d6, d7 (any more)"),
            (9, "d0, d1, d2, d3, d4, d5, d6, d7 and 1 more (any more)"),
            (11, "d0, d1, d2, d3, d4, d5, d6, d7 and 3 more (any more)"),
        ):
            ids = [f"d{number}" for number in range(count)]
            error = self.assertRaises(UnknownDevice, select, RESOURCE, {}, ids)
            self.assertIn(listed, str(error))

    def test_unhealthy(self) -> None:
        """An unhealthy device is named with its resource and reason, and what to do."""
        devices = {
            "a": GOOD,
            "b": DeviceInfo(UNHEALTHY, reason="too hot"),
            "c": DeviceInfo(UNHEALTHY),
        }
        error = self.assertRaises(UnhealthyDevice, select, RESOURCE, devices, ["c", "b", "a"])
        self.assertEqual(
            str(error),
            "lab.example/x: device b, c is unhealthy (b: too hot); fix the device or delete the "
            "pod, and a new one gets a healthy device",
        )
        error = self.assertRaises(UnhealthyDevice, select, RESOURCE, devices, ["c"])
        self.assertIn("device c is unhealthy; fix", str(error))

    def test_unknown_goes_first(self) -> None:
        """With an unknown and an unhealthy device, the error names the unknown one."""
        devices = {"a": DeviceInfo(UNHEALTHY)}
        self.assertRaises(UnknownDevice, select, RESOURCE, devices, ["a", "b"])

    def test_odd_unknown_ids(self) -> None:
        """Any text that is no device's id is an unknown device."""
        for odd in ("", "²", "1²", "ä", "\0", "9" * 5000):
            self.assertRaises(UnknownDevice, select, RESOURCE, {"a": GOOD}, [odd])


class CombineTests(SynchronousTestCase):
    """`combine` puts devices together for one container."""

    def test_all_parts(self) -> None:
        """The devices' parts follow each other in the devices' order."""
        one = DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec("/dev/1", "/dev/1"), DeviceSpec("/dev/1b", "/dev/1b", "r")],
            mounts=[Mount("/1", "/1")],
            envs={"A": "1"},
            annotations={"a": "1"},
        )
        two = DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec("/dev/0", "/dev/0")],
            mounts=[Mount("/0", "/0", True)],
            envs={"B": "2"},
            annotations={"b": "2"},
        )
        self.assertEqual(
            combine(RESOURCE, [("one", one), ("two", two)]),
            Combined(
                {"A": "1", "B": "2"},
                [*one.mounts, *two.mounts],
                [*one.nodes, *two.nodes],
                {"a": "1", "b": "2"},
            ),
        )

    def test_nothing(self) -> None:
        """No devices give nothing."""
        self.assertEqual(combine(RESOURCE, []), Combined({}, [], [], {}))

    def test_equal_things_once(self) -> None:
        """Parts that two devices have in common appear once."""
        both = DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec("/dev/ctl", "/dev/ctl")],
            mounts=[Mount("/lib", "/lib", True)],
            envs={"A": "1"},
            annotations={"a": "1"},
        )
        self.assertEqual(
            combine(RESOURCE, [("one", both), ("two", both), ("three", both)]),
            Combined({"A": "1"}, list(both.mounts), list(both.nodes), {"a": "1"}),
        )

    def test_repeated_within_a_device(self) -> None:
        """A part that one device lists twice appears once."""
        node, mount = DeviceSpec("/dev/a", "/dev/a"), Mount("/a", "/a")
        info = DeviceInfo(HEALTHY, nodes=[node, node], mounts=[mount, mount])
        self.assertEqual(
            combine(RESOURCE, [("a", info)]),
            Combined({}, [mount], [node], {}),
        )

    def test_one_host_path_at_two_places(self) -> None:
        """One thing of the host may appear at several paths, and one path as node and mount."""
        one = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/a", "/dev/x")])
        two = DeviceInfo(
            HEALTHY, nodes=[DeviceSpec("/dev/a", "/dev/y")], mounts=[Mount("/m", "/dev/x")]
        )
        combined = combine(RESOURCE, [("1", one), ("2", two)])
        self.assertEqual(len(combined.nodes), 2)
        self.assertEqual(len(combined.mounts), 1)

    def test_conflicts(self) -> None:
        """The error names both devices that disagree, the resource and the key."""
        for kind, key, values, one, two in (
            (
                "env",
                "KEY",
                ("v1", "v2"),
                DeviceInfo(HEALTHY, envs={"KEY": "v1"}),
                DeviceInfo(HEALTHY, envs={"KEY": "v2"}),
            ),
            (
                "annotation",
                "key",
                ("v1", "v2"),
                DeviceInfo(HEALTHY, annotations={"key": "v1"}),
                DeviceInfo(HEALTHY, annotations={"key": "v2"}),
            ),
            (
                "device path",
                "/dev/x",
                ("/dev/h1", "/dev/h2"),
                DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/h1", "/dev/x")]),
                DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/h2", "/dev/x")]),
            ),
            (
                "device path",
                "/dev/x",
                ("'r'", "'rw'"),
                DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/h", "/dev/x", "r")]),
                DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/h", "/dev/x", "rw")]),
            ),
            (
                "mount path",
                "/m",
                ("read_only=True", "read_only=False"),
                DeviceInfo(HEALTHY, mounts=[Mount("/h", "/m", True)]),
                DeviceInfo(HEALTHY, mounts=[Mount("/h", "/m", False)]),
            ),
        ):
            devices = [("first", one), ("neutral", GOOD), ("second", two)]
            error = str(self.assertRaises(ConflictingDevices, combine, RESOURCE, devices))
            self.assertIn(f"{RESOURCE}: devices first and second cannot", error)
            self.assertIn(f"its {kind} {key} different values", error)
            self.assertIn("one device a container", error)
            for value in values:
                self.assertNotIn(value, error)  # which may be a secret
            self.assertNotIn("\n", error)

    def test_joined(self) -> None:
        """Values of a key that may be joined are, in the devices' order and each once."""
        devices = [
            (value, DeviceInfo(HEALTHY, envs={"K": value}, annotations={"K": value}))
            for value in ("b", "a", "b")
        ]
        joined = combine(RESOURCE, devices, {"K": "+"})
        self.assertEqual((joined.envs, joined.annotations), ({"K": "b+a"}, {"K": "b+a"}))

    def test_cdi_conflicts(self) -> None:
        """CDI parts are compared too, also with parts that other devices give without CDI."""
        for one, two, claim in (
            (CDIDevice(env={"A": "1"}), CDIDevice(env={"A": "2"}), "env A"),
            (
                CDIDevice(nodes=[CDINode("/dev/a")]),
                CDIDevice(nodes=[CDINode("/dev/a", "/dev/b")]),
                "device path /dev/a",
            ),
            (
                CDIDevice(mounts=[CDIMount("/a", "/c")]),
                CDIDevice(mounts=[CDIMount("/b", "/c")]),
                "mount path /c",
            ),
        ):
            devices = [("first", DeviceInfo(HEALTHY, cdi=one))]
            combine(RESOURCE, [*devices, ("same", DeviceInfo(HEALTHY, cdi=one))])
            devices.append(("second", DeviceInfo(HEALTHY, cdi=two)))
            error = self.assertRaises(ConflictingDevices, combine, RESOURCE, devices)
            self.assertIn(f"its {claim} different values", str(error))
        mixed = [
            ("first", DeviceInfo(HEALTHY, envs={"A": "1"})),
            ("second", DeviceInfo(HEALTHY, cdi=CDIDevice(env={"A": "2"}))),
        ]
        self.assertRaises(ConflictingDevices, combine, RESOURCE, mixed)


class ClaimsTests(SynchronousTestCase):
    """`claims` lists the things that a container has only once."""

    def test_all_kinds(self) -> None:
        """Variables, annotations, and the container's paths of nodes and mounts are claimed."""
        info = DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec("/dev/h", "/dev/c")],
            mounts=[Mount("/h", "/c")],
            envs={"A": "1"},
            annotations={"a": "1"},
        )
        self.assertEqual(
            sorted(claims(info)),
            [("annotation", "a"), ("device path", "/dev/c"), ("env", "A"), ("mount path", "/c")],
        )

    def test_one_kind_alone(self) -> None:
        """Each kind is claimed without the others, and by a CDI part as by a device."""
        node, mount = DeviceSpec("/dev/h", "/dev/c"), Mount("/h", "/c")
        for info, claimed in (
            (DeviceInfo(HEALTHY, nodes=[node]), [("device path", "/dev/c")]),
            (DeviceInfo(HEALTHY, mounts=[mount]), [("mount path", "/c")]),
            (DeviceInfo(HEALTHY, envs={"A": "1"}), [("env", "A")]),
            (DeviceInfo(HEALTHY, annotations={"a": "1"}), [("annotation", "a")]),
            (
                DeviceInfo(
                    HEALTHY,
                    cdi=CDIDevice(
                        env={"A": "1"},
                        nodes=[CDINode("/dev/c")],
                        mounts=[CDIMount("/h", "/c")],
                    ),
                ),
                [("device path", "/dev/c"), ("mount path", "/c"), ("env", "A")],
            ),
        ):
            self.assertEqual(claims(info), claimed)


class SharedClaimsTests(SynchronousTestCase):
    """`SharedClaims` keeps count while devices come and go."""

    def test_kinds_are_apart(self) -> None:
        """A variable and an annotation of one name, or a node and a mount at one path, differ."""
        shared = SharedClaims()
        for info in (
            DeviceInfo(HEALTHY, envs={"a": "1"}),
            DeviceInfo(HEALTHY, annotations={"a": "1"}),
            DeviceInfo(HEALTHY, nodes=[DeviceSpec("/a", "/a")]),
            DeviceInfo(HEALTHY, mounts=[Mount("/a", "/a")]),
        ):
            shared.count(info, 1)
        self.assertFalse(shared)

    def test_several(self) -> None:
        """A claim is shared until one device is left that makes it; of none, nothing is kept."""
        shared, info = SharedClaims(), DeviceInfo(HEALTHY, envs={"a": "1"})
        for _ in range(2):
            for count in (1, 2, 3):
                shared.count(info, 1)
                self.assertEqual(bool(shared), count > 1)
            for left in (2, 1, 0):
                shared.count(info, -1)
                self.assertEqual(bool(shared), left > 1)
            self.assertEqual([len(uses) for uses in shared._uses.values()], [0])

    @given(st.lists(st.tuples(st.booleans(), infos, st.integers(0, 9)), max_size=20))
    def test_equals_brute_force(self, steps: list[tuple[bool, DeviceInfo, int]]) -> None:
        """After any additions and removals the result is that of counting again."""
        shared = SharedClaims()
        present: list[DeviceInfo] = []
        self.assertFalse(shared)
        for adding, info, place in steps:
            if adding or not present:
                present.append(info)
                shared.count(info, 1)
            else:
                shared.count(present.pop(place % len(present)), -1)
            counted = Counter(claim for one in present for claim in claims(one))
            self.assertEqual(bool(shared), any(count > 1 for count in counted.values()))
