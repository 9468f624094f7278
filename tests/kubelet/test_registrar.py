"""Tests for `twistdp.kubelet.registrar`, on a clock, and for `twistdp.kubelet.complaints`."""

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import (
    CallFailed,
    KubeletAbsent,
    RegistrationRefused,
    SocketTaken,
    StillServed,
    Untrusted,
)
from twistdp.host.limits import SOON
from twistdp.kubelet.news import KubeletNews
from twistdp.kubelet.registrar import STABLE, STREAM_TIMEOUT, STREAM_TIMEOUT_MOST, Registrar
from twistdp.kubelet.strategy import Registrant
from twistdp.kubelet.streams import ListStreams
from twistdp.status.condition import Standing

RESOURCE = "x.example.com/widget"


class RecordingNews(KubeletNews):
    """Keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.under_way = 0
        self.ends: list[str] = []

    def trying(self, resource: str) -> None:
        """Count an attempt."""
        self.under_way += 1

    def over(self, resource: str) -> None:
        """Forget the attempt of the one resource."""
        self.under_way = 0

    def registered(self, resource: str) -> None:
        """As `KubeletNews` does it."""
        self.lines.append(f"registered {resource}")
        self.over(resource)

    def lost(self, resource: str) -> None:
        """Keep it."""
        self.ends.append(f"lost {resource}")

    def forget(self, resource: str) -> None:
        """Keep it."""
        self.ends.append(f"forget {resource}")

    def failed(self, resource: str, reason: str, refused: bool) -> None:
        """Count no attempt twice: the log has what matters here."""

    def complain(self, resource: str, text: str, about: str = "", doing: str = "") -> None:
        """Keep it."""
        self.lines.append(f"complain {doing}{resource}: {text}")

    def absent(self, text: str) -> None:
        """Keep it."""
        self.lines.append(f"absent {text}")

    def warn_once(self, complaint: str) -> None:
        """Keep it."""
        self.lines.append(f"once {complaint}")


class FakeDirectory:
    """Keeps its subscribers."""

    def __init__(self) -> None:
        self.news = RecordingNews()
        self.subscribers: dict[str, tuple[Callable[[], None], ...]] = {}

    def subscribe(self, path: str, *calls: Callable[[], None]) -> None:
        """Keep them."""
        self.subscribers[path] = calls

    def unsubscribe(self, path: str) -> None:
        """Forget them."""
        del self.subscribers[path]

    def kubelet_changed(self) -> None:
        """Notify them of another kubelet."""
        for kubelet_changed, _ in self.subscribers.values():
            kubelet_changed()

    def socket_changed(self) -> None:
        """Notify them of a change of the socket's name."""
        for _, socket_changed in self.subscribers.values():
            socket_changed()


class FakeServer:
    """A server whose socket has its name or not."""

    path = "/nonexistent/widget.sock"

    def __init__(self) -> None:
        self.published = False
        self.listens: list[Deferred[None]] = []

    def is_published(self) -> bool:
        """Whether it has."""
        return self.published

    def listen(self) -> Deferred[None]:
        """Wait for the test."""
        self.listens.append(Deferred())
        return self.listens[-1]


class FakeRegistration:
    """Attempts that the test ends."""

    methods = ()

    def __init__(self, by_name: bool) -> None:
        self.by_name = by_name
        self.stubborn = False
        """Whether a cancelled attempt succeeds all the same."""
        self.attempts: list[Deferred[None]] = []

    def attach(self, registrant: Registrant) -> None:
        """Keep the function that ends the streams."""
        self._end_streams = registrant.end_streams

    async def register(self) -> None:
        """End older streams and wait for the test."""
        self._end_streams()
        self.attempts.append(Deferred())
        try:
            await self.attempts[-1]
        except CancelledError:
            if not self.stubborn:
                raise


class RegistrarCase(SynchronousTestCase):
    """A registrar."""

    def begun(self, by_name: bool = False) -> None:
        """A registration that is under way."""
        self.clock = Clock()
        self.directory = FakeDirectory()
        self.server = FakeServer()
        self.registration = FakeRegistration(by_name)
        self.streams = ListStreams(b"", self.clock, lambda: self.registrar.stream_lost())
        self.registrar = Registrar(
            RESOURCE,
            self.registration,
            server=self.server,  # type: ignore[arg-type]
            streams=self.streams,
            directory=self.directory,  # type: ignore[arg-type]
            reactor=self.clock,
        )
        self.registrar.start()
        self.server.published = True

    def accepted(self, by_name: bool = False) -> None:
        """A registration that was accepted."""
        self.begun(by_name)
        self.registration.attempts[0].callback(None)

    def opened(self, caller: str = "") -> Deferred[Any]:
        """The kubelet's stream, which it reads; cancelling it ends it."""

        async def read() -> None:
            async for _ in self.streams.follow(caller):
                pass

        return Deferred.fromCoroutine(read()).addErrback(lambda end: end.trap(CancelledError))

    def attempts(self) -> int:
        """How many attempts there were, after all calls that are due."""
        self.clock.advance(0.0)
        return len(self.registration.attempts)

    def pass_back_off(self) -> None:
        """Let the planned attempt begin, whatever its delay."""
        self.clock.advance(6.0)

    def wait(self) -> float:
        """The seconds until the planned attempt."""
        (planned,) = self.clock.getDelayedCalls()
        return planned.getTime() - self.clock.seconds()

    def end_streams_after(self, *lives: float) -> list[float]:
        """End streams after these lives; returns the seconds before each following attempt."""
        waits = []
        for life in lives:
            stream = self.opened()
            self.clock.advance(life)
            stream.cancel()
            waits.append(self.wait())
            self.pass_back_off()
            self.registration.attempts[-1].callback(None)
        return waits

    def fail_attempts(self, *errors: Exception) -> list[float]:
        """Fail attempts so; returns the seconds before each following attempt."""
        waits = []
        for error in errors:
            self.registration.attempts[-1].errback(error)
            waits.append(self.wait())
            self.pass_back_off()
        return waits


class RegistrarTests(RegistrarCase):
    """A registrar whose registration is accepted, and what happens then."""

    def test_standing(self) -> None:
        """It says whether a kubelet is awaited, has accepted, or another thing is wrong."""
        self.begun()
        self.assertIs(self.registrar.standing, Standing.REGISTERING)
        self.registration.attempts[0].errback(KubeletAbsent("none"))
        self.assertIs(self.registrar.standing, Standing.WAITING)
        self.assertEqual(self.attempts(), 2)
        self.assertIs(self.registrar.standing, Standing.WAITING)
        self.registration.attempts[1].errback(OSError(28, "No space left on device"))
        self.assertIs(self.registrar.standing, Standing.FAILING)
        self.registrar._kubelet_changed()
        self.registration.attempts[2].callback(None)
        self.assertIs(self.registrar.standing, Standing.REGISTERED)
        self.registrar.stream_lost()
        self.assertIs(self.registrar.standing, Standing.REGISTERING)

    def test_standing_by(self) -> None:
        """It stands by while another server lives, also during attempts; no file is a server."""
        self.begun()
        lives = StillServed("/p/x.sock", 7, "process 7 serves this resource already")
        self.registration.attempts[0].errback(lives)
        self.assertIs(self.registrar.standing, Standing.STANDING_BY)
        self.pass_back_off()
        self.assertIs(self.registrar.standing, Standing.STANDING_BY)
        self.registration.attempts[1].errback(SocketTaken("/p/x.sock", 0, "is no socket"))
        self.assertIs(self.registrar.standing, Standing.FAILING)

    def test_stuck(self) -> None:
        """It is stuck if an attempt was lost and none follows."""
        self.begun()
        self.registrar.cease()
        self.assertIs(self.registrar.standing, Standing.STUCK)
        self.registrar.announce()
        self.assertIs(self.registrar.standing, Standing.REGISTERING)

    def test_dropped(self) -> None:
        """A dropped attempt does not count, however it ends."""
        self.begun()
        self.registration.stubborn = True
        self.directory.kubelet_changed()
        self.assertTrue(self.registration.attempts[0].called)
        self.assertIs(self.registrar.standing, Standing.REGISTERING)
        self.assertEqual(self.directory.news.lines, [])
        self.registration.attempts[1].callback(None)
        self.assertEqual(self.directory.news.lines, [f"registered {RESOURCE}"])

    def test_stop(self) -> None:
        """Nothing is under way or planned after a stop, and nothing begins."""
        self.begun()
        self.assertEqual(self.directory.news.under_way, 1)
        self.registrar.stop()
        self.assertTrue(self.registration.attempts[0].called)
        self.assertEqual(self.directory.news.under_way, 0)
        self.assertEqual((self.directory.subscribers, self.attempts()), ({}, 1))
        self.accepted()
        self.registrar.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.directory.news.ends, [f"forget {RESOURCE}"])

    def test_nothing_is_planned_twice(self) -> None:
        """A kubelet that appears before a planned attempt replaces it."""
        self.begun()
        self.fail_attempts(KubeletAbsent("none"))
        self.registration.attempts[-1].errback(KubeletAbsent("none"))
        self.directory.kubelet_changed()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def assert_second_attempt_stands(self) -> None:
        """The kubelet accepts the second attempt with a stream, and no other follows."""
        self.assertEqual(self.attempts(), 2)
        self.streams.asked("kubelet")
        self.opened("kubelet")
        self.registration.attempts[1].callback(None)
        self.clock.advance(STREAM_TIMEOUT_MOST)
        self.pass_back_off()
        self.assertEqual(self.attempts(), 2)

    def test_stream_that_was_expected_in_vain(self) -> None:
        """The next registration does not wait for a caller that asked and opened no stream."""
        self.begun()
        self.streams.asked("kubelet")
        self.registration.attempts[0].callback(None)
        self.clock.advance(STREAM_TIMEOUT)
        self.assertEqual(
            self.directory.news.lines[-1],
            f"complain {RESOURCE}: the kubelet has accepted the registration but opened no stream; "
            "registering again",
        )
        self.assert_second_attempt_stands()

    def test_asked_and_refused(self) -> None:
        """A caller that asked and refused opens no stream, and none is waited for."""
        self.begun()
        self.streams.asked("kubelet")
        self.fail_attempts(RegistrationRefused(RESOURCE, "full"))
        self.pass_back_off()
        self.assert_second_attempt_stands()

    def test_asked_and_gone(self) -> None:
        """A kubelet that asked and died opens no stream, and the next one is not held for it."""
        for has_accepted in (False, True):
            with self.subTest(has_accepted=has_accepted):
                self.begun()
                self.streams.asked("kubelet")
                if has_accepted:
                    self.registration.attempts[0].callback(None)
                self.directory.kubelet_changed()
                self.assert_second_attempt_stands()

    def test_asked_by_others(self) -> None:
        """Questions of others cause no registration, in another name or before a restart."""
        self.begun()
        for caller in ("somebody", "kubelet", "somebody"):
            self.streams.asked(caller)
        self.opened("kubelet")
        self.registration.attempts[0].callback(None)
        self.clock.advance(STREAM_TIMEOUT)
        for caller in ("somebody", "kubelet"):
            self.streams.asked(caller)
        self.directory.kubelet_changed()
        self.assert_second_attempt_stands()

    def test_no_stream(self) -> None:
        """If no stream is opened in time, the resource is registered again."""
        self.accepted()
        self.clock.advance(STREAM_TIMEOUT * 0.9)
        self.assertEqual(self.attempts(), 1)
        self.clock.advance(STREAM_TIMEOUT * 0.1)
        self.assertEqual(self.attempts(), 2)

    def test_slow_kubelet(self) -> None:
        """A kubelet that needs longer for a stream gets more time with each registration."""
        self.accepted()
        self.clock.advance(STREAM_TIMEOUT)
        for number, seconds in enumerate((2.0, 4.0, 8.0, 16.0, 16.0), start=2):
            self.pass_back_off()
            self.assertEqual(self.attempts(), number)
            self.registration.attempts[-1].callback(None)
            # In steps, for an attempt that came too early begins a back-off after it.
            self.clock.pump([0.5] * round(seconds * 2 - 1))
            self.assertEqual(self.attempts(), number)
            self.clock.advance(0.5)
        self.pass_back_off()
        self.registration.attempts[-1].callback(None)
        stream = self.opened()
        self.clock.advance(STREAM_TIMEOUT_MOST)
        stream.cancel()
        self.pass_back_off()
        self.registration.attempts[-1].callback(None)
        number = self.attempts()
        self.clock.advance(STREAM_TIMEOUT)
        self.pass_back_off()
        self.assertEqual(self.attempts(), number + 1)

    def test_streams_that_end_soon(self) -> None:
        """Each time the next attempt waits longer, until a stream has lasted."""
        self.accepted()
        short = self.end_streams_after(*[STABLE - 0.5] * 6)
        self.assertEqual(short[0], 0.0)
        self.assertEqual(short, sorted(short))
        self.assertGreater(short[-1], 0.1)
        again = self.end_streams_after(STABLE, STABLE - 0.5)
        self.assertEqual(again[0], 0.0)
        self.assertLess(again[1], 0.1)

    def test_only_an_older_connections_stream(self) -> None:
        """If a kubelet has dialled twice and opened one stream, the resource registers again."""
        self.begun()
        self.streams.asked("kubelet")
        self.streams.asked("kubelet")
        self.opened("kubelet")
        self.registration.attempts[0].callback(None)
        self.clock.advance(STREAM_TIMEOUT)
        self.assertEqual(self.attempts(), 2)

    def test_stream_in_time(self) -> None:
        """After a stream in time nothing happens until it ends."""
        self.accepted()
        stream = self.opened()
        self.clock.advance(STREAM_TIMEOUT)
        self.assertEqual(self.attempts(), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        stream.cancel()
        self.assertEqual(self.attempts(), 2)
        self.assertEqual(self.directory.news.ends, [f"lost {RESOURCE}"])

    def test_stream_ended_before_it_was_accepted(self) -> None:
        """The resource registers again as soon as the answer arrives."""
        self.begun()
        self.opened().cancel()
        self.assertEqual(self.attempts(), 1)
        self.registration.attempts[0].callback(None)
        self.assertEqual(self.attempts(), 2)

    def test_name_removed(self) -> None:
        """While the kubelet's stream is open, only the name is made again."""
        self.accepted()
        self.opened()
        self.directory.socket_changed()
        self.assertEqual(self.server.listens, [])
        self.server.published = False
        self.directory.socket_changed()
        self.assertEqual((len(self.server.listens), self.attempts()), (1, 1))

    def test_name_cannot_be_made_again(self) -> None:
        """If the name cannot be made, attempts follow until one succeeds."""
        self.accepted()
        self.opened()
        self.server.published = False
        self.directory.socket_changed()
        self.server.listens[0].errback(OSError("disk full"))
        self.assertEqual(self.attempts(), 2)

    def test_name_removed_by_a_new_kubelet(self) -> None:
        """The new kubelet's own socket begins the only attempt."""
        self.accepted()
        self.opened()
        self.server.published = False
        self.directory.socket_changed()
        self.directory.kubelet_changed()
        self.assertEqual(self.attempts(), 2)

    def test_name_removed_without_a_stream(self) -> None:
        """Without a stream the resource is registered again."""
        self.accepted()
        self.server.published = False
        self.directory.socket_changed()
        self.assertEqual(self.attempts(), 2)

    def test_waits_begin_again(self) -> None:
        """After an event the back-off begins again, however often attempts have failed."""
        self.begun()
        for event in (self.directory.socket_changed, self.directory.kubelet_changed):
            self.fail_attempts(*[KubeletAbsent("none")] * 9)
            self.registration.attempts[-1].callback(None)
            self.server.published = False
            event()
            self.assertEqual(self.fail_attempts(KubeletAbsent("none")), [0.0])

    def test_name_removed_that_counts(self) -> None:
        """A kubelet that goes by names has dropped the plugin."""
        self.accepted(by_name=True)
        self.opened()
        self.server.published = False
        self.directory.socket_changed()
        self.assertEqual((self.server.listens, self.attempts()), ([], 2))


class FailureTests(RegistrarCase):
    """Attempts that fail: when the next one comes, and what the log says."""

    def test_waits(self) -> None:
        """The back-off grows without a kubelet, but not on a full disk, which no event ends."""
        for error, most in (
            (KubeletAbsent("none"), 5.0),
            (RegistrationRefused(RESOURCE, "full"), 5.0),
            (OSError(errno.ENOSPC, "No space left on device"), SOON),
            (PermissionError(errno.EACCES, "Permission denied"), SOON),
        ):
            self.begun()
            waits = self.fail_attempts(*[error] * 12)
            self.assertEqual(waits[0], 0.0)
            self.assertTrue(0.8 * most <= waits[-1] <= 1.2 * most, (error, waits))

    def test_machine_that_is_well_again(self) -> None:
        """After a success the back-off is that for a kubelet again."""
        self.begun()
        self.fail_attempts(OSError(errno.ENOSPC, "No space left on device"))
        self.registration.attempts[-1].callback(None)
        self.assertGreater(self.end_streams_after(*[STABLE - 0.5] * 12)[-1], 2 * SOON)

    def test_said(self) -> None:
        """Each kind of failure has its line; one that concerns all resources names none."""
        for error, line in (
            (
                OSError(errno.ENOSPC, "No space left on device", "/nonexistent/widget.sock"),
                "once cannot register from /nonexistent: No space left on device; free space or "
                "inodes there; trying again every second",
            ),
            (KubeletAbsent("waiting"), "absent waiting"),
            (
                Untrusted("/p", "mode 0777", "chmod it"),
                "once /p cannot be trusted: mode 0777; chmod it",
            ),
            (
                SocketTaken("/p/x.sock", 7, "process 7 is there"),
                f"complain {RESOURCE}: /p/x.sock: process 7 is there",
            ),
            (
                RegistrationRefused(RESOURCE, "full"),
                f"complain registration of {RESOURCE}: full",
            ),
            (
                PermissionError(errno.EACCES, "Permission denied"),
                f"complain {RESOURCE}: [Errno 13] Permission denied",
            ),
            (CallFailed("UNKNOWN", "odd"), f"complain {RESOURCE}: UNKNOWN: odd"),
        ):
            self.begun()
            self.registration.attempts[0].errback(error)
            self.assertEqual(self.directory.news.lines, [line])
            self.assertEqual(self.directory.news.under_way, 0)

    def test_surprise(self) -> None:
        """Any other error is the framework's, and is logged with its stack."""
        self.begun()
        self.fail_attempts(ZeroDivisionError("by zero"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_said_once(self) -> None:
        """A reason is not repeated before a registration works; a taken socket is logged once."""
        full, closed = (RegistrationRefused(RESOURCE, reason) for reason in ("full", "closed"))
        taken = [SocketTaken("/p/x.sock", pid, f"process {pid} is there") for pid in (7, 0)]
        for errors, count in (
            ((full, full), 1),
            ((full, closed), 2),
            ((full, closed, full), 3),
            ((*taken, *taken), 1),
            ((taken[0], full, taken[0]), 3),
        ):
            self.begun()
            self.fail_attempts(*errors)
            self.assertEqual(len(self.directory.news.lines), count, errors)
            self.registration.attempts[-1].callback(None)
            self.end_streams_after(STABLE)
            del self.directory.news.lines[:]
            self.directory.kubelet_changed()
            self.fail_attempts(errors[-1])
            self.assertEqual(len(self.directory.news.lines), 1, errors)
