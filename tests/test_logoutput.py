"""Tests for `twistdp.logs.output`."""

import io
import os
import stat
import syslog
from functools import partial

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import temporary_directory
from twistdp.errors import Untrusted
from twistdp.logs.format import as_json, as_text
from twistdp.logs.output import FileOutput, Observer, Output, StreamOutput, SyslogOutput


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
        """A full disk, or a stream that was closed, does not disturb who speaks."""
        for error in (OSError(28, "No space left on device"), ValueError("closed file")):
            Observer(Broken(error), as_text)({"log_format": "x"})


class StreamTests(SynchronousTestCase):
    """`StreamOutput`"""

    def test_flushed(self) -> None:
        """Every event is written at once, so that nothing is lost when the process dies."""
        raw = io.BytesIO()
        output = StreamOutput(io.TextIOWrapper(io.BufferedWriter(raw), "utf-8"))  # type: ignore[type-var]
        output.write("I", "\u00fc\n\tsecond")
        self.assertEqual(raw.getvalue(), "\u00fc\n\tsecond\n".encode())

    def test_encoding(self) -> None:
        """What the stream's encoding does not have is escaped."""
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, "ascii")
        StreamOutput(stream).write("I", "\u00fc x")
        self.assertEqual(raw.getvalue(), b"\\xfc x\n")


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
