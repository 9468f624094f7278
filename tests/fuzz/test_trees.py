"""Trees of any values: only the wrong part is left out, with one line; the rest is served."""

import unicodedata
from collections import UserDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.fuzz.support import Lines, check_lines, fuzzed
from tests.support.cdi_samples import ALL
from tests.support.helpers import temporary_directory
from tests.support.scanner_samples import OwnLoop
from tests.support.strategies import made
from tests.support.updates import first, resources
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Manager, Mount, Settings
from twistdp.cdi.spec import entry_of, parse_spec, spec_text
from twistdp.kubelet import deviceplugin_v1beta1_pb2 as pb
from twistdp.model.acceptance import accept
from twistdp.model.allocation import SharedClaims
from twistdp.model.cdi import CDIDevice, CDIHook, CDIIntelRdt, CDIMount, CDINetDevice, CDINode
from twistdp.model.devices import AUTO
from twistdp.model.names import digest
from twistdp.resource.inventory import Inventory


class Mute:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Array:
    """Compares as an array of numbers does."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


class Text(str):
    """A text that is not quite one."""

    def encode(self, *_: object) -> bytes:
        """Fail."""
        raise RuntimeError("no bytes")


class Empty(UserDict[Any, Any]):
    """A mapping that is none."""

    def items(self) -> Any:
        """Fail."""
        raise RuntimeError("no items")


NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    float("nan"),
    object(),
    Mute(),
    Array(),
    Text("/x"),
    Empty({"a": "b"}),
    10**5000,
    "",
    "\udcff",
    "/a\nb",
    "/a\x1b[2J",
    "/a\x9bb",
    "/a\u202eb",
    "a\u2028b",
    "/",
    "/dev/.",
    "/\udcff",
    "/\0",
    "/..",
    "a=b",
    "x" * 5000,
    "/" + "x" * 5000,
    b"/x",
    [],
    {},
    (),
    [[]],
    {"": ""},
    {1: 2},
    {"a": None},
    {"a": "\0"},
    {"a=b": ""},
    {"a\x85": ""},
    {"cdi.k8s.io/a": "b"},
    {"a": "\udcff"},
    {"a": Mute()},
    (object(),),
    [Array()],
    [Mute()],
    [10**5000],
    [-1],
    [2**40],
    [True],
    {1, 2},
    range(3),
    print,
    DeviceInfo,
    NotImplemented,
    Ellipsis,
)
"""Values that are no part of any device, or only of some."""

# By number: hypothesis would show the values, and some cannot be shown.
odd = st.integers(0, len(NASTY) - 1).map(NASTY.__getitem__) | st.one_of(
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.builds(object),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
)


def usually(good: Any) -> st.SearchStrategy[Any]:
    """Right, but for once in a while."""
    return st.sampled_from([True] * 9 + [False]).flatmap(lambda right: good if right else odd)


paths = usually(
    st.sampled_from(["/dev/null", "/dev/a", "/caf\u00e9 \U0001f600"])
    | st.text(max_size=4).map("/x".__add__)
)
texts = usually(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0="), min_size=1, max_size=4
    )
)
environments = usually(
    st.dictionaries(texts.filter(lambda t: isinstance(t, str)), texts, max_size=2)
)
keys = st.sampled_from(["a.example.com/b", "x"]) | st.text(max_size=4)
annotations = usually(st.dictionaries(keys, st.text(max_size=4), max_size=2))
numbers = usually(st.none() | st.integers(0, 5))


def lists(of: Any) -> st.SearchStrategy[Any]:
    """A list, usually."""
    return usually(st.lists(usually(of), max_size=2))


cdi_devices = st.builds(
    made(CDIDevice, ALL),
    nodes=lists(
        st.builds(
            made(CDINode, ALL.nodes[0]),
            path=paths,
            host_path=usually(st.none() | paths),
            type=usually(st.sampled_from([None, "c", "b"])),
            permissions=usually(st.just("rw")),
            file_mode=numbers,
            uid=numbers,
        )
    ),
    mounts=lists(
        st.builds(
            made(CDIMount, ALL.mounts[0]),
            paths,
            paths,
            lists(st.just("rbind") | texts),
            usually(st.just("") | texts),
        )
    ),
    env=environments,
    hooks=lists(
        st.builds(
            made(CDIHook, ALL.hooks[0]),
            usually(st.just("poststop")),
            paths,
            lists(texts),
            environments,
            numbers,
        )
    ),
    additional_gids=lists(numbers),
    net_devices=lists(st.builds(made(CDINetDevice, ALL.net_devices[0]), texts, texts)),
    intel_rdt=usually(
        st.none() | st.builds(made(CDIIntelRdt, ALL.intel_rdt), texts, texts, texts, lists(texts))
    ),
) | st.just(ALL)
infos = st.builds(
    made(DeviceInfo, DeviceInfo(HEALTHY)),
    state=usually(st.sampled_from([HEALTHY, UNHEALTHY])),
    nodes=lists(
        st.builds(
            made(DeviceSpec, DeviceSpec("/dev/a")),
            paths,
            paths,
            usually(st.sampled_from(["rw", "r", "rwm"])),
        )
    ),
    mounts=lists(st.builds(made(Mount, Mount("/a", "/a")), paths, paths, usually(st.booleans()))),
    envs=environments,
    annotations=annotations,
    topology=usually(st.just(AUTO) | st.none() | st.lists(st.integers(0, 1023), max_size=2)),
    cdi=usually(st.none() | cdi_devices),
    group=usually(st.none() | texts),
    reason=usually(st.text(max_size=4)),
)
names = st.sampled_from(["a", "b", "c", "d"]) | st.one_of(
    st.text(max_size=4),
    st.none(),
    st.integers(),
    st.builds(object),
    st.builds(Mute),
    st.sampled_from(["", "\udcff", "x" * 64, "a\nb", "a b", "/", 10**5000, b"a"]),
)
PAYLOADS = {"args"}
"""Fields whose texts are the business of the program that gets them, as values of mappings are."""


def named_by(value: Any) -> Iterator[str]:
    """All texts in a value that name something, and the reason, which is for people."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
    elif isinstance(value, tuple):
        for part in value:
            yield from named_by(part)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            if field.name not in PAYLOADS:
                yield from named_by(getattr(value, field.name))


def is_control(character: str) -> bool:
    """Whether a character controls a terminal, a line, or the direction of writing."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in BIDI
        or character in "\u061c\u200e\u200f"
    )


BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
GOOD = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/null", "/dev/null")])


@st.composite
def trees(draw: st.DrawFn) -> DeviceTree:
    """A tree with one good device, and others."""
    tree = DeviceTree()
    for _ in range(draw(st.integers(1, 4))):
        tree.add_device(draw(names), draw(names), draw(infos | usually(infos)))
    tree.add_device("good", "good", GOOD)
    return tree


class TreeTests(SynchronousTestCase):
    """Trees, without a process around them."""

    def test_each_odd_value(self) -> None:
        """One odd value in one field is refused at its line, or costs at most the one device."""
        node, cdi_node = DeviceSpec("/dev/a", "/dev/a"), CDINode("/dev/a")
        parts: list[tuple[Any, Callable[[Any], DeviceInfo]]] = [
            (DeviceInfo(HEALTHY), lambda info: info),
            (node, lambda node: DeviceInfo(HEALTHY, nodes=[node])),
            (Mount("/a", "/a"), lambda mount: DeviceInfo(HEALTHY, mounts=[mount])),
            (ALL, lambda cdi: DeviceInfo(HEALTHY, cdi=cdi)),
            (cdi_node, lambda node: DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=[node]))),
            (ALL.mounts[0], lambda mount: DeviceInfo(HEALTHY, cdi=CDIDevice(mounts=[mount]))),
            (ALL.hooks[0], lambda hook: DeviceInfo(HEALTHY, cdi=CDIDevice(hooks=[hook]))),
            (ALL.net_devices[0], lambda n: DeviceInfo(HEALTHY, cdi=CDIDevice(net_devices=[n]))),
            (ALL.intel_rdt, lambda rdt: DeviceInfo(HEALTHY, cdi=CDIDevice(intel_rdt=rdt))),
        ]
        for part, device in parts:
            for field in attrs.fields(type(part)):
                for value in NASTY:
                    tree = DeviceTree()
                    evolve = made(partial(attrs.evolve, part), part)
                    info = made(device, GOOD)(evolve(**{field.name: value}))
                    tree.add_device("good", "odd", info)
                    tree.add_device("good", "good", GOOD)
                    self.check_tree(tree)
        for value in NASTY:
            tree = DeviceTree()
            tree.add_device("good", "odd", value)
            tree.add_device("good", "good", GOOD)
            if getattr(value, "__hash__", None) and not isinstance(value, tuple):
                tree.add_device(value, value, GOOD)
            self.check_tree(tree)

    @fuzzed(200, trees())
    def test_any_tree(self, tree: DeviceTree) -> None:
        """A refusal is one line; an accepted device can be encoded in every way."""
        self.check_tree(tree)

    def check_tree(self, tree: DeviceTree) -> None:
        """The good device is accepted, and all that is becomes messages and specs."""
        accepted = accept(tree)
        found = resources(accepted)
        self.assertIs(found["good"]["good"], GOOD)
        for refusal in accepted.refusals:
            self.assertTrue(refusal.reason.isprintable(), repr(refusal.reason))
            self.assertLess(len(refusal.reason), 1500)
        count = sum(len(tree[kind]) for kind in tree if isinstance(kind, str))
        taken = sum(map(len, found.values()))
        self.assertLessEqual(taken, count)
        for kind, devices in found.items():
            self.check(kind, dict(devices))

    def check(self, kind: str, devices: dict[str, DeviceInfo]) -> None:
        """These are listed, allocated and described as they are."""
        for text in (kind, *devices, *named_by(tuple(devices.values()))):
            self.assertFalse(any(map(is_control, text)), ascii(text))
        inventory = Inventory(f"a.example.com/{kind}", first(devices))
        listed = pb.ListAndWatchResponse.FromString(inventory.listed)
        self.assertEqual({each.ID for each in listed.devices}, devices.keys())
        for id_, info in devices.items():
            if info.state == HEALTHY:
                part = pb.ContainerAllocateResponse.FromString(inventory.container([id_]))
                self.assertEqual(dict(part.envs), dict(info.envs))
            if info.cdi is not None:
                entry = entry_of(id_, info.cdi)
                spec = parse_spec(spec_text("v.example/c", [entry]), "v.example/c")
                self.assertEqual(spec.entries[entry.name], entry)
        shared = SharedClaims()
        for info in devices.values():
            shared.count(info, 1)
        for info in devices.values():
            shared.count(info, -1)
        self.assertFalse(shared)
        digest(kind)


class ManagerTests(TestCase):
    """Trees that a manager receives."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A running manager, with a scanner that finds nothing by itself."""
        self.lines = Lines(self)
        directory = temporary_directory(self)
        settings = Settings(plugin_dir=directory, cdi_dir=f"{directory}/cdi")
        await deferLater(reactor, 0.0)  # the reactor's thread is known when it runs
        self.scanner = OwnLoop()
        self.manager = Manager("a.example.com", self.scanner, settings=settings)
        self.manager.startService()
        self.addCleanup(self.manager.stopService)

    def test_any_tree(self) -> None:
        """However often a wrong tree comes, the log names its faults once."""

        @fuzzed(40, trees() | odd)
        def check(tree: Any) -> None:
            self.scanner.notifier.notify(tree)
            self.lines.take()
            self.scanner.notifier.notify(tree.copy() if isinstance(tree, DeviceTree) else tree)
            again = self.lines.take()
            if isinstance(tree, DeviceTree):
                check_lines(self, [line for line in again if "left out" in line], 0)
                self.assertIn("good", self.manager._updates)

        check()
        self.assertEqual(len(self.flushLoggedErrors()), len(self.lines.failures))
        for failure in self.lines.failures:
            self.assertIn("BadTree", failure)

    def test_told_once(self) -> None:
        """So it is with objects of foreign classes that are new in each tree."""
        told, trees = [], []
        for _ in range(3):
            tree = DeviceTree()
            trees.append(tree)  # or the next one's objects would be where this one's were
            tree.add_device("x", "a", object())  # type: ignore[arg-type]
            tree.add_device("x", "b", Mute())  # type: ignore[arg-type]
            tree.add_device("x\ny", "c", GOOD)
            self.scanner.notifier.notify(tree)
            told.append(self.lines.take())
        check_lines(self, told[0], 3)
        self.assertEqual(list(map(len, told)), [3, 0, 0])
