"""Logs calls that were refused, and handlers that failed."""

from twisted.logger import Logger

_log = Logger()


def log_refusal(call: str, method: str, reason: str, status: str, often: str) -> None:
    """Log that a call was refused on purpose; `often` is the end of the line.

    Programs also get the `method`, which the text has in `call`, and gRPC's `status`.
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
    """Log the current exception, which ended a call."""
    _log.failure(
        "{call}: the handler failed{often}",
        call=call,
        often=often,
        log_constant="a handler failed",
        log_facts={"method": method, "call": call},
    )
