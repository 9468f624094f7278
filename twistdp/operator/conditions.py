"""The conditions of a DevicePlugin's status, with reasons that people act on."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from twistdp.operator.known import Known
from twistdp.operator.observed import PodSeen, text
from twistdp.operator.rollout import STALLED, is_complete

LONGEST: Final = 1000
"""Bytes of a condition's message."""

NAMED: Final = 3
"""Pods, or other DevicePlugins, that a message names."""

_OF_A_RIVAL: Final = 250
"""Bytes that a message has for one of them."""

_OF_A_POD: Final = 160
"""Bytes that a message quotes of what the kubelet says of one."""

_PULLING: Final = frozenset(
    (
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed"),
    )
)
"""What kubelets call a container whose image they do not have."""

_CRASHING: Final = "CrashLoopBackOff"

_PASSING: Final = ("Unschedulable", "SchedulingGated", "NodeAffinity", "NodeLost", "Evicted")
"""Reasons of pods that may well run soon, without anybody's help."""


def shortened(text: str, limit: int) -> str:
    """A text on one line, cut to `limit` bytes; what is no character becomes a question mark."""
    line = " ".join(text.split()).encode(errors="replace")
    if len(line) <= limit:
        return line.decode()
    return f"{line[: limit - 3].decode(errors='ignore')}..."


def _message(text: str) -> str:
    return shortened(text, LONGEST)


@attrs.frozen
class Condition:
    """One condition, but for its times; `message` is cut to `LONGEST` bytes."""

    type: str
    status: bool | None
    reason: str
    message: str = attrs.field(converter=_message)


def conditions(known: Known, previous: Mapping[str, Any]) -> list[Condition]:
    """The conditions, after those of the `previous` status."""
    progressing = _progressing(known, previous)
    return [
        _available(known),
        progressing,
        _degraded(known, progressing),
        _paused(known),
    ]


def written(
    found: Iterable[Condition], previous: Mapping[str, Any], generation: int, now: float
) -> list[dict[str, Any]]:
    """Conditions as the API has them; a time changes only with the condition's status.

    `now` is in seconds since 1970.
    """
    before = previous.get("conditions")
    old = {
        text(one.get("type")): one
        for one in (before if isinstance(before, list) else [])
        if isinstance(one, Mapping)
    }
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = []
    for condition in found:
        status = "Unknown" if condition.status is None else str(condition.status)
        last = old.get(condition.type, {})
        changed = text(last.get("lastTransitionTime")) if last.get("status") == status else ""
        made.append(
            {
                "type": condition.type,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": changed or moment,
                "reason": condition.reason,
                "message": condition.message,
            }
        )
    return made


def _available(known: Known) -> Condition:
    seen = known.daemon_set
    if seen is None:
        return Condition("Available", False, "NotReady", "there is no DaemonSet yet")
    if seen.observed_generation == 0:
        return Condition("Available", None, "NotReady", "the DaemonSet has no counts of pods yet")
    if seen.desired == 0:
        return Condition(
            "Available",
            False,
            "NoNodes",
            "no node is selected; check spec.nodeSelector and spec.affinity against the labels of "
            "the nodes, and spec.tolerations against their taints",
        )
    if seen.ready >= seen.desired:
        return Condition("Available", True, "AllReady", f"{_pods(seen.ready)} ready")
    return Condition("Available", False, "NotReady", f"{seen.ready} of {_pods(seen.desired)} ready")


def _pods(count: int) -> str:
    return "1 pod is" if count == 1 else f"{count} pods are"


def _progressing(known: Known, previous: Mapping[str, Any]) -> Condition:
    seen = known.daemon_set
    if seen is None:
        return Condition("Progressing", True, "RollingOut", "there is no DaemonSet yet")
    if is_complete(seen) or _was_complete(known, previous):
        return Condition("Progressing", False, "Done", f"{_pods(seen.updated)} of the newest kind")
    counts = (
        f"{seen.updated} of {_pods(seen.desired)} of the newest kind, {seen.available} available"
    )
    if not (known.stalled or known.halted):
        return Condition("Progressing", True, "RollingOut", counts)
    return Condition("Progressing", False, STALLED, f"{counts}; {_stalled(known)}")


def _was_complete(known: Known, previous: Mapping[str, Any]) -> bool:
    """Whether a roll-out was complete, and no other DaemonSet, pod or node has come since.

    A pod that fails then is no roll-out.
    """
    seen = known.daemon_set
    before = previous.get("conditions")
    return (
        seen is not None
        and not known.replacing
        and seen.observed_generation >= seen.generation
        and seen.updated >= seen.desired
        and previous.get("desired") == seen.desired
        and any(
            isinstance(one, Mapping)
            and one.get("type") == "Progressing"
            and one.get("reason") == "Done"
            and one.get("observedGeneration") == known.generation
            for one in (before if isinstance(before, list) else [])
        )
    )


def _degraded(known: Known, progressing: Condition) -> Condition:
    reason, message = _worst(known, progressing)
    return Condition("Degraded", reason != "AsExpected", reason, message)


def _worst(known: Known, progressing: Condition) -> tuple[str, str]:
    if known.problems:
        return "InvalidSpec", _all_of(known.problems)
    if known.refusal:
        return "Refused", f"the API server refuses what the plugin needs: {known.refusal}"
    waiting = [pod for pod in known.pods if not pod.ready and not pod.deleting]
    pulling = [pod for pod in waiting if pod.reason in _PULLING]
    if pulling:
        return "ImageNotPulled", (
            f"{_count(pulling)} without an image: {_named(pulling)}; check spec.image and "
            "spec.imagePullSecrets"
        )
    crashing = [pod for pod in waiting if pod.reason == _CRASHING]
    if crashing:
        return "CrashLooping", (
            f"{_count(crashing)} ending again and again: {_named(crashing)}; see kubectl logs "
            "--previous"
        )
    if progressing.reason == STALLED:
        return STALLED, progressing.message
    troubled = [pod for pod in waiting if pod.reason and pod.reason not in _PASSING]
    # The news of many pods may come in after that of their DaemonSet, which counts them all.
    seen = known.daemon_set
    if progressing.reason == "Done" and seen is not None and seen.ready < seen.desired:
        troubled = waiting
    if troubled:
        return "PodsNotReady", f"{_count(troubled)} not ready: {_named(troubled)}"
    if known.rivals:
        return "ResourceConflict", _conflict(known)
    if known.waiting:
        return "AsExpected", (
            f"monitoring waits for the kind {' and '.join(known.waiting)}, which the cluster does "
            "not have; install the Prometheus operator, or leave spec.monitoring out"
        )
    return "AsExpected", ""


def _conflict(known: Known) -> str:
    """Which other plugins serve the same, what, and on how many nodes."""
    texts = []
    for rival in known.rivals:
        where = "1 node" if rival.nodes == 1 else f"{rival.nodes} nodes"
        what = ", ".join(rival.resources[:NAMED])
        more = len(rival.resources) - NAMED
        what += f" and {more} more" if more > 0 else ""
        texts.append(shortened(f"DevicePlugin {rival.name} on {where} ({what})", _OF_A_RIVAL))
    others = f", and {known.rivals_omitted} more" if known.rivals_omitted else ""
    return (
        f"the same resources are served by {', '.join(texts)}{others}; a kubelet takes them from "
        "one: delete one, or give them different resources, or different nodes by spec.nodeSelector"
    )


def _stalled(known: Known) -> str:
    waiting = [pod for pod in known.pods if not pod.ready and not pod.deleting]
    why = [f"not ready: {_named(waiting)}"] if waiting else []
    seen = known.daemon_set
    missing = 0 if seen is None else seen.desired - len({pod.node for pod in known.pods})
    if seen is not None and missing > 0:
        # The DaemonSet's controller says why in an event, as when a quota forbids the pod.
        nodes = "1 node has" if missing == 1 else f"{missing} nodes have"
        where = f"kubectl -n {seen.namespace} describe daemonset {seen.name}"
        why.append(f"{nodes} no pod: see {where}")
    if known.halted:
        why.append("no other node is updated until they are ready, or the object changes")
    else:
        why.append("nothing has got on for spec.updateStrategy.progressDeadlineSeconds")
    return "; ".join(why)


def _paused(known: Known) -> Condition:
    if known.paused:
        return Condition(
            "Paused", True, "Annotated", "nothing is changed while the object is paused"
        )
    return Condition("Paused", False, "NotPaused", "")


def _all_of(problems: Sequence[str]) -> str:
    """Problems, as many of them as there is room for."""
    kept: list[str] = []
    left = LONGEST - len("; and 9999 more")
    for problem in problems:
        line = shortened(problem, LONGEST - 40)
        left -= len(line.encode()) + 2
        if left < 0 and kept:
            break
        kept.append(line)
    more = len(problems) - len(kept)
    return "; ".join(kept) + (f"; and {more} more" if more else "")


def _count(pods: Sequence[PodSeen]) -> str:
    return _pods(len(pods))


def _named(pods: Sequence[PodSeen]) -> str:
    """At most three pods, each with its node and what keeps it from serving."""
    first = sorted(pods, key=lambda pod: (pod.node, pod.name, _why(pod)))
    texts = [f"{pod.name} on {pod.node or 'no node'}{_why(pod)}" for pod in first[:NAMED]]
    more = len(first) - NAMED
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def _why(pod: PodSeen) -> str:
    ended = ""
    if pod.exit_code is not None:
        ended = f"exit code {pod.exit_code}" + (f", {pod.exit_reason}" if pod.exit_reason else "")
    # The kubelet's text counts the seconds until it tries again, and would change each time.
    said = ended if pod.reason == _CRASHING else pod.message or ended
    why = ": ".join(filter(None, (pod.reason, said)))
    return f" ({shortened(why, _OF_A_POD)})" if why else ""
