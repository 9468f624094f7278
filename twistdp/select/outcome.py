"""What a condition says of a device: yes, no or undecidable, and why."""

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from twistdp.select.device import Device


@attrs.frozen
class Outcome:
    """Whether a device meets a condition, and the reason, for people.

    `ok` is None where that cannot be known here.  `parts` are the outcomes of the conditions that
    were tested to find out; the last is the one that decided.
    """

    ok: bool | None
    reason: str
    parts: "tuple[Outcome, ...]" = ()


def all_of(outcomes: Iterable[Outcome]) -> Outcome:
    """All must hold: stops at the first that does not, so nothing is read for the others."""
    parts: list[Outcome] = []
    undecided: Outcome | None = None
    for outcome in outcomes:
        parts.append(outcome)
        if outcome.ok is False:
            return Outcome(False, outcome.reason, tuple(parts))
        if outcome.ok is None and undecided is None:
            undecided = outcome
    if undecided is not None:
        return Outcome(None, undecided.reason, tuple(parts))
    return Outcome(True, "; ".join(part.reason for part in parts) or "no condition", tuple(parts))


def any_of(outcomes: Iterable[Outcome], none: str = "no alternative holds") -> Outcome:
    """One must hold: stops at the first that does."""
    parts: list[Outcome] = []
    undecided: Outcome | None = None
    for outcome in outcomes:
        parts.append(outcome)
        if outcome.ok:
            return Outcome(True, outcome.reason, tuple(parts))
        if outcome.ok is None and undecided is None:
            undecided = outcome
    if undecided is not None:
        return Outcome(None, undecided.reason, tuple(parts))
    if len(parts) == 1:
        return Outcome(False, parts[0].reason, tuple(parts))
    near = closest(parts)
    return Outcome(False, f"{none}: {near.reason}" if near else none, tuple(parts))


class Holding(Protocol):
    """A condition."""

    def holds(self, device: Device) -> bool | None:
        """Whether a device meets it; None if that cannot be known."""


def all_hold(conditions: Iterable[Holding], device: Device) -> bool | None:
    """As `all_of`, without reasons."""
    answer: bool | None = True
    for each in conditions:
        held = each.holds(device)
        if held is False:
            return False
        if held is None:
            answer = None
    return answer


def one_holds(answers: Iterable[bool | None]) -> bool | None:
    """As `any_of`, without reasons."""
    answer: bool | None = False
    for each in answers:
        if each:
            return True
        if each is None:
            answer = None
    return answer


def once_for_each(holds: Callable[[Device], bool | None]) -> Callable[[Device], bool | None]:
    """`holds`, which is asked once of each device: many have the same ancestors."""

    def remembering(device: Device) -> bool | None:
        known = device.facts.get(remembering)
        if known is None:
            # In a tuple, for the answer may be None.
            known = device.facts[remembering] = (holds(device),)
        return known[0]  # type: ignore[index,no-any-return]

    return remembering


def negated(outcome: Outcome) -> Outcome:
    """The contrary; what is undecidable stays so."""
    if outcome.ok is None:
        return Outcome(None, outcome.reason, (outcome,))
    text = f"excluded: {outcome.reason}" if outcome.ok else f"not excluded: {outcome.reason}"
    return Outcome(not outcome.ok, text, (outcome,))


def about(device: Device, reason: str) -> str:
    """The reason with the name of the device that it is about."""
    return reason if device.name in reason else f"{device.name}: {reason}"


def closest(outcomes: Iterable[Outcome]) -> Outcome | None:
    """Of outcomes that say no, the first that came furthest before it did."""
    return max(outcomes, key=lambda outcome: sum(part.ok is True for part in outcome.parts),
               default=None)  # fmt: skip
