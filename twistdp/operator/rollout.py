"""How the pods of a plugin are replaced, and whether that gets on."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from twistdp.operator.observed import DaemonSetSeen, PodSeen, number, text

IN_TURN, SURGE = "InTurn", "Surge"

MIN_READY_SECONDS: Final = 5
"""A pod that has been ready for this long lets the roll-out go on.

A plugin that ends soon after its start would otherwise be rolled out everywhere.
"""

STALLED: Final = "RolloutStalled"
"""The reason of conditions for a roll-out that stands still."""


def rolling_update(
    kind: str, max_unavailable: int | str | None = None, max_surge: int | str | None = None
) -> dict[str, int | str]:
    """The DaemonSet's ``rollingUpdate``, for a strategy `IN_TURN` or `SURGE`.

    In turn, an old pod ends before its node gets a new one; with a surge the new one is ready
    before the old one ends.  Both replace one pod at a time unless the object says otherwise.
    """
    if kind == SURGE:
        return {"maxSurge": 1 if max_surge is None else max_surge, "maxUnavailable": 0}
    return {"maxUnavailable": 1 if max_unavailable is None else max_unavailable}


def is_complete(seen: DaemonSetSeen) -> bool:
    """Whether each node has a pod of the newest kind that is available."""
    return (
        seen.observed_generation >= seen.generation
        and seen.updated >= seen.desired
        and seen.available >= seen.desired
    )


def is_halted(
    kind: str, max_surge: int | str | None, seen: DaemonSetSeen, pods: Iterable[PodSeen]
) -> bool:
    """Whether a roll-out must not go on to other nodes, since it has failed on some.

    Kubernetes halts one in turn by itself, when too many nodes are without a pod that is ready.
    With a surge it goes on, if a pod fails only after the old one has ended.
    """
    if kind != SURGE or is_complete(seen) or not seen.template:
        return False
    standing = [pod for pod in pods if not pod.deleting]
    old = {pod.node for pod in standing if pod.template != seen.template}
    failed = {pod.node for pod in standing if not pod.ready and pod.reason != "NodeLost"}
    # While the old pod is there, its node is served.
    return bool(old) and len(failed - old) >= _most(max_surge, seen.desired)


def _most(max_surge: int | str | None, nodes: int) -> int:
    """How many nodes a surge concerns at once, as Kubernetes counts."""
    if isinstance(max_surge, str):
        return max(1, -(-number(max_surge.removesuffix("%")) * nodes // 100))
    return max_surge or 1


@attrs.frozen
class Progress:
    """How far a roll-out has got, and since when it has been there.

    `completed` is the last generation of the DaemonSet that was seen to be complete.
    """

    generation: int
    desired: int
    updated: int
    available: int
    since: float
    completed: int | None = None

    @property
    def is_new(self) -> bool:
        """Whether the DaemonSet has changed, and each node had a pod of the one before."""
        return self.completed not in (None, self.generation)

    def is_stalled(self, deadline: float, now: float) -> bool:
        """Whether it has been there for `deadline` seconds, and is not complete.

        `now` is of the same clock as `since`.
        """
        return not self._is_complete and now - self.since >= deadline

    def due(self, deadline: float) -> float | None:
        """When it will have stalled if nothing happens; None if it is complete."""
        return None if self._is_complete else self.since + deadline

    @property
    def _is_complete(self) -> bool:
        return self.updated >= self.desired and self.available >= self.desired


def follow(
    before: Progress | None,
    seen: DaemonSetSeen,
    now: float,
    previous: Mapping[str, Any] | None = None,
) -> Progress:
    """The progress now, after `before`.

    A step is another generation, one more pod that is new or available, or another number of
    nodes.  A pod that is lost is none, so that one that comes and goes does not look like progress.
    `previous` is the status that an operator before this one wrote: a roll-out that had stalled has
    still stalled, unless there is another count.
    """
    completed = None if before is None else before.completed
    if is_complete(seen):
        completed = seen.generation
    made = Progress(seen.generation, seen.desired, seen.updated, seen.available, now, completed)
    if before is None:
        stood = previous is not None and _stood(previous, seen)
        return attrs.evolve(made, since=float("-inf")) if stood else made
    if (before.generation, before.desired) != (made.generation, made.desired):
        return made
    if made.updated > before.updated or made.available > before.available:
        return made
    if before._is_complete != made._is_complete:
        return made
    return attrs.evolve(before, completed=completed)


def _stood(previous: Mapping[str, Any], seen: DaemonSetSeen) -> bool:
    """Whether a status has the same counts, and a roll-out that has stalled."""
    conditions = previous.get("conditions")
    reasons = [
        text(condition.get("reason"))
        for condition in (conditions if isinstance(conditions, list) else [])
        if isinstance(condition, Mapping) and condition.get("type") == "Progressing"
    ]
    counts = [number(previous.get(name)) for name in ("desired", "updated", "ready")]
    return reasons == [STALLED] and counts == [seen.desired, seen.updated, seen.ready]
