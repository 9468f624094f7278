"""Tests for `twistdp.klog`, and for what is made of events: lines, callers, levels."""

import json
import logging
import threading
import time
import warnings
from datetime import datetime

from twisted.internet.defer import fail
from twisted.logger import (
    LimitedHistoryLogObserver,
    Logger,
    LoggingFile,
    LogLevel,
    capturedLogs,
    globalLogPublisher,
)
from twisted.python import log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import HEADER, LogTestCase, here
from twistdp import klog
from twistdp.logs.bridge import Bridge
from twistdp.logs.format import as_json, as_text
from twistdp.logs.record import record_of

_log = Logger()


class LineTests(LogTestCase):
    """A line, field by field."""

    def test_header(self) -> None:
        """Severity, local time with microseconds, thread, file and line come before the text."""
        before = datetime.now()
        line = here() + 1
        klog.info("hello")
        after = datetime.now()
        found = self.only()
        self.assertEqual(
            (found["severity"], found["file"], int(found["line"]), found["rest"]),
            ("I", "test_klog.py", line, "hello"),
        )
        when = datetime.strptime(
            f"{before.year}{found['month']}{found['day']} {found['clock']}", "%Y%m%d %H:%M:%S.%f"
        )
        self.assertTrue(before <= when <= after, (before, when, after))
        self.assertEqual(int(found["thread"]), threading.get_native_id())

    def test_thread(self) -> None:
        """The thread is the one that speaks."""
        ids = []

        def speak() -> None:
            ids.append(threading.get_native_id())
            klog.info("from a thread")

        thread = threading.Thread(target=speak)
        thread.start()
        thread.join()
        self.assertEqual(int(self.only()["thread"]), ids[0])
        self.assertNotEqual(ids[0], threading.get_native_id())

    def test_severities(self) -> None:
        """Each function has its severity."""
        klog.info("i")
        klog.warning("w")
        klog.error("e")
        klog.fatal("f")
        self.assertEqual([line[0] for line in self.lines], list("IWEF"))
        self.assertEqual([severity for severity, _ in self.kept.written], list("IWEF"))

    def test_severities_of_twisted(self) -> None:
        """Twisted's levels become severities, and none of them says that the process dies."""
        klog.set_level(klog.DEBUG)
        for level in LogLevel.iterconstants():
            _log.emit(level, "x")
        self.assertEqual([line[0] for line in self.lines], list("IIWEE"))

    def test_fields(self) -> None:
        """Fields follow the message in their order."""
        klog.info("found", path="/dev/ttyUSB0", count=3, ok=True, none=None, ratio=0.5)
        self.assertEqual(
            self.said(), 'found path="/dev/ttyUSB0" count=3 ok=true none=<nil> ratio=0.5'
        )

    def test_message_is_no_format(self) -> None:
        """Braces and percent signs of a message stay as they are."""
        klog.info("{x} %s {", x=1)
        self.assertEqual(self.said(), "{x} %s { x=1")

    def test_composed(self) -> None:
        """A composed text is logged with its fields by its caller; JSON has its parts instead."""
        line = here() + 1
        klog.composed("gave {a}", "given", lambda: {"id": "{a}"}, node=0)
        found = self.only()
        self.assertEqual(
            (found["file"], int(found["line"]), found["rest"]),
            ("test_klog.py", line, "gave {a} node=0"),
        )
        with capturedLogs() as events:
            klog.composed("gave {a}", "given", lambda: {"id": "{a}"}, node=0)
        record = record_of(events[0], ("x.py", 1))
        assert record is not None
        found = json.loads(as_json(record))
        self.assertEqual((found["msg"], found["id"], found["node"]), ("given", "{a}", 0))

    def test_unused_fields_of_twisted(self) -> None:
        """A value that the format string does not use becomes a field."""
        _log.info("{a} {b.real!r:>{width}} {c()}", a=1, b=2, c=lambda: 3, width=3, d="four")
        self.assertEqual(self.said(), '1   2 3 d="four"')

    def test_clashing_names(self) -> None:
        """Fields that are called like something of Twisted's or of Python's do not disturb."""
        names = ("msg", "self", "level", "fields", "caller", "log_level", "time", "isError")
        klog.info("x", **dict.fromkeys(names, 1))
        self.assertEqual(
            self.said(), "x msg=1 self=1 level=1 fields=1 caller=1 _log_level=1 _time=1 _isError=1"
        )

    def test_further_lines(self) -> None:
        """A message of several lines stays readable, and cannot be taken for several events."""
        klog.info("first\nI0101 00:00:00.000000       1 a.py:1] second\n\tthird\n", a=1)
        first, *more = self.lines[0].split("\n")
        self.assertTrue(first.endswith("] first a=1"))
        self.assertEqual(more, ["\tI0101 00:00:00.000000       1 a.py:1] second", "\t\tthird"])

    def test_controls(self) -> None:
        """Characters that would disturb a terminal are escaped."""
        klog.info("a\x1b[31mb\rc\x00")
        self.assertEqual(self.said(), r"a\x1b[31mb\rc\x00")

    def test_nothing(self) -> None:
        """An event that says nothing makes no line."""
        _log.info(None)
        log.msg()
        klog.info("")
        self.assertEqual(self.lines, [])

    def test_to_other_observers(self) -> None:
        """Every observer gets the fields as keys of the event."""
        with capturedLogs() as events:
            klog.warning("hot", celsius=90)
        (event,) = events
        self.assertEqual((event["celsius"], event["log_level"]), (90, LogLevel.warn))
        self.assertEqual(event["log_namespace"], __name__)


class FailureTests(LogTestCase):
    """Errors with their traceback."""

    def assert_shown(self, text: str) -> None:
        """The only event is an error with `text` and the traceback of `_fail`."""
        (shown,) = self.lines
        first, *more = shown.split("\n")
        found = HEADER.fullmatch(first)
        assert found is not None, first
        self.assertEqual((found["severity"], found["file"]), ("E", "test_klog.py"))
        self.assertEqual(found["rest"], text)
        self.assertTrue(all(line.startswith("\t") for line in more), more)
        self.assertIn("test_klog.py", "".join(more))
        self.assertIn("_fail", "".join(more))
        self.assertEqual(more[-1], "\tbuiltins.ValueError: too hot")
        self.flushLoggedErrors(ValueError)

    def test_klog(self) -> None:
        """Inside except: the message, its fields, and the traceback on the lines after it."""
        try:
            _fail()
        except ValueError:
            klog.failure("cannot cool", fan=2)
        self.assert_shown('cannot cool fan=2 err="ValueError: too hot"')

    def test_failure_object(self) -> None:
        """A Failure, as an errback has it, can be given."""
        try:
            _fail()
        except ValueError:
            found = Failure()
        klog.failure("cannot cool", found)
        self.assert_shown('cannot cool err="ValueError: too hot"')

    def test_logger(self) -> None:
        """Twisted's log.failure comes out in the same way."""
        try:
            _fail()
        except ValueError:
            _log.failure("cannot {what}", what="cool")
        self.assert_shown('cannot cool err="ValueError: too hot"')

    def test_failures_handled(self) -> None:
        """The file and line of a `failuresHandled` are those of its block."""
        with _log.failuresHandled("cannot cool"):
            _fail()
        self.assert_shown('cannot cool err="ValueError: too hot"')

    def test_legacy(self) -> None:
        """So does twisted.python.log.err, whose text has the traceback in it."""
        try:
            _fail()
        except ValueError:
            log.err(None, "cannot cool")
        self.assert_shown('cannot cool err="ValueError: too hot"')

    def test_without_exception(self) -> None:
        """Without an exception it is an error like others."""
        klog.failure("cannot cool", fan=2)
        self.assertEqual((self.only()["severity"], self.said()), ("E", "cannot cool fan=2"))

    def test_unhandled(self) -> None:
        """A Deferred that nobody listens to is what Twisted makes of it: an event, then why."""
        fail(KeyError("lost"))
        self.assertEqual([line[0] for line in self.lines], ["E", "E"])
        self.assertRegex(self.lines[0], r"\] Unhandled error in Deferred:$")
        self.assertRegex(self.lines[1], r"\] err=\"KeyError: 'lost'\"\n")
        self.flushLoggedErrors(KeyError)


class CallerTests(LogTestCase):
    """File and line are those of the code that logs."""

    def assert_caller(self, line: int, file: str = "test_klog.py") -> None:
        """The only event came from `line` of `file`."""
        found = HEADER.match(self.lines[0])
        assert found is not None, self.lines
        self.assertEqual((found["file"], int(found["line"])), (file, line), self.lines)
        self.assertEqual(len(self.lines), 1)

    def test_klog(self) -> None:
        """Of functions of klog."""
        for function in (klog.info, klog.warning, klog.error, klog.failure, klog.fatal):
            line = here() + 1
            function("x")
            self.assert_caller(line)
            self.kept.written.clear()

    def test_verbose(self) -> None:
        """Of a verbose message."""
        line = here() + 1
        klog.V(0).info("x")
        self.assert_caller(line)

    def test_logger(self) -> None:
        """Of twisted.logger, whichever method is called."""
        for method in (_log.info, _log.warn, _log.error, _log.critical):
            line = here() + 1
            method("x")
            self.assert_caller(line)
            self.kept.written.clear()

    def test_legacy(self) -> None:
        """Of twisted.python.log."""
        line = here() + 1
        log.msg("x")
        self.assert_caller(line)

    def test_print(self) -> None:
        """Of print, which twistd redirects to the log."""
        stream = LoggingFile(Logger("stdout", observer=globalLogPublisher), LogLevel.info)
        line = here() + 1
        print("x", file=stream)
        self.assert_caller(line)
        self.assertEqual(self.said(), "x")

    def test_stdlib(self) -> None:
        """Events of Python's logging have theirs, even with a stack level."""
        bridge = Bridge()
        bridge.install()
        self.addCleanup(bridge.remove)
        line = here() + 1
        logging.getLogger("grpc._cython").warning("x")
        self.assert_caller(line)
        self.kept.written.clear()

        def helper() -> None:
            logging.getLogger("grpc").warning("x", stacklevel=2)

        line = here() + 1
        helper()
        self.assert_caller(line)

    def test_warnings(self) -> None:
        """Of a warning it is what the warning is about."""
        bridge = Bridge()
        bridge.install()
        self.addCleanup(bridge.remove)
        line = here() + 1
        warnings.warn("x", stacklevel=1)
        self.assert_caller(line)

    def test_earlier(self) -> None:
        """Of an event made before logging began: klog knows it, Twisted's are of an unknown."""
        history = LimitedHistoryLogObserver()
        globalLogPublisher.addObserver(history)
        line = here() + 1
        klog.info("x")
        _log.info("y")
        globalLogPublisher.removeObserver(history)
        self.kept.written.clear()
        history.replayTo(globalLogPublisher)
        found = [HEADER.match(text) for text in self.lines]
        self.assertEqual(
            [(f["file"], int(f["line"])) for f in found if f], [("test_klog.py", line), ("???", 1)]
        )


class LevelTests(LogTestCase):
    """Return the shown text."""

    def say(self) -> list[str]:
        """Return the shown messages of levels 0 to 5."""
        self.kept.written.clear()
        for level in range(6):
            klog.V(level).info(str(level))
        return [line[-1] for line in self.lines]

    def test_default(self) -> None:
        """Only level 0 is shown."""
        self.assertEqual(klog.level(), 0)
        self.assertEqual(self.say(), ["0"])

    def test_set(self) -> None:
        """A level shows itself and what is below it, from the next message on."""
        klog.set_level(4)
        self.assertEqual(self.say(), list("01234"))
        klog.set_level(1)
        self.assertEqual(self.say(), ["0", "1"])
        klog.set_level(-3)
        self.assertEqual((klog.level(), self.say()), (0, ["0"]))

    def test_truth(self) -> None:
        """A verbose logger is true when its level is shown."""
        klog.set_level(2)
        self.assertEqual([bool(klog.V(level)) for level in (0, 2, 3)], [True, True, False])

    def test_not_formatted(self) -> None:
        """A message that is not shown is neither turned into text nor published."""
        with capturedLogs() as events:
            klog.V(1).info("x", field=Unshowable())
        self.assertEqual((events, self.lines), ([], []))

    def test_debug(self) -> None:
        """Debug events of Twisted count as level 4."""
        for level, count in ((0, 0), (3, 0), (4, 1), (9, 1)):
            klog.set_level(level)
            self.kept.written.clear()
            _log.debug("x")
            self.assertEqual(len(self.lines), count, level)

    def test_errors_are_always_shown(self) -> None:
        """Levels concern information only."""
        klog.warning("w")
        klog.error("e")
        self.assertEqual(len(self.lines), 2)

    def test_vmodule(self) -> None:
        """A file's own level counts for its messages, and for debug events."""
        klog.set_vmodule("other=5,test_klog=2,test_klog=4")
        self.assertEqual(self.say(), list("012"))
        klog.set_vmodule("test_k*=4")
        self.assertEqual(self.say(), list("01234"))
        _log.debug("x")
        self.assertEqual(len(self.lines), 6)
        klog.set_vmodule("")
        self.assertEqual(self.say(), ["0"])

    def test_vmodule_does_not_hide(self) -> None:
        """A file's level below the general one changes nothing, as with klog."""
        klog.set_vmodule("test_klog=1")
        klog.set_level(3)
        self.assertEqual(self.say(), list("0123"))

    def test_patterns(self) -> None:
        """Patterns match the whole base name without .py."""
        for pattern, matches in (
            ("scan", True),
            ("s?an", True),
            ("[rs]can", True),
            ("*", True),
            ("sc", False),
            ("can", False),
            ("scan.py", False),
            ("Scan", False),
            ("/x/scan", False),
        ):
            klog.set_vmodule(f"{pattern}=1")
            self.assertIs(klog.shown(1, "/x/scan.py"), matches, pattern)

    def test_bad_vmodule(self) -> None:
        """Text that is no list of patterns is refused by name and changes nothing."""
        klog.set_vmodule("test_klog=1")
        for text in ("a", "a=", "=1", "a=b", "a=-1", "a=1=2", "ok=1,a", "a=1_0", "a=\u0661"):
            error = self.assertRaises(ValueError, klog.set_vmodule, text)
            self.assertIn("pattern=N", str(error))
        self.assertEqual(self.say(), ["0", "1"])
        self.assertEqual(klog.parse_vmodule("a=1,,b*=2,"), (("a", 1), ("b*", 2)))


class Unshowable:
    """Cannot be turned into text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class RobustnessTests(LogTestCase):
    """Logging never raises, and logs what can be shown."""

    def test_unshowable_field(self) -> None:
        """A field whose repr raises is shown as such."""
        klog.info("x", bad=Unshowable(), nested=[Unshowable()], good=1)
        self.assertTrue(self.said().startswith("x bad="), self.said())
        self.assertTrue(self.said().endswith(" good=1"), self.said())
        self.assertIn("Unshowable", self.said())

    def test_unshowable_message(self) -> None:
        """So is a message."""
        klog.info(Unshowable())  # type: ignore[arg-type]
        self.assertIn("Unshowable", self.said())

    def test_broken_format(self) -> None:
        """A format that does not fit its fields makes a line that shows both."""
        for form in ("{missing}", "{", "{0}", "}{", "{a.b}", b"{a}", b"\xff", 7):
            self.kept.written.clear()
            _log.info(form, a="there")  # type: ignore[arg-type]
            self.assertEqual(len(self.lines), 1, form)
            self.assertIn("there", self.lines[0])

    def test_broken_legacy_format(self) -> None:
        """So does one of twisted.python.log."""
        log.msg(format="%(missing)s", a="there")
        self.assertIn("there", self.lines[0])

    def test_legacy_format(self) -> None:
        """A value that a format of twisted.python.log uses is no field."""
        log.msg(format="%(a)s", a=1, b=2)
        self.assertEqual(self.said(), "1 b=2")

    def test_odd_events(self) -> None:
        """Events that lack what all have, or that have nonsense in it, are lines all the same."""
        for event in (
            {"log_format": "x"},
            {"log_format": "x", "log_level": "no level", "log_time": "noon"},
            {"log_format": "x", "log_failure": "no failure"},
            {"log_format": "x", "log_caller": "no caller"},
            {"log_format": "x", "log_v": "no number"},
            {"log_format": "x", 7: 8},
            {"log_format": "x", "a b\n": 1},
        ):
            self.kept.written.clear()
            self.observer(event)  # type: ignore[arg-type]
            self.assertEqual(len(self.lines), 1, event)
            self.assertRegex(self.lines[0].split("\n\t", 1)[0], HEADER)

    def test_record(self) -> None:
        """A record is what the event says."""
        record = record_of(
            {"log_format": "{a}", "log_time": 1.5, "log_level": LogLevel.warn, "a": 1, "b": 2},
            ("/x/scan.py", 7),
        )
        assert record is not None
        self.assertEqual(
            (record.severity, record.seconds, record.file, record.line, record.v),
            ("W", 1.5, "scan.py", 7, 0),
        )
        self.assertEqual((record.text, record.fields), ("1", {"b": 2}))
        stamp = time.strftime("%m%d %H:%M:%S", time.localtime(1))
        self.assertEqual(as_text(record), f"W{stamp}.500000 {record.thread:7d} scan.py:7] 1 b=2")


class ImportTests(SynchronousTestCase):
    """Importing klog changes nothing."""

    def test_no_side_effects(self) -> None:
        """Python's loggers and warnings are as they were."""
        self.assertEqual(
            [h for h in logging.getLogger().handlers if type(h).__module__.startswith("twistdp")],
            [],
        )
        self.assertNotIn("twistdp", getattr(warnings.showwarning, "__module__", ""))

    def test_names(self) -> None:
        """All that is offered is there, and is documented."""
        for name in klog.__all__:
            self.assertTrue(getattr(klog, name).__doc__, name)


def _fail() -> None:
    raise ValueError("too hot")
