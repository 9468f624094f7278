"""Tests for `twistdp.logs.output`."""

import builtins
import contextlib
import errno
import os
import stat
import syslog
import time
from functools import partial
from typing import Any, NoReturn

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.helpers import no_descriptors, temporary_directory, tmpfs
from tests.logs import Kept
from twistdp.descriptors import Reserve
from twistdp.errors import Untrusted
from twistdp.logs.files import RotatingFile
from twistdp.logs.format import as_json, as_text
from twistdp.logs.output import (
    FileOutput,
    Observer,
    Output,
    StreamOutput,
    SyslogOutput,
    is_journal,
)


class Broken:
    """An output that cannot be written to."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def write(self, severity: str, text: str) -> None:
        """Fail."""
        raise self.error


def _raise(error: Exception) -> NoReturn:
    raise error


class ObserverTests(SynchronousTestCase):
    """`Observer`"""

    def test_broken_output(self) -> None:
        """A full disk, or a stream that was closed, does not disturb who speaks."""
        for error in (OSError(28, "No space left on device"), ValueError("closed file")):
            Observer(Broken(error), as_text)({"log_format": "x"})


class LossTests(SynchronousTestCase):
    """`Observer`, when its output cannot be written to for a while."""

    def test_counted(self) -> None:
        """What was lost, and why, is the first thing that is written when it can be."""
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
        """When only the count can be written, the next message is one more that is counted."""
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
        """All that is in the pipe."""
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
        """What the stream's encoding does not have is escaped."""
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
        """The journal is known by the device and inode that systemd tells of it."""
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
        """An event of many pages, as far as the pipe has room, is written as a whole."""
        StreamOutput(self.stream).write("I", "x" * 50_000)
        self.assertEqual(self.read(), b"x" * 50_000 + b"\n")

    def test_nobody_reads(self) -> None:
        """A full pipe is waited for once, and shortly; what does not fit is lost, and counted."""
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
        self.assertLess(waited[1], 1.0)  # each of the lines would be 20

    def test_cut_short(self) -> None:
        """A line of which only a part went into the pipe is ended before the next one."""
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
        """What is in the file."""
        with open(self.path + suffix, encoding="utf-8") as file:
            return file.read()

    def mode(self) -> int:
        """Permissions of the file."""
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def test_append(self) -> None:
        """Events are appended to what is there, at once, in UTF-8."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("before\n")
        self.opened().write("I", "\u00fc \udc80")
        self.assertEqual(self.read(), "before\n\u00fc \\udc80\n")

    def test_nothing_before_open(self) -> None:
        """Before it is opened, and after it is closed, there is no file and no error."""
        output = FileOutput(self.path)
        output.write("I", "x")
        output.rotate()
        output.close()
        self.assertEqual(os.listdir(self.directory), [])

    def test_rotate(self) -> None:
        """The file gets a number, and a new one goes on."""
        output = self.opened()
        for text in ("one", "two", "three"):
            output.write("I", text)
            output.rotate()
        output.write("I", "four")
        self.assertEqual(
            [self.read(suffix) for suffix in ("", ".1", ".2", ".3")],
            ["four\n", "three\n", "two\n", "one\n"],
        )

    def test_rotation_that_fails(self) -> None:
        """While a rotation fails, lines go to the file that there is."""
        output = self.opened()

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        rename = self.patch(os, "rename", full)
        self.patch(RotatingFile, "shouldRotate", lambda file: file.size > 0)
        for text in ("one", "two"):
            output.write("I", text)
        self.assertRaises(OSError, output.rotate)
        self.assertEqual(self.read(), "one\ntwo\n")
        rename.restore()
        output.write("I", "three")
        self.assertEqual([self.read(suffix) for suffix in ("", ".1")], ["three\n", "one\ntwo\n"])

    def test_no_file_after_a_rotation(self) -> None:
        """Where a rotation could not make the new file, it is made as soon as it can be."""
        output = self.opened()
        output.write("I", "one")
        full = self.patch(builtins, "open", lambda *_: _raise(OSError(errno.ENOSPC, "full")))
        self.assertRaises(OSError, output.rotate)
        self.assertRaises(OSError, output.write, "I", "two")
        full.restore()
        output.write("I", "three")
        self.assertEqual([self.read(suffix) for suffix in ("", ".1")], ["three\n", "one\n"])

    def test_rotation_without_a_descriptor(self) -> None:
        """The reserve lets a rotation see the old files, which it would overwrite otherwise."""
        reserve = Reserve()
        reserve.take()
        self.addCleanup(reserve.release)
        output = FileOutput(self.path, reserve=reserve)
        output.open()
        self.addCleanup(output.close)
        output.write("I", "one")
        output.rotate()
        output.write("I", "two")
        with no_descriptors():
            output.rotate()
            output.write("I", "three")
        self.assertEqual(
            [self.read(suffix) for suffix in ("", ".1", ".2")], ["three\n", "two\n", "one\n"]
        )

    def test_full_disk(self) -> None:
        """On a full disk a line is there as a whole or not at all, and goes on when it can."""
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
            output.rotate()
            os.unlink(f"{self.path}.1")
            output.write("I", "after")
            self.assertEqual(self.read(), "after\n")
            output.close()

    def test_mode(self) -> None:
        """The umask at the beginning decides, also after a rotation under another one."""
        for given, process, expected in ((None, 0o022, 0o644), (0o027, 0o077, 0o640)):
            self.addCleanup(os.umask, os.umask(process))
            output = self.opened(umask=given)
            self.assertEqual(self.mode(), expected)
            os.umask(0o077)
            output.rotate()
            self.assertEqual(self.mode(), expected)
            os.unlink(self.path)

    def test_mode_of_existing(self) -> None:
        """A file that exists keeps its mode."""
        with open(self.path, "w", encoding="ascii"):
            os.chmod(self.path, 0o604)
        output = self.opened(umask=0o077)
        self.assertEqual(self.mode(), 0o604)
        output.rotate()
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

    def test_link(self) -> None:
        """A link is followed, as one to /dev/stdout, also to a file that is not there yet."""
        os.symlink("b.log", self.path)
        for _ in range(2):
            self.opened().write("I", "x")
        self.assertEqual(self.read(), "x\nx\n")

    def test_link_that_others_may_change(self) -> None:
        """A link that somebody else may have made is not followed, and its target is kept."""
        victim = os.path.join(self.directory, "victim")
        os.mkdir(os.path.join(self.directory, "x"))
        path = os.path.join(self.directory, "x", "a.log")
        os.symlink(victim, path)
        os.chmod(os.path.dirname(path), 0o777)
        self.assertRaises(Untrusted, self.opened, path)
        self.assertFalse(os.path.exists(victim))


class SyslogTests(SynchronousTestCase):
    """`SyslogOutput`"""

    def setUp(self) -> None:
        """Keep what would go to syslog."""
        self.opened: list[tuple[object, ...]] = []
        self.sent: list[tuple[int, str]] = []
        self.patch(syslog, "openlog", lambda *arguments: self.opened.append(arguments))
        self.patch(syslog, "syslog", lambda *arguments: self.sent.append(arguments))

    def observer(self) -> Observer:
        """An observer that writes to syslog without headers."""
        output: Output = SyslogOutput("prefix")
        return Observer(output, partial(as_text, headers=False))

    def test_priorities(self) -> None:
        """The severity is the priority, and there is no header."""
        log = Logger(observer=self.observer())
        log.info("i {x}", x=1, y=2)
        log.warn("w")
        log.error("e")
        log.emit(LogLevel.critical, "f", log_severity="F")
        self.assertEqual(
            self.sent,
            [
                (syslog.LOG_INFO, "i 1 y=2"),
                (syslog.LOG_WARNING, "w"),
                (syslog.LOG_ERR, "e"),
                (syslog.LOG_CRIT, "f"),
            ],
        )

    def test_opened_once(self) -> None:
        """The prefix is told once, by the first event."""
        observer = self.observer()
        self.assertEqual(self.opened, [])
        for _ in range(2):
            observer({"log_format": "x"})
        self.assertEqual(self.opened, [("prefix", 0, syslog.LOG_USER)])

    def test_lines(self) -> None:
        """Each line is a message of its own, and has nothing that syslog refuses."""
        self.observer()({"log_format": "a\x00\nb\udc80"})
        self.assertEqual(self.sent, [(syslog.LOG_INFO, "a\\x00"), (syslog.LOG_INFO, "\tb\\x80")])

    def test_json(self) -> None:
        """JSON is one message."""
        Observer(SyslogOutput(""), as_json)({"log_format": "a\nb\udc80"})
        ((_, text),) = self.sent
        self.assertIn('"msg":"a\\nb\\udc80"', text)
