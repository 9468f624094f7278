"""Tests for twistdp.rpc.server: a server's life, and its name in the directory."""

import contextlib
import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextvars import Context, copy_context
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SkipTest, TestCase

from tests.support.helpers import Gate, failure_of, fire, soon, temporary_directory, until
from tests.support.limits import no_descriptors, tmpfs
from tests.support.servers import channel_to, server_of
from twistdp.errors import PeerUnavailable, SocketTaken
from twistdp.model.names import private_directory
from twistdp.rpc import server as server_module
from twistdp.rpc.bridge import loop_of
from twistdp.rpc.caller import caller
from twistdp.rpc.calls import Method
from twistdp.rpc.privacy import GRPC
from twistdp.rpc.server import Server
from twistdp.rpc.socketfile import SocketFile

ASK = "/test.Service/Ask"
WATCH = "/test.Service/Watch"

LISTENER = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
print("ready", flush=True)
sys.stdin.read()
"""


class ServerCase(TestCase):
    """A directory with room for a socket."""

    def setUp(self) -> None:
        """Choose the socket's path."""
        self.directory = f"{temporary_directory(self)}/d"
        os.mkdir(self.directory)
        self.path = f"{self.directory}/a.sock"
        self.private = private_directory(self.path)

    def server(self, *methods: Method, **options: Any) -> Server:
        """A server that is stopped after the test."""
        return server_of(
            self, self.path, *(methods or [Method(ASK, StringValue, succeed)]), **options
        )

    async def answered(self) -> str:
        """The answer that a new client of the path gets."""
        channel = channel_to(self, self.path)
        answer = await soon(channel.unary(ASK, StringValue(value="yes"), StringValue))
        await soon(channel.close())
        return str(answer.value)

    def another_process(self) -> "subprocess.Popen[bytes]":
        """A process that listens on the path."""
        process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process


class ListenTests(ServerCase):
    """Tests for `Server.listen`."""

    async def test_name_appears_finished(self) -> None:
        """The name appears with mode 0600, in no umask's hands, when the server answers."""
        self.addCleanup(os.umask, os.umask(0))
        seen = []

        class Watched(SocketFile):
            def publish(self) -> None:
                seen.append(os.path.lexists(self.path))
                super().publish()

        methods = [Method(ASK, StringValue, succeed)]
        server = Server(Watched(self.path), methods, reactor=reactor)
        self.addCleanup(server.stopService)
        self.assertFalse(server.is_published())
        listening = soon(server.listen())
        self.assertFalse(os.path.lexists(self.path))
        await listening
        self.assertEqual(seen, [False])
        self.assertTrue(server.is_published())
        found = os.lstat(self.path)
        self.assertTrue(stat.S_ISSOCK(found.st_mode))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.lstat(self.private).st_mode), 0o700)
        self.assertEqual(await self.answered(), "yes")

    async def test_modes_with_a_daemons_umask(self) -> None:
        """A umask that takes everything away changes nothing."""
        self.addCleanup(os.umask, os.umask(0o777))
        await soon(self.server().listen())
        self.assertEqual(stat.S_IMODE(os.lstat(self.path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.lstat(self.private).st_mode), 0o700)
        self.assertEqual(await self.answered(), "yes")

    async def test_start_service_listens(self) -> None:
        """A started service listens by itself."""
        server = self.server()
        server.startService()
        await soon(server.listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_failed_start_is_logged(self) -> None:
        """A service that cannot listen logs why in one line, and starts at the next request."""
        os.mkdir(self.path)
        server = self.server()
        with capturedLogs() as events:
            server.startService()
            await failure_of(soon(server.listen()), SocketTaken)
        reasons = [event["reason"] for event in events if "reason" in event]
        self.assertEqual(len(reasons), 1, events)
        self.assertIn(self.path, reasons[0])
        os.rmdir(self.path)
        await soon(server.listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_listen_again_changes_nothing(self) -> None:
        """While all is well, listening again leaves the server and its name as they are."""
        server = self.server()
        await soon(server.listen())
        before = os.lstat(self.path).st_ino
        await soon(gatherResults([server.listen() for _ in range(3)]))
        self.assertEqual(os.lstat(self.path).st_ino, before)

    async def test_removed_name_is_made_again(self) -> None:
        """After its name was removed, the same server gets it again and old calls live on."""
        gate = Gate()

        async def handler(_: StringValue) -> AsyncIterator[StringValue]:
            yield StringValue(value="before")
            yield await gate.wait()

        server = self.server(
            Method(ASK, StringValue, succeed),
            Method(WATCH, StringValue, handler, streaming=True),
        )
        await soon(server.listen())
        stream = channel_to(self, self.path).stream(WATCH, b"", StringValue)
        await soon(stream.read())
        await soon(gate.entered)
        before = os.lstat(self.path).st_ino
        os.unlink(self.path)
        self.assertFalse(server.is_published())
        await soon(server.listen())
        self.assertTrue(server.is_published())
        self.assertEqual(os.lstat(self.path).st_ino, before)
        self.assertEqual(await self.answered(), "yes")
        gate.opened.callback(StringValue(value="after"))
        self.assertEqual(await soon(stream.read()), StringValue(value="after"))

    async def test_removed_name_is_made_again_at_once(self) -> None:
        """A server that runs needs nothing else for that, so nobody has to wait."""
        server = self.server()
        await soon(server.listen())
        os.unlink(self.path)
        self.successResultOf(server.listen())
        self.assertTrue(server.is_published())
        self.assertEqual(await self.answered(), "yes")

    async def test_name_taken_by_a_file(self) -> None:
        """What keeps a running server's name from being made again fails the Deferred."""
        server = self.server()
        await soon(server.listen())
        os.unlink(self.path)
        with open(self.path, "w", encoding="ascii"):
            pass
        self.failureResultOf(server.listen(), SocketTaken)

    async def test_name_removed_during_publish(self) -> None:
        """A name that vanishes as soon as it was made is made again too."""
        again: list[Deferred[None]] = []

        class Unlucky(SocketFile):
            def publish(self) -> None:
                super().publish()
                if not again:
                    os.unlink(self.path)
                    again.append(soon(server.listen()))

        methods = [Method(ASK, StringValue, succeed)]
        server = Server(Unlucky(self.path), methods, reactor=reactor)
        self.addCleanup(server.stopService)
        await soon(server.listen())
        await again[0]
        self.assertTrue(server.is_published())

    async def test_directory_made_again(self) -> None:
        """After its directory was removed and made again, a new server is in it."""
        server = self.server()
        await soon(server.listen())
        shutil.rmtree(self.directory)
        await failure_of(soon(server.listen()), OSError)
        os.mkdir(self.directory)
        await soon(server.listen())
        self.assertTrue(server.is_published())
        self.assertEqual(await self.answered(), "yes")

    async def test_private_directory_removed(self) -> None:
        """Without its private directory the server is replaced, under the same name."""
        server = self.server()
        await soon(server.listen())
        shutil.rmtree(self.private)
        await soon(server.listen())
        self.assertTrue(server.is_published())
        self.assertTrue(os.path.isdir(self.private))
        self.assertEqual(await self.answered(), "yes")

    async def test_missing_directory(self) -> None:
        """Without a directory, listening fails with OSError and works once there is one."""
        os.rmdir(self.directory)
        server = self.server()
        await failure_of(soon(server.listen()), FileNotFoundError)
        os.mkdir(self.directory)
        await soon(server.listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_path_that_is_too_long(self) -> None:
        """A path that cannot be bound fails with OSError naming it, and stopping still works."""
        self.directory = f"{self.directory}/{'y' * 100}"
        os.mkdir(self.directory)
        self.path = f"{self.directory}/a.sock"
        server = self.server()
        error = await failure_of(soon(server.listen()), OSError)
        self.assertIn(self.path, str(error))
        await soon(server.stopService())
        self.assertEqual(os.listdir(self.directory), [])

    async def test_no_descriptor_left(self) -> None:
        """Without a free descriptor listening fails with the errno; later it works."""
        with contextlib.suppress(PeerUnavailable):
            await self.answered()  # gRPC has its own descriptors from now on
        server = self.server()
        with no_descriptors(1):
            error = await failure_of(soon(server.listen()), OSError)
        self.assertEqual(error.errno, errno.EMFILE)
        await soon(server.listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_no_space_left(self) -> None:
        """Without an inode for the socket it fails too, though its directory had one."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to mount a small file system")
        with contextlib.suppress(PeerUnavailable):
            await self.answered()
        with tmpfs(self.directory, "nr_inodes=3"):
            os.mknod(f"{self.directory}/filler")
            server = self.server()
            error = await failure_of(soon(server.listen()), OSError)
            self.assertEqual(error.errno, errno.ENOSPC)
            os.unlink(f"{self.directory}/filler")
            # The socket's second name is an inode to this file system.
            mount = ["mount", "-o", "remount,nr_inodes=9", self.directory]
            subprocess.run(mount, check=True)
            await soon(server.listen())
            self.assertEqual(await self.answered(), "yes")
            await soon(server.stopService())

    def test_what_keeps_a_socket_from_being_bound(self) -> None:
        """gRPC hides the reason; binding the same path shows it, and leaves the path free."""
        for path, number in ((self.path, None), (f"{self.path}/x", errno.ENOTDIR)):
            if number is None:
                server_module._check_binding(path)
                with no_descriptors():
                    error = self.assertRaises(OSError, server_module._check_binding, path)
                self.assertEqual(error.errno, errno.EMFILE)
                self.assertEqual(os.listdir(self.directory), [])
                os.mknod(self.path)
            else:
                error = self.assertRaises(OSError, server_module._check_binding, path)
                self.assertEqual(error.errno, number)


class CallTests(ServerCase):
    """What a server does with calls and sockets besides answering."""

    async def test_nothing_is_kept_of_a_call(self) -> None:
        """Variables kept from the time of a call keep nothing of the call when it is over."""
        kept: list[tuple[Context, str]] = []

        def keep(_: object) -> StringValue:
            kept.append((copy_context(), caller()))
            return StringValue()

        async def stream(_: object) -> AsyncIterator[StringValue]:
            yield keep(None)

        server = self.server(
            Method(ASK, StringValue, keep), Method(WATCH, StringValue, stream, streaming=True)
        )
        await soon(server.listen())
        channel = channel_to(self, self.path)
        await soon(channel.unary(ASK, b"", StringValue))
        watch = channel.stream(WATCH, b"", StringValue)
        await soon(watch.read())
        end = await soon(watch.read())
        self.assertIsNone(end)
        for context, name in kept:
            self.assertIn("grpc", name)
            self.assertEqual(context.run(caller), "")
        self.assertEqual(len(kept), 2)

    async def test_sockets_are_kept_from_children(self) -> None:
        """The socket on which it listens is among those that a forked scanner does not get."""
        server = self.server()
        await soon(server.listen())
        names = []
        for descriptor in GRPC.descriptors():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as found:
                names.append(found.getsockname())
        self.assertIn(server.place, names)


class TakenTests(ServerCase):
    """Tests for a name that another process or a file has."""

    async def test_live_listener_is_not_replaced(self) -> None:
        """A live process at the path keeps it, and the error has its pid."""
        process = self.another_process()
        before = os.lstat(self.path).st_ino
        server = self.server()
        error = await failure_of(soon(server.listen()), SocketTaken)
        self.assertEqual((error.path, error.pid), (self.path, process.pid))
        self.assertIn(self.path, str(error))
        self.assertIn(str(process.pid), str(error))
        self.assertEqual(os.lstat(self.path).st_ino, before)
        await soon(server.stopService())
        self.assertEqual(os.lstat(self.path).st_ino, before)

    async def test_listener_that_dies_is_replaced(self) -> None:
        """Once the other process is killed and leaves its socket, the name is ours."""
        process = self.another_process()
        server = self.server()
        await failure_of(soon(server.listen()), SocketTaken)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertTrue(os.path.lexists(self.path))
        await soon(server.listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_file_is_kept(self) -> None:
        """A plain file at the path is refused, and keeps its content."""
        with open(self.path, "w") as file:
            file.write("precious")
        error = await failure_of(soon(self.server().listen()), SocketTaken)
        self.assertEqual(error.pid, 0)
        self.assertIn("not a socket", str(error))
        with open(self.path) as file:
            self.assertEqual(file.read(), "precious")

    async def test_second_server_of_this_process(self) -> None:
        """Two servers of one process cannot have one name; the second gets it after the first."""
        first, second = self.server(), self.server()
        await soon(first.listen())
        error = await failure_of(soon(second.listen()), SocketTaken)
        self.assertEqual(error.pid, os.getpid())
        self.assertIn("this process", str(error))
        self.assertEqual(await self.answered(), "yes")
        await soon(first.stopService())
        await soon(second.listen())
        self.assertTrue(second.is_published())

    async def test_refused_second_server_leaves_the_first_alone(self) -> None:
        """Stopping a server that was refused leaves the other one as it is."""
        first, second = self.server(), self.server()
        await soon(first.listen())
        await failure_of(soon(second.listen()), SocketTaken)
        await soon(second.stopService())
        self.assertTrue(first.is_published())
        self.assertTrue(os.path.isdir(self.private))
        self.assertEqual(await self.answered(), "yes")

    async def test_leftovers_of_a_crash(self) -> None:
        """The leftovers of a killed process in the private directory are removed."""
        os.mkdir(self.private, 0o777)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(f"{self.private}/s")
        await soon(self.server().listen())
        self.assertEqual(os.listdir(self.private), ["s"])
        self.assertEqual(stat.S_IMODE(os.lstat(self.private).st_mode), 0o700)
        self.assertEqual(await self.answered(), "yes")


class StopTests(ServerCase):
    """Tests for `Server.stopService`."""

    async def test_nothing_is_left(self) -> None:
        """A stopped server leaves neither name nor private directory."""
        server = self.server()
        await soon(server.listen())
        await soon(server.stopService())
        self.assertEqual(os.listdir(self.directory), [])
        self.assertFalse(server.is_published())

    async def test_name_goes_at_once(self) -> None:
        """The name is gone when stopService returns, before calls have ended."""
        server = self.server()
        await soon(server.listen())
        stopped = soon(server.stopService())
        self.assertFalse(os.path.lexists(self.path))
        await stopped

    async def test_name_that_belongs_to_another(self) -> None:
        """A name that leads to another file by now stays."""
        server = self.server()
        await soon(server.listen())
        os.unlink(self.path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.path)
            other.listen()
            before = os.lstat(self.path).st_ino
            await soon(server.stopService())
            self.assertEqual(os.lstat(self.path).st_ino, before)
        self.assertEqual(os.listdir(self.directory), ["a.sock"])

    async def test_crash_leaves_the_dead_name(self) -> None:
        """After a crash the name is there and nobody listens; a new server replaces it."""
        server = self.server()
        await soon(server.listen())
        server.file.forget()
        await soon(server.stopService())
        self.assertTrue(stat.S_ISSOCK(os.lstat(self.path).st_mode))
        with socket.socket(socket.AF_UNIX) as client:
            self.assertRaises(ConnectionRefusedError, client.connect, self.path)
        await soon(self.server().listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_stop_waits_for_a_parked_stream(self) -> None:
        """Stopping waits until a stream's handler has run its finally; a second stop does too."""
        gate, cleaning = Gate(), Gate()

        async def handler(_: StringValue) -> AsyncIterator[StringValue]:
            try:
                yield await gate.wait()
            finally:
                await cleaning.wait()

        server = self.server(Method(WATCH, StringValue, handler, streaming=True), grace=0.0)
        await soon(server.listen())
        read = soon(channel_to(self, self.path).stream(WATCH, b"", StringValue).read())
        read.addErrback(lambda _: None)
        await soon(gate.entered)
        stopped = soon(server.stopService())
        await soon(cleaning.entered)
        await read  # the client knows the end, so gRPC's own stop is past that call
        self.assertNoResult(stopped)
        again = server.stopService()
        self.assertNoResult(again)
        cleaning.opened.callback(None)
        await stopped
        await soon(again)
        self.assertEqual(os.listdir(self.directory), [])

    async def test_calls_that_do_not_end(self) -> None:
        """A stop does not wait for cancelled calls that go on, and logs that."""
        self.patch(server_module, "LATE", 0.01)
        gate = Gate()

        async def handler(_: StringValue) -> None:
            while not gate.opened.called:
                with contextlib.suppress(CancelledError):
                    fire(gate.entered, None)
                    await Deferred()

        server = self.server(Method(ASK, StringValue, handler), grace=0.0)
        await soon(server.listen())
        answer = soon(channel_to(self, self.path).unary(ASK, b"", StringValue))
        answer.addErrback(lambda _: None)
        await soon(gate.entered)
        with capturedLogs() as events:
            await soon(server.stopService())
        (event,) = [event for event in events if "do not end though" in event["log_format"]]
        self.assertEqual((event["path"], event["count"]), (self.path, 1))
        gate.opened.callback(None)
        for task in list(server._calls._running):
            task.cancel()
        await answer

    async def test_ends_without_a_word(self) -> None:
        """A stop that leaves nothing behind logs nothing, and the service runs no more."""
        server = self.server()
        server.startService()
        self.assertTrue(server.running)
        await soon(server.listen())
        with capturedLogs() as events:
            await soon(server.stopService())
        self.assertEqual(events, [])
        self.assertFalse(server.running)

    async def test_what_cannot_be_removed(self) -> None:
        """A stop ends even if files cannot be removed, and logs which and why."""
        for error, reason in (
            (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
            (SocketTaken(self.path, 0, "has a directory in it"), str(self.path)),
        ):
            server = self.server()
            await soon(server.listen())

            def fail(_: SocketFile, error: Exception = error) -> None:
                raise error

            patch = self.patch(SocketFile, "release", fail)
            with capturedLogs() as events:
                await soon(server.stopService())
            patch.restore()
            (event,) = events
            self.assertIn("cannot be removed", event["log_format"])
            self.assertIn(reason, event["reason"])
            await soon(server.listen())
            await soon(server.stopService())

    async def test_name_that_cannot_be_removed(self) -> None:
        """A name that cannot be removed is not ours afterwards, even if a server listens there."""
        server = self.server()
        await soon(server.listen())

        def fail(_: SocketFile) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        patch = self.patch(SocketFile, "withdraw", fail)
        with capturedLogs() as events:
            await soon(server.stopService())
        patch.restore()
        self.assertEqual(len(events), 1)
        self.assertFalse(server.is_published())

    async def test_stop_after_a_failed_start(self) -> None:
        """Everything that was made before the failure is removed."""

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        for module, name in ((server_module, "check_needs"), (grpc.aio, "server")):
            server = self.server()
            patch = self.patch(module, name, fail)
            await failure_of(soon(server.listen()), OSError)
            patch.restore()
            await soon(server.stopService())
            self.assertEqual(os.listdir(self.directory), [])

    async def test_withdrawn(self) -> None:
        """Without its name a server goes on, and listening restores the name."""
        server = self.server()
        await soon(server.listen())
        server.withdraw()
        self.assertFalse(os.path.lexists(self.path))
        self.assertTrue(os.path.isdir(self.private))
        await soon(server.listen())
        self.assertEqual(await self.answered(), "yes")

    async def test_calls_may_end_within_the_grace(self) -> None:
        """A call that ends within the grace is answered."""
        gate = Gate()
        server = self.server(Method(ASK, StringValue, lambda _: gate.wait()), grace=60.0)
        await soon(server.listen())
        answer = soon(channel_to(self, self.path).unary(ASK, b"", StringValue))
        await soon(gate.entered)
        stopped = soon(server.stopService())
        gate.opened.callback(StringValue(value="in time"))
        self.assertEqual((await answer).value, "in time")
        await stopped

    async def test_stop_twice(self) -> None:
        """Stopping twice, at once or later, is fine."""
        server = self.server()
        await soon(server.listen())
        await soon(gatherResults([server.stopService(), server.stopService()]))
        await soon(server.stopService())
        self.assertEqual(os.listdir(self.directory), [])

    async def test_start_while_it_stops(self) -> None:
        """A start that comes while calls end waits for them, and its socket stays."""
        gate = Gate()
        server = self.server(Method(ASK, StringValue, lambda _: gate.wait()), grace=60.0)
        await soon(server.listen())
        answer = soon(channel_to(self, self.path).unary(ASK, b"", StringValue))
        await soon(gate.entered)
        stopped = server.stopService()
        listening = server.listen()
        gate.opened.callback(StringValue(value="in time"))
        await answer
        await soon(stopped)
        await soon(listening)
        self.assertTrue(os.path.isdir(self.private))
        self.assertTrue(server.is_published())

    async def test_start_after_a_stop_while_it_starts(self) -> None:
        """Started, stopped and started at once, it serves in the end."""
        server = self.server()
        server.startService()
        stopped = server.stopService()
        await soon(server.listen())
        await soon(stopped)
        self.assertEqual(await self.answered(), "yes")

    async def test_stop_that_is_given_up(self) -> None:
        """Cancelling a stop ends the calls at once, and nothing is left."""
        gate = Gate()
        server = self.server(Method(ASK, StringValue, lambda _: gate.wait()), grace=60.0)
        await soon(server.listen())
        answer = soon(channel_to(self, self.path).unary(ASK, b"", StringValue))
        await soon(gate.entered)
        stopped = server.stopService()
        await until(lambda: server._server is None)  # gRPC waits by now
        stopped.cancel()
        await failure_of(soon(stopped), CancelledError)
        await failure_of(answer, PeerUnavailable)
        self.assertEqual(os.listdir(self.directory), [])

    async def test_error_in_a_clean_up(self) -> None:
        """An error of a handler whose caller has gone is logged."""
        gates = {"unary": Gate(), "stream": Gate()}

        async def unary(_: StringValue) -> None:
            try:
                await gates["unary"].wait()
            finally:
                raise KeyError("missing")

        async def stream(_: StringValue) -> AsyncIterator[StringValue]:
            try:
                yield await gates["stream"].wait()
            finally:
                raise KeyError("missing")

        server = self.server(
            Method(ASK, StringValue, unary), Method(WATCH, StringValue, stream, streaming=True)
        )
        await soon(server.listen())
        for begin, gate in gates.items():
            channel = channel_to(self, self.path)
            call: Deferred[Any] = (
                channel.unary(ASK, b"", StringValue)
                if begin == "unary"
                else channel.stream(WATCH, b"", StringValue).read()
            )
            call.addErrback(lambda _: None)
            await soon(gate.entered)
            await soon(channel.close())
            await until(lambda: not server._calls._running)
            self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1, begin)

    async def test_stop_without_a_start(self) -> None:
        """A server that never listened stops at once."""
        self.successResultOf(self.server().stopService())

    async def test_stop_before_listen_has_finished(self) -> None:
        """Stopping in the middle of the first attempt leaves nothing, and nobody waiting."""
        server = self.server()
        listening = [soon(server.listen()) for _ in range(2)]
        for one in listening:
            one.addErrback(lambda failure: failure.trap(CancelledError))
        await soon(server.stopService())
        for one in listening:
            await one
        self.assertEqual(os.listdir(self.directory), [])

    async def test_stop_while_the_server_starts(self) -> None:
        """Stopping when the socket is bound but not yet named leaves nothing either."""
        server = self.server()
        listening = soon(server.listen())
        listening.addErrback(lambda failure: failure.trap(CancelledError))
        stopped = Deferred[None]()

        def stop() -> None:
            self.assertTrue(os.path.lexists(f"{self.private}/s"))
            self.assertFalse(os.path.lexists(self.path))
            soon(server.stopService()).chainDeferred(stopped)

        loop_of(reactor).call_soon(stop)
        await stopped
        await listening
        self.assertEqual(os.listdir(self.directory), [])

    async def test_stop_before_listen_has_finished_logs_nothing(self) -> None:
        """A service that is stopped before it listened logs no error."""
        server = self.server()
        with capturedLogs() as events:
            server.startService()
            await soon(server.stopService())
        self.assertEqual([event for event in events if event["log_level"].name == "error"], [])

    async def test_stop_after_the_directory_was_removed(self) -> None:
        """Stopping works without the directory."""
        server = self.server()
        await soon(server.listen())
        shutil.rmtree(self.directory)
        await soon(server.stopService())
        self.assertFalse(os.path.lexists(self.directory))

    async def test_name_can_be_used_again(self) -> None:
        """After a stop, another server may have the path at once."""
        for _ in range(3):
            server = self.server()
            await soon(server.listen())
            self.assertEqual(await self.answered(), "yes")
            await soon(server.stopService())
