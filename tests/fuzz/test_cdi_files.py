"""The CDI directory, full of what is no spec of ours, or only half of one."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.support import MEMORY, Lines, check_lines, fuzzed
from tests.support.cdi_samples import ALL, NULL, ZERO
from twistdp.cdi.files import SpecFile, SpecNotWritten, file_name
from twistdp.cdi.spec import VERSIONS, entry_of, parse_spec, spec_text
from twistdp.cdi.stale import clean
from twistdp.model.cdi import CDIDevice

DOMAIN, TYPE = "a.example.com", "thing"
KIND = f"{DOMAIN}/{TYPE}"
NAME = file_name(DOMAIN, TYPE)
HIDDEN = f".twistdp.{'0' * 16}.tmp"

GOOD = spec_text(KIND, [entry_of("a", NULL), entry_of("b", ALL)])

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.sampled_from([KIND, "0.6.0", "9.9.9", "devices", "name", "a-12345678"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cdiVersion", "kind", "devices", "name", "containerEdits", "env"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
near_specs = st.fixed_dictionaries(
    {
        "cdiVersion": st.sampled_from([*VERSIONS, "9.9.9", "", "evil", "0.6.0\n"]) | json_values,
        "kind": st.just(KIND) | json_values,
        "devices": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["a", "b-12345678", "", "x y"]) | json_values,
                    "containerEdits": json_values
                    | st.just({"deviceNodes": [{"path": "/dev/null"}]})
                    | st.just({"env": ["A=1"], "x": float("nan")}),
                }
            )
            | json_values,
            max_size=3,
        )
        | json_values,
    }
)
datas = st.one_of(
    st.binary(max_size=100),
    json_values.map(lambda value: json.dumps(value).encode()),
    near_specs.map(lambda value: json.dumps(value).encode()),
    st.integers(0, len(GOOD)).map(lambda end: GOOD[:end]),
    st.builds(
        lambda place, byte: GOOD[:place] + bytes([byte]) + GOOD[place + 1 :],
        st.integers(0, len(GOOD) - 1),
        st.integers(0, 255),
    ),
    st.sampled_from(["[", '{"a":', f'{{"kind": "{KIND}", "devices": [']).map(
        lambda part: (part * 20_000).encode()
    ),
    st.just(b'{"kind": %s}' % (b"9" * 5000)),
)


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


def _huge(path: str) -> None:
    with open(path, "xb") as file:
        file.truncate(1 << 36)  # no blocks: a hole


def _full_directory(path: str) -> None:
    os.makedirs(os.path.join(path, "x"))


OTHERS: dict[str, Callable[[str], object]] = {
    "a directory": os.mkdir,
    "a directory with a file": _full_directory,
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a huge file": _huge,
    "a link to itself": lambda path: os.symlink(path, path),
    "a link to nowhere": lambda path: os.symlink("/nonexistent/x", path),
    "a link to a file": lambda path: os.symlink("../victim", path),
}


class Box:
    """A CDI directory, and beside it a file that is nobody's business."""

    def __init__(self) -> None:
        self.top = tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY)
        self.directory = os.path.join(self.top, "cdi")
        os.mkdir(self.directory)
        self.victim = os.path.join(self.top, "victim")
        self.path = os.path.join(self.directory, NAME)
        self.put(self.victim, b"precious")

    def put(self, path: str, data: bytes) -> None:
        """Write a file."""
        with open(path, "wb") as file:
            file.write(data)

    def read(self) -> bytes:
        """The spec file."""
        with open(self.path, "rb") as file:
            return file.read()

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.top)


class ParseTests(SynchronousTestCase):
    """`parse_spec`"""

    @fuzzed(200, datas)
    def test_any_data(self, data: bytes) -> None:
        """Anything is either refused with a reason, or a spec that can be written again."""
        try:
            spec = parse_spec(data, KIND)
        except ValueError as reason:
            self.assertTrue(str(reason))
            return
        text = spec_text(KIND, spec.entries.values(), spec.version)
        self.assertEqual(parse_spec(text, KIND), spec)
        json.loads(text, parse_constant=self.fail)

    def test_not_a_number(self) -> None:
        """A number that JSON does not have is no reason to write it again."""
        for number in ("NaN", "Infinity", "-1e999"):
            spec = (
                f'{{"cdiVersion": "0.6.0", "kind": "{KIND}", "devices": '
                f'[{{"name": "a", "containerEdits": {{"x": {number}}}}}]}}'
            )
            self.assertRaises(ValueError, parse_spec, spec.encode(), KIND)

    def test_not_a_version(self) -> None:
        """A file without a version is not a spec: with its version, runtimes would refuse ours."""
        for version in ("evil", "", "1.0", "0.6.0\n", "v0.6.0"):
            data = GOOD.replace(b'"1.1.0"', json.dumps(version).encode())
            self.assertNotEqual(data, GOOD)
            self.assertRaises(ValueError, parse_spec, data, KIND)
        self.assertEqual(parse_spec(GOOD.replace(b'"1.1.0"', b'"12.0.3"'), KIND).version, "12.0.3")


class FileTests(SynchronousTestCase):
    """`SpecFile` and `clean`, with anything in the files' places."""

    def setUp(self) -> None:
        """Listen."""
        self.lines = Lines(self)

    def write(self, box: Box, devices: dict[str, CDIDevice]) -> bool:
        """Whether the devices could be described; if so, by a spec that has them all."""
        spec = SpecFile(box.directory, DOMAIN, TYPE)
        try:
            names = spec.write(devices)
        except SpecNotWritten as refusal:
            text = str(refusal)
            self.assertIn(NAME, text)
            self.assertEqual(len(text.splitlines()), 1)
            return False
        else:
            found = parse_spec(box.read(), KIND).entries
            self.assertLessEqual({name.partition("=")[2] for name in names.values()}, found.keys())
            return True
        finally:
            spec.close()
            with open(box.victim, "rb") as file:
                self.assertEqual(file.read(), b"precious")

    @fuzzed(100, datas, datas, st.booleans())
    def test_any_files(self, data: bytes, hidden: bytes, is_hidden: bool) -> None:
        """Our devices are written, or the error names the file in the way, which stays."""
        with Box() as box:
            box.put(box.path, data)
            if is_hidden:
                box.put(os.path.join(box.directory, HIDDEN), hidden)
            written = self.write(box, {"a": NULL, "c": ZERO})
            if not written:
                self.assertEqual(box.read(), data)
            clean(box.directory, {DOMAIN}, set(), {})
            self.assertEqual(os.path.exists(box.path), not written)
        check_lines(self, self.lines.take(), 0)

    def test_other_kinds(self) -> None:
        """Anything but a file stays where it is, and the error says so; nothing blocks."""
        for what, make in OTHERS.items():
            with self.subTest(what), Box() as box:
                make(box.path)
                before = os.lstat(box.path)
                self.assertFalse(self.write(box, {"a": NULL}))
                clean(box.directory, {DOMAIN}, set(), {})
                self.assertTrue(os.path.samestat(os.lstat(box.path), before))
                check_lines(self, self.lines.take(), 1)

    def test_other_kinds_of_the_hidden_file(self) -> None:
        """Things that have the name of a hidden file are in nobody's way."""
        for what, make in OTHERS.items():
            with self.subTest(what), Box() as box:
                make(os.path.join(box.directory, HIDDEN))
                for _ in range(2):
                    self.write(box, {"a": NULL})
                clean(box.directory, {DOMAIN}, set(), {})
                check_lines(self, self.lines.take(), 1)

    @fuzzed(
        60,
        st.lists(
            st.one_of(
                st.binary(min_size=1, max_size=30),
                st.binary(max_size=200).map(lambda b: b"twistdp.a.example.com_%s.json" % b),
                st.binary(max_size=8).map(lambda b: b".twistdp.%s.tmp" % b.hex().encode()),
                st.sampled_from([b"twistdp._.json", b"twistdp.a.example.com_.json", b"twistdp."]),
            ).filter(lambda name: len(name) < 256 and not {0, 47} & set(name)),
            max_size=4,
        ),
        datas,
    )
    def test_any_names(self, names: list[bytes], data: bytes) -> None:
        """Cleaning ends in any directory, and logs little."""
        with Box() as box:
            for name in names:
                if name not in (b".", b".."):
                    box.put(os.path.join(os.fsencode(box.directory), name), data)  # type: ignore[arg-type]
            clean(box.directory, {DOMAIN}, set(), {})
        for line in self.lines.take():
            self.assertTrue(line.isprintable(), repr(line))
