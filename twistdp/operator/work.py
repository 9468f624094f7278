"""What the operator remembers of its work on one DevicePlugin; a new operator begins without."""

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from twistdp.operator.children import Place, Version
from twistdp.operator.queue import Attempts
from twistdp.operator.rollout import Progress


@attrs.frozen
class Applied:
    """An object that was applied: a digest of what we sent, and the version that it then had."""

    digest: int
    version: Version


@attrs.define(eq=False)
class Work:
    """The state of the work on one object; another object of the same name has another `uid`."""

    uid: str
    attempts: Attempts
    """When the objects that belong to it may be applied again, after a failure."""
    repairs: Attempts
    """When drift may be repaired again, so that two that disagree do not run a race."""
    reports: Attempts
    """When the status may be written again, after a failure."""
    applied: dict[Place, Applied] = attrs.field(factory=dict)
    basis: object = None
    """What everything that is applied was made from; None while something is missing."""
    tried: object = None
    """What was last tried to apply."""
    problems: tuple[str, ...] = ()
    """What is wrong with the spec and is known only when the objects are made."""
    waiting: tuple[str, ...] = ()
    """Kinds of objects that it asks for and that the cluster does not have."""
    refusal: str = ""
    """The API server's words about what it does not accept."""
    repaired_at: float = float("-inf")
    reported_at: float = float("-inf")
    got: Mapping[str, Any] | None = None
    """What the API server made of the status that was last sent; None while that is not known."""
    progress: Progress | None = None
    cleaning_since: float | None = None


def new_work(uid: str, clock: IReactorTime) -> Work:
    """Return the state of work that begins."""
    return Work(uid, Attempts(clock), Attempts(clock), Attempts(clock))
