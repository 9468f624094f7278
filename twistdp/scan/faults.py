"""Logs the mistakes in a scanner's tree: in a few lines, however many there are."""

from typing import Final

from twisted.logger import Logger

from twistdp.model import Accepted, Refusal, shown

_log = Logger()

MOST_LINES: Final = 5
"""Most devices left out that have a line each; more of them share one line."""

EXAMPLES: Final = 3
"""Devices that this line names."""


def report_faults(before: Accepted, after: Accepted, scanner: str) -> None:
    """Log the mistakes that the tree before did not have; `scanner` is the name to log."""
    known = set(before.refusals)
    fresh = [refusal for refusal in dict.fromkeys(after.refusals) if refusal not in known]
    if len(fresh) > MOST_LINES:
        _log.error(
            "scanner {scanner}: left out {count} devices and types, such as {examples}",
            scanner=scanner,
            count=len(fresh),
            examples="; ".join(f"{_what(one)}: {one.reason}" for one in fresh[:EXAMPLES]),
        )
    else:
        for refusal in fresh:
            _log.error(
                "scanner {scanner}: left out {what}: {reason}",
                scanner=scanner,
                what=_what(refusal),
                reason=refusal.reason,
            )
    if twice := sorted(after.repeated - before.repeated, key=repr):
        more = len(twice) - EXAMPLES
        _log.error(
            "scanner {scanner}: its scan found {what} more than once, each time different; the "
            "last one counts: give each device an id of its own",
            scanner=scanner,
            what="; ".join(f"{shown(kind)}, device {shown(id_)}" for kind, id_ in twice[:EXAMPLES])
            + (f"; and {more} more" if more > 0 else ""),
        )


def _what(refusal: Refusal) -> str:
    if refusal.device_id is None:
        return shown(refusal.resource_type)
    return f"{refusal.resource_type}, device {shown(refusal.device_id)}"
