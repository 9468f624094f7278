"""Values that say what became of each candidate, for ``twistdp explain``."""

import enum
from collections.abc import Iterable, Sequence

import attrs
from zope.interface import Interface

from twistdp.select.device import Device
from twistdp.select.outcome import Outcome


class Verdict(enum.Enum):
    """What a rule made of a candidate."""

    LISTED = "listed"
    LEFT_OUT = "left out"
    UNDECIDABLE = "undecidable"
    NOT_SELECTED = "not selected"


class Cause(enum.Enum):
    """Why something is left out."""

    ABSENT = "not on this node"
    """Nothing here meets the rule, which is the normal state in a pool of unlike nodes."""
    RULE = "by the rule"
    """The configuration says so: another kind of node, a limit, a resource with a prior claim."""
    FAULT = "fault"
    """The device is here and cannot be given as the configuration wants it."""
    UNDECIDABLE = "undecidable"
    """A condition needs what cannot be known here."""


@attrs.frozen
class Step:
    """What one rule made of one candidate, and why; `what` is a path or a device's name."""

    what: str
    verdict: Verdict
    reason: str
    device: Device | None = attrs.field(default=None, eq=False, repr=False)
    ids: tuple[str, ...] = ()
    """The ids under which it is listed: several are replicas of one device."""
    resource: str = ""
    """The resource in which it is listed."""
    cause: Cause | None = None
    tests: tuple[Outcome, ...] = ()
    """The outcomes of the conditions that were tested; the last is the one that decided."""

    @classmethod
    def listed(
        cls, what: str, resource: str, ids: Sequence[str], device: Device | None = None,
        by: str = "",
    ) -> "Step":  # fmt: skip
        """A candidate that is listed in a resource under `ids`, as `by` says."""
        more = f" and {len(ids) - 1} more like it" if len(ids) > 1 else ""
        reason = f"listed as {resource} {ids[0]}{more}{f' {by}' if by else ''}"
        return cls(what, Verdict.LISTED, reason, device, tuple(ids), resource)

    @classmethod
    def of(cls, device: Device, outcome: Outcome, resource: str, *ids: str) -> "Step":
        """A device that was tested: one that meets the conditions is listed under `ids`."""
        what = called(device)
        if outcome.ok and ids:
            return cls.listed(what, resource, ids, device)
        verdict = {True: Verdict.LEFT_OUT, None: Verdict.UNDECIDABLE, False: Verdict.NOT_SELECTED}
        return cls(what, verdict[outcome.ok], outcome.reason, device, tests=outcome.parts)


@attrs.frozen
class Explanation:
    """One resource: its candidates, or why it has nothing to do with this host."""

    resource: str
    steps: tuple[Step, ...]
    absent: str = ""


class IExplains(Interface):
    """Optional ability of a scanner: explain what it made of each candidate.

    ``twistdp explain`` and ``twistdp scan`` find it by its method, as the framework finds hooks.
    """

    def explain() -> Iterable[Explanation]:
        """What the last call of ``discover()`` made of each candidate, by resource."""


def called(device: Device) -> str:
    """What people know a device as."""
    return device.node or device.name or device.syspath
