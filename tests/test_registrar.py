"""Tests for `twistdp.registrar`: what is done when, on a clock."""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import temporary_directory
from twistdp.condition import Standing
from twistdp.errors import KubeletAbsent
from twistdp.kubelet.messages import DevicePluginOptions
from twistdp.kubelet.news import KubeletNews
from twistdp.kubelet.registration import SocketRegistration
from twistdp.registrar import STABLE, STREAM_TIMEOUT, STREAM_TIMEOUT_MOST, Registrar
from twistdp.streams import ListStreams

RESOURCE = "x.example.com/widget"


class FakeDirectory:
    """Keeps whom to tell."""

    kubelet_changed: Callable[[], None]
    socket_changed: Callable[[], None]

    def __init__(self) -> None:
        self.news = KubeletNews(Clock())

    def subscribe(self, path: str, *told: Callable[[], None]) -> None:
        """Keep them."""
        self.kubelet_changed, self.socket_changed = told

    def unsubscribe(self, path: str) -> None:
        """Nothing is kept."""


class FakeServer:
    """A socket whose name is there or not."""

    path = "/nonexistent/widget.sock"

    def __init__(self) -> None:
        self.published = False
        self.listens: list[Deferred[None]] = []

    def is_published(self) -> bool:
        """Whether it is."""
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
        self.attempts: list[Deferred[None]] = []

    def attach(
        self, server: object, end_streams: Callable[[], Deferred[None]], outdated: object
    ) -> None:
        """Keep what ends the streams; nobody else begins."""
        self._end_streams = end_streams

    async def register(self) -> None:
        """End older streams and wait for the test."""
        self._end_streams()
        self.attempts.append(Deferred())
        await self.attempts[-1]


class RegistrarTests(SynchronousTestCase):
    """A registrar whose registration is accepted, and what happens then."""

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

    def test_standing(self) -> None:
        """It is told whether a kubelet is waited for, has accepted, or something else is wrong."""
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

    def test_stuck(self) -> None:
        """An attempt that was lost, and is followed by none, is told too."""
        self.begun()
        self.registrar.cease()
        self.assertIs(self.registrar.standing, Standing.STUCK)
        self.registrar.announce()
        self.assertIs(self.registrar.standing, Standing.REGISTERING)

    def attempts(self) -> int:
        """How many there were, when all that is due has happened."""
        self.clock.advance(0.0)
        return len(self.registration.attempts)

    def test_no_stream(self) -> None:
        """When none is opened in time, the resource is registered again."""
        self.accepted()
        self.clock.advance(STREAM_TIMEOUT * 0.9)
        self.assertEqual(self.attempts(), 1)
        self.clock.advance(STREAM_TIMEOUT * 0.1)
        self.assertEqual(self.attempts(), 2)

    def test_slow_kubelet(self) -> None:
        """One that needs longer than that for a stream gets more time with each registration."""
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

    def pass_back_off(self) -> None:
        """The attempt that is planned begins, whatever its delay."""
        self.clock.advance(6.0)

    def end_streams_after(self, *lives: float) -> list[float]:
        """Each stream ends after so many seconds; how long the attempt that follows waits."""
        waits = []
        for life in lives:
            stream = self.opened()
            self.clock.advance(life)
            stream.cancel()
            (planned,) = self.clock.getDelayedCalls()
            waits.append(planned.getTime() - self.clock.seconds())
            self.pass_back_off()
            self.registration.attempts[-1].callback(None)
        return waits

    def test_streams_that_end_soon(self) -> None:
        """Each time the kubelet is left alone for longer, until a stream has lasted."""
        self.accepted()
        short = self.end_streams_after(*[STABLE - 0.5] * 6)
        self.assertEqual(short[0], 0.0)
        self.assertEqual(short, sorted(short))
        self.assertGreater(short[-1], 0.1)
        again = self.end_streams_after(STABLE, STABLE - 0.5)
        self.assertEqual(again[0], 0.0)
        self.assertLess(again[1], 0.1)

    def test_only_an_older_connections_stream(self) -> None:
        """When a kubelet has dialled twice and one stream is missing, it is registered again."""
        self.begun()
        self.streams.asked("kubelet")
        self.streams.asked("kubelet")
        self.opened("kubelet")
        self.registration.attempts[0].callback(None)
        self.clock.advance(STREAM_TIMEOUT)
        self.assertEqual(self.attempts(), 2)

    def test_stream_in_time(self) -> None:
        """When one is, nothing more is done, until it ends."""
        self.accepted()
        stream = self.opened()
        self.clock.advance(STREAM_TIMEOUT)
        self.assertEqual(self.attempts(), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        stream.cancel()
        self.assertEqual(self.attempts(), 2)

    def test_stream_ended_before_it_was_accepted(self) -> None:
        """It is registered again as soon as that is known."""
        self.begun()
        self.opened().cancel()
        self.assertEqual(self.attempts(), 1)
        self.registration.attempts[0].callback(None)
        self.assertEqual(self.attempts(), 2)

    def test_name_removed(self) -> None:
        """While the kubelet's stream is open, the name is made anew and that is all."""
        self.accepted()
        self.opened()
        self.directory.socket_changed()
        self.assertEqual(self.server.listens, [])
        self.server.published = False
        self.directory.socket_changed()
        self.assertEqual((len(self.server.listens), self.attempts()), (1, 1))

    def test_name_cannot_be_made_anew(self) -> None:
        """Then it is a matter of an attempt, which is tried again and again."""
        self.accepted()
        self.opened()
        self.server.published = False
        self.directory.socket_changed()
        self.server.listens[0].errback(OSError("disk full"))
        self.assertEqual(self.attempts(), 2)

    def test_name_removed_by_a_new_kubelet(self) -> None:
        """Its own socket is news enough."""
        self.accepted()
        self.opened()
        self.server.published = False
        self.directory.socket_changed()
        self.directory.kubelet_changed()
        self.assertEqual(self.attempts(), 2)

    def test_name_removed_without_a_stream(self) -> None:
        """Nobody holds on to the old name: the resource is registered again."""
        self.accepted()
        self.server.published = False
        self.directory.socket_changed()
        self.assertEqual(self.attempts(), 2)

    def test_name_removed_that_counts(self) -> None:
        """A kubelet that goes by names has let go of the plugin."""
        self.accepted(by_name=True)
        self.opened()
        self.server.published = False
        self.directory.socket_changed()
        self.assertEqual((self.server.listens, self.attempts()), ([], 2))


class SocketRegistrationTests(SynchronousTestCase):
    """What an attempt does before it calls the kubelet."""

    def test_streams_stay_without_a_kubelet(self) -> None:
        """Nothing is ended that a kubelet may still have, when there is none to register with."""
        ended: list[bool] = []

        def end_streams() -> Deferred[None]:
            ended.append(True)
            return succeed(None)

        attempt, server = self.begin(f"{temporary_directory(self)}/kubelet.sock", end_streams)
        self.assertNoResult(attempt)
        server.listens[0].callback(None)
        self.failureResultOf(attempt, KubeletAbsent)
        self.assertEqual(ended, [])

    def test_missing_directory(self) -> None:
        """The plugin directory is made by the kubelet: without it there is none."""
        attempt, server = self.begin("/nonexistent/kubelet.sock", lambda: succeed(None))
        server.listens[0].errback(FileNotFoundError(2, "No such file or directory"))
        failure = self.failureResultOf(attempt, KubeletAbsent)
        self.assertIn("waiting for /nonexistent to appear", failure.getErrorMessage())

    def begin(
        self,
        kubelet: str,
        end_streams: Callable[[], Deferred[None]],
        turns: DeferredSemaphore | None = None,
    ) -> tuple[Deferred[None], FakeServer]:
        """Begin an attempt, whose server does not listen yet."""
        turns = turns or DeferredSemaphore(1)
        registration = SocketRegistration(kubelet, RESOURCE, DevicePluginOptions, turns, Clock())
        server = FakeServer()
        registration.attach(server, end_streams, lambda: None)  # type: ignore[arg-type]
        return Deferred.fromCoroutine(registration.register()), server

    def test_turns(self) -> None:
        """So many at once have their streams ended and call; a turn that is dropped is free."""
        path = f"{temporary_directory(self)}/kubelet.sock"
        with socket.socket(socket.AF_UNIX) as kubelet:
            kubelet.bind(path)
            kubelet.listen()
            called: list[Deferred[None]] = []

            def end_streams() -> Deferred[None]:
                called.append(Deferred())
                return called[-1]

            turns = DeferredSemaphore(2)
            attempts = []
            for _ in range(4):
                attempt, server = self.begin(path, end_streams, turns)
                server.listens[0].callback(None)
                attempts.append(attempt)
            self.assertEqual(len(called), 2)
            attempts[2].cancel()  # one that waits
            self.failureResultOf(attempts[2], CancelledError)
            self.assertEqual(len(called), 2)
            attempts[0].cancel()  # one that has its turn
            self.failureResultOf(attempts[0], CancelledError)
            self.assertEqual(len(called), 3)
            for attempt in (attempts[1], attempts[3]):
                attempt.cancel()
                self.failureResultOf(attempt, CancelledError)
            self.assertEqual(turns.tokens, 2)
