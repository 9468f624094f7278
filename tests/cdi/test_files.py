"""Tests for `twistdp.cdi.files`, `twistdp.cdi.stale` and `twistdp.cdi.shared_file`."""

import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.cdi_rules import check_spec
from tests.support.cdi_samples import FULL, NULL, ZERO, device_ids
from tests.support.cdi_samples import devices as cdi_devices
from tests.support.helpers import temporary_directory
from twistdp.cdi import shared_file
from twistdp.cdi.files import HANDED_OUT, SpecFile, SpecNotWritten, file_name
from twistdp.cdi.spec import device_name, edits, entry_of, kind, spec_text
from twistdp.cdi.stale import clean
from twistdp.model.cdi import CDIDevice, CDINode

DOMAIN, TYPE = "color.example.com", "yellow"
RESOURCE = f"{DOMAIN}/{TYPE}"
A, B = map(device_name, "ab")
CONTENTS = {json.dumps(edits(device)): device for device in (NULL, ZERO, FULL)}


class SpecTestCase(SynchronousTestCase):
    """A directory for specs, and what a runtime sees in it."""

    def setUp(self) -> None:
        """Make the directory."""
        self.directory = os.path.join(temporary_directory(self), "cdi")
        self.path = os.path.join(self.directory, file_name(DOMAIN, TYPE))

    def spec(self, **options: Any) -> SpecFile:
        """The file of the resource, as a process that starts now has it."""
        spec = SpecFile(self.directory, DOMAIN, TYPE, **options)
        self.addCleanup(spec.close)
        return spec

    def seen(self) -> dict[str, Any]:
        """What a runtime sees: the edits of all devices by qualified name."""
        return seen(self.directory)

    def known(self) -> dict[str, CDIDevice]:
        """The resource's devices that a runtime knows, by name."""
        return {
            name.removeprefix(f"{RESOURCE}="): CONTENTS[json.dumps(made)]
            for name, made in self.seen().items()
        }

    def put(self, name: str, data: bytes) -> str:
        """A file that is not from us; its path."""
        os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path


def seen(directory: str) -> dict[str, Any]:
    """All devices of the specs in a directory; every spec keeps the rules and has mode 0644."""
    found: dict[str, Any] = {}
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        if name.endswith((".json", ".yaml")):
            path = os.path.join(directory, name)
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o644, path
            with open(path, "rb") as file:
                spec = check_spec(file.read())
            for device in spec["devices"]:
                found[f"{spec['kind']}={device['name']}"] = device["containerEdits"]
    return found


def content(path: str) -> bytes:
    """A file's bytes."""
    with open(path, "rb") as file:
        return file.read()


class WriteTests(SpecTestCase):
    """A spec has what it should have."""

    def test_names(self) -> None:
        """Writing returns the qualified names, and a runtime knows them."""
        names = self.spec().write({"a": NULL, "b": ZERO})
        self.assertEqual(names["a"], f"{RESOURCE}={A}")
        self.assertEqual(set(self.seen()), set(names.values()))
        self.assertEqual(
            self.seen()[names["a"]], {"deviceNodes": [{"path": "/dev/null", "permissions": "rw"}]}
        )

    def test_modes(self) -> None:
        """File and directory can be read by everybody, whatever the umask; nothing else is left."""
        self.addCleanup(os.umask, os.umask(0o077))
        self.spec().write({"a": NULL})
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o644)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory).st_mode), 0o755)
        self.assertEqual(os.listdir(self.directory), [file_name(DOMAIN, TYPE)])
        self.assertEqual(os.umask(0o077), 0o077)

    def test_directory_is_made_by_two(self) -> None:
        """If another process makes the directory at the same time, both write in it."""
        rename = os.rename
        other = SpecFile(self.directory, DOMAIN, "other")

        def late(old: str, new: str) -> None:
            self.patch(os, "rename", rename)
            other.write({"b": ZERO})
            rename(old, new)

        self.patch(os, "rename", late)
        self.spec().write({"a": NULL})
        self.assertEqual(
            set(self.seen()), {f"{RESOURCE}={A}", f"{kind(DOMAIN, 'other')}={device_name('b')}"}
        )
        self.assertEqual(os.listdir(os.path.dirname(self.directory)), ["cdi"])
        other.close()

    def test_nothing_is_made_for_nothing(self) -> None:
        """A resource without CDI devices needs neither file nor directory."""
        self.assertEqual(self.spec().write({}, held=()), {})
        self.assertFalse(os.path.exists(self.directory))

    def test_what_is_right_stays(self) -> None:
        """A file that is right already is not written, by the same process or by the next one."""
        spec = self.spec()
        spec.write({"a": NULL})
        inode = os.stat(self.path).st_ino
        spec.write({"a": NULL})
        spec.close()
        later = self.spec()
        later.write({"a": CDIDevice(nodes=NULL.nodes)})
        self.assertEqual(os.stat(self.path).st_ino, inode)
        later.write({"a": ZERO})
        self.assertNotEqual(os.stat(self.path).st_ino, inode)

    def test_a_wrong_mode_is_fixed(self) -> None:
        """A file that not everybody may read is written again, by the same process or the next."""
        spec = self.spec()
        spec.write({"a": NULL})
        os.chmod(self.path, 0o600)
        spec.names(["a"])
        self.assertEqual(self.known(), {A: NULL})
        os.chmod(self.path, 0o600)
        spec.close()
        self.spec().write({"a": NULL})
        self.assertEqual(self.known(), {A: NULL})

    def test_a_name_is_its_devices(self) -> None:
        """The name that a pod was given leads to its device, whatever that has become since."""
        before = self.spec().write({"a": NULL})
        after = self.spec().write({"a": ZERO, "b": NULL})
        self.assertEqual(after["a"], before["a"])
        self.assertEqual(self.known(), {A: ZERO, B: NULL})

    def test_a_reboot(self) -> None:
        """The name is made again where all specs are gone, with the device as it is then."""
        spec = self.spec()
        before = spec.write({"a": NULL})
        spec.close()
        shutil.rmtree(self.directory)
        after = self.spec().write({"a": ZERO})
        self.assertEqual(after, before)
        self.assertEqual(self.known(), {A: ZERO})

    def test_kept_while_held(self) -> None:
        """A device that has vanished stays as it was while a pod holds it."""
        self.spec().write({"a": NULL, "b": ZERO})
        spec = self.spec()
        spec.write({"b": FULL}, held={"a"})
        self.assertEqual(self.known(), {A: NULL, B: FULL})
        self.assertTrue(spec.surplus)
        spec.write({"b": FULL}, held={"b"})
        self.assertEqual(self.known(), {B: FULL})
        self.assertFalse(spec.surplus)

    def test_not_kept_with_anothers_node(self) -> None:
        """A vanished device's name leads nowhere rather than to the node's next owner."""
        inside = CDIDevice(nodes=[CDINode("/dev/mine", host_path="/dev/null")])
        for held in (None, {"a"}):
            spec = self.spec()
            spec.write({"a": NULL})
            spec.names(["a"])
            self.assertEqual(spec.write({"b": ZERO}, held).keys(), {"b"})
            self.assertEqual(self.known(), {A: NULL, B: ZERO})
            names = spec.write({"b": inside}, held)
            self.assertEqual(set(self.seen()), set(names.values()))
            spec.close()

    def test_kept_when_unknown(self) -> None:
        """Nothing is dropped while it is not known what pods hold."""
        spec = self.spec()
        spec.write({"a": NULL, "b": NULL}, held=None)
        spec.write({"b": ZERO}, held=None)
        self.assertEqual(self.known(), {A: NULL, B: ZERO})
        spec.write({}, held=None)
        self.assertEqual(self.known(), {A: NULL, B: ZERO})

    def test_changes_leave_nothing(self) -> None:
        """However often a device changes, it has one name, and nobody is asked who holds it."""
        spec = self.spec()
        for device in (NULL, ZERO, FULL):
            spec.write({"a": device}, held=None)
            spec.names(["a"])
            self.assertEqual(self.known(), {A: device})
            self.assertFalse(spec.surplus)

    def test_the_last_name_takes_the_file_along(self) -> None:
        """A spec without devices would be refused by runtimes, so there is none."""
        spec = self.spec()
        self.spec().write({"a": NULL})
        spec.write({}, held={"a"})
        self.assertEqual(self.known(), {A: NULL})
        spec.write({}, held=())
        self.assertEqual(os.listdir(self.directory), [])

    def test_an_odd_id_is_held_by_its_own_name(self) -> None:
        """Ids with characters that CDI does not take hold their names like others."""
        spec = self.spec()
        self.spec().write({"/dev/@x": NULL})
        before = self.seen()
        spec.write({}, held={"/dev/@x"})
        self.assertEqual(self.seen(), before)

    def test_the_version_follows_the_content(self) -> None:
        """The version rises with a device that needs it, and falls when that one is gone."""
        spec = self.spec()
        for devices, version in (
            ({"a": NULL}, "0.3.0"),
            ({"a": NULL, "0": NULL}, "0.5.0"),
            ({"a": NULL, "b": CDIDevice(additional_gids=[44])}, "0.7.0"),
            ({"a": NULL}, "0.3.0"),
        ):
            spec.write(devices, held=())
            self.assertEqual(json.loads(content(self.path))["cdiVersion"], version)

    def test_a_newer_program_was_here(self) -> None:
        """Content that a version from the future needed keeps that version."""
        data = spec_text(RESOURCE, [entry_of("old", NULL)], "2.0.0")
        self.put(file_name(DOMAIN, TYPE), data.replace(b'"path"', b'"newField": 1, "path"'))
        spec = self.spec()
        spec.write({"a": ZERO})
        found = json.loads(content(self.path))
        self.assertEqual(found["cdiVersion"], "2.0.0")
        self.assertEqual(
            found["devices"][1]["containerEdits"]["deviceNodes"][0],
            {"newField": 1, "path": "/dev/null", "permissions": "rw"},
        )
        spec.write({"a": ZERO}, held=())
        self.assertEqual(self.known(), {A: ZERO})

    @given(
        st.lists(
            st.tuples(
                st.dictionaries(device_ids, cdi_devices, max_size=3),
                st.none() | st.sets(device_ids, max_size=2),
            ),
            min_size=1,
            max_size=4,
        )
    )
    @settings(max_examples=25)
    def test_any_history(
        self, history: list[tuple[Mapping[str, CDIDevice], set[str] | None]]
    ) -> None:
        """After any history the spec keeps the rules and has all present devices."""
        with tempfile.TemporaryDirectory() as directory:
            for devices, held in history:
                spec = SpecFile(directory, DOMAIN, TYPE)
                names = spec.write(devices, held)
                self.assertEqual(names.keys(), devices.keys())
                self.assertLessEqual(set(names.values()), set(seen(directory)))
                spec.close()


class HandOutTests(SpecTestCase):
    """Names are handed out only when a runtime knows them."""

    def test_names(self) -> None:
        """Each name once, in the order of the ids; other devices have none."""
        spec = self.spec()
        names = spec.write({"b": NULL, "a": ZERO, "@": NULL, "-": NULL})
        self.assertEqual(spec.names(["a", "x", "b", "a"]), [names["a"], names["b"]])
        self.assertEqual(len(set(spec.names(["@", "-"]))), 2)
        self.assertEqual(spec.names([]), [])

    def test_a_handed_out_name_stays_for_a_while(self) -> None:
        """A pod that is not yet in pod-resources does not lose its device's name."""
        clock = Clock()
        spec = self.spec(clock=clock.seconds)
        spec.write({"a": NULL, "b": NULL})
        spec.names(["a"])
        spec.write({}, held=())
        self.assertEqual(self.known(), {A: NULL})
        clock.advance(HANDED_OUT)
        spec.write({}, held=())
        self.assertEqual(self.known(), {})

    def test_what_another_process_may_have_given(self) -> None:
        """Another process may have handed out the names that it found in the file."""
        spec, other = self.spec(), self.spec()
        spec.write({"a": NULL})
        other.write({"a": NULL})
        other.names(["a"])
        other.close()
        spec.write({}, held={"a"})
        self.assertEqual(self.known(), {A: NULL})

    def test_a_removed_file_is_made_again(self) -> None:
        """A file or directory that somebody removed is there again when a pod needs it."""
        spec = self.spec()
        (name,) = spec.write({"a": NULL}).values()
        os.unlink(self.path)
        self.assertEqual(spec.names(["a"]), [name])
        self.assertEqual(self.known(), {A: NULL})
        os.unlink(self.path)
        os.rmdir(self.directory)
        self.assertEqual(spec.names(["a"]), [name])
        self.assertEqual(self.known(), {A: NULL})

    def test_a_changed_file_is_fixed(self) -> None:
        """A file that somebody changed is written again when a pod needs it."""
        spec = self.spec()
        spec.write({"a": NULL})
        with open(self.path, "r+b") as file:
            file.write(content(self.path).replace(b"/dev/null", b"/dev/fool"))
        spec.names(["a"])
        self.assertEqual(self.seen()[f"{RESOURCE}={A}"]["deviceNodes"][0]["path"], "/dev/null")

    def test_an_untouched_file_is_not_written(self) -> None:
        """Handing out names costs no writing."""
        spec = self.spec()
        spec.write({"a": NULL})
        self.patch(shared_file.SharedFile, "read", None)
        self.assertEqual(len(spec.names(["a"])), 1)

    def test_no_name_without_file(self) -> None:
        """A device whose spec could not be written is refused, until it can be."""
        with open(self.directory, "w", encoding="ascii"):
            pass
        spec = self.spec()
        for attempt in (lambda: spec.write({"a": NULL}), lambda: spec.names(["a"])):
            with self.assertRaises(SpecNotWritten) as raised:
                attempt()
            self.assertIn(self.path, str(raised.exception))
            self.assertIn("Not a directory", str(raised.exception))
        self.assertEqual(spec.names(["x"]), [])
        os.unlink(self.directory)
        self.assertEqual(spec.names(["a"]), [f"{RESOURCE}={A}"])
        self.assertEqual(self.known(), {A: NULL})

    def test_others_have_their_name_while_one_cannot_be_written(self) -> None:
        """A failed update does not cost the devices that the file has already."""
        spec = self.spec()
        names = spec.write({"a": NULL, "b": NULL})
        with failing(errno.ENOSPC, "write"):
            self.assertRaises(SpecNotWritten, spec.write, {"a": ZERO, "b": NULL})
            self.assertEqual(spec.names(["b"]), [names["b"]])
            error = self.assertRaises(SpecNotWritten, spec.names, ["a", "b"])
            self.assertIn("No space left on device; free space", str(error))
        self.assertEqual(spec.names(["a"]), [f"{RESOURCE}={A}"])


class ForeignTests(SpecTestCase):
    """Files of others are never touched."""

    def test_something_else_has_the_name(self) -> None:
        """A file with our name and other content is refused and stays byte for byte."""
        for data in (
            b" ",
            b"hello",
            b"{}",
            b"cdiVersion: 0.3.0\nkind: color.example.com/yellow\n",
            spec_text("other.example.com/x", [entry_of("a", NULL)]),
        ):
            path = self.put(file_name(DOMAIN, TYPE), data)
            before = os.stat(path)
            spec = self.spec()
            error = self.assertRaises(SpecNotWritten, spec.write, {"a": NULL})
            self.assertIn("move it away", str(error))
            self.assertRaises(SpecNotWritten, spec.names, ["a"])
            clean(self.directory, [DOMAIN], [], {})
            self.assertEqual((content(path), os.stat(path).st_ino), (data, before.st_ino))
            self.assertEqual(os.stat(path).st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(os.listdir(self.directory), [file_name(DOMAIN, TYPE)])

    def test_empty(self) -> None:
        """An empty file, or one of zero bytes, as a power failure may leave it, is ours."""
        for data in (b"", bytes(500)):
            self.put(file_name(DOMAIN, TYPE), data)
            self.spec().write({"a": NULL})
            self.assertEqual(self.known(), {A: NULL})

    def test_huge(self) -> None:
        """A file of more than 8 MB is no spec, whatever is in it, and is not read to its end."""
        path = self.put(file_name(DOMAIN, TYPE), spec_text(RESOURCE, [entry_of("a", NULL)]))
        with open(path, "ab") as file:
            file.write(b" " * (8_000_000 - file.tell()))
        self.spec().write({"b": ZERO})
        os.unlink(path)
        with open(path, "wb") as file:
            file.truncate(1 << 40)
        error = self.assertRaises(SpecNotWritten, self.spec().write, {"a": NULL})
        self.assertIn("it has more than 8000000 bytes; move it away", str(error))
        self.assertEqual(os.path.getsize(path), 1 << 40)

    def test_too_much_to_write(self) -> None:
        """A spec that would be larger than what is read is not written, and says what to do."""
        spec = self.spec()
        spec.write({"a": NULL})
        before = content(self.path)
        large = CDIDevice(env={f"V{number}": "x" * 100_000 for number in range(80)})
        error = self.assertRaises(SpecNotWritten, spec.write, {"a": NULL, "b": large})
        self.assertRegex(
            str(error), "File too large; a spec has 8000000 bytes at most: describe fewer"
        )
        self.assertEqual(content(self.path), before)
        spec.write({"a": ZERO})
        self.assertNotEqual(content(self.path), before)

    def test_not_a_file(self) -> None:
        """Directories, links and FIFOs with our name stay what they are."""
        os.mkdir(self.directory)
        target = self.put("target", spec_text(RESOURCE, [entry_of("a", NULL)]))
        makers: list[Callable[[str], Any]] = [
            os.mkdir,
            os.mkfifo,
            lambda path: os.symlink(target, path),
        ]
        for make in makers:
            make(self.path)
            mode = os.lstat(self.path).st_mode
            error = self.assertRaises(SpecNotWritten, self.spec().write, {"a": ZERO})
            self.assertIn("not a regular file", str(error))
            clean(self.directory, [DOMAIN], [], {})
            self.assertEqual(os.lstat(self.path).st_mode, mode)
            (os.rmdir if stat.S_ISDIR(mode) else os.unlink)(self.path)
        self.assertIn(b"/dev/null", content(target))

    def test_neighbours(self) -> None:
        """Whatever else is in the directory stays as it is, through all that we do."""
        for name in (
            "nvidia.yaml",
            "vendor.json",
            "color.example.com_yellow.json",
            "twistdp.json",
            "twistdp._yellow.json",
            "twistdp.color.example.com.json",
            "twistdp.color.example.com_yellow.yaml",
            "twistdp.color.example.com_yellow.json.tmp",
            ".twistdp.color.example.com_yellow.tmp",
            file_name("other.example.com", TYPE),
            file_name("sub." + DOMAIN, TYPE),
        ):
            self.put(name, spec_text("vendor.example/x", [entry_of(name, NULL)]))
        others = os.listdir(self.directory)
        before = {name: content(os.path.join(self.directory, name)) for name in others}
        spec = self.spec()
        spec.write({"a": NULL})
        spec.write({"a": ZERO}, held=())
        spec.write({}, held=())
        spec.close()
        clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(sorted(os.listdir(self.directory)), sorted(others))
        for name, data in before.items():
            self.assertEqual(content(os.path.join(self.directory, name)), data, name)

    def test_the_directory_above_is_not_made(self) -> None:
        """A path that does not exist at all is a mistake, and the error shows the option."""
        spec = SpecFile(os.path.join(self.directory, "x", "y"), DOMAIN, TYPE)
        error = self.assertRaises(SpecNotWritten, spec.write, {"a": NULL})
        self.assertIn("--cdi-dir", str(error))
        self.assertNotIn("\n", str(error))

    def test_not_allowed(self) -> None:
        """If the directory may not be written to, the error has the remedy."""
        os.mkdir(self.directory)
        with failing(errno.EACCES, "open"):
            error = self.assertRaises(SpecNotWritten, self.spec().write, {"a": NULL})
        self.assertIn("Permission denied; let the plugin write there", str(error))


class CleanTests(SpecTestCase):
    """Files that earlier processes left are cleaned up."""

    def leave(self, *ids: str, resource_type: str = TYPE, domain: str = DOMAIN) -> str:
        """A spec of a process that has ended; its path."""
        spec = SpecFile(self.directory, domain, resource_type)
        spec.write(dict.fromkeys(ids, NULL))
        spec.close()
        return spec.path

    def test_stale(self) -> None:
        """A resource that is gone loses what nobody holds, and its file with the last name."""
        self.leave("a", "b")
        clean(self.directory, [DOMAIN], [], None)
        self.assertEqual(len(self.known()), 2)
        clean(self.directory, [DOMAIN], [], {RESOURCE: {"a"}, "other.example.com/x": {"b"}})
        self.assertEqual(self.known(), {A: NULL})
        clean(self.directory, [DOMAIN], [], {"other.example.com/yellow": {"a"}})
        self.assertEqual(os.listdir(self.directory), [])

    def test_only_what_is_ours(self) -> None:
        """Other domains, and resources that are served, are left alone."""
        self.leave("a")
        served = self.leave("a", resource_type="blue_1")
        foreign = self.leave("a", domain="other.example.com")
        clean(self.directory, [DOMAIN], [f"{DOMAIN}/blue_1"], {})
        self.assertEqual(
            sorted(os.listdir(self.directory)),
            sorted(os.path.basename(path) for path in (served, foreign)),
        )

    def test_in_use_by_another_process(self) -> None:
        """A resource that another process of the same domain serves is left alone."""
        other = self.spec()
        other.write({"a": NULL})
        before = os.stat(self.path)
        clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(os.stat(self.path).st_ino, before.st_ino)
        other.write({"a": ZERO}, held=())
        clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(self.known(), {A: ZERO})
        other.close()
        clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(os.listdir(self.directory), [])

    def test_found_right_is_in_use_too(self) -> None:
        """A process that had nothing to write has its file seen as in use all the same."""
        self.leave("a")
        self.spec().write({"a": NULL})
        clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(self.known(), {A: NULL})

    def test_left_by_a_dead_writer(self) -> None:
        """Half-written hidden files are removed, but not one that is being written."""
        hidden = self.put(f".twistdp.{'0a' * 8}.tmp", b"{ha")
        with open(hidden, "rb") as writing:
            fcntl.flock(writing, fcntl.LOCK_EX)
            clean(self.directory, [DOMAIN], [], None)
            self.assertTrue(os.path.exists(hidden))
        clean(self.directory, [DOMAIN], [], None)
        self.assertEqual(os.listdir(self.directory), [])

    def test_no_directory(self) -> None:
        """Without a directory there is nothing to clean, and none is made."""
        clean(self.directory, [DOMAIN], [], {})
        self.assertFalse(os.path.exists(self.directory))

    def test_failures_are_logged(self) -> None:
        """A file that cannot be cleaned hinders neither the others nor the start of the process."""
        self.leave("a", resource_type="blue")
        self.leave("a")
        with failing(errno.EROFS, "unlink"):
            clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(len(self.seen()), 2)
        with mock.patch.object(os, "listdir", side_effect=PermissionError(13, "no")):
            clean(self.directory, [DOMAIN], [], {})
        clean(self.directory, [DOMAIN], [], {})
        self.assertEqual(self.seen(), {})


class TwoProcessesTests(SpecTestCase):
    """Processes that write the same spec do not lose each other's names."""

    def test_old_and_new(self) -> None:
        """While an old process ends and a new one starts, both have their devices."""
        old, new = self.spec(), self.spec()
        old.write({"a": NULL})
        new.write({"b": ZERO})
        self.assertEqual(self.known(), {A: NULL, B: ZERO})
        old.write({"a": FULL})
        self.assertEqual(self.known(), {A: FULL, B: ZERO})

    def test_a_dropped_name_comes_back(self) -> None:
        """A name that the other one dropped is there again before it is handed out."""
        old, new = self.spec(), self.spec()
        old.write({"a": NULL})
        new.write({"b": ZERO}, held=())
        self.assertEqual(self.known(), {B: ZERO})
        old.names(["a"])
        self.assertEqual(self.known(), {A: NULL, B: ZERO})

    def test_at_once(self) -> None:
        """If one process writes while another does, the file is whole, and the last one's."""
        spec, other = self.spec(), self.spec()
        replace = os.replace

        def late(old: str, new: str) -> None:
            self.patch(os, "replace", replace)
            other.write({"b": NULL})
            replace(old, new)

        self.patch(os, "replace", late)
        spec.write({"a": ZERO})
        self.assertEqual(self.known(), {A: ZERO})
        other.names(["b"])
        self.assertEqual(self.known(), {A: ZERO, B: NULL})

    def write_while(self, another: Callable[[str], None]) -> None:
        """Write, while another process does something before the hidden file is locked."""
        lock = fcntl.flock

        def late(fd: int, how: int) -> None:
            self.patch(fcntl, "flock", lock)
            another(self.directory)
            lock(fd, how)

        self.patch(fcntl, "flock", late)
        self.spec().write({"a": NULL})

    def test_hidden_file_is_removed(self) -> None:
        """A process that starts may take a hidden file that is not locked yet for abandoned."""
        self.write_while(shared_file.remove_abandoned)
        self.assertEqual(self.known(), {A: NULL})

    def test_hidden_file_is_locked(self) -> None:
        """The same, while that process is about to remove it."""

        def hold(directory: str) -> None:
            (name,) = os.listdir(directory)
            fd = os.open(os.path.join(directory, name), os.O_RDONLY)
            self.addCleanup(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX)

        self.write_while(hold)
        self.assertEqual(self.known(), {A: NULL})
        self.assertEqual(os.listdir(self.directory), [file_name(DOMAIN, TYPE)])

    def test_removed_by_two(self) -> None:
        """A file that another process removes at the same time is gone, and that is right."""
        spec = self.spec()
        spec.write({"a": NULL})
        unlink = os.unlink

        def late(path: str) -> None:
            unlink(path)
            unlink(path)

        self.patch(os, "unlink", late)
        spec.write({}, held=())
        self.assertEqual(os.listdir(self.directory), [])


class Killed(BaseException):
    """The process is killed here."""


class DyingOS:
    """The module os until call number `steps`, which is the last thing the process tries to do.

    Nothing that comes after it has an effect: no handler, no clean-up.  Only what the kernel does
    for a dead process happens, in `bury`: its files are closed, and so unlocked.
    """

    STEPS = (
        *("mkdir", "chmod", "rename", "open", "lstat", "read", "write", "fchmod"),
        *("replace", "unlink", "close"),
    )

    def __init__(self, steps: int) -> None:
        self._left = steps
        self._open: set[int] = set()
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.STEPS:
            return real

        def step(*args: Any, **options: Any) -> Any:
            self.dead = self.dead or self._left == 0
            if self.dead:
                raise Killed
            self._left -= 1
            if name == "write":
                # A death in the middle of it leaves a part.
                args = (args[0], bytes(args[1])[:50])
            result = real(*args, **options)
            if name == "open":
                self._open.add(result)
            elif name == "close":
                self._open.discard(args[0])
            return result

        return step

    def bury(self) -> None:
        """Close what the process had open."""
        for fd in self._open:
            os.close(fd)


@contextmanager
def failing(number: int, name: str) -> Iterator[None]:
    """Let one function of the module os fail with an error number."""
    error = OSError(number, os.strerror(number))
    with mock.patch.object(os, name, side_effect=error):
        yield


class CrashTests(SpecTestCase):
    """A later start fixes whatever a crash has left."""

    def die(self, steps: int, act: Callable[[], object]) -> bool:
        """Do something, and be killed before its step of that number; whether it was."""
        dying = DyingOS(steps)
        umask = os.umask(0o077)  # as a daemon has it
        self.patch(shared_file, "os", dying)
        try:
            act()
        except Killed:
            pass
        finally:
            os.umask(umask)
            self.patch(shared_file, "os", os)
            dying.bury()
        return dying.dead

    def every_death(
        self, prepare: Callable[[], Any], act: Callable[[], Any]
    ) -> list[dict[str, CDIDevice]]:
        """What a runtime knows after a death at each step of `act`, one after the other.

        After each, a later start fixes everything; the directory is empty before the next.
        """
        known = []
        for steps in range(1000):
            prepare()
            died = self.die(steps, act)
            known.append(self.known())
            if os.path.exists(self.directory):
                self.assertEqual(stat.S_IMODE(os.stat(self.directory).st_mode), 0o755)
            spec = self.spec()
            spec.write({"a": FULL})
            self.assertEqual(self.known(), {A: FULL})
            spec.write({}, held=())
            spec.close()
            clean(self.directory, [DOMAIN], [], {})
            self.assertEqual(os.listdir(self.directory), [])
            os.rmdir(self.directory)
            if not died:
                break
        self.assertGreater(len(known), 6)
        return known

    def test_first_write(self) -> None:
        """A spec is there whole or not at all."""
        known = self.every_death(
            lambda: None, lambda: SpecFile(self.directory, DOMAIN, TYPE).write({"a": NULL})
        )
        self.assertEqual(
            {frozenset(names.items()) for names in known}, {frozenset(), frozenset([(A, NULL)])}
        )

    def written(self) -> None:
        """An earlier process has ended."""
        spec = self.spec()
        spec.write({"a": NULL})
        spec.close()

    def test_update(self) -> None:
        """An old name that is held is there at every moment."""
        known = self.every_death(
            self.written,
            lambda: SpecFile(self.directory, DOMAIN, TYPE).write({"a": ZERO}, held={"a"}),
        )
        self.assertEqual(
            {frozenset(names.items()) for names in known},
            {frozenset([(A, NULL)]), frozenset([(A, ZERO)])},
        )

    def test_clean(self) -> None:
        """A file is removed or not, and never half of it."""
        known = self.every_death(self.written, lambda: clean(self.directory, [DOMAIN], [], {}))
        self.assertEqual(
            {frozenset(names.items()) for names in known}, {frozenset([(A, NULL)]), frozenset()}
        )

    def test_clean_removes_leftovers(self) -> None:
        """Cleaning removes what a death left of a resource that never comes back."""
        for steps in range(1000):
            died = self.die(
                steps, lambda: SpecFile(self.directory, DOMAIN, TYPE).write({"a": NULL})
            )
            clean(self.directory, [DOMAIN], [], {})
            if os.path.exists(self.directory):
                self.assertEqual(os.listdir(self.directory), [])
            if not died:
                break

    def test_every_error(self) -> None:
        """An error of any step is reported, costs no old name, and leaves nothing behind."""
        for name in ("open", "write", "fchmod", "replace", "read"):
            self.written()
            spec = self.spec()
            with failing(errno.EIO, name):
                error = self.assertRaises(SpecNotWritten, spec.write, {"a": ZERO}, None)
            self.assertIn("Input/output error", str(error))
            self.assertEqual(self.known(), {A: NULL}, name)
            self.assertEqual(os.listdir(self.directory), [file_name(DOMAIN, TYPE)])
            spec.names(["a"])
            self.assertEqual(self.known(), {A: ZERO})
            spec.write({}, held=())
            spec.close()
            clean(self.directory, [DOMAIN], [], {})


class NameTests(SynchronousTestCase):
    """Names of files."""

    def test_file_name(self) -> None:
        """A file is named after its resource."""
        self.assertEqual(file_name("a.example", "b_c"), "twistdp.a.example_b_c.json")

    def test_long_names(self) -> None:
        """The longest resource has a file name, and a hidden one, that file systems take."""
        domain = ".".join(["a" * 60] * 4)
        names = {file_name(domain, letter * 63) for letter in "abc"}
        self.assertEqual(len(names), 3)
        with tempfile.TemporaryDirectory() as directory:
            spec = SpecFile(directory, domain, "c" * 63)
            spec.write({"a": NULL})
            self.assertEqual(set(seen(directory)), {f"{kind(domain, 'c' * 63)}={A}"})
            clean(directory, [domain], [], {})
            spec.close()
