"""Tests for `twistdp.resource.baseline`."""

import os

from tests.support.helpers import temporary_directory
from tests.support.logs import LogTestCase
from twistdp.model import Holder
from twistdp.resource import baseline
from twistdp.resource.baseline import Baseline
from twistdp.resource.tenancies import Key, Release

R = "x.example/a"
P = Holder("default", "p", "main")
HELD: dict[Key, Holder | None] = {(R, "1"): P, (R, "2"): None}
RELEASED = [Release(R, "1", Holder("default", "q", "main")), Release(R, "1", None)]


class BaselineTests(LogTestCase):
    """A file in a directory that is made when it is needed."""

    def setUp(self) -> None:
        """The directory is not there."""
        super().setUp()
        self.directory = os.path.join(temporary_directory(self), "state")
        self.baseline = self.another()

    def another(self) -> Baseline:
        """That of another process."""
        return Baseline(self.directory, "x.example.my.module:Some.<locals>.Class")

    def test_over_a_restart(self) -> None:
        """What is written is read, by root alone; nothing else is left in the directory."""
        self.assertEqual(self.baseline.read(), ({}, []))
        self.baseline.write(HELD, RELEASED)
        self.assertEqual(self.another().read(), (HELD, RELEASED))
        name = "x.example.my.module_Some._locals_.Class.held.json"
        self.assertEqual(os.listdir(self.directory), [name])
        self.assertEqual(os.stat(self.baseline.path).st_mode & 0o777, 0o600)
        self.assertEqual(self.lines, [])

    def test_emptydir(self) -> None:
        """Our own directory is closed to others first: Kubernetes makes it open to all."""
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o777)
        self.patch(baseline, "RUN_DIRECTORY", self.directory)
        self.assertEqual(self.baseline.read(), ({}, []))
        self.assertEqual(os.stat(self.directory).st_mode & 0o777, 0o755)
        self.baseline.write(HELD, RELEASED)
        self.assertEqual(self.another().read(), (HELD, RELEASED))
        self.assertEqual(self.lines, [])

    def test_only_changes(self) -> None:
        """The file is replaced when it changes, and only then."""
        self.baseline.write(HELD, [])
        before = os.stat(self.baseline.path).st_ino
        self.baseline.write(HELD, [])
        self.assertEqual(os.stat(self.baseline.path).st_ino, before)
        self.baseline.write(HELD, RELEASED)
        self.assertNotEqual(os.stat(self.baseline.path).st_ino, before)

    def test_unusable(self) -> None:
        """A file that cannot be understood, or that others could write, is logged and ignored."""
        os.mkdir(self.directory, 0o755)
        for content in (
            "",
            "[]",
            "{}",
            '{"held":[["a"]],"released":[]}',
            '{"held":[["x.example/a",1]],"released":[]}',
        ):
            with open(self.baseline.path, "w", encoding="utf-8") as file:
                file.write(content)
            self.assertEqual(self.baseline.read(), ({}, []))
        self.baseline.write(HELD, [])
        os.chmod(self.baseline.path, 0o666)
        self.assertEqual(self.baseline.read(), ({}, []))
        self.assertEqual(len([line for line in self.lines if "cannot read" in line]), 6)

    def test_nothing_half_made(self) -> None:
        """A file that an earlier attempt has left is replaced; a failing attempt leaves nothing."""
        os.mkdir(self.directory, 0o755)
        name = f".{os.getpid()}.{os.path.basename(self.baseline.path)}"
        temporary = os.path.join(self.directory, name)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write("#" * 10_000)
        self.baseline.write(HELD, [])
        self.assertEqual(self.another().read(), (HELD, []))
        os.unlink(self.baseline.path)
        os.mkdir(self.baseline.path)
        self.baseline.write({}, RELEASED)
        self.assertEqual(os.listdir(self.directory), [os.path.basename(self.baseline.path)])
        elsewhere = os.path.join(temporary_directory(self), "precious")
        os.symlink(elsewhere, temporary)
        self.baseline.write(HELD, RELEASED)
        self.assertFalse(os.path.exists(elsewhere))

    def test_killed_while_it_wrote(self) -> None:
        """The first write removes what killed processes have left of this file, and no more."""
        os.mkdir(self.directory, 0o755)
        name = os.path.basename(self.baseline.path)
        others = [f".1.y{name}", f".1.{name}.x", f".a.{name}"]
        for each in (f".1.{name}", f".4194304.{name}", *others):
            with open(os.path.join(self.directory, each), "w", encoding="utf-8"):
                pass
        self.baseline.write(HELD, [])
        self.assertEqual(sorted(os.listdir(self.directory)), sorted([*others, name]))

    def test_another_starts_meanwhile(self) -> None:
        """A process that starts while this one writes does not keep it from that."""
        rename, starting = os.rename, [self.another()]

        def renamed(source: str, target: str) -> None:
            if starting:
                starting.pop().write({}, RELEASED)
            rename(source, target)

        self.patch(os, "getpid", iter([1, 2, 1]).__next__)
        self.patch(os, "rename", renamed)
        self.baseline.write(HELD, [])
        self.assertEqual(self.another().read(), (HELD, []))
        self.assertEqual(len(os.listdir(self.directory)), 1)
        self.assertEqual(self.lines, [])

    def test_no_place(self) -> None:
        """A directory that cannot be made or written is logged once, and tried again."""
        with open(self.directory, "w", encoding="utf-8"):
            pass
        self.baseline.write(HELD, [])
        self.baseline.write({}, RELEASED)
        (line,) = self.lines
        self.assertIn("cannot keep who has which device", line)
        os.unlink(self.directory)
        self.baseline.write(HELD, [])
        self.baseline.write({}, RELEASED)
        self.baseline.write(HELD, [])
        (_, over) = self.lines
        self.assertIn("is kept again: who has which device", over)
        self.assertEqual(self.another().read(), (HELD, []))
