"""Stops that run to their end, whatever one of their steps raises."""

from collections.abc import Callable

from twisted.logger import Logger

from twistdp.host import remedy_for

_log = Logger()


def stop_all(what: str, *steps: Callable[[], object]) -> None:
    """Take every step; what one raises is logged, as of a stop of `what`, and goes no further.

    An OSError is the system's, and a line; anything else is a fault, with its stack.
    """
    for step in steps:
        try:
            step()
        except OSError as error:
            _log.warn(
                "stopping {what}: {error}; {remedy}",
                what=what,
                error=str(error),
                remedy=remedy_for(error) or "the stop goes on without it",
            )
        except Exception:
            _log.failure("stopping {what}", what=what)
