"""Stops that run to their end even if a step raises."""

from collections.abc import Callable

from twisted.logger import Logger

from twistdp.host import remedy_for

_log = Logger()


def stop_all(what: str, *steps: Callable[[], object]) -> None:
    """Take every step, and log what a step raises; `what` names what stops.

    An OSError comes from the system and gets a line; any other exception is a fault and gets its
    stack.
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
