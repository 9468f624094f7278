"""Registering while something has run out."""

import errno
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.limits import no_descriptors
from twistdp.errors import KubeletAbsent, PeerUnavailable
from twistdp.host.limits import REMEDIES, remedy_for
from twistdp.inotify.watches import Inotify
from twistdp.kubelet import register_by_socket
from twistdp.kubelet.connection import Connections
from twistdp.kubelet.directory import PluginDirectory
from twistdp.kubelet.messages import DevicePluginOptions
from twistdp.kubelet.registrar import Registrar
from twistdp.kubelet.strategy import Registrant
from twistdp.kubelet.streams import ListStreams


class FakeServer:
    """Where a resource would be served."""

    path = "/plugins/lab_x.sock"


class FakeRegistration:
    """A registration that fails as the test wants."""

    def __init__(self) -> None:
        self.error: Exception = OSError(errno.ENOSPC, "No space left on device")

    def attach(self, *_: object) -> None:
        """Need nothing."""

    async def register(self) -> None:
        """Fail."""
        raise self.error


class RegistrarTests(SynchronousTestCase):
    """`Registrar`, when this machine makes attempts fail."""

    def setUp(self) -> None:
        """Two registrars in one directory."""
        self.clock = Clock()
        self.registration = FakeRegistration()
        directory = PluginDirectory("/plugins", Inotify(self.clock), Clock())
        self.registrars = [
            Registrar(
                name,
                self.registration,  # type: ignore[arg-type]
                server=FakeServer(),  # type: ignore[arg-type]
                streams=ListStreams(b"", self.clock, lambda: None),
                directory=directory,
                reactor=self.clock,
            )
            for name in ("lab/x", "lab/y")
        ]

    def delays(self, attempts: int) -> list[float]:
        """The seconds between the following attempts."""
        found = []
        for _ in range(attempts):
            (call,) = self.clock.getDelayedCalls()
            found.append(call.getTime() - self.clock.seconds())
            self.clock.advance(found[-1])
        return found

    def test_tried_again_soon(self) -> None:
        """A local failure is tried again about every second; a kubelet's less and less often."""
        first, _ = self.registrars
        first.start()
        with capturedLogs():
            self.assertLess(max(self.delays(20)), 1.5)
            self.registration.error = PermissionError(errno.EACCES, "Permission denied")
            self.assertLess(max(self.delays(20)), 1.5)
            self.registration.error = KubeletAbsent("none")
            self.assertGreater(max(self.delays(5)), 3.0)
        first.stop()

    def test_said_once(self) -> None:
        """The log says once for all resources what has run out, where, and the remedy."""
        with capturedLogs() as events:
            for registrar in self.registrars:
                self.registration.error = OSError(errno.ENOSPC, "full", repr(registrar))
                registrar.start()
            self.clock.pump([1.0] * 5)
        (event,) = events
        for part in ("/plugins", "full", "free space or inodes"):
            self.assertIn(part, formatEvent(event))
        for registrar in self.registrars:
            registrar.stop()


class RegisterTests(SynchronousTestCase):
    """`SocketRegistration.call`, without a descriptor."""

    def register(self, call: Callable[[], Deferred[Any]]) -> Exception:
        """The error of registering through a channel that answers with `call`."""

        class FakeChannel:
            def unary(self, *_: object) -> Deferred[Any]:
                return call()

        registration = register_by_socket.SocketRegistration(
            Connections("/plugins/kubelet.sock"), "lab/x", DevicePluginOptions, Clock()
        )
        server: Any = FakeServer()
        registration.attach(Registrant(server, lambda: succeed(None), lambda: None, lambda: False))
        channel: Any = FakeChannel()
        coroutine = registration.call(channel)
        error = self.failureResultOf(Deferred.fromCoroutine(coroutine)).value
        assert isinstance(error, Exception)
        return error

    def test_not_tried(self) -> None:
        """The kubelet is not called at all."""
        with no_descriptors():
            error = self.register(lambda: fail(AssertionError("called")))
        self.assertEqual(remedy_for(error), REMEDIES[errno.EMFILE])

    def test_used_up_by_the_call(self) -> None:
        """If the call used up the last descriptor, that is the reason, not an absent kubelet."""
        checks = iter([None, OSError(errno.EMFILE, "full")])

        def check() -> None:
            if error := next(checks):
                raise error

        self.patch(register_by_socket, "check_descriptors", check)
        error = self.register(lambda: fail(PeerUnavailable("UNAVAILABLE", "refused")))
        self.assertEqual(remedy_for(error), REMEDIES[errno.EMFILE])
