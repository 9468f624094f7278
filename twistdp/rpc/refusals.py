"""Logs the calls that are not answered."""

from twisted.logger import Logger

_log = Logger()


def log_refusal(call: str, method: str, reason: str, status: str, often: str) -> None:
    """Log that a call was refused on purpose; `often` is the end of the line.

    Programs get the `method` and gRPC's `status`, too, which the text has in `call` already.
    """
    _log.warn(
        "{call} refused: {reason}{often}",
        call=call,
        reason=reason,
        often=often,
        log_constant="call refused",
        log_facts={"method": method, "call": call, "reason": reason, "status": status},
    )


def log_fault(call: str, method: str, often: str) -> None:
    """Log the exception that is being handled, and that ended a call."""
    _log.failure(
        "{call}: the handler failed{often}",
        call=call,
        often=often,
        log_constant="a handler failed",
        log_facts={"method": method, "call": call},
    )
