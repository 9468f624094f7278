"""Conditions that are made of others: not, one of several, and about a relative of the device."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import attrs

from twistdp.select.buses import pci_device
from twistdp.select.device import Device
from twistdp.select.outcome import Outcome, about, any_of, negated, once_for_each, one_holds


class Tested(Protocol):
    """Anything that a device meets or not, as a condition or a whole match."""

    def holds(self, device: Device) -> bool | None:
        """The answer; None where it cannot be known here."""

    def test(self, device: Device) -> Outcome:
        """The answer with the reason."""


@attrs.frozen
class Not:
    """The device does not meet a condition."""

    condition: Tested

    def holds(self, device: Device) -> bool | None:
        """The answer, as `Outcome.ok`."""
        held = self.condition.holds(device)
        return None if held is None else not held

    def test(self, device: Device) -> Outcome:
        """The answer with the reason."""
        return negated(self.condition.test(device))


@attrs.frozen
class Any:
    """The device meets one of several matches."""

    alternatives: Sequence[Tested]

    def holds(self, device: Device) -> bool | None:
        """The answer, as `Outcome.ok`."""
        return one_holds(each.holds(device) for each in self.alternatives)

    def test(self, device: Device) -> Outcome:
        """The answer with the reason."""
        none = f"none of {len(self.alternatives)} alternatives holds, the nearest"
        return any_of((each.test(device) for each in self.alternatives), none)


@attrs.frozen
class Relative:
    """One and the same of a device's relatives meets a match."""

    match: Tested
    relatives: Callable[[Device], Iterable[Device]]
    kind: str
    _held: Callable[[Device], bool | None] = attrs.field(init=False)

    @_held.default
    def _remember(self) -> Callable[[Device], bool | None]:
        return once_for_each(self.match.holds)

    def holds(self, device: Device) -> bool | None:
        """The answer, as `Outcome.ok`."""
        return one_holds(map(self._held, self.relatives(device)))

    def test(self, device: Device) -> Outcome:
        """The answer with the reason."""
        outcomes = []
        for each in self.relatives(device):
            outcome = self.match.test(each)
            if outcome.ok:
                reason = f"its {self.kind} {each.name}: {outcome.reason}"
                return attrs.evolve(outcome, reason=reason)
            outcomes.append(attrs.evolve(outcome, reason=about(each, outcome.reason)))
        if not outcomes:
            return Outcome(False, f"{device.name} has no {self.kind}")
        if len(outcomes) == 1 and outcomes[0].ok is False:
            reason = f"the only {self.kind} of {device.name} does not fit: {outcomes[0].reason}"
            return Outcome(False, reason)
        none = f"no {self.kind} of {device.name} fits, the nearest"
        return attrs.evolve(any_of(outcomes, none), parts=())


@attrs.frozen
class Physfn:
    """The physical function of a virtual one meets a match."""

    match: Tested

    def holds(self, device: Device) -> bool | None:
        """The answer, as `Outcome.ok`."""
        function = _physfn(device)
        return function is not None and self.match.holds(function)

    def test(self, device: Device) -> Outcome:
        """The answer with the reason."""
        function = _physfn(device)
        if function is None:
            return Outcome(False, f"{device.name} is no virtual function and no part of one")
        outcome = self.match.test(function)
        reason = f"its physical function {function.name}: {outcome.reason}"
        return attrs.evolve(outcome, reason=reason)


def _physfn(device: Device) -> Device | None:
    """The physical function of the virtual one that a device is or belongs to."""
    pci = pci_device(device)
    return pci.link("physfn") if pci is not None else None
