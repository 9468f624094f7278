"""Errors to gRPC statuses and back, in one place."""

import grpc
from twisted.internet.defer import CancelledError

from twistdp.errors import (
    AdministratorError,
    CallerError,
    CallFailed,
    CallTimedOut,
    HookFailed,
    NoRoom,
    PeerUnavailable,
    PluginError,
    PodError,
    TwistdpError,
    UnknownDevice,
)
from twistdp.model import one_line
from twistdp.rpc.refusals import log_fault, log_refusal
from twistdp.tools import Sparing

CODES: dict[type[TwistdpError], grpc.StatusCode] = {
    UnknownDevice: grpc.StatusCode.NOT_FOUND,
    PodError: grpc.StatusCode.FAILED_PRECONDITION,
    HookFailed: grpc.StatusCode.INTERNAL,
    PluginError: grpc.StatusCode.FAILED_PRECONDITION,
    AdministratorError: grpc.StatusCode.FAILED_PRECONDITION,
    CallerError: grpc.StatusCode.INVALID_ARGUMENT,
    NoRoom: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""The status of each refusal that a handler may raise, or of its nearest base."""

_FAILURES: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.UNAVAILABLE: PeerUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: CallTimedOut,
}


def code_of(kind: type[Exception]) -> grpc.StatusCode | None:
    """The status of a refusal's class, None for another class."""
    return next((CODES[base] for base in kind.__mro__ if base in CODES), None)


def answer_for(
    error: Exception, method: str, call: str, sparing: Sparing
) -> tuple[grpc.StatusCode, str]:
    """The status and one line of text that answer a call whose handler raised `error`.

    The log names the `call`, the peer learns only the `method`; `sparing` keeps the log short
    while the same error repeats.  Stated refusals go out as they are.  Any other error is a bug:
    its text and stack go to the log, and the peer learns only its class, since the text may
    contain anything.
    """
    if isinstance(error, CallFailed):
        return grpc.StatusCode[error.status], one_line(error.details)
    if isinstance(error, CancelledError):
        return grpc.StatusCode.CANCELLED, f"{method}: cancelled by the plugin"
    often = sparing.count((method, type(error)))
    if (code := code_of(type(error))) is not None:
        reason = one_line(str(error))
        if often is not None:
            log_refusal(call, method, reason, code.name, often)
        return code, reason
    if often is not None:
        log_fault(call, method, often)
    return (
        grpc.StatusCode.INTERNAL,
        f"{method} failed in the device plugin: {type(error).__name__}; its log has the stack",
    )


def error_from(error: grpc.aio.AioRpcError) -> CallFailed:
    """The error for a call that ended so; the peer's text is made one line."""
    kind = _FAILURES.get(error.code(), CallFailed)
    return kind(error.code().name, one_line(error.details() or ""))
