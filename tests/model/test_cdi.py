"""Tests for `twistdp.cdi` and `twistdp.cdi.spec`."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.model.test_names import domains, resource_types
from tests.support.cdi_rules import NAME, Broken, check_spec
from tests.support.cdi_samples import ALL, NULL, ZERO, device_ids, devices
from twistdp.cdi.spec import (
    VERSIONS,
    device_name,
    edits,
    entry_of,
    kind,
    minimum_version,
    parse_spec,
    qualified_name,
    spec_text,
)
from twistdp.errors import BadDevice
from twistdp.model.acceptance import accept
from twistdp.model.cdi import CDIDevice, CDIHook, CDIIntelRdt, CDIMount, CDINetDevice, CDINode

KIND = "color.example.com/yellow"
SURROGATE = os.fsdecode(b"/dev/\xff")


def version_of(device: CDIDevice, device_id: str = "a", of: str = KIND) -> str:
    """The version that a spec of one device states; the spec keeps all rules."""
    spec = check_spec(spec_text(of, [entry_of(device_id, device)]))
    assert spec["cdiVersion"] == minimum_version(of, [entry_of(device_id, device)])
    return str(spec["cdiVersion"])


class ValueTests(SynchronousTestCase):
    """The parts are values."""

    def test_frozen_and_copied(self) -> None:
        """Nothing that was given to a value can change it afterwards."""
        nodes, env = [CDINode("/dev/a")], {"A": "1"}
        device = CDIDevice(nodes=nodes, env=env)
        nodes.clear()
        env.clear()
        self.assertEqual(device, CDIDevice(nodes=[CDINode("/dev/a")], env={"A": "1"}))
        with self.assertRaises(attrs.exceptions.FrozenInstanceError):
            device.nodes = ()  # type: ignore[misc]
        with self.assertRaises(TypeError):
            device.env["A"] = "2"  # type: ignore[index]

    def test_hashable(self) -> None:
        """Values can be members of sets."""
        self.assertEqual(len({ALL, attrs.evolve(ALL), NULL}), 2)


def with_node(**parts: Any) -> CDIDevice:
    """A device with one node."""
    return CDIDevice(nodes=[CDINode(**{"path": "/dev/a", **parts})])


def with_mount(**parts: Any) -> CDIDevice:
    """A device with one mount."""
    return CDIDevice(mounts=[CDIMount(**{"host_path": "/a", "container_path": "/a", **parts})])


def with_hook(**parts: Any) -> CDIDevice:
    """A device with one hook."""
    return CDIDevice(hooks=[CDIHook(**{"name": "poststop", "path": "/bin/x", **parts})])


def with_rdt(**parts: Any) -> CDIDevice:
    """A device with resctrl settings."""
    return CDIDevice(intel_rdt=CDIIntelRdt(**parts))


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: CDIDevice(), "empty"),
    (lambda: CDIDevice(nodes="/dev/a"), "nodes"),
    (lambda: CDIDevice(nodes=["/dev/a"]), "CDINode"),
    (lambda: CDIDevice(nodes=[CDINode("/dev/a"), CDINode("/dev/a", "/dev/b")]), "twice"),
    (lambda: with_node(path="dev/a"), "absolute"),
    (lambda: with_node(path="/dev/../etc/x"), "'..'"),
    (lambda: with_node(path="/dev/\0"), "U+0000"),
    (lambda: with_node(path=None), "absolute"),
    (lambda: with_node(path=SURROGATE), "UTF-8"),
    (lambda: with_node(path="/dev"), "themselves"),
    (lambda: with_node(path="/dev/a\x1b[2J"), "U+001B"),
    (lambda: with_node(host_path="/dev/"), "themselves"),
    (lambda: with_node(host_path=""), "host_path"),
    (lambda: with_node(host_path="/x/.."), "host_path"),
    (lambda: with_node(type="char"), "b, c, u, p"),
    (lambda: with_node(type=""), "type"),
    (lambda: with_node(permissions=""), "rwm"),
    (lambda: with_node(permissions="rx"), "rwm"),
    (lambda: with_node(permissions=None), "rwm"),
    (lambda: with_node(major=1), "both"),
    (lambda: with_node(minor=1), "both"),
    (lambda: with_node(major=-1, minor=0), "major"),
    (lambda: with_node(major=1, minor="3"), "minor"),
    (lambda: with_node(file_mode=0o4755), "file_mode"),
    (lambda: with_node(uid=-1), "uid"),
    (lambda: with_node(uid=2**32), "uid"),
    (lambda: with_node(gid=True), "gid"),
    (lambda: CDIDevice(mounts=[CDINode("/a")]), "CDIMount"),
    (lambda: with_mount(container_path="a"), "container_path"),
    (lambda: with_mount(host_path="a"), "host_path"),
    (lambda: with_mount(host_path="/a/../b"), "host_path"),
    (lambda: with_mount(host_path="/."), "everything"),
    (lambda: with_mount(container_path="/proc"), "themselves"),
    (lambda: with_mount(options=["bind", "ro\n"]), "U+000A"),
    (lambda: with_mount(options=[], type="tmpfs\u202e"), "U+202E"),
    (lambda: with_mount(options=[], type="tmpfs", host_path="a\x85"), "U+0085"),
    (lambda: with_mount(options=["ro"]), "rbind"),
    (lambda: with_mount(options=[], type="none"), "rbind"),
    (lambda: with_mount(options="bind"), "options"),
    (lambda: with_mount(options=["bind", ""]), "options"),
    (lambda: with_mount(options=["bind", 1]), "options"),
    (lambda: with_mount(type=None), "type"),
    (lambda: with_mount(host_path="", type="tmpfs", options=[]), "host_path"),
    (lambda: CDIDevice(mounts=[CDIMount("/a", "/x"), CDIMount("/b", "/x")]), "twice"),
    (lambda: with_hook(name="prestart"), "createRuntime"),
    (lambda: with_hook(path="hook"), "absolute"),
    (lambda: with_hook(path="/bin/\x7f"), "U+007F"),
    (lambda: with_hook(args="x"), "args"),
    (lambda: with_hook(args=["a\0"]), "NUL"),
    (lambda: with_hook(env={"A\n": ""}), "U+000A"),
    (lambda: with_hook(args=[b"x"]), "args"),
    (lambda: with_hook(env={"A=B": ""}), "'='"),
    (lambda: with_hook(env=["A=B"]), "dict"),
    (lambda: with_hook(timeout=0), "timeout"),
    (lambda: with_hook(timeout=1.5), "timeout"),
    (lambda: CDIDevice(env={"": "x"}), "env"),
    (lambda: CDIDevice(env={"A=": "x"}), "'='"),
    (lambda: CDIDevice(env={"A\0": "x"}), "U+0000"),
    (lambda: CDIDevice(env={"A": "x\0"}), "NUL"),
    (lambda: CDIDevice(env={"A": 1}), "env"),
    (lambda: CDIDevice(env={"A": SURROGATE}), "UTF-8"),
    (lambda: CDIDevice(env=[("A", "1")]), "dict"),
    (lambda: CDIDevice(additional_gids=[-1]), "additional_gids"),
    (lambda: CDIDevice(additional_gids=["44"]), "additional_gids"),
    (lambda: CDIDevice(net_devices=[CDINetDevice("", "a")]), "host_name"),
    (lambda: CDIDevice(net_devices=[CDINetDevice("eth0", "a b")]), "name"),
    (lambda: CDIDevice(net_devices=[CDINetDevice("a" * 16, "a")]), "15 bytes"),
    (lambda: CDIDevice(net_devices=[CDINetDevice("a", "x"), CDINetDevice("b", "x")]), "twice"),
    (lambda: CDIDevice(net_devices=[CDINetDevice("a", "x"), CDINetDevice("a", "y")]), "twice"),
    (lambda: CDIDevice(intel_rdt={}), "CDIIntelRdt"),  # type: ignore[arg-type]
    (lambda: with_rdt(clos_id="a/b"), "clos_id"),
    (lambda: with_rdt(clos_id=".."), "clos_id"),
    (lambda: with_rdt(clos_id="x" * 4096), "clos_id"),
    (lambda: with_rdt(clos_id="a\x9b"), "U+009B"),
    (lambda: with_rdt(l3_cache_schema="L3:0=f\nMB:0=10"), "U+000A"),
    (lambda: with_rdt(mem_bw_schema="\x00"), "U+0000"),
    (lambda: with_rdt(schemata=["L2:0=3\r"]), "U+000D"),
    (lambda: CDIDevice(net_devices=[CDINetDevice("eth0", "a\u2069")]), "U+2069"),
    (lambda: with_rdt(mem_bw_schema=None), "mem_bw_schema"),
    (lambda: with_rdt(schemata=[""]), "schemata"),
    (lambda: with_rdt(enable_monitoring=1), "True or False"),
]
"""Refused values, with a part of the reason."""


class CheckTests(SynchronousTestCase):
    """Values that runtimes would refuse are refused when they are made."""

    def test_bad(self) -> None:
        """Each mistake is refused with one line that names it."""
        for value, reason in BAD:
            with self.assertRaises(BadDevice, msg=reason) as raised:
                value()
            self.assertIn(reason, str(raised.exception))
            self.assertNotIn("\n", str(raised.exception))

    def test_good(self) -> None:
        """A device may have every part, or only one."""
        for device in (
            ALL,
            NULL,
            with_mount(),
            with_mount(host_path="tmpfs", type="tmpfs", options=[]),
            with_hook(),
            with_rdt(),
            CDIDevice(env={"A": ""}),
            CDIDevice(additional_gids=[0]),
            CDIDevice(net_devices=[CDINetDevice("eth0", "eth0")]),
        ):
            version_of(device)

    @given(devices)
    @settings(max_examples=50)
    def test_what_is_accepted_keeps_the_rules(self, device: CDIDevice) -> None:
        """Whatever is accepted makes a spec that loaders take, with the same content."""
        spec = check_spec(spec_text(KIND, [entry_of("a", device)]))
        self.assertEqual(spec["devices"][0]["containerEdits"], edits(device))


class JsonTests(SynchronousTestCase):
    """The edits in the specification's words."""

    def test_all_parts(self) -> None:
        """Every part is where the specification has it."""
        self.assertEqual(
            edits(ALL),
            {
                "env": ["A=1 = one", "B=2"],
                "deviceNodes": [
                    {
                        "path": "/dev/a",
                        "hostPath": "/dev/b",
                        "type": "c",
                        "major": 1,
                        "minor": 3,
                        "fileMode": 0o660,
                        "permissions": "rwm",
                        "uid": 0,
                        "gid": 44,
                    }
                ],
                "netDevices": [{"hostInterfaceName": "eth1", "name": "net0"}],
                "hooks": [
                    {
                        "hookName": "createContainer",
                        "path": "/bin/hook",
                        "args": ["hook", "-v"],
                        "env": ["H="],
                        "timeout": 5,
                    }
                ],
                "mounts": [
                    {
                        "hostPath": "/usr/lib/x",
                        "containerPath": "/usr/lib/x",
                        "options": ["rbind", "ro"],
                    },
                    {
                        "hostPath": "efivarfs",
                        "containerPath": "/run/efivars",
                        "options": ["rw", "nosuid"],
                        "type": "efivarfs",
                    },
                ],
                "intelRdt": {
                    "closID": "gold",
                    "l3CacheSchema": "L3:0=f",
                    "memBwSchema": "MB:0=50",
                    "schemata": ["L2:0=3"],
                    "enableMonitoring": True,
                },
                "additionalGids": [0, 44],
            },
        )

    def test_defaults_are_left_out(self) -> None:
        """A plain node needs its path and permissions only, also if the host's path is given."""
        expected = {"deviceNodes": [{"path": "/dev/a", "permissions": "rw"}]}
        self.assertEqual(edits(with_node()), expected)
        self.assertEqual(edits(with_node(host_path="/dev/a")), expected)

    def test_characters(self) -> None:
        """Texts are written so that YAML and JSON read the same."""
        text = '\x7f\x85\u2028\ufeff\uffff\U0001f600\t"\\ud83d'
        data = spec_text(KIND, [entry_of("a", CDIDevice(env={"A": text}))])
        spec = check_spec(data)
        self.assertEqual(spec["devices"][0]["containerEdits"]["env"], ["A=" + text])
        self.assertIn("\U0001f600".encode(), data)


class VersionTests(SynchronousTestCase):
    """The version is the lowest that the content needs."""

    def test_what_needs_what(self) -> None:
        """Each addition to the specification needs the version that brought it."""
        for version, device in (
            ("0.3.0", with_node(type="c", major=1, minor=3, file_mode=0, uid=0, gid=0)),
            ("0.3.0", with_mount()),
            ("0.3.0", with_hook(timeout=1)),
            ("0.4.0", with_mount(type="none", options=["bind"])),
            ("0.5.0", with_node(host_path="/dev/b")),
            ("0.7.0", CDIDevice(additional_gids=[44])),
            ("0.7.0", with_rdt()),
            ("0.7.0", with_rdt(clos_id="a", l3_cache_schema="b", mem_bw_schema="c")),
            ("1.1.0", with_rdt(schemata=["L2:0=3"])),
            ("1.1.0", with_rdt(enable_monitoring=True)),
            ("1.1.0", CDIDevice(net_devices=[CDINetDevice("a", "b")])),
            ("1.1.0", ALL),
        ):
            self.assertEqual(version_of(device), version, device)

    def test_names_count(self) -> None:
        """A name that starts with a digit needs 0.5.0, a class with a dot 0.6.0."""
        self.assertEqual(version_of(NULL, "0"), "0.5.0")
        self.assertEqual(version_of(NULL, "a", "example.com/v1.x"), "0.6.0")

    def test_the_highest_counts(self) -> None:
        """One device decides for the whole file."""
        entries = [entry_of(id_, device) for id_, device in (("a", NULL), ("0", ZERO), ("b", ALL))]
        self.assertEqual(minimum_version(KIND, entries[:1]), "0.3.0")
        self.assertEqual(minimum_version(KIND, entries[:2]), "0.5.0")
        self.assertEqual(minimum_version(KIND, entries), "1.1.0")

    def test_kept_annotations(self) -> None:
        """Annotations that a spec has already keep their version."""
        text = spec_text(KIND, [entry_of("a", NULL)]).replace(
            b'"containerEdits"', b'"annotations": {"x": "y"}, "containerEdits"'
        )
        entries = parse_spec(text, KIND).entries.values()
        self.assertEqual(minimum_version(KIND, entries), "0.6.0")
        check_spec(spec_text(KIND, entries))


class NameTests(SynchronousTestCase):
    """Names of kinds and devices."""

    def test_kind(self) -> None:
        """A kind is the resource's name where it can be."""
        long = "1" * 63
        for namespace, resource_type, expected in (
            ("color.example.com", "yellow", "color.example.com/yellow"),
            ("a-b.example", "V1.x_Y-z", "a-b.example/V1.x_Y-z"),
            ("3d.example", "2x", "cdi.3d.example/type-2x"),
            ("x", "y", "cdi.x/type-y"),
            ("cdi.example", "type-a", "cdi.cdi.example/type-type-a"),
            ("a.example", long, f"a.example/type-{'1' * 49}-{kind('a.b', long)[-8:]}"),
        ):
            self.assertEqual(kind(namespace, resource_type), expected)

    @given(st.lists(st.tuples(domains, resource_types), min_size=2, max_size=2, unique=True))
    def test_kinds_are_valid_and_distinct(self, names: list[tuple[str, str]]) -> None:
        """Every resource has a kind that loaders take, and no two share one."""
        kinds = [kind(*name) for name in names]
        self.assertEqual(len(set(kinds)), 2)
        for one in kinds:
            check_spec(spec_text(one, [entry_of("a", NULL)]))

    def test_device_name(self) -> None:
        """A device's name is its id, or the characters that CDI allows and a digest."""
        self.assertEqual(qualified_name(KIND, device_name("card0")), f"{KIND}=card0")
        for device_id in ("card0", "0000:00:02.0", "a_b", "ab-0123456789abcdeg"):
            self.assertEqual(device_name(device_id), device_id)
        for device_id, stem in (
            ("a/b@c", "a-b-c"),
            ("/dev/x", "id-dev-x"),
            ("_", "id_"),
            ("a-", "a-"),
            ("a", "a"),
            ("ab-0123456789abcdef", "ab-0123456789abcdef"),
        ):
            self.assertRegex(device_name(device_id), rf"^{stem}-[0-9a-f]{{16}}$")
        # The kubelet keeps names for pods; another version of this program has to give the same.
        self.assertEqual(device_name("a/b"), "a-b-c14cddc033f64b9d")

    @given(st.lists(device_ids, min_size=2, max_size=2, unique=True))
    @settings(max_examples=50)
    def test_names_are_valid_and_distinct(self, ids: list[str]) -> None:
        """Every id has a name that CDI allows, and no other one has it."""
        names = list(map(device_name, ids))
        self.assertTrue(all(map(NAME.fullmatch, names)))
        self.assertEqual(len({*names, device_name(names[0])}), 2 + (names[0] != ids[0]))


class ParseTests(SynchronousTestCase):
    """Specs are read back."""

    @given(st.dictionaries(device_ids, devices, min_size=1, max_size=3))
    @settings(max_examples=25)
    def test_round_trip(self, given_devices: dict[str, CDIDevice]) -> None:
        """A spec that is read and written again is the same, byte for byte."""
        entries = {e.name: e for e in (entry_of(i, d) for i, d in given_devices.items())}
        text = spec_text(KIND, entries.values())
        spec = parse_spec(text, KIND)
        self.assertEqual(spec.entries, entries)
        self.assertEqual(spec_text(KIND, spec.entries.values()), text)
        self.assertIn(spec.version, VERSIONS)

    def test_not_a_spec(self) -> None:
        """Anything but a spec of the kind is refused with a reason."""
        good = json.loads(spec_text(KIND, [entry_of("a", NULL)]))
        bad: tuple[Any, ...] = (
            None,
            [],
            "x",
            {},
            {**good, "kind": "other.example/x"},
            {**good, "kind": None},
            {**good, "devices": None},
            {**good, "devices": [1]},
            {**good, "devices": [{"name": "a"}]},
            {**good, "devices": [{"name": "", "containerEdits": {}}]},
            {**good, "devices": [{"name": ["a"], "containerEdits": {}}]},
            {**good, "devices": [{"name": "a", "containerEdits": []}]},
            {**good, "devices": [{"name": "a", "containerEdits": {"deviceNodes": [1]}}]},
            {**good, "cdiVersion": 1},
            {"kind": KIND, "devices": []},
        )
        for content in bad:
            with self.assertRaises(ValueError, msg=repr(content)):
                parse_spec(json.dumps(content).encode(), KIND)
        for data in (b"", b"{", b"\xff", b"kind: yaml\n", b"[" * 100_000):
            with self.assertRaises(ValueError, msg=repr(data[:20])):
                parse_spec(data, KIND)


class DocumentationTests(SynchronousTestCase):
    """docs/cdi.md."""

    def test_example(self) -> None:
        """The scanner that a reader copies finds devices with a CDI part that is accepted."""
        page = Path(__file__).parents[2] / "docs/cdi.md"
        (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        names: dict[str, Any] = {}
        exec(example, names)  # it is our own
        tree = names["CameraScanner"]("/dev/null").discover()
        accepted = accept(tree)
        self.assertEqual(accepted.refusals, ())
        cdi = accepted.resources["camera"].devices["null"].cdi
        assert cdi is not None
        self.assertEqual(version_of(cdi), "0.7.0")


class RulesTests(SynchronousTestCase):
    """The rules bite."""

    def test_broken_specs(self) -> None:
        """Each of these small changes to a good spec breaks a rule."""
        text = spec_text(KIND, [entry_of("a", ALL)]).decode()
        check_spec(text.encode())
        for old, new in (
            ('"1.1.0"', '"1.0.0"'),
            ('"1.1.0"', '"9.0.0"'),
            ("color.example.com/", "3color.example.com/"),
            ("/yellow", "/y"),
            ('"a-', '"-a-'),
            ('"hostPath": "/dev/b"', '"hostpath": "/dev/b"'),
            ('"A=1 = one"', '"=A"'),
            ('"createContainer"', '"prestart"'),
            ('"timeout": 5', '"timeout": 0'),
            ('"timeout": 5', '"timeout": 5, "timeout": 6'),
            ('"rwm"', '"rwx"'),
            ('"gid": 44', '"gid": -1'),
            ('"gold"', '"a/b"'),
            ('"gold"', '"\\ud83d\\ude00"'),
        ):
            self.assertIn(old, text)
            with self.assertRaises(Broken, msg=new):
                check_spec(text.replace(old, new, 1).encode())
