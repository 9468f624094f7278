"""Tests for `twistdp.logs.output` and `twistdp.logs.files`."""

import contextlib
import errno
import os
import stat
import time
from functools import partial
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.limits import tmpfs
from tests.support.logs import Kept
from twistdp.errors import Untrusted
from twistdp.logs.files import FileOutput
from twistdp.logs.format import as_text
from twistdp.logs.output import Observer, StreamOutput, is_journal


class Broken:
    """An output that cannot be written to."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def write(self, severity: str, text: str) -> None:
        """Fail."""
        raise self.error


class ObserverTests(SynchronousTestCase):
    """`Observer`"""

    def test_broken_output(self) -> None:
        """A full disk or a closed stream does not disturb the code that logs."""
        for error in (OSError(28, "No space left on device"), ValueError("closed file")):
            Observer(Broken(error), as_text)({"log_format": "x"})


class LossTests(SynchronousTestCase):
    """`Observer`, when its output cannot be written to for a while."""

    def test_counted(self) -> None:
        """The first line that can be written again says how many were lost, and why."""
        kept = Kept()
        output: Any = Broken(OSError(28, "No space left on device"))
        observer = Observer(output, partial(as_text, headers=False))
        for text in "abc":
            observer({"log_format": text})
        output.write = kept.write
        for text in "de":
            observer({"log_format": text})
        lost = "3 messages of this log could not be written: No space left on device"
        self.assertEqual(kept.written, [("W", lost), ("I", "d"), ("I", "e")])

    def test_counted_on(self) -> None:
        """If only the count can be written, the next message is counted too."""
        kept = Kept()
        output: Any = Broken(OSError(28, "full"))
        observer = Observer(output, partial(as_text, headers=False))
        broken, output.write = output.write, kept.write

        def once(severity: str, text: str) -> None:
            kept.write(severity, text)
            output.write = broken

        for text, write in (("a", broken), ("b", once), ("c", kept.write)):
            output.write = write
            observer({"log_format": text})
        told = [text.partition(" of")[0] for _, text in kept.written]
        self.assertEqual(told, ["1 message", "1 message", "c"])


class StreamTests(SynchronousTestCase):
    """`StreamOutput`, on a pipe."""

    def setUp(self) -> None:
        """Make a pipe whose ends are closed after the test."""
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.stream = open(writer, "w", encoding="utf-8")  # noqa: SIM115
        self.addCleanup(self.stream.close)
        self.addCleanup(os.close, self.reader)

    def read(self) -> bytes:
        """The content of the pipe."""
        found = b""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.reader, 1 << 20):
                found += part
        return found

    def test_written_at_once(self) -> None:
        """Every event is written at once, so that nothing is lost when the process dies."""
        print("before", file=self.stream)
        output = StreamOutput(self.stream)
        output.write("I", "\u00fc\n\tsecond")
        self.assertEqual(self.read(), "before\n\u00fc\n\tsecond\n".encode())

    def test_encoding(self) -> None:
        """Characters that the stream's encoding lacks are escaped."""
        self.stream.reconfigure(encoding="ascii")
        StreamOutput(self.stream).write("I", "\u00fc x")
        self.assertEqual(self.read(), b"\\xfc x\n")

    def test_priorities(self) -> None:
        """For the journal each line begins with the event's priority, further ones too."""
        output = StreamOutput(self.stream, priorities=True)
        for severity in "IWEF":
            output.write(severity, "a\n\tb")
        lines = b"<6>a\n<6>\tb\n<4>a\n<4>\tb\n<3>a\n<3>\tb\n<2>a\n<2>\tb\n"
        self.assertEqual(self.read(), lines)

    def test_is_journal(self) -> None:
        """The journal has the device and inode that systemd gives."""
        fd = self.stream.fileno()
        found = os.fstat(fd)
        for told, expected in (
            (f"{found.st_dev}:{found.st_ino}", True),
            (f"{found.st_dev}:{found.st_ino + 1}", False),
            ("", False),
        ):
            self.patch(os, "environ", {"JOURNAL_STREAM": told})
            self.assertIs(is_journal(fd), expected, told)
        self.patch(os, "environ", {})
        self.assertIs(is_journal(fd), False)

    def test_long(self) -> None:
        """An event of many pages is written as a whole if the pipe has room."""
        StreamOutput(self.stream).write("I", "x" * 50_000)
        self.assertEqual(self.read(), b"x" * 50_000 + b"\n")

    def test_nobody_reads(self) -> None:
        """A full pipe is awaited once, and briefly; lines that do not fit are lost and counted."""
        observer = Observer(StreamOutput(self.stream), partial(as_text, headers=False))
        waited: list[float] = []

        def until_full() -> list[str]:
            begin = time.monotonic()
            texts = [f"{number}:{'x' * 1000}" for number in range(200)]
            for text in texts:
                observer({"log_format": text})
            waited.append(time.monotonic() - begin)
            return texts

        texts = until_full()
        self.assertTrue(os.get_blocking(self.stream.fileno()))
        until_full()
        lines = self.read().decode().split("\n")
        written = len(lines) - 1
        self.assertEqual(lines[:written], texts[:written])
        observer({"log_format": "after"})
        first, *rest = self.read().decode().strip().split("\n")
        self.assertEqual(
            first, f"{400 - written} messages of this log could not be written: nobody reads it"
        )
        self.assertEqual(rest, ["after"])
        self.assertGreater(waited[0], 0.09)
        self.assertLess(waited[1], 10.0)  # it would be 20 if each line waited

    def test_cut_short(self) -> None:
        """A line that was cut short is ended before the next one."""
        output = StreamOutput(self.stream)
        self.assertRaises(BlockingIOError, output.write, "I", "x" * 100_000)
        part = self.read()
        self.assertEqual(part, b"x" * len(part))
        output.write("I", "next")
        self.assertEqual(self.read(), b"\nnext\n")

    def test_reader_gone(self) -> None:
        """Without a reader, writing is an error."""
        output = StreamOutput(self.stream)
        os.close(self.reader)
        self.reader = os.open(os.devnull, os.O_RDONLY)
        self.assertRaises(BrokenPipeError, output.write, "I", "x")


class FileTests(SynchronousTestCase):
    """`FileOutput`"""

    def setUp(self) -> None:
        """Make a directory."""
        self.directory = temporary_directory(self)
        self.path = os.path.join(self.directory, "a.log")

    def opened(self, path: str = "", umask: int | None = None) -> FileOutput:
        """An output that is open until the test ends."""
        output = FileOutput(path or self.path, umask)
        output.open()
        self.addCleanup(output.close)
        return output

    def read(self, suffix: str = "") -> str:
        """The content of the file."""
        with open(self.path + suffix, encoding="utf-8") as file:
            return file.read()

    def mode(self) -> int:
        """Permissions of the file."""
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def test_append(self) -> None:
        """Events are appended at once, in UTF-8."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("before\n")
        self.opened().write("I", "\u00fc \udc80")
        self.assertEqual(self.read(), "before\n\u00fc \\udc80\n")

    def test_nothing_before_open(self) -> None:
        """Before it is opened, and after it is closed, there is no file and no error."""
        output = FileOutput(self.path)
        output.write("I", "x")
        output.close()
        self.assertEqual(os.listdir(self.directory), [])

    def test_cut_from_outside(self) -> None:
        """Truncating the file, as logrotate's copytruncate does, leaves no hole in it."""
        output = self.opened()
        output.write("I", "one")
        os.truncate(self.path, 0)
        output.write("I", "two")
        self.assertEqual(self.read(), "two\n")

    def test_full_disk(self) -> None:
        """On a full disk a line is written as a whole or not at all; with space it goes on."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to mount a small file system")
        with tmpfs(self.directory, "size=64k"):
            output = self.opened()
            lines = [f"{number}:{'x' * 3000}" for number in range(40)]
            with self.assertRaises(OSError) as caught:
                for line in lines:
                    output.write("I", line)
            self.assertEqual(caught.exception.errno, errno.ENOSPC)
            whole = self.read().splitlines()
            self.assertEqual(whole, lines[: len(whole)])
            self.assertGreater(len(whole), 10)
            os.truncate(self.path, 0)
            output.write("I", "after")
            self.assertEqual(self.read(), "after\n")
            output.close()

    def test_mode(self) -> None:
        """The given umask decides, or else the process's."""
        for given, process, expected in ((None, 0o022, 0o644), (0o027, 0o077, 0o640)):
            self.addCleanup(os.umask, os.umask(process))
            self.opened(umask=given)
            self.assertEqual(self.mode(), expected)
            os.unlink(self.path)

    def test_mode_of_existing(self) -> None:
        """A file that exists keeps its mode."""
        with open(self.path, "w", encoding="ascii"):
            os.chmod(self.path, 0o604)
        self.opened(umask=0o077)
        self.assertEqual(self.mode(), 0o604)

    def test_relative_path(self) -> None:
        """A relative path is one in the directory where the output was made."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        output = FileOutput("a.log")
        os.chdir("/")
        self.assertEqual(output.path, os.path.join(os.path.realpath(self.directory), "a.log"))

    def test_cannot_open(self) -> None:
        """A file that cannot be opened is an OSError."""
        self.assertRaises(OSError, self.opened, os.path.join(self.directory, "absent", "a.log"))

    def test_device(self) -> None:
        """A device such as ``/dev/null`` takes lines too, and keeps its mode."""
        before = os.stat(os.devnull).st_mode
        self.opened(os.devnull, umask=0o077).write("I", "x")
        self.assertEqual(os.stat(os.devnull).st_mode, before)

    def test_directory_that_is_a_link(self) -> None:
        """Directories on the way may be links, if only root and we can change them."""
        os.symlink(self.directory, os.path.join(self.directory, "d"))
        self.opened(os.path.join(self.directory, "d", "a.log")).write("I", "x")
        self.assertEqual(self.read(), "x\n")

    def test_sticky_directory(self) -> None:
        """A file of ours in a directory like ``/tmp`` is safe."""
        os.chmod(self.directory, 0o1777)
        for _ in range(2):
            self.opened().write("I", "x")
        self.assertEqual(self.read(), "x\nx\n")


class ForeignFileTests(SynchronousTestCase):
    """`FileOutput`, where somebody else may have prepared something."""

    def setUp(self) -> None:
        """Make a directory, and a file that must not be written to."""
        self.directory = temporary_directory(self)
        self.victim = os.path.join(self.directory, "victim")
        with open(self.victim, "w", encoding="ascii") as file:
            file.write("precious")
        self.place = os.path.join(self.directory, "place")
        os.mkdir(self.place)
        self.path = os.path.join(self.place, "a.log")

    def refused(self, path: str = "") -> str:
        """The reason of a refusal that has made and written nothing."""
        before = sorted(os.listdir(self.place))
        text = str(self.assertRaises(Untrusted, FileOutput(path or self.path).open))
        self.assertEqual(sorted(os.listdir(self.place)), before)
        with open(self.victim, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")
        return text

    def test_link(self) -> None:
        """A file that is a link is not followed, wherever it leads, with any owner."""
        for target in (self.victim, "absent", "/dev/null"):
            os.symlink(target, self.path)
            self.assertIn("it is a link", self.refused())
            os.unlink(self.path)

    def test_directories(self) -> None:
        """No other user may write in a directory on the way, also behind a link."""
        os.chmod(self.place, 0o777)
        os.symlink("place", os.path.join(self.directory, "d"))
        os.mkdir(os.path.join(self.place, "below"))
        for path in ("place/a.log", "place/below/a.log", "d/a.log"):
            text = self.refused(os.path.join(self.directory, path))
            self.assertIn(f"others may write in {self.place} ", text)

    def test_link_of_somebody_else(self) -> None:
        """A directory behind another user's link is refused by the link's name."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to give a link away")
        os.chmod(self.directory, 0o1777)
        link = os.path.join(self.directory, "d")
        os.symlink("place", link)
        os.lchown(link, 12345, -1)
        self.assertIn(f"{link} belongs to user 12345", self.refused(os.path.join(link, "a.log")))

    def test_file_of_somebody_else(self) -> None:
        """Another user's file in a directory like ``/tmp`` is not written to."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to give a file away")
        os.chmod(self.place, 0o1777)
        with open(self.path, "w", encoding="ascii"):
            os.chown(self.path, 12345, -1)
        self.assertIn("it is user 12345's", self.refused())

    def test_second_name(self) -> None:
        """Nor is a file of ours with a second name there."""
        os.link(self.victim, self.path)
        self.assertIn("another name", self.refused())

    def test_fifo(self) -> None:
        """A FIFO is refused, and nothing waits for its reader."""
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertIn("neither a regular file", self.refused())

    def test_appears_meanwhile(self) -> None:
        """A file that appears between the check and the opening is refused."""
        self.patch(os.path, "lexists", lambda _: False)
        os.symlink(self.victim, self.path)
        self.assertRaises(FileExistsError, FileOutput(self.path).open)

    def test_no_descriptor_is_left(self) -> None:
        """A file that is refused is not left open."""
        os.link(self.victim, self.path)
        before = os.listdir("/proc/self/fd")
        self.refused()
        self.assertEqual(os.listdir("/proc/self/fd"), before)
