"""Messages, right and wrong, on the socket of a resource that is really served."""

from typing import Any

import grpc
from google.protobuf.message import DecodeError
from twisted.internet.defer import Deferred

from tests.fuzz.served import MESSAGES, Repeating, ServedTestCase
from tests.fuzz.support import check_lines, fuzzed, in_thread
from tests.fuzz.wire import KNOWN, PLUGIN, WATCHER, calls
from twistdp.kubelet.api import (
    ALLOCATE,
    GET_INFO,
    GET_OPTIONS,
    GET_PREFERRED_ALLOCATION,
    NOTIFY_STATUS,
)
from twistdp.resource.requests import MOST_CONTAINERS

OK = grpc.StatusCode.OK
REFUSALS = {ALLOCATE: {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}}
"""The statuses of messages that are right but ask for what is not there."""


def message_in(method: str, data: bytes) -> Any:
    """The message that a caller has sent, None if it is none."""
    try:
        return MESSAGES[method][0].FromString(data)
    except DecodeError:
        return None


class WireTestCase(ServedTestCase):
    """Checks of every call."""

    def check(self, channel: Any, method: str, data: bytes) -> None:
        """One call ends with a proper status, and with at most one line in the log."""
        code, answer = self.call(channel, method, data)
        message = message_in(method, data)
        if message is None:
            self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn(MESSAGES[method][0].DESCRIPTOR.full_name, answer)
        elif len(getattr(message, "container_requests", ())) > MOST_CONTAINERS:
            self.assertEqual(code, grpc.StatusCode.INVALID_ARGUMENT)
        else:
            self.assertIn(code, {OK, *REFUSALS.get(method, ())})
        if code is not OK:
            self.assertTrue(answer.isprintable(), answer)
            self.assertLess(len(answer.encode()), 2500)
        elif method == ALLOCATE:
            for request in message.container_requests:
                self.assertLessEqual(set(request.devices_ids), set(KNOWN) - {"sick"})
        self.check_log(method, code)

    def check_log(self, method: str, code: grpc.StatusCode) -> None:
        """A refusal is one line, as is an allocation, anything else none."""
        check_lines(self, self.said(), 0 if code is OK and method != ALLOCATE else 1)

    def check_all(self, channel: Any, examples: int, methods: Any) -> None:
        """Try that many calls."""

        @fuzzed(examples, calls(methods), name=f"{type(self).__name__}")
        def check(call: tuple[str, bytes]) -> None:
            self.check(channel, *call)

        check()


class MessageTests(WireTestCase):
    """Every method of a resource's socket."""

    def test_any_message(self) -> Deferred[None]:
        """Whatever is sent, each call ends as it should, and others are served afterwards."""

        def run() -> None:
            with self.client() as channel:
                self.lines.take()
                self.check_all(channel, 250, PLUGIN)
            self.check_serves()
            self.assertEqual(self.lines.failures, [])

        return in_thread(run)


class HookTests(WireTestCase):
    """The same, where hooks repeat what they were asked."""

    scanner = Repeating

    def check_log(self, method: str, code: grpc.StatusCode) -> None:
        """Advice that is none, since what was asked cannot be ids, is one line too."""
        lines = self.said()
        check_lines(self, lines, 1)
        if method == GET_PREFERRED_ALLOCATION and code is OK:
            for line in lines:
                self.assertIn("the pod gets devices without its advice", line)

    def test_any_message(self) -> Deferred[None]:
        """A part of a message that a hook repeats is made harmless too."""

        def run() -> None:
            with self.client() as channel:
                self.lines.take()
                methods = {name: PLUGIN[name] for name in (ALLOCATE, GET_PREFERRED_ALLOCATION)}
                self.check_all(channel, 80, methods)
            self.check_serves()
            self.assertEqual(self.lines.failures, [])

        return in_thread(run)


class WatcherTests(WireTestCase):
    """The methods that there are for the kubelet's plugin watcher."""

    registration = "watcher"
    calls = logged = 0

    def check(self, channel: Any, method: str, data: bytes) -> None:
        """A word on a registration follows the beginning of one."""
        self.calls += 1
        if method == NOTIFY_STATUS:
            self.call(channel, GET_INFO, b"")
        super().check(channel, method, data)

    def check_log(self, method: str, code: grpc.StatusCode) -> None:
        """A call causes two lines at most, and some come seconds after it, during another call."""
        lines = self.said()
        check_lines(self, lines, 2 * self.calls - self.logged)
        self.logged += len(lines)

    def test_any_message(self) -> Deferred[None]:
        """The registration goes on whatever messages come, in any order."""

        def run() -> None:
            with self.client() as channel:
                self.check_all(channel, 120, {**WATCHER, GET_OPTIONS: PLUGIN[GET_OPTIONS]})
            self.check_serves()
            self.assertEqual(self.lines.failures, [])
            with self.client() as channel:
                code, info = self.call(channel, GET_INFO, b"")
                self.assertEqual((code, info.name), (OK, "fuzz.example.com/thing"))
                self.assertEqual(self.call(channel, NOTIFY_STATUS, b"\x08\x01")[0], OK)

        return in_thread(run)
