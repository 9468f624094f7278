"""Tests for `twistdp.kubelet.register_by_watcher`."""

import errno
import gc
import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import soon, temporary_directory
from tests.support.servers import channel_to
from twistdp.errors import KubeletAbsent, RegistrationRefused
from twistdp.kubelet import api, pluginregistration_v1_pb2
from twistdp.kubelet.pluginregistration_v1_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from twistdp.kubelet.register_by_watcher import PATIENCE, TIMEOUT, WatcherRegistration
from twistdp.kubelet.strategy import Registrant
from twistdp.model.names import private_directory
from twistdp.rpc.server import Server
from twistdp.rpc.socketfile import SocketFile

RESOURCE = "x.example.com/widget"


class FakeServer:
    """Notes its calls."""

    def __init__(self, path: str, calls: list[str]) -> None:
        self.path = path
        self.calls = calls
        self.listening: Deferred[None] = succeed(None)

    def listen(self) -> Deferred[None]:
        """Note it."""
        self.calls.append("listen")
        return self.listening

    def withdraw(self) -> None:
        """Note it."""
        self.calls.append("withdraw")


class RegistrationTests(SynchronousTestCase):
    """The order of the steps, and when the kubelet counts as absent."""

    def setUp(self) -> None:
        """A registration whose calls are noted."""
        self.clock = Clock()
        self.calls: list[str] = []
        self.registration = WatcherRegistration(RESOURCE, self.clock)
        self.get_info, self.notify = (method.handler for method in self.registration.methods)
        self.server = FakeServer(f"{temporary_directory(self)}/a.sock", self.calls)

        def end_streams() -> Deferred[None]:
            self.calls.append("end")
            return succeed(None)

        self.live = False
        self.registration.attach(
            Registrant(
                self.server,  # type: ignore[arg-type]
                end_streams,
                lambda: self.calls.append("found"),
                lambda: self.live,
            )
        )

    def register(self) -> Deferred[None]:
        """Begin an attempt, and forget the calls noted before."""
        self.calls.clear()
        return Deferred.fromCoroutine(self.registration.register())

    def asked(self) -> PluginInfo:
        """A kubelet calls GetInfo."""
        info: Any = self.successResultOf(Deferred.fromCoroutine(self.get_info(InfoRequest())))
        return info  # type: ignore[no-any-return]

    def notified(self, error: str = "") -> None:
        """A kubelet reports the result."""
        self.notify(RegistrationStatus(plugin_registered=not error, error=error))

    def test_first(self) -> None:
        """The name appears, and the kubelet's result ends the attempt."""
        attempt = self.register()
        self.assertEqual(self.calls, ["listen"])
        self.assertNoResult(attempt)
        self.notified()
        self.successResultOf(attempt)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_info(self) -> None:
        """GetInfo describes the plugin, after older streams have ended; a new attempt runs."""
        info = self.asked()
        self.assertEqual(self.calls, ["found", "end"])
        self.assertEqual((info.type, info.name, info.endpoint), ("DevicePlugin", RESOURCE, ""))
        self.assertEqual(list(info.supported_versions), ["v1beta1"])

    def test_another_name_after_a_registration(self) -> None:
        """Older streams end first: the kubelet may dial as soon as the name is there."""
        attempt = self.register()
        self.notified()
        self.successResultOf(attempt)
        attempt = self.register()
        self.assertEqual(self.calls, ["end", "withdraw", "listen"])
        self.failureResultOf(self.cancelled(attempt))
        self.register()
        self.assertEqual(self.calls, ["listen"])

    def cancelled(self, attempt: Deferred[None]) -> Deferred[None]:
        """The same, cancelled."""
        attempt.cancel()
        return attempt

    def test_notified_twice(self) -> None:
        """A second result of one attempt comes too late, even while the server starts."""
        self.server.listening = Deferred()
        attempt = self.register()
        self.notified("no")
        self.notified()
        self.notified("never")
        self.assertNoResult(attempt)
        self.server.listening.callback(None)
        self.failureResultOf(attempt, RegistrationRefused)

    def test_notified_in_vain(self) -> None:
        """A refusal of a cancelled attempt leaves no failure behind."""
        self.server.listening = Deferred()
        attempt = self.register()
        self.notified("no")
        self.failureResultOf(self.cancelled(attempt))
        del attempt
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_refusal_of_many_lines(self) -> None:
        """The kubelet's text becomes one line, of bounded length."""
        attempt = self.register()
        self.notified("no\nE0101 forged \x1b[2J" + "x" * 10_000)
        text = self.failureResultOf(attempt, RegistrationRefused).getErrorMessage()
        self.assertTrue(text.isprintable())
        self.assertLess(len(text), 2500)

    def test_the_name_stays_for_a_kubelet_that_has_begun(self) -> None:
        """A kubelet that registers by itself keeps the name."""
        attempt = self.register()
        self.notified()
        self.successResultOf(attempt)
        self.asked()
        attempt = self.register()
        self.assertEqual(self.calls, ["listen"])
        self.notified()
        self.successResultOf(attempt)

    def test_absent(self) -> None:
        """A kubelet that does not ask within seconds is absent."""
        attempt = self.register()
        self.clock.advance(PATIENCE)
        error = self.failureResultOf(attempt, KubeletAbsent).value
        self.assertIn("waiting for one to find the sockets in", str(error))

    def test_no_directory(self) -> None:
        """Without the directory there is no kubelet, and the server does not listen."""
        self.server.path = f"{self.server.path}/absent/a.sock"
        self.failureResultOf(self.register(), KubeletAbsent)
        self.assertEqual(self.calls, [])

    def test_refused(self) -> None:
        """The kubelet's text is the reason; the name stays, and its next attempt has no limit."""
        attempt = self.register()
        self.notified("not today")
        error = self.failureResultOf(attempt, RegistrationRefused).value
        self.assertEqual(
            str(error),
            f"registration of {RESOURCE}: the kubelet refused: not today; it tries again by itself",
        )
        attempt = self.register()
        self.clock.advance(3600)
        self.assertNoResult(attempt)
        self.assertEqual(self.calls, ["listen"])

    def test_no_end(self) -> None:
        """A kubelet that never reports a result gets a new name."""
        self.asked()
        attempt = self.register()
        self.clock.advance(TIMEOUT)
        self.failureResultOf(attempt, RegistrationRefused)
        self.register()
        self.assertEqual(self.calls, ["end", "withdraw", "listen"])

    def test_question_of_a_stranger(self) -> None:
        """While a kubelet's stream is open nothing ends or begins, and few lines are logged."""
        self.successResultOf(self.registered())
        self.live = True
        self.calls.clear()
        with capturedLogs() as events:
            for _ in range(1000):
                self.assertEqual(self.asked().name, RESOURCE)
        self.assertEqual(self.calls, [])
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 8)
        self.assertIn("though a kubelet has registered it", lines[0])
        self.assertIn("the 1000th of the kind", lines[-1])

    def test_question_before_the_stream_ends(self) -> None:
        """A kubelet that was faster than the end of its older stream finds the same name."""
        self.successResultOf(self.registered())
        self.live = True
        self.asked()
        attempt = self.register()
        self.assertEqual(self.calls, ["listen"])
        self.notified()
        self.successResultOf(attempt)

    def test_question_long_ago(self) -> None:
        """A stranger's question does not delay what the end of the stream leads to."""
        self.successResultOf(self.registered())
        self.live = True
        self.asked()
        self.clock.advance(TIMEOUT)
        self.register()
        self.assertEqual(self.calls, ["end", "withdraw", "listen"])

    def test_questions_that_come_to_nothing(self) -> None:
        """Questions without a result are logged, but for the last one, while they are few."""
        with capturedLogs() as events:
            self.asked()
            self.assertEqual(len(events), 0)
            self.asked()
            self.asked()
            self.notified()
            self.asked()
        self.assertEqual(len(events), 2)
        self.assertIn("no result followed the last question", formatEvent(events[0]))

    def registered(self) -> Deferred[None]:
        """An attempt that a kubelet has accepted."""
        attempt = self.register()
        self.notified()
        return attempt

    def test_notified_when_nobody_waits(self) -> None:
        """A late result does no harm, and leads to a new name."""
        self.notified("no")
        self.notified()
        self.register()
        self.assertEqual(self.calls, ["end", "withdraw", "listen"])

    def test_server_fails(self) -> None:
        """A name that cannot be made fails the attempt at once."""
        self.server.listening = Deferred()
        attempt = self.register()
        self.server.listening.errback(OSError("full"))
        self.failureResultOf(attempt, OSError)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class WireTests(TestCase):
    """Calls over a real socket, as a kubelet makes them."""

    async def test_odd_authority(self) -> None:
        """The percent-encoded path as :authority is answered, and the API's methods are these."""
        directory = temporary_directory(self)
        registration = WatcherRegistration(RESOURCE, reactor)
        path = f"{directory}/r/a.sock"
        server = Server(SocketFile(path, directory), registration.methods, reactor=reactor)
        self.addCleanup(server.stopService)
        registration.attach(Registrant(server, lambda: succeed(None), lambda: None, lambda: False))
        await self.assertFailure(soon(server.listen()), OSError)
        os.mkdir(f"{directory}/r")
        await soon(server.listen())
        self.assertTrue(private_directory(path, directory).startswith(f"{directory}/.tdp-"))
        channel = channel_to(self, path, authority="%2Fvar%2Flib%2Fkubelet%2Fa.sock")
        info = await soon(channel.unary(api.GET_INFO, InfoRequest(), PluginInfo, 30.0))
        self.assertEqual(info.name, RESOURCE)
        await soon(
            channel.unary(
                api.NOTIFY_STATUS,
                RegistrationStatus(plugin_registered=True),
                RegistrationStatusResponse,
                5.0,
            )
        )

    def test_names(self) -> None:
        """The constants are the names of the API's source."""
        (service,) = pluginregistration_v1_pb2.DESCRIPTOR.services_by_name.values()
        self.assertEqual(
            {f"/{service.full_name}/{method.name}" for method in service.methods},
            {api.GET_INFO, api.NOTIFY_STATUS},
        )


class PlaceTests(SynchronousTestCase):
    """The private directory outside of the registry."""

    def test_another_file_system(self) -> None:
        """A link across file systems fails with what to mount."""
        directory = temporary_directory(self)
        os.mkdir(f"{directory}/r")
        file = SocketFile(f"{directory}/r/a.sock", directory)
        self.addCleanup(file.release)
        with open(file.claim(), "w", encoding="ascii"):
            pass

        def link(source: str, target: str, **options: Any) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        self.patch(os, "link", link)
        error = self.assertRaises(OSError, file.publish)
        self.assertIn("must be on one mounted file system", str(error))
        self.assertIn(f"mount {directory} as a whole", str(error))

    def test_two_registries_with_one_parent(self) -> None:
        """The same name in two directories is bound in two places."""
        places = {private_directory(f"/d/{name}/a.sock", "/d") for name in "xy"}
        self.assertEqual(len(places), 2)
