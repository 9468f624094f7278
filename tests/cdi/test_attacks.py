"""Attacks on the directory of CDI specs: a runtime does as root what a spec says."""

import os
import stat
from collections.abc import Callable

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.cdi_samples import NULL
from tests.support.helpers import temporary_directory
from tests.support.users import ALICE, ALICES_GROUP, NEEDS_ROOT, acting_as, given_to
from twistdp.cdi.files import SpecFile, SpecNotWritten, file_name
from twistdp.cdi.spec import entry_of, spec_text
from twistdp.cdi.stale import clean
from twistdp.model.cdi import CDIDevice, CDIHook

DOMAIN, TYPE = "color.example.com", "yellow"
PRECIOUS = b"root::0:0::/root:/bin/sh\n"
EVIL = CDIDevice(hooks=[CDIHook("createRuntime", "/tmp/evil")])


class AttackTestCase(SynchronousTestCase):
    """A directory for specs, and a file that is precious."""

    def setUp(self) -> None:
        """Make both."""
        self.top = temporary_directory(self)
        os.chmod(self.top, 0o755)
        self.directory = os.path.join(self.top, "cdi")
        os.mkdir(self.directory, 0o755)
        self.path = os.path.join(self.directory, file_name(DOMAIN, TYPE))
        self.victim = os.path.join(self.top, "passwd")
        self.put(self.victim, PRECIOUS)

    def put(self, path: str, data: bytes) -> None:
        """A file."""
        with open(path, "wb") as file:
            file.write(data)

    def spec(self) -> SpecFile:
        """The spec, as a process that starts now has it."""
        spec = SpecFile(self.directory, DOMAIN, TYPE)
        self.addCleanup(spec.close)
        return spec

    def assert_refused(self, *parts: str) -> None:
        """The spec is neither written nor cleaned up, for a reason that has these parts."""
        before = os.lstat(self.path) if os.path.lexists(self.path) else None
        error = self.assertRaises(SpecNotWritten, self.spec().write, {"a": NULL})
        for part in parts:
            self.assertIn(part, str(error))
        clean(self.directory, [DOMAIN], [], {})
        after = os.lstat(self.path) if os.path.lexists(self.path) else None
        self.assertEqual(before and before.st_ino, after and after.st_ino)
        with open(self.victim, "rb") as file:
            self.assertEqual(file.read(), PRECIOUS)
        self.assertEqual(stat.S_IMODE(os.stat(self.victim).st_mode), 0o644)

    def assert_written(self) -> None:
        """It is now."""
        self.spec().write({"a": NULL})
        with open(self.path, "rb") as file:
            data = file.read()
        self.assertIn(b"/dev/null", data)
        self.assertNotIn(b"evil", data)
        self.assertEqual(os.lstat(self.path).st_uid, os.geteuid())


class DirectoryTests(AttackTestCase):
    """A user who may write in the directory could write specs."""

    def test_others_may_write(self) -> None:
        """Such a directory is not used, sticky or not, until the mode is fixed."""
        for mode in (0o777, 0o1777, 0o757):
            os.chmod(self.directory, mode)
            self.assert_refused(
                f"CDI spec {self.path} cannot be written: others may write in {self.directory}",
                f"mode {mode:04o}); chmod go-w {self.directory}; it is tried again",
            )
            self.assertEqual(os.listdir(self.directory), [])
            os.chmod(self.directory, 0o755)
            self.assert_written()
            os.unlink(self.path)

    def test_above(self) -> None:
        """The same holds for each directory above it; then none is made there either."""
        os.chmod(self.top, 0o777)
        self.assert_refused(f"others may write in {self.top} ")
        os.rmdir(self.directory)
        self.assert_refused(f"others may write in {self.top} ")
        self.assertFalse(os.path.exists(self.directory))

    def test_cleaning_is_logged(self) -> None:
        """If cleaning fails for this reason, one line is logged."""
        self.assert_written()
        os.chmod(self.directory, 0o777)
        with capturedLogs() as events:
            clean(self.directory, [DOMAIN], [], {})
        (line,) = map(formatEvent, events)
        self.assertIn("others may write", line)
        self.assertTrue(os.path.exists(self.path))


class FileTests(AttackTestCase):
    """Files that somebody has left there before the directory was safe."""

    def test_links(self) -> None:
        """Links of both kinds, or a FIFO, at the spec's name are refused."""
        makers: tuple[Callable[[], object], ...] = (
            lambda: os.symlink(self.victim, self.path),
            lambda: os.symlink("nowhere", self.path),
            lambda: os.link(self.victim, self.path),
            lambda: os.mkfifo(self.path),
        )
        for make in makers:
            make()
            self.assert_refused("move it away")
            os.unlink(self.path)
        self.assert_written()
        self.assertFalse(os.path.exists(os.path.join(self.directory, "nowhere")))

    def test_links_at_hidden_names(self) -> None:
        """If a link has the hidden name, nothing is written; cleaning leaves the link alone."""
        makers: list[Callable[[str, str], object]] = [os.symlink, os.link]
        for number, make in enumerate(makers):
            hidden = os.path.join(self.directory, f".twistdp.{number:016x}.tmp")
            make(self.victim, hidden)
            self.patch(os, "urandom", lambda _, number=number: number.to_bytes(8, "big"))
            self.assert_refused("File exists")
            self.assertTrue(os.path.lexists(hidden))


class OthersTests(AttackTestCase):
    """Another user, for real."""

    skip = NEEDS_ROOT

    def test_another_group_may_write(self) -> None:
        """A group other than root's may not."""
        given_to(self.directory, 0, 0o775, ALICES_GROUP)
        self.assert_refused(f"group {ALICES_GROUP}, mode 0775")
        given_to(self.directory, 0, 0o775, 0)
        self.assert_written()

    def test_anothers_spec(self) -> None:
        """A spec that another user has left is not taken over, nor what is in it."""
        self.put(self.path, spec_text(f"{DOMAIN}/{TYPE}", [entry_of("a", EVIL)]))
        given_to(self.path, ALICE, 0o644)
        self.assert_refused(f"belongs to user {ALICE}", "move it away")
        os.unlink(self.path)
        self.assert_written()

    def test_without_root(self) -> None:
        """An ordinary user writes in a directory of its own; elsewhere the error says why not."""
        given_to(self.directory, ALICE, 0o755)
        self.addCleanup(os.umask, os.umask(0o777))
        with acting_as(ALICE):
            self.assert_written()
            os.unlink(self.path)
        given_to(self.directory, 0, 0o755)
        with acting_as(ALICE):
            error = self.assertRaises(SpecNotWritten, self.spec().write, {"a": NULL})
        self.assertIn("Permission denied; let the plugin write there", str(error))
