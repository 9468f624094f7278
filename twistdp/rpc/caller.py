"""The name of the program whose call a handler answers."""

from contextvars import ContextVar
from typing import Any, Final

LONGEST: Final = 200
"""Characters of a name; a caller may send 8 KiB."""

_call: ContextVar[list[Any]] = ContextVar("call")


def answering(context: Any) -> list[Any]:
    """Note that the current task answers the call of gRPC's `context`; returns a list with it.

    Empty that list when the call ends: an error may keep the variables of its time, and with them
    the call's connection, until the garbage collector runs.
    """
    current = [context]
    _call.set(current)
    return current


def caller() -> str:
    """The beginning of the name that the calling program gives itself (header ``user-agent``).

    Empty where it gives none, and outside of handlers.
    """
    for context in _call.get(()):
        return str(dict(context.invocation_metadata()).get("user-agent", ""))[:LONGEST]
    return ""
