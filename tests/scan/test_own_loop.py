"""Tests for twistdp.scan.own_loop."""

import contextlib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twistdp.model.devices import DeviceTree
from twistdp.model.interfaces import INotifier, IScanner
from twistdp.scan.own_loop import CLEAN_UP, STABLE, OwnLoop

NAME = "tests.scan.test_own_loop:FakeScanner"


@implementer(INotifier)
class FakeNotifier:
    """Takes any tree."""

    def __init__(self) -> None:
        self.running = False

    def notify(self, tree: DeviceTree) -> None:
        """Take it."""

    def start(self) -> None:
        """Begin to take trees."""
        self.running = True

    def stop(self) -> None:
        """Take no more."""
        self.running = False


@implementer(IScanner)
class FakeScanner:
    """Does the `acts` of the test, one at each call, and the last one for ever."""

    def __init__(self, *acts: Callable[[], Any]) -> None:
        self.acts = list(acts)
        self.notifiers: list[INotifier] = []

    def scan(self, notifier: INotifier) -> object:
        """Do the next act."""
        self.notifiers.append(notifier)
        return (self.acts.pop(0) if len(self.acts) > 1 else self.acts[0])()


class OwnLoopTests(SynchronousTestCase):
    """Tests for `OwnLoop`."""

    def start(self, *acts: Callable[[], Any]) -> None:
        """Start a scanner that acts so."""
        self.clock = Clock()
        self.scanner = FakeScanner(*acts)
        self.notifier = FakeNotifier()
        self.loop = OwnLoop(
            self.scanner,
            self.notifier,  # type: ignore[arg-type]
            reactor=self.clock,
        )
        self.addCleanup(self.stop)
        self.loop.startService()

    def stop(self) -> None:
        """Stop; whatever the test did, no timer is left."""
        if self.loop.running:
            self.assertTrue(self.notifier.running)
            self.loop.stopService()
        self.assertFalse(self.notifier.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def calls(self) -> int:
        """How often scan() was called."""
        return len(self.scanner.notifiers)

    def broken(self) -> None:
        """Raise."""
        raise ZeroDivisionError("by zero")

    def assert_called_once(self) -> None:
        """Time passes and the scanner is not called again."""
        self.clock.advance(1000.0)
        self.assertEqual(self.calls(), 1)

    def test_none(self) -> None:
        """A scanner that returns None is called once, with the notifier."""
        self.start(lambda: None)
        self.assertEqual(self.scanner.notifiers, [self.notifier])
        self.assert_called_once()

    def test_fired_deferred(self) -> None:
        """A Deferred that has fired is an end like None."""
        self.start(lambda: succeed(None))
        self.assert_called_once()

    def test_deferred(self) -> None:
        """A Deferred may fire when it likes."""
        result: Deferred[None] = Deferred()
        self.start(lambda: result)
        self.clock.advance(1000.0)
        result.callback(None)
        self.assert_called_once()

    def test_coroutine(self) -> None:
        """A coroutine is run, and may await Deferreds."""
        gate: Deferred[str] = Deferred()
        seen = []

        async def scan() -> None:
            seen.append(await gate)

        self.start(scan)
        gate.callback("value")
        self.assertEqual(seen, ["value"])
        self.assert_called_once()

    def test_any_other_value(self) -> None:
        """Whatever else is returned is of no interest."""
        self.start(lambda: object())
        self.assert_called_once()

    def test_raise(self) -> None:
        """A scanner that raises is logged by name with its stack, and called again."""
        with capturedLogs() as events:
            self.start(self.broken, lambda: None)
        (event,) = events
        self.assertEqual(event["scanner"], NAME)
        self.assertRegex(event["then"], r"^; calling it again in 0\.\d s$")
        self.assertIn("in broken", event["log_failure"].getTraceback())
        self.assertEqual(self.calls(), 1)
        self.clock.advance(0.61)
        self.assertEqual(self.calls(), 2)
        self.clock.advance(1000.0)
        self.assertEqual(self.calls(), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failed_deferred(self) -> None:
        """A Deferred that fails, at once or later, is a failure too."""
        later: Deferred[None] = Deferred()
        self.start(lambda: fail(ZeroDivisionError("at once")), lambda: later, lambda: None)
        self.clock.advance(0.61)
        self.assertEqual(self.calls(), 2)
        later.errback(ZeroDivisionError("later"))
        self.clock.advance(1.21)
        self.assertEqual(self.calls(), 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failed_coroutine(self) -> None:
        """A coroutine that raises is a failure too."""

        async def scan() -> None:
            self.broken()

        self.start(scan, lambda: None)
        self.clock.advance(0.61)
        self.assertEqual(self.calls(), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelled_by_the_scanner(self) -> None:
        """A result that the scanner itself cancels is a failure, and not the end."""
        result: Deferred[None] = Deferred()
        self.start(lambda: result, lambda: None)
        result.cancel()
        self.clock.advance(0.61)
        self.assertEqual(self.calls(), 2)
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)

    def test_back_off(self) -> None:
        """The delays between failures grow to a limit."""
        self.start(self.broken)
        delays = []
        for _ in range(10):
            (call,) = self.clock.getDelayedCalls()
            delays.append(call.getTime() - self.clock.seconds())
            self.clock.advance(delays[-1] + 0.001)
        for delay, expected in zip(delays, [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
            self.assertTrue(0.79 * expected < delay < 1.21 * expected, delays)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_back_off_begins_again(self) -> None:
        """After a scan that has lasted, the delays are short again."""
        lasting: Deferred[None] = Deferred()
        self.start(*[self.broken] * 4, lambda: lasting)
        for _ in range(4):
            self.clock.advance(5.0)
        self.clock.advance(STABLE)
        lasting.errback(ZeroDivisionError("later"))
        (call,) = self.clock.getDelayedCalls()
        self.assertLess(call.getTime() - self.clock.seconds(), 0.61)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_goes_on(self) -> None:
        """The stack comes once, a line when it is another failure, and one when it is over."""

        def busy() -> None:
            raise OSError("lamp busy")

        lasting: Deferred[None] = Deferred()
        with capturedLogs() as events:
            self.start(self.broken, self.broken, busy, lambda: lasting)
            for _ in range(3):
                self.clock.advance(5.0)
            self.assertEqual(self.calls(), 4)
            self.clock.advance(STABLE)
            lasting.errback(ZeroDivisionError("later"))
        texts = [formatEvent(event).partition(";")[0] for event in events]
        self.assertEqual(["log_failure" in event for event in events], [True, False, False, True])
        self.assertEqual(texts[0], f"scanner {NAME} failed")
        self.assertIn(f"scanner {NAME} failed with OSError: lamp busy, at {__file__}:", texts[1])
        self.assertEqual(texts[2], f"scanner {NAME} works again, after 3 failures")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_returns_in_the_end(self) -> None:
        """A scan that returns without an error works, too."""
        with capturedLogs() as events:
            self.start(self.broken, lambda: None)
            self.clock.advance(0.61)
        self.assertIn("works again, after 1 failure", formatEvent(events[1]))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_in_an_outage(self) -> None:
        """A scan that ends since it is stopped does not work again."""

        async def tidy() -> None:
            with contextlib.suppress(CancelledError):
                await Deferred[None]()

        with capturedLogs() as events:
            self.start(self.broken, tidy)
            self.clock.advance(0.61)
            self.loop.stopService()
        self.assertEqual(len(events), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_cancels_a_deferred(self) -> None:
        """A result that is pending at the stop is cancelled, which is no failure."""
        cancelled: list[Any] = []
        result: Deferred[None] = Deferred(cancelled.append)
        self.start(lambda: result)
        with capturedLogs() as events:
            self.stop()
        self.assertEqual(cancelled, [result])
        self.assertEqual(events, [])
        self.assert_called_once()

    def test_stop_whose_canceller_raises(self) -> None:
        """An error of a canceller is logged, and the stop ends."""

        def refuse(_: object) -> None:
            raise ZeroDivisionError

        self.start(lambda: Deferred(refuse))
        self.stop()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_called_once()

    def test_stop_cancels_a_coroutine(self) -> None:
        """A coroutine is cancelled where it waits."""
        gate: Deferred[None] = Deferred()
        left = []

        async def scan() -> None:
            try:
                await gate
            finally:
                left.append(True)

        self.start(scan)
        self.stop()
        self.assertEqual(left, [True])

    def cleaning(self) -> Deferred[None]:
        """Start a scanner whose clean-up waits for what is returned."""
        gate: Deferred[None] = Deferred()

        async def scan() -> None:
            try:
                await Deferred()
            finally:
                await gate

        self.start(scan)
        return gate

    def test_stop_waits_for_the_clean_up(self) -> None:
        """A stop ends when the scanner has released its hardware, and not before."""
        gate = self.cleaning()
        stopped = self.loop.stopService()
        self.clock.advance(CLEAN_UP - 0.1)
        self.assertNoResult(stopped)
        gate.callback(None)
        self.successResultOf(stopped)

    def test_stop_does_not_wait_for_ever(self) -> None:
        """A clean-up that takes too long is logged by the scanner's name, and left alone."""
        gate = self.cleaning()
        with capturedLogs() as events:
            stopped = self.loop.stopService()
            self.clock.advance(CLEAN_UP)
        self.successResultOf(stopped)
        (event,) = events
        self.assertEqual((event["scanner"], event["seconds"]), (NAME, CLEAN_UP))
        gate.callback(None)
        self.assert_called_once()

    def test_start_during_the_clean_up(self) -> None:
        """A scanner that is started again is called when its clean-up has ended."""
        gate = self.cleaning()
        self.loop.stopService()
        self.loop.startService()
        self.assertEqual(self.calls(), 1)
        self.scanner.acts = [lambda: None]
        gate.callback(None)
        self.assertEqual(self.calls(), 2)
        self.clock.advance(CLEAN_UP)
        self.assertEqual(self.calls(), 2)

    def test_failing_clean_up_after_another_start(self) -> None:
        """Then it is called once, and not once more for the failure."""
        gate = self.cleaning()
        self.loop.stopService()
        self.loop.startService()
        self.scanner.acts = [lambda: None]
        with capturedLogs() as events:
            gate.errback(ZeroDivisionError("by zero"))
        self.assertEqual(events[0]["then"], "")
        self.clock.advance(1000.0)
        self.assertEqual(self.calls(), 2)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_failure_during_the_stop(self) -> None:
        """A clean-up that fails at the stop is logged, and the scanner is not called again."""
        gate: Deferred[None] = Deferred()

        async def scan() -> None:
            try:
                await gate
            finally:
                self.broken()

        self.start(scan)
        self.stop()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assert_called_once()

    def test_stop_before_the_next_call(self) -> None:
        """A stopped scanner is not called again."""
        self.start(self.broken)
        self.stop()
        self.assert_called_once()
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_after_the_end(self) -> None:
        """A scanner that is done is stopped without a word."""
        self.start(lambda: None)
        with capturedLogs() as events:
            self.stop()
        self.assertEqual(events, [])

    def test_start_again(self) -> None:
        """After a stop the scanner can be started again."""
        self.start(self.broken)
        self.stop()
        self.scanner.acts = [lambda: None]
        self.loop.startService()
        self.assertEqual(self.calls(), 2)
        self.flushLoggedErrors(ZeroDivisionError)
