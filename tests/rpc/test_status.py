"""Tests for twistdp.rpc.status."""

import inspect

import grpc
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twistdp import errors
from twistdp.errors import (
    AllocationRefused,
    CallFailed,
    CallTimedOut,
    ConflictingDevices,
    MalformedMessage,
    MissingNode,
    PeerUnavailable,
    TwistdpError,
    UnhealthyDevice,
    UnknownDevice,
)
from twistdp.model.text import LONGEST
from twistdp.rpc.status import CODES, answer_for, code_of, error_from
from twistdp.tools.sparing import Sparing

METHOD = "/test.Service/Method"


def answered(error: Exception, call: str = METHOD) -> tuple[grpc.StatusCode, str]:
    """The status and text that answer a call of `METHOD`."""
    return answer_for(error, METHOD, call, Sparing(Clock()))


class AnswerForTests(SynchronousTestCase):
    """Tests for `answer_for`."""

    def test_codes(self) -> None:
        """The statuses are these: the kubelet and its users distinguish refusals by them."""
        self.assertEqual(code_of(UnknownDevice), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(code_of(UnhealthyDevice), grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(code_of(MissingNode), grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(code_of(ConflictingDevices), grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(code_of(MalformedMessage), grpc.StatusCode.INVALID_ARGUMENT)

    def test_every_refusal_has_a_status(self) -> None:
        """Each refusal of an allocation that the package defines has a status."""
        refusals = [
            kind
            for kind in vars(errors).values()
            if inspect.isclass(kind)
            and issubclass(kind, AllocationRefused)
            and kind is not AllocationRefused
        ]
        self.assertTrue(refusals)
        for kind in [*refusals, MalformedMessage, ConflictingDevices]:
            self.assertIsNotNone(code_of(kind), kind)

    def test_codes_lists_only_stated_errors(self) -> None:
        """CODES lists nothing that is not raised on purpose, and no remote call's outcome."""
        for kind in CODES:
            self.assertTrue(issubclass(kind, TwistdpError), kind)
            self.assertFalse(issubclass(kind, CallFailed), kind)

    def test_refusal_goes_out_as_it_is(self) -> None:
        """A stated refusal keeps its text and is one log line without a stack."""
        for kind, code in CODES.items():
            with capturedLogs() as events:
                answer = answered(kind("no device 'a'"))
            self.assertEqual(answer, (code, "no device 'a'"))
            (event,) = events
            self.assertEqual(event["reason"], "no device 'a'")
            self.assertEqual(event["log_facts"]["method"], METHOD)
            self.assertNotIn("log_failure", event)

    def test_call(self) -> None:
        """The log says which call was refused or failed; the caller gets less."""
        for error in (UnknownDevice("gone"), RuntimeError("broken")):
            with capturedLogs() as events:
                try:
                    raise error
                except Exception as raised:
                    _, text = answered(raised, "Allocate of x/y (a)")
            (event,) = events
            self.assertIn("Allocate of x/y (a)", formatEvent(event))
            self.assertNotIn("x/y", text)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_foreign_text(self) -> None:
        """A text from a caller or a hook becomes one short line, in the log too."""
        evil = "no\nE0101 forged \x1b[2J" + "\u00e9" * 10_000
        for error in (
            UnknownDevice(evil),
            UnknownDevice("a name of bytes \udcff"),
            CallFailed("UNKNOWN", evil),
            RuntimeError(evil),
        ):
            with capturedLogs() as events:
                try:
                    raise error
                except Exception as raised:
                    _, text = answered(raised)
            self.assertTrue(text.isprintable())
            self.assertLessEqual(len(text.encode()), LONGEST)
            for event in events:
                self.assertIn(event.get("reason"), (text, None))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_failed_call_keeps_status_and_text(self) -> None:
        """A CallFailed answers with just its own status and text, and is not logged."""
        with capturedLogs() as events:
            answer = answered(CallFailed("DATA_LOSS", "gone"))
        self.assertEqual(answer, (grpc.StatusCode.DATA_LOSS, "gone"))
        self.assertEqual(events, [])

    def test_cancelled(self) -> None:
        """A handler that was cancelled by the plugin itself answers CANCELLED."""
        code, text = answered(CancelledError())
        self.assertEqual(code, grpc.StatusCode.CANCELLED)
        self.assertIn(METHOD, text)


class ErrorFromTests(SynchronousTestCase):
    """Tests for `error_from`."""

    def outcome(self, code: grpc.StatusCode, details: str | None) -> CallFailed:
        """The error for a call that ended so."""
        empty = grpc.aio.Metadata()
        return error_from(grpc.aio.AioRpcError(code, empty, empty, details=details))

    def test_kinds(self) -> None:
        """A missing peer and a passed deadline have classes of their own, others do not."""
        for code, kind in [
            (grpc.StatusCode.UNAVAILABLE, PeerUnavailable),
            (grpc.StatusCode.DEADLINE_EXCEEDED, CallTimedOut),
            (grpc.StatusCode.UNKNOWN, CallFailed),
            (grpc.StatusCode.NOT_FOUND, CallFailed),
        ]:
            error = self.outcome(code, "why")
            self.assertIs(type(error), kind)
            self.assertEqual((error.status, error.details), (code.name, "why"))
            self.assertEqual(str(error), f"{code.name}: why")

    def test_foreign_text(self) -> None:
        """A peer's text becomes one short line."""
        details = self.outcome(grpc.StatusCode.UNKNOWN, "a\nb\x1b" + "c" * 10_000).details
        self.assertTrue(details.startswith("a b\\x1bccc"))
        self.assertLessEqual(len(details), LONGEST)

    def test_no_details(self) -> None:
        """A status without a text is named alone."""
        error = self.outcome(grpc.StatusCode.ABORTED, None)
        self.assertEqual((error.details, str(error)), ("", "ABORTED"))

    def test_builtin_bases(self) -> None:
        """Code that knows nothing of gRPC can catch ConnectionError and TimeoutError."""
        self.assertIsInstance(self.outcome(grpc.StatusCode.UNAVAILABLE, ""), ConnectionError)
        self.assertIsInstance(self.outcome(grpc.StatusCode.DEADLINE_EXCEEDED, ""), TimeoutError)
