"""Kubelets that are none, or that have gone mad: the plugin keeps trying, slowly, and serves."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime, IReactorUNIX
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.fuzz.served import RESOURCE, Fixed
from tests.fuzz.support import Lines, check_lines, fuzzed, in_thread
from tests.fuzz.test_transport import START, frame
from tests.fuzz.wire import field, mutated, payloads, texts
from tests.support.helpers import Recorder, soon, temporary_directory
from tests.support.kubelets import PatientKubelet
from twistdp import Manager, Settings
from twistdp.kubelet import podresources, register_by_socket
from twistdp.kubelet.api import POD_RESOURCES_LIST, REGISTER
from twistdp.kubelet.holdings import Holdings
from twistdp.kubelet.podresources_v1_pb2 import ListPodResourcesResponse

EVIL = "no\nE0101 00:00:00.000000       1 manager.py:1] forged \x1b[2J" + "x" * 5000

FAREWELLS: dict[str, bytes | None] = {
    "says nothing and goes": b"",
    "says nothing": None,
    "HTTP/1": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "random bytes": bytes(range(256)) * 40,
    "only settings": START[24:],
    "goes away politely": START[24:] + frame(7, 0, 0, bytes(8)),
    "resets the call": START[24:] + frame(3, 0, 1, b"\0\0\0\x02"),
    "headers that are none": START[24:] + frame(1, 5, 1, b"\xff" * 50),
}
"""The bytes that a peer without gRPC sends; with None it sends nothing and stays."""


class Peer(Factory):
    """Sends one thing to everyone who connects."""

    noisy = False

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.connected = Recorder()
        self.here: set[_Peer] = set()
        self.left = Recorder()

    def gone(self) -> Deferred[None]:
        """Drop all; fires when that is done."""
        for peer in self.here:
            peer.transport.abortConnection()
        return self.left.until(lambda _: not self.here)

    def buildProtocol(self, address: object) -> Protocol:
        """Greet, and usually leave."""
        peer = _Peer()
        peer.factory = self
        return peer


class _Peer(Protocol):
    transport: Any
    factory: Peer

    def connectionMade(self) -> None:
        self.factory.here.add(self)
        if self.factory.content is not None:
            self.transport.write(self.factory.content)
            self.transport.loseConnection()
        self.factory.connected(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.here.remove(self)
        self.factory.left(None)


Handler = Callable[[bytes, Any], bytes]


@contextmanager
def answering(path: str, method: str, handler: Handler) -> Iterator[None]:
    """A gRPC server, of threads, that answers a method with any bytes."""
    _, service, name = method.split("/")
    server = grpc.server(ThreadPoolExecutor(2))
    table = {name: grpc.unary_unary_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, table)])
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def _refuse(code: grpc.StatusCode, text: str) -> Handler:
    def handler(_: bytes, context: Any) -> NoReturn:
        context.abort(code, text)
        raise AssertionError("abort() raises")

    return handler


ANSWERS: dict[str, Handler] = {
    "no message": lambda *_: b"\xff\xff\xff",
    "another message": lambda *_: field(1, b"v1beta1") + field(2, b"x.sock"),
    "a huge message": lambda *_: bytes(5 << 20),
    "a text to forge lines": _refuse(grpc.StatusCode.UNKNOWN, EVIL),
    "an odd status": _refuse(grpc.StatusCode.DATA_LOSS, ""),
    "success that is none": _refuse(grpc.StatusCode.CANCELLED, "\0"),
}
"""Answers of a mad kubelet to Register."""


class RegistrationTests(TestCase):
    """The socket of register_by_socket."""

    def setUp(self) -> None:
        """A plugin that is in no hurry to wait."""
        self.lines = Lines(self)
        self.patch(register_by_socket, "TIMEOUT", 0.05)
        self.patch(random, "uniform", lambda low, high: low)
        self.directory = temporary_directory(self)
        self.socket = os.path.join(self.directory, "kubelet.sock")

    def manage(self) -> None:
        """Serve."""
        settings = Settings(plugin_dir=self.directory)
        manager = Manager(RESOURCE.partition("/")[0], Fixed(), settings=settings)
        manager.startService()
        self.addCleanup(manager.stopService)

    async def check_recovers(self) -> None:
        """The log is short, and a sane kubelet gets the devices."""
        said = self.lines.take()
        check_lines(self, said, 6)
        self.assertEqual(self.lines.failures, [])
        if os.path.lexists(self.socket):
            os.unlink(self.socket)
        kubelet = PatientKubelet(self.directory, force=True)
        self.addCleanup(kubelet.stop)
        await kubelet.start()
        await kubelet.until(lambda: kubelet.allocatable(RESOURCE) == 5)

    async def no_grpc(self, content: bytes | None) -> None:
        """A peer without gRPC listens there."""
        peer = Peer(content)
        port = IReactorUNIX(reactor).listenUNIX(self.socket, peer)
        self.addCleanup(port.stopListening)
        self.manage()
        # So often at once, so often after the delays; far less often than as fast as it goes.
        await peer.connected.until(lambda calls: len(calls) >= 4)
        self.assertLess(len(peer.connected.calls), 40)
        await maybeDeferred(port.stopListening)
        await soon(peer.gone())
        await self.check_recovers()

    async def no_sense(self, handler: Handler) -> None:
        """A gRPC server answers."""
        asked = Recorder()

        def noted(data: bytes, context: Any) -> bytes:
            IReactorFromThreads(reactor).callFromThread(asked, data)
            return handler(data, context)

        with answering(self.socket, REGISTER, noted):
            self.manage()
            if handler is not ANSWERS["another message"]:
                await asked.until(lambda calls: len(calls) >= 4)
            else:
                # It is as good as an empty one: protobuf's fields may be of a later version.
                await asked.until(lambda calls: len(calls) >= 1)
        await self.check_recovers()

    async def no_socket(self, make: Callable[[str], object]) -> None:
        """Something else has the name."""
        make(self.socket)
        self.manage()
        appeared: Deferred[None] = Deferred()
        reactor.callLater(0.1, appeared.callback, None)
        await soon(appeared)
        if os.path.isdir(self.socket):
            os.rmdir(self.socket)
        await self.check_recovers()


def _add_cases() -> None:
    """A test for each kind of madness."""

    def add(about: str, what: str, method: str, argument: object) -> None:
        async def test(self: RegistrationTests) -> None:
            await getattr(self, method)(argument)

        test.__doc__ = f"A peer that {about} {what!r} leads to slow attempts, and then is replaced."
        setattr(RegistrationTests, f"test_{method}_{what.translate(_WORDS)}", test)

    for what, content in FAREWELLS.items():
        add("is no gRPC server and", what, "no_grpc", content)
    for what, handler in ANSWERS.items():
        add("answers", what, "no_sense", handler)
    for what, make in (
        ("a directory", os.mkdir),
        ("a fifo", os.mkfifo),
        ("a link to itself", lambda path: os.symlink(path, path)),
        ("a link to nowhere", lambda path: os.symlink("/nonexistent/x", path)),
        ("a file", lambda path: os.close(os.open(path, os.O_CREAT))),
    ):
        add("is only", what, "no_socket", make)


_WORDS = str.maketrans(" /", "__")
_add_cases()

held = st.builds(
    lambda resource, ids: field(1, field(3, field(2, field(1, resource) + texts(2, ids)))),
    st.sampled_from([b"a.example/b", b"", b"\xff", b"x" * 1000]),
    st.lists(st.sampled_from([b"a", b"", b"\xff", b"\n", b"y" * 100]), max_size=5),
)


def holdings_at(path: str) -> Holdings:
    """Holdings that nobody has asked yet."""
    client = podresources.PodResourcesClient(path, reactor=reactor, timeout=0.5)
    return Holdings(client.pods, IReactorTime(reactor))


class PodResourcesTests(TestCase):
    """The pod-resources socket."""

    def setUp(self) -> None:
        """A place for the socket."""
        self.lines = Lines(self)
        self.patch(podresources, "TIMEOUT", 0.2)
        self.socket = os.path.join(temporary_directory(self), "p.sock")

    async def ask(self) -> Any:
        """Answers that can be understood."""
        return await soon(holdings_at(self.socket).ask())

    async def test_no_grpc(self) -> None:
        """A peer without gRPC gives no answer."""
        for content in FAREWELLS.values():
            peer = Peer(content)
            port = IReactorUNIX(reactor).listenUNIX(self.socket, peer)
            try:
                self.assertIsNone(await self.ask())
            finally:
                await maybeDeferred(port.stopListening)
                await soon(peer.gone())
        check_lines(self, self.lines.take(), 0)

    async def test_refusals(self) -> None:
        """Neither does one that refuses, or whose answer is malformed or too large."""
        huge = podresources.MAX_ANSWER + 1
        for handler in (
            ANSWERS["no message"],
            ANSWERS["a text to forge lines"],
            lambda *_: bytes(huge),
        ):
            with answering(self.socket, POD_RESOURCES_LIST, handler):
                self.assertIsNone(await self.ask())
        check_lines(self, self.lines.take(), 0)

    def test_any_answer(self) -> Deferred[None]:
        """Any bytes are either an answer with pods, or nothing is known."""
        answer = [b""]

        @fuzzed(60, payloads(mutated(held)))
        def check(data: bytes) -> None:
            answer[0] = data
            found: list[Any] = []
            done = threading.Event()

            def ask() -> None:
                self.ask_and(found, done)

            IReactorFromThreads(reactor).callFromThread(ask)
            self.assertTrue(done.wait(10))
            try:
                has_pods = bool(ListPodResourcesResponse.FromString(data).pod_resources)
            except Exception:
                has_pods = False
            if has_pods:
                self.assertIsInstance(found[0], dict)
            else:
                self.assertEqual(found, [None])

        def run() -> None:
            with answering(self.socket, POD_RESOURCES_LIST, lambda *_: answer[0]):
                check()
            check_lines(self, self.lines.take(), 0)

        return in_thread(run)

    def ask_and(self, found: list[Any], done: Any) -> None:
        """Ask, for a thread that waits."""
        holdings_at(self.socket).ask().addBoth(found.append).addBoth(lambda _: done.set())
