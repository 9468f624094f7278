"""Logs the mistakes in a scanner's tree: in a few lines, however many there are."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from twisted.logger import Logger

from twistdp.model import Accepted, Refusal, shown
from twistdp.tools import Budget

_log = Logger()

MOST_LINES: Final = 5
"""Most devices left out that have a line each; more of them share one line."""

EXAMPLES: Final = 3
"""Devices that this line names."""


class Faults:
    """Logs the mistakes in the trees of one scanner; `scanner` is the name to log.

    A scanner may list what others make and remove all the time, so new mistakes of few trees are
    logged within a minute, and the others later if they are still there.
    """

    def __init__(self, scanner: str, seconds: Callable[[], float] = monotonic) -> None:
        self._scanner = scanner
        self._budget = Budget(seconds)
        self._waiting: set[Refusal] = set()

    def report(self, before: Accepted, after: Accepted) -> None:
        """Log the mistakes that the tree before did not have."""
        known = set(before.refusals) - self._waiting
        fresh = [refusal for refusal in dict.fromkeys(after.refusals) if refusal not in known]
        self._waiting.clear()
        if fresh and not self._budget.spend():
            self._waiting.update(fresh)
        elif len(fresh) > MOST_LINES:
            _log.error(
                "scanner {scanner}: left out {count} devices and types, such as {examples}",
                scanner=self._scanner,
                count=len(fresh),
                examples="; ".join(f"{_what(one)}: {one.reason}" for one in fresh[:EXAMPLES]),
            )
        else:
            for refusal in fresh:
                _log.error(
                    "scanner {scanner}: left out {what}: {reason}",
                    scanner=self._scanner,
                    what=_what(refusal),
                    reason=refusal.reason,
                )
        if twice := sorted(after.repeated - before.repeated, key=repr):
            more = len(twice) - EXAMPLES
            named = "; ".join(
                f"{shown(kind)}, device {shown(id_)}" for kind, id_ in twice[:EXAMPLES]
            )
            _log.error(
                "scanner {scanner}: its scan found {what} more than once, each time different; the "
                "last one counts: give each device an id of its own",
                scanner=self._scanner,
                what=named + (f"; and {more} more" if more > 0 else ""),
            )


def _what(refusal: Refusal) -> str:
    if refusal.device_id is None:
        return shown(refusal.resource_type)
    return f"{refusal.resource_type}, device {shown(refusal.device_id)}"
