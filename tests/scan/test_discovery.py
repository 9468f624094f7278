"""Tests for twistdp.scan.discovery and twistdp.scan.scanner."""

import errno
import json
import os
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import Recorder, one_turn, temporary_directory
from twistdp import uevents
from twistdp.errors import BadTree
from twistdp.inotify.descriptor import ATTRIBUTES, CONTENTS, ENTRIES
from twistdp.inotify.watch import Changes
from twistdp.inotify.watches import Inotify
from twistdp.logs.format import as_json
from twistdp.logs.record import record_of
from twistdp.model.acceptance import check_tree
from twistdp.model.contract import name_of
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceTree
from twistdp.scan.discovery import Discovery
from twistdp.scan.pending import MOST_CHANGES
from twistdp.scan.scanner import WatchingScanner
from twistdp.scan.watchset import ENOUGH, SLICE


class FakeWatch:
    """A watch whose events are the test's."""

    def __init__(self, path: str, callback: Callable[[Changes], None], mask: int) -> None:
        self.path = path
        self.mask = mask
        self.report = callback
        self.stopped = False
        self.polled = False

    def stop(self) -> None:
        """Note it."""
        self.stopped = True


class FakeInotify:
    """Keeps all watches ever made, in a diary shared with the scanner."""

    def __init__(self, diary: list[Any]) -> None:
        self.made: list[FakeWatch] = []
        self._diary = diary

    def watch(
        self, path: str, callback: Callable[[Changes], None], mask: int = ENTRIES | ATTRIBUTES
    ) -> FakeWatch:
        """Make a watch."""
        self._diary.append(("watch", path))
        watch = FakeWatch(path, callback, mask)
        self.made.append(watch)
        return watch

    def live(self) -> dict[str, FakeWatch]:
        """The watches that are not stopped, by path."""
        live = [watch for watch in self.made if not watch.stopped]
        paths = {watch.path: watch for watch in live}
        assert len(paths) == len(live), "a path is watched twice"
        return paths


class FakeWorker:
    """A thread whose calls return when the test says so."""

    def __init__(self, inotify: FakeInotify) -> None:
        self.calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self.watched: list[list[str]] = []
        self._inotify = inotify
        self.stopped = False

    def call(self, function: Callable[[], Any]) -> Deferred[Any]:
        """Begin a call."""
        assert not self.calls, "two calls at once"
        self.watched.append(sorted(self._inotify.live()))
        done: Deferred[Any] = Deferred()
        self.calls.append((function, done))
        return done

    def run(self) -> None:
        """Let the call under way return."""
        function, done = self.calls.pop()
        try:
            outcome = function()
        except BaseException:
            outcome = Failure()
        if not self.stopped:
            done.callback(outcome)

    def stack(self) -> str:
        """Where the thread pretends to be."""
        return 'File "driver.py", line 7, in ask_the_card\n'

    def stop(self) -> None:
        """Drop all outcomes from now on."""
        self.stopped = True


class FakeScanner(WatchingScanner):
    """Returns the `results` of the test one by one, and the last one for ever."""

    def __init__(self, diary: list[Any], *results: Any, **options: Any) -> None:
        super().__init__(**options)
        self.diary = diary
        self.results = list(results)

    def discover(self) -> Any:
        """Give the next result."""
        self.diary.append("discover")
        return self.result()

    def follow(self, changed: Collection[str]) -> Any:
        """Give the next result."""
        self.diary.append(("follow", sorted(changed)))
        return self.result()

    def result(self) -> Any:
        """The next result, raised if it is an exception."""
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, BaseException):
            raise type(result)(*result.args)  # again, with a stack of its own
        return result


def copied(tree: DeviceTree) -> Any:
    """A preparation for tests: the whole tree stands for the updates."""
    return check_tree(tree).copy()


def tree_of(*ids: str) -> DeviceTree:
    """A tree with these devices."""
    tree = DeviceTree()
    for id_ in ids:
        tree.add_device("yellow", id_, DeviceInfo(state=HEALTHY))
    return tree


NAME = "tests.scan.test_discovery:FakeScanner"


class DiscoveryCase(SynchronousTestCase):
    """A Discovery of fakes."""

    def start(self, *results: Any, **options: Any) -> None:
        """Start a Discovery; its first scan has begun and not returned."""
        self.clock = Clock()
        self.diary: list[Any] = []
        self.inotify = FakeInotify(self.diary)
        self.trees: list[Any] = []
        self.preparations = 0
        self.worker = FakeWorker(self.inotify)
        options.setdefault("paths", ["/a"])
        self.scanner = FakeScanner(self.diary, *(results or [tree_of("one")]), **options)
        self.discovery = Discovery(
            self.scanner,
            self.new_preparation,
            lambda updates: self.deliver(updates),
            reactor=self.clock,
            inotify=self.inotify,  # type: ignore[arg-type]
            scan_timeout=30.0,
        )
        self.discovery._worker = self.worker  # type: ignore[assignment]
        self.addCleanup(self.stop)
        self.discovery.startService()

    def new_preparation(self) -> Any:
        """Count it."""
        self.preparations += 1
        return copied

    def deliver(self, updates: Any) -> None:
        """Keep what is delivered."""
        self.trees.append(updates)

    def stop(self) -> None:
        """Stop; whatever the test did, nothing is left."""
        if self.discovery.running:
            self.discovery.stopService()
        self.assertFalse(self.discovery.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.inotify.live(), {})
        self.assertTrue(self.worker.stopped)

    def start_again(self) -> None:
        """Stop and start again; the outcome in the thread is dropped."""
        self.stop()
        self.worker.calls.clear()
        self.worker.stopped = False
        self.diary.clear()
        self.discovery.startService()

    def started(self, *results: Any, **options: Any) -> None:
        """Start a Discovery, let its first scan return, and let everything settle."""
        self.start(*results, **options)
        self.worker.run()
        self.diary.clear()

    def event(self, *changed: str, path: str = "/a") -> None:
        """Something of `changed`, or anything, changed at the watched `path`."""
        self.clock.advance(1.0)
        self.inotify.live()[path].report(frozenset(changed) or None)

    def delays(self) -> list[float]:
        """In how many seconds timers are due."""
        now = self.clock.seconds()
        return sorted(round(call.getTime() - now, 6) for call in self.clock.getDelayedCalls())


class ScanTests(DiscoveryCase):
    """Tests for when a scanner is called, and with what."""

    def test_first_scan(self) -> None:
        """The watches are armed, then everything is discovered, at the start."""
        self.start(paths=["/a", "/b"])
        self.assertEqual(self.worker.watched, [["/a", "/b"]])
        self.assertEqual(self.diary, [("watch", "/a"), ("watch", "/b")])
        self.worker.run()
        self.assertEqual(self.diary, [("watch", "/a"), ("watch", "/b"), "discover"])
        self.assertEqual(self.trees, [tree_of("one")])
        self.assertEqual(self.worker.calls, [])

    def test_masks(self) -> None:
        """Writing to files is watched unless the scanner says no."""
        self.start()
        self.assertEqual(self.inotify.live()["/a"].mask, ENTRIES | ATTRIBUTES | CONTENTS)
        self.stop()
        self.start(contents=False)
        self.assertEqual(self.inotify.live()["/a"].mask, ENTRIES | ATTRIBUTES)

    def test_event(self) -> None:
        """An isolated event is followed at once, with the paths that changed."""
        self.started(tree_of("one"), tree_of("two"))
        self.event("/a/x", "/a/y")
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/a/x", "/a/y"])])
        self.assertEqual(self.trees[-1], tree_of("two"))

    def test_paths_are_told_once(self) -> None:
        """A scan gets the changes since the one before, and no older ones."""
        self.started()
        for path in ("/a/x", "/a/y"):
            self.event(path)
            self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/a/x"]), ("follow", ["/a/y"])])

    def test_very_many_changes(self) -> None:
        """Of more paths than are worth their memory it is only kept that something changed."""
        self.started()
        self.event("/a/before")
        for number in range(MOST_CHANGES):
            self.inotify.live()["/a"].report(frozenset([f"/a/{number}"]))
        self.assertEqual(len(self.discovery._changes._paths), MOST_CHANGES)
        for number in range(10 * MOST_CHANGES):
            self.inotify.live()["/a"].report(frozenset([f"/a/more{number}"]))
        self.assertEqual(len(self.discovery._changes._paths), 0)
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/a/before"]), "discover"])

    def test_anything_may_have_changed(self) -> None:
        """When anything may have changed, everything is discovered."""
        self.started()
        self.event()
        self.worker.run()
        self.assertEqual(self.diary, ["discover"])

    def test_anything_outweighs_paths(self) -> None:
        """Of a None and paths together comes a discovery, in either order."""
        for first, second in [((), ("/a/x",)), (("/a/x",), ())]:
            self.started()
            self.event("/a/before")
            self.event(*first)
            self.event(*second)
            self.worker.run()
            self.clock.advance(1.0)
            self.worker.run()
            self.assertEqual(self.diary, [("follow", ["/a/before"]), "discover"])
            self.stop()

    def test_events_during_a_scan(self) -> None:
        """Events during a scan lead to one more scan, which gets all of them."""
        self.started()
        self.event("/a/x")
        self.event("/a/y")
        self.event("/a/z")
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual(self.worker.calls, [])
        self.assertEqual(self.diary, [("follow", ["/a/x"]), ("follow", ["/a/y", "/a/z"])])

    def test_event_during_the_first_scan(self) -> None:
        """An event while the first scan runs is not lost."""
        self.start()
        self.event("/a/x")
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, [("watch", "/a"), "discover", ("follow", ["/a/x"])])

    def test_storm(self) -> None:
        """Events close to each other are followed by few scans, and none is lost."""
        self.started()
        self.clock.advance(1.0)
        watch = self.inotify.live()["/a"]
        for number in range(1000):
            watch.report(frozenset([f"/a/{number}"]))
            if self.worker.calls:
                self.worker.run()
            self.clock.advance(0.001)
        self.clock.advance(1.0)
        self.worker.run()
        told = [path for _, paths in self.diary for path in paths]
        self.assertEqual(sorted(told), sorted(f"/a/{number}" for number in range(1000)))
        self.assertLess(len(self.diary), 30)

    def test_default_follow_discovers(self) -> None:
        """A scanner that does not define follow() discovers everything instead."""

        class Simple(WatchingScanner):
            def discover(self) -> DeviceTree:
                return tree_of("simple")

        self.assertEqual(Simple().follow(["/a/x"]), tree_of("simple"))

    def test_scanner_without_discover(self) -> None:
        """The error for a missing discover() names the scanner."""
        error = self.assertRaises(NotImplementedError, WatchingScanner().discover)
        self.assertIn("twistdp.scan.scanner:WatchingScanner", str(error))
        self.assertIn("discover()", str(error))


def facts_of(event: dict[str, Any]) -> dict[str, Any]:
    """The JSON line of an event."""
    record = record_of(event, ("x.py", 1))
    assert record is not None
    found: dict[str, Any] = json.loads(as_json(record))
    return found


class FailureTests(DiscoveryCase):
    """Tests for scans that fail."""

    def failures(self, events: Sequence[Any]) -> list[Any]:
        """The logged failures of scans."""
        return [event for event in events if "log_failure" in event]

    def test_failure_is_logged(self) -> None:
        """A scan that raises is logged with its stack and the scanner's name, and that is all."""
        self.started(tree_of("one"), ZeroDivisionError("by zero"))
        with capturedLogs() as events:
            self.event("/a/x")
            self.worker.run()
        (event,) = self.failures(events)
        self.assertEqual(event["scanner"], NAME)
        self.assertIn(NAME, formatEvent(event))
        self.assertIn("in result", event["log_failure"].getTraceback())
        self.assertEqual(self.trees, [tree_of("one")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_back_off(self) -> None:
        """A scan that fails is tried again after delays that grow to a limit, with all of it."""
        self.start(ZeroDivisionError("by zero"))
        self.diary.clear()
        delays = []
        for _ in range(10):
            self.worker.run()
            (delay,) = self.delays()
            delays.append(delay)
            self.clock.advance(delay - 0.01)
            self.assertEqual(self.worker.calls, [])
            self.clock.advance(0.02)
        for delay, expected in zip(delays, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30], strict=True):
            self.assertTrue(0.79 * expected < delay < 1.21 * expected, delays)
        self.assertEqual(set(self.diary), {"discover"})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_goes_on(self) -> None:
        """The stack comes once, a line when it is another failure, and one when it is over."""
        first, other, good = ZeroDivisionError("by zero"), OSError("lamp busy"), tree_of("one")
        self.start(first, first, other, other, first, good, first, good)
        said = []
        for _ in range(8):
            with capturedLogs() as events:
                self.worker.run()
                self.event("/a/x")
                self.clock.advance(1.0)
                said.append([formatEvent(event) for event in events])
                stacks = ["log_failure" in event for event in events]
                self.assertEqual(stacks, [True] if len(said) == 1 else [False] * len(events))
        lines = ["".join(texts).partition(": the scan ")[2].partition(", ")[0] for texts in said]
        again = "failed with ZeroDivisionError: by zero"
        self.assertEqual(
            lines,
            [
                *("failed", "", "failed with OSError: lamp busy", "", again, "works again"),
                *(again, "works again"),
            ],
        )
        self.assertIn("works again, after 5 failures", said[5][0])
        self.assertIn("test_discovery.py:", said[2][0])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_facts(self) -> None:
        """Programs get constant messages, and the values by name."""
        lack = OSError(errno.EMFILE, "Too many open files")
        self.start(ZeroDivisionError("by zero"), OSError("lamp busy"), lack, tree_of("one"))
        with capturedLogs() as events:
            for _ in range(4):
                self.worker.run()
                self.event("/a/x")
                self.clock.advance(1.0)
        first, other, lacking, over = [facts_of(event) for event in events]
        for failed in (first, other, lacking):
            self.assertEqual((failed["msg"], failed["scanner"]), ("scanner failed", NAME))
            self.assertGreater(failed["nextTrySeconds"], 0.3)
        self.assertEqual(first["err"], "ZeroDivisionError: by zero")
        self.assertEqual(other["err"], "OSError: lamp busy")
        self.assertIn("test_discovery.py:", other["at"])
        self.assertIn("LimitNOFILE", lacking["remedy"])
        self.assertEqual((over["msg"], over["failures"]), ("scanner works again", 3))
        self.flushLoggedErrors(ZeroDivisionError)

    def test_success_resets_the_back_off(self) -> None:
        """After a scan that went well, the next failure is tried again soon."""
        error = ZeroDivisionError("by zero")
        self.start(error, error, error, tree_of("one"), error)
        for _ in range(3):
            self.worker.run()
            self.clock.advance(self.delays()[0] + 0.001)
        self.worker.run()
        self.assertEqual(self.trees, [tree_of("one")])
        self.event("/a/x")
        self.worker.run()
        self.assertLess(self.delays()[0], 0.7)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_retry_discovers_everything(self) -> None:
        """The changes of a failed scan are not lost: the next one looks at everything."""
        self.started(tree_of("one"), ZeroDivisionError("by zero"), tree_of("two"))
        self.event("/a/x")
        self.worker.run()
        self.clock.advance(0.7)
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/a/x"]), "discover"])
        self.assertEqual(self.trees[-1], tree_of("two"))
        self.flushLoggedErrors(ZeroDivisionError)

    def failing(self) -> None:
        """Start and fail until the back-off is long."""
        self.start(ZeroDivisionError("by zero"))
        for _ in range(6):
            self.worker.run()
            self.clock.advance(self.delays()[0] + 0.001)
        self.worker.run()
        self.assertGreater(self.delays()[0], 20.0)
        self.flushLoggedErrors(ZeroDivisionError)
        self.diary.clear()

    def test_event_brings_the_retry_forward(self) -> None:
        """An event may mean that the cause is gone, so the next try comes within 1 s."""
        self.failing()
        self.event("/a/x")
        self.assertEqual(self.delays(), [1.0])
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, ["discover"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_event_during_the_scan_brings_the_retry_forward(self) -> None:
        """So does one that comes while a scan fails, having looked before it came."""
        self.failing()
        self.clock.advance(self.delays()[0])
        self.event("/a/x")
        self.worker.run()
        self.assertEqual(self.delays(), [1.0])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_storm_does_not_fill_the_log(self) -> None:
        """Events neither bring a near retry nearer nor put it off."""
        self.failing()
        self.event("/a/x")
        watch = self.inotify.live()["/a"]
        for _ in range(9):
            self.clock.advance(0.1)
            watch.report(frozenset(["/a/x"]))
        self.assertEqual(self.worker.calls, [])
        self.assertAlmostEqual(self.delays()[-1], 0.1)
        self.clock.advance(0.11)
        self.assertEqual(len(self.worker.calls), 1)

    def test_event_during_a_scan_that_fails(self) -> None:
        """An event during a scan that fails leads to no scan beside the retry."""
        self.started(tree_of("one"), ZeroDivisionError("by zero"), tree_of("two"))
        self.event("/a/x")
        self.event("/a/y")
        self.worker.run()
        self.assertEqual(self.worker.calls, [])
        self.clock.advance(0.7)
        self.worker.run()
        self.clock.advance(2.0)
        self.assertEqual(self.diary, [("follow", ["/a/x"]), "discover"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_something_has_run_out(self) -> None:
        """Exhaustion is logged once, with its remedy and no stack, and the next try is soon."""
        full = OSError(errno.EMFILE, "Too many open files")
        with capturedLogs() as events:
            self.started(tree_of("one"), full, full, full, tree_of("two"), full)
            self.event("/a/x")
            for _ in range(3):
                self.worker.run()
                self.assertEqual(self.delays()[0], 1.0)
                self.clock.advance(1.0)
            self.worker.run()
            self.assertEqual(self.trees[-1], tree_of("two"))
            event, _ = events
            self.assertIn("Too many open files", formatEvent(event))
            self.assertIn("LimitNOFILE", formatEvent(event))
            self.assertNotIn("log_failure", event)
            self.event("/a/x")
            self.worker.run()
        self.assertEqual(len(events), 3)
        self.assertIn("the scan works again, after 3 failures", formatEvent(events[1]))

    def test_nonsense(self) -> None:
        """A value that is no DeviceTree counts as a failure that says so."""
        values: list[Any] = [None, {"yellow": {}}, [], "yellow"]
        for nonsense in values:
            self.started(tree_of("one"), nonsense)
            self.event("/a/x")
            self.worker.run()
            (failure,) = self.flushLoggedErrors(BadTree)
            self.assertIn("twistdp.DeviceTree", failure.getErrorMessage())
            kind = "None" if nonsense is None else type(nonsense).__name__
            self.assertIn(kind, failure.getErrorMessage())
            self.assertEqual(self.trees, [tree_of("one")])
            self.assertLess(self.delays()[0], 0.7)
            self.stop()

    def test_exceptions_that_end_processes(self) -> None:
        """A scanner that calls exit() fails like any other."""
        self.started(tree_of("one"), SystemExit(1), tree_of("two"))
        self.event("/a/x")
        self.worker.run()
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.clock.advance(0.7)
        self.worker.run()
        self.assertEqual(self.trees[-1], tree_of("two"))

    def test_bad_attributes(self) -> None:
        """An attribute that a scan has spoilt is logged once; the last good value stays."""
        for name, value in [("paths", 17), ("rescan_interval", "often"), ("contents", "no")]:
            self.start()
            setattr(self.scanner, name, value)
            with capturedLogs() as events:
                for _ in range(3):
                    self.worker.run()
                    self.assertEqual(self.delays(), [60.0])
                    self.assertEqual(list(self.inotify.live()), ["/a"])
                    self.event()
                self.worker.run()
            (event,) = events
            self.assertEqual((event["scanner"], event["attribute"]), (NAME, name))
            self.assertIn(name, event["reason"])
            self.stop()

    def test_property_that_raises(self) -> None:
        """The error of a property is logged once, and it is read again after the next scan."""
        self.start()
        broken = [True]

        def paths(_: object) -> list[str]:
            return [dict[str, str]()["hub"]] if broken else ["/b"]

        self.patch(FakeScanner, "paths", property(paths, lambda *_: None))
        del self.scanner.__dict__["paths"]
        with capturedLogs() as events:
            for _ in range(3):
                self.worker.run()
                self.event()
        (event,) = events
        self.assertIn("KeyError", event["reason"])
        broken.clear()
        self.worker.run()
        self.assertEqual(list(self.inotify.live()), ["/b"])

    def test_properties_that_never_work(self) -> None:
        """An attribute that could never be read has its default."""
        broken = property(lambda _: dict[str, str]()["hub"], lambda *_: None)
        for name in ("rescan_interval", "contents"):
            self.patch(FakeScanner, name, broken)
        with capturedLogs():
            self.started()
        self.assertEqual(self.inotify.live()["/a"].mask, ENTRIES | ATTRIBUTES | CONTENTS)
        self.assertEqual(self.delays(), [60.0])

    def test_constructor_that_is_not_called(self) -> None:
        """Attributes of the class work like arguments of the constructor."""
        scanner = WatchingScanner()
        self.assertEqual(WatchingScanner.rescan_interval, scanner.rescan_interval)
        self.assertEqual(WatchingScanner.contents, scanner.contents)

    def test_contents_may_change(self) -> None:
        """A scanner that cares for contents no more is not woken by them any more."""
        self.start()
        self.scanner.contents = False
        self.worker.run()
        self.assertEqual(self.inotify.live()["/a"].mask, ENTRIES | ATTRIBUTES)


class HungTests(DiscoveryCase):
    """Tests for scans that do not return."""

    def test_reported_once(self) -> None:
        """A scan that hangs is reported once, with its stack, and not called beside itself."""
        self.started(rescan_interval=100.0)
        self.event("/a/x")
        with capturedLogs() as events:
            self.clock.advance(29.9)
            self.assertEqual(events, [])
            self.clock.advance(0.2)
            (event,) = events
            for _ in range(10):
                self.event("/a/y")
                self.clock.advance(60.0)
        self.assertEqual(events, [event])
        self.assertEqual(event["log_level"].name, "error")
        text = formatEvent(event)
        self.assertIn(NAME, text)
        self.assertIn("30 s", text)
        self.assertIn("in ask_the_card", text)
        facts = facts_of(event)
        self.assertEqual((facts["msg"], facts["scanner"]), ("scanner hangs", NAME))
        self.assertEqual(facts["seconds"], 30)
        self.assertIn("in ask_the_card", facts["stack"])
        self.assertEqual(len(self.worker.calls), 1)
        self.assertEqual(len(self.trees), 1)

    def test_return_of_a_hung_scan(self) -> None:
        """When it returns after all, that is logged, its tree counts, and missed changes follow."""
        self.started(tree_of("one"), tree_of("two"))
        self.event("/a/x")
        self.clock.advance(31.0)
        self.event("/a/y")
        with capturedLogs() as events:
            self.worker.run()
        self.assertEqual([NAME in formatEvent(event) for event in events], [True])
        self.assertIn("has returned after 32.0 s", formatEvent(events[0]))
        self.assertEqual(facts_of(events[0])["seconds"], 32)
        self.assertEqual(self.trees[-1], tree_of("two"))
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/a/x"]), ("follow", ["/a/y"])])

    def test_hung_scan_that_raises(self) -> None:
        """A hung scan that raises in the end is a failure like any other."""
        self.start(ZeroDivisionError("by zero"))
        self.clock.advance(31.0)
        self.worker.run()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertLess(self.delays()[0], 0.7)

    def test_quick_scan_says_nothing(self) -> None:
        """A scan that returns in time is not a word in the log."""
        with capturedLogs() as events:
            self.started(rescan_interval=1000.0)
            self.clock.advance(100.0)
        self.assertEqual(events, [])


class RescanTests(DiscoveryCase):
    """Tests for the scans that happen anyway."""

    def test_rescan(self) -> None:
        """After each interval everything is discovered."""
        self.started(rescan_interval=60.0, paths=["/a", "/b"])
        for turn in range(1, 4):
            self.clock.advance(59.9)
            self.assertEqual(self.worker.calls, [])
            self.clock.advance(0.1)
            self.worker.run()
            self.assertEqual(self.diary, ["discover"] * turn)

    def test_interval_may_change(self) -> None:
        """The interval is read again after every full scan."""
        self.started(rescan_interval=60.0)
        self.scanner.rescan_interval = 5.0
        self.clock.advance(60.0)
        self.worker.run()
        self.assertEqual(self.delays(), [5.0])

    def test_following_does_not_put_it_off(self) -> None:
        """Scans that follow single paths do not put the full one off."""
        self.started(rescan_interval=60.0)
        for _ in range(59):
            self.event("/a/x")
            self.worker.run()
        self.diary.clear()
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, ["discover"])

    def test_full_scan_puts_it_off(self) -> None:
        """A full scan for another reason counts."""
        self.started(rescan_interval=60.0)
        self.clock.advance(49.0)
        self.event()
        self.worker.run()
        self.assertEqual(self.delays(), [60.0])

    def test_rescan_during_a_scan(self) -> None:
        """A rescan that falls due during a scan follows it."""
        self.started(rescan_interval=60.0)
        self.clock.advance(58.0)
        self.event("/a/x")
        self.clock.advance(2.0)
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/a/x"]), "discover"])
        self.assertEqual(self.delays(), [60.0])

    def test_polled(self) -> None:
        """Where a path is polled, scans take a tenth of the time at most; events are not held."""
        self.started(paths=["/a", "/b"], rescan_interval=1000.0)
        self.inotify.live()["/a"].polled = True
        self.event()
        self.clock.advance(0.5)
        self.worker.run()
        self.diary.clear()
        for _ in range(3):
            self.event()
            self.assertEqual(self.worker.calls, [])
        self.event("/b/x", path="/b")
        self.worker.run()
        self.clock.advance(0.4)
        self.inotify.live()["/a"].report(None)
        self.assertEqual(self.worker.calls, [])
        self.event()
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/b/x"]), "discover"])

    def test_polled_no_more(self) -> None:
        """Paths that are watched again are scanned at once, however long the last scan took."""
        self.started(rescan_interval=1000.0)
        watch = self.inotify.live()["/a"]
        watch.polled = True
        self.event()
        self.clock.advance(9.0)
        self.worker.run()
        watch.polled = False
        self.event()
        self.assertEqual(len(self.worker.calls), 1)
        self.worker.run()

    def test_rescan_while_a_retry_is_due(self) -> None:
        """A rescan that falls due while a failed scan waits makes no scan beside the retry."""
        self.started(tree_of("one"), ZeroDivisionError("by zero"), rescan_interval=60.0)
        self.clock.advance(58.8)
        self.event("/a/x")
        self.worker.run()
        self.clock.advance(0.2)
        self.assertEqual(self.worker.calls, [])
        self.flushLoggedErrors(ZeroDivisionError)


class PathTests(DiscoveryCase):
    """Tests for paths that come and go."""

    def test_new_path(self) -> None:
        """A path that a scan has added is watched, and one more scan follows."""
        self.started()
        self.scanner.paths = ["/a", "/b"]
        self.event("/a/x")
        self.worker.run()
        self.assertEqual(sorted(self.inotify.live()), ["/a", "/b"])
        self.clock.advance(1.0)
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual(self.worker.calls, [])
        self.assertEqual(self.diary, [("follow", ["/a/x"]), ("watch", "/b"), "discover"])
        self.event("/b/y", path="/b")
        self.worker.run()
        self.assertEqual(self.diary[-1], ("follow", ["/b/y"]))

    def test_path_found_by_the_first_scan(self) -> None:
        """The same holds for a path that the first scan has found."""
        self.start(paths=[])
        self.scanner.paths = ["/a"]
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, ["discover", ("watch", "/a"), "discover"])

    def test_path_no_longer_named(self) -> None:
        """A path that is no longer named is no longer watched; the others are kept."""
        self.started(paths=["/a", "/b"])
        kept = self.inotify.live()["/a"]
        self.scanner.paths = ["/a"]
        self.event("/a/x")
        self.worker.run()
        self.assertEqual(self.inotify.live(), {"/a": kept})
        self.clock.advance(1.0)
        self.assertEqual(self.worker.calls, [])

    def test_equal_paths(self) -> None:
        """A path that is named twice is watched once."""
        self.started(paths=["/a", "/a"])
        self.assertEqual(list(self.inotify.live()), ["/a"])

    def test_one_string(self) -> None:
        """A single path may be given without a list."""
        self.assertEqual(WatchingScanner("/dev").paths, ["/dev"])
        self.assertEqual(WatchingScanner(("/a", "/b")).paths, ["/a", "/b"])

    def test_one_string_as_an_attribute(self) -> None:
        """Set as an attribute, a single path is one path too, not its letters."""
        self.started()
        self.scanner.paths = "/dev"
        self.event("/a/x")
        self.worker.run()
        self.assertEqual(list(self.inotify.live()), ["/dev"])

    def test_no_paths(self) -> None:
        """A scanner without paths is scanned at the start and at intervals."""
        self.started(paths=[], rescan_interval=10.0)
        self.clock.advance(10.0)
        self.worker.run()
        self.assertEqual(self.diary, ["discover"])


class FakeInterest(FakeWatch):
    """An interest in subsystems, whose events are the test's."""

    def __init__(self, subsystems: Collection[str], callback: Callable[[Changes], None]) -> None:
        super().__init__("", callback, 0)
        self.subsystems = frozenset(subsystems)


class FakeUevents:
    """Keeps all interests."""

    def __init__(self) -> None:
        self.made: list[FakeInterest] = []

    def follow(
        self, subsystems: Collection[str], callback: Callable[[Changes], None]
    ) -> FakeInterest:
        """Make an interest."""
        self.made.append(FakeInterest(subsystems, callback))
        return self.made[-1]

    def live(self) -> list[FakeInterest]:
        """Those that are not stopped."""
        return [interest for interest in self.made if not interest.stopped]


class UeventTests(DiscoveryCase):
    """Tests for the subsystems whose events the scanner wants."""

    def setUp(self) -> None:
        """No netlink."""
        self.uevents = FakeUevents()
        self.patch(uevents, "uevents_of", lambda _: self.uevents)

    def wanted(self, *subsystems: str) -> None:
        """The scanner wants other subsystems from now on; a scan shows it."""
        self.scanner.uevents = subsystems
        self.event()
        self.diary.clear()
        self.worker.run()

    def test_none(self) -> None:
        """A scanner that wants none follows none."""
        self.started()
        self.assertEqual(self.uevents.made, [])

    def test_event(self) -> None:
        """An event causes a scan of what it names; lost events cause a full one."""
        self.patch(FakeScanner, "uevents", ("pci", "net"))
        self.started()
        (interest,) = self.uevents.live()
        self.assertEqual(interest.subsystems, {"pci", "net"})
        interest.report(frozenset({"/sys/devices/x"}))
        self.clock.advance(1.0)
        self.worker.run()
        interest.report(None)
        self.clock.advance(1.0)
        self.worker.run()
        self.assertEqual(self.diary, [("follow", ["/sys/devices/x"]), "discover"])

    def test_followed_before_the_first_scan(self) -> None:
        """No event is missed between the first scan and the time when events are followed."""
        self.patch(FakeScanner, "uevents", ("pci",))
        self.start()
        self.assertEqual(len(self.uevents.live()), 1)
        self.worker.run()
        self.assertEqual(self.diary.count("discover"), 1)

    def test_changes(self) -> None:
        """The attribute is read after each scan; what happened to new subsystems is looked at."""
        self.started()
        for subsystems, looks in ((("pci",), 1), (("pci", "net"), 1), (("net",), 0), ((), 0)):
            self.wanted(*subsystems)
            self.assertEqual([each.subsystems for each in self.uevents.live()],
                             [set(subsystems)] if subsystems else [])  # fmt: skip
            self.clock.advance(1.0)
            self.assertEqual(len(self.worker.calls), looks)
            if looks:
                self.worker.run()

    def test_wrong(self) -> None:
        """A wrong value is logged, and the subsystems stay as they were."""
        self.patch(FakeScanner, "uevents", ("pci",))
        self.started()
        with capturedLogs() as events:
            self.wanted(7)  # type: ignore[arg-type]
        self.assertIn("uevents", formatEvent(events[0]) or "")
        self.assertEqual([each.subsystems for each in self.uevents.live()], [{"pci"}])

    def test_stop(self) -> None:
        """Nothing is followed after the stop, and again after the next start."""
        self.patch(FakeScanner, "uevents", ("pci",))
        self.started()
        self.stop()
        self.assertEqual(self.uevents.live(), [])
        self.worker.stopped = False
        self.discovery.startService()
        self.assertEqual(len(self.uevents.live()), 1)


MANY = [f"/many/{number}" for number in range(3 * SLICE)]


class ManyPathsTests(DiscoveryCase):
    """Tests for paths that are too many for one turn of the reactor."""

    def turn(self) -> int:
        """Let the reactor turn once; how many watches were set or ended in that turn."""
        made, live = len(self.inotify.made), len(self.inotify.live())
        one_turn(self.clock)
        added = len(self.inotify.made) - made
        return 2 * added - (len(self.inotify.live()) - live)

    def test_watched_in_slices(self) -> None:
        """A slice is watched in each turn, and the first scan does not wait for the last."""
        self.start(paths=MANY)
        self.assertEqual(self.diary, [("watch", path) for path in MANY[:SLICE]])
        self.assertEqual(len(self.worker.calls), 1)
        self.assertEqual([self.turn(), self.turn(), self.turn()], [SLICE, SLICE, 0])
        self.assertEqual(list(self.inotify.live()), MANY)

    def test_slow_paths(self) -> None:
        """Where watching takes long, a turn ends early."""
        watch = FakeInotify.watch

        def slowly(*arguments: Any) -> FakeWatch:
            self.clock.rightNow += ENOUGH / 2
            return watch(*arguments)

        self.patch(FakeInotify, "watch", slowly)
        self.start(paths=MANY[:5])
        self.assertEqual(list(self.inotify.live()), MANY[:2])
        self.assertEqual([self.turn(), self.turn(), self.turn()], [2, 1, 0])
        self.assertEqual(list(self.inotify.live()), MANY[:5])

    def test_scanned_once_more(self) -> None:
        """One more scan finds changes from before the last of them was watched."""
        self.started(paths=MANY)
        self.turn()
        self.assertEqual(self.worker.calls, [])
        self.turn()
        self.clock.advance(1.0)
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual(self.diary[-1], "discover")
        self.assertEqual((self.diary.count("discover"), self.worker.calls), (1, []))

    def test_watched_during_a_scan(self) -> None:
        """Where the last is watched while a scan is under way, another one follows."""
        self.start(paths=MANY)
        self.turn()
        self.turn()
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual((self.diary.count("discover"), self.worker.calls), (2, []))

    def test_one_slice(self) -> None:
        """Paths that are watched in one turn need no other scan."""
        self.started(paths=MANY[:SLICE])
        self.clock.advance(1.0)
        self.assertEqual((self.diary, self.worker.calls), ([], []))

    def test_ended_in_slices(self) -> None:
        """Watches that are no longer wanted end in slices too; that needs no scan."""
        self.started(paths=["/a", *MANY])
        for _ in range(4):
            self.turn()
        self.clock.advance(1.0)
        self.scanner.paths = ["/a"]
        self.worker.run()
        self.diary.clear()
        self.assertEqual([self.turn(), self.turn(), self.turn()], [SLICE, SLICE, 0])
        self.clock.advance(1.0)
        self.assertEqual((list(self.inotify.live()), self.worker.calls), (["/a"], []))

    def test_changed_meanwhile(self) -> None:
        """Only paths that are wanted now are watched, whatever was due; a scan follows."""
        self.start(paths=MANY)
        self.scanner.paths = [*MANY[: SLICE // 2], "/b"]
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual(list(self.inotify.live()), self.scanner.paths)
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual((self.diary.count("discover"), self.worker.calls), (2, []))

    def test_shrinks_to_what_is_watched(self) -> None:
        """A scan follows also when the paths that are left were all watched in an earlier turn."""
        self.start(paths=MANY)
        self.turn()
        self.scanner.paths = MANY[:SLICE]
        self.worker.run()
        self.clock.advance(1.0)
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual((self.diary.count("discover"), self.worker.calls), (2, []))

    def test_contents_change_meanwhile(self) -> None:
        """All are watched for the events that matter in the end."""
        self.start(paths=MANY)
        self.turn()
        self.scanner.contents = False
        self.worker.run()
        self.clock.advance(1.0)
        live = self.inotify.live()
        self.assertEqual(sorted(live), sorted(MANY))
        self.assertEqual({watch.mask for watch in live.values()}, {ENTRIES | ATTRIBUTES})

    def test_stop(self) -> None:
        """A stop ends what is watched and drops what is due; a start begins again."""
        self.start(paths=MANY)
        self.turn()
        self.start_again()
        self.assertEqual(list(self.inotify.live()), MANY[:SLICE])
        self.stop()


class StopTests(DiscoveryCase):
    """Tests for `Discovery.stopService`; that nothing is left is seen after every test here."""

    def test_stop_during_a_scan(self) -> None:
        """Stopping does not wait for a scan, and its outcome changes nothing."""
        self.start()
        self.stop()
        self.worker.run()
        self.assertEqual(self.trees, [])

    def test_start_again(self) -> None:
        """Started again it watches and discovers like the first time, whatever was before."""
        self.started(ZeroDivisionError("by zero"), tree_of("two"))
        self.flushLoggedErrors(ZeroDivisionError)
        self.stop()
        self.worker.stopped = False
        self.discovery.startService()
        self.worker.run()
        self.assertEqual(self.diary, [("watch", "/a"), "discover"])
        self.assertEqual(self.trees, [tree_of("two")])
        self.assertEqual(self.preparations, 2)  # to the second all is new, as to the receiver
        self.assertEqual(self.delays(), [60.0])

    def test_start_again_during_a_scan(self) -> None:
        """A scan that was under way at the stop keeps no other one waiting."""
        self.start()
        self.event("/a/x")
        self.start_again()
        self.worker.run()
        self.clock.advance(1.0)
        self.assertEqual(self.diary, [("watch", "/a"), "discover"])
        self.assertEqual(self.worker.calls, [])

    def test_start_again_with_events_pending(self) -> None:
        """Everything is discovered, and not only what had changed before the stop."""
        self.started()
        self.event("/a/x")
        self.start_again()
        self.worker.run()
        self.assertEqual(self.diary, [("watch", "/a"), "discover"])

    def test_start_again_after_failures(self) -> None:
        """A first failure is tried again soon, whatever was before."""
        self.start(ZeroDivisionError("by zero"))
        for _ in range(5):
            self.worker.run()
            self.clock.advance(self.delays()[0] + 0.001)
        self.start_again()
        self.worker.run()
        self.assertLess(self.delays()[0], 0.7)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_before_a_retry(self) -> None:
        """Stopping cancels a retry."""
        self.start(ZeroDivisionError("by zero"))
        self.worker.run()
        self.stop()
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_with_events_pending(self) -> None:
        """Stopping drops events that wait for the end of their window."""
        self.started()
        self.event("/a/x")
        self.inotify.live()["/a"].report(frozenset(["/a/y"]))
        self.stop()

    def test_stop_while_a_tree_is_taken(self) -> None:
        """Who takes a tree may stop the scanner: it neither watches nor scans any more."""
        self.start(paths=[])
        self.scanner.paths = ["/a"]

        self.patch(self, "deliver", lambda _: self.discovery.stopService())
        self.worker.run()
        self.stop()

    def test_stop_after_a_hung_scan(self) -> None:
        """Stopping while a scan hangs is stopping all the same."""
        self.start()
        with capturedLogs():
            self.clock.advance(31.0)
        self.stop()


class NameTests(SynchronousTestCase):
    """Tests for `name_of`."""

    def test_name(self) -> None:
        """A scanner's name is written as on the command line, also of a nested class."""

        class Inner:
            pass

        self.assertEqual(name_of(FakeScanner([])), NAME)
        self.assertTrue(
            name_of(Inner()).startswith("tests.scan.test_discovery:NameTests.test_name.")
        )


class RealTests(TestCase):
    """The same with a real directory, thread and reactor."""

    async def test_file_to_tree(self) -> None:
        """A file that appears is a device soon after, found in a thread of the scanner's own."""
        directory = temporary_directory(self)
        found = Recorder()
        threads = set()

        class Files(WatchingScanner):
            def discover(self) -> DeviceTree:
                threads.add(threading.current_thread())
                return tree_of(*os.listdir(directory))

        discovery = Discovery(
            Files([directory]),
            lambda: copied,  # type: ignore[arg-type,return-value]
            lambda tree: reactor.callLater(0.0, found, tree),  # type: ignore[arg-type]
            reactor=reactor,
            inotify=Inotify(reactor),
            scan_timeout=30.0,
        )
        discovery.startService()
        self.addCleanup(discovery.stopService)
        await found.until(lambda trees: trees[-1:] == [tree_of()])
        with open(f"{directory}/x", "w"):
            pass
        await found.until(lambda trees: trees[-1] == tree_of("x"))
        os.unlink(f"{directory}/x")
        await found.until(lambda trees: trees[-1] == tree_of())
        (thread,) = threads
        self.assertIsNot(thread, threading.main_thread())
        self.assertTrue(thread.daemon)
