"""What the operator keeps of the objects that it watches: small values, read from any JSON.

A watched object comes from the API server, but a field that an API server of another version
writes in another form must not end the operator: what is not understood counts as absent.
"""

import re
from collections.abc import Iterator, Mapping
from sys import intern
from typing import Any

import attrs

NAME_LABEL = "twistdp.io/deviceplugin"
"""The label, on everything that the operator makes and on pods, with the DevicePlugin's name."""

HASH = "twistdp.io/hash"
"""The annotation of each object, and of pods, with a hash of what was applied."""

CLEANING_SINCE = "twistdp.io/cleaning-since"
"""The annotation of a deleted DevicePlugin with the time at which its clean-up began."""

TEXT_LIMIT = 300
"""Characters of a kubelet's text that are kept."""


@attrs.frozen
class Count:
    """A node's devices of one resource, and how many of them are healthy.

    ``capacity`` has the kubelet's count of all devices, ``allocatable`` that of the healthy ones.
    """

    devices: int
    healthy: int

    @property
    def unhealthy(self) -> int:
        """Devices that no pod gets now."""
        return max(0, self.devices - self.healthy)


NodeCounts = Mapping[str, Count]
"""A node's devices by resource."""


@attrs.frozen
class PodSeen:
    """A plugin's pod: where it is, whether it serves, and if not, what the kubelet says.

    `reason` and `message` are those of a container that waits, or else of the pod or of its
    scheduling; `exit_reason` is why its container ended last, such as ``OOMKilled``.  `revision`
    is the DaemonSet's revision that the pod was made from, and `template` the `HASH` of its
    template.
    """

    name: str
    node: str
    phase: str
    ready: bool
    deleting: bool = False
    reason: str = ""
    message: str = ""
    restarts: int = 0
    exit_code: int | None = None
    exit_reason: str = ""
    revision: str = ""
    template: str = ""


@attrs.frozen
class DaemonSetSeen:
    """A DaemonSet's counts of pods, as its controller wrote them for `observed_generation`."""

    namespace: str
    name: str
    uid: str
    generation: int
    observed_generation: int
    desired: int
    ready: int
    updated: int
    available: int
    image: str
    deleting: bool = False
    template: str = ""


def counts_of(node: Mapping[str, Any]) -> NodeCounts:
    """Return the devices of a Node, of whichever plugin; an empty mapping if it has none.

    A resource that a node once had stays there with 0, and is in the result with 0.
    """
    status = mapping(node, "status")
    capacity, allocatable = mapping(status, "capacity"), mapping(status, "allocatable")
    return {
        intern(name): Count(number(devices), number(allocatable.get(name)))
        for name, devices in capacity.items()
        if isinstance(name, str) and "/" in name
    }


def pod_of(pod: Mapping[str, Any]) -> PodSeen:
    """Return what is kept of a Pod."""
    metadata, status = mapping(pod, "metadata"), mapping(pod, "status")
    containers = list(_containers(status))
    reason, message = _trouble(status, containers)
    ended = next(filter(None, (_ended(container) for container in containers)), {})
    code = ended.get("exitCode")
    return PodSeen(
        name=text(metadata.get("name")),
        node=intern(text(mapping(pod, "spec").get("nodeName"))),
        phase=intern(text(status.get("phase"))),
        ready=_condition(status, "Ready").get("status") == "True",
        deleting="deletionTimestamp" in metadata,
        reason=intern(reason),
        message=message[:TEXT_LIMIT],
        restarts=sum(number(container.get("restartCount")) for container in containers),
        exit_code=code if isinstance(code, int) else None,
        exit_reason=intern(text(ended.get("reason"))),
        revision=intern(text(mapping(metadata, "labels").get("controller-revision-hash"))),
        template=intern(text(mapping(metadata, "annotations").get(HASH))),
    )


def daemon_set_of(document: Mapping[str, Any]) -> DaemonSetSeen:
    """Return what is kept of a DaemonSet."""
    metadata, status = mapping(document, "metadata"), mapping(document, "status")
    template = mapping(mapping(document, "spec"), "template")
    containers = items(mapping(template, "spec"), "containers")
    images = [text(container.get("image")) for container in containers]
    return DaemonSetSeen(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        uid=text(metadata.get("uid")),
        generation=number(metadata.get("generation")),
        observed_generation=number(status.get("observedGeneration")),
        desired=number(status.get("desiredNumberScheduled")),
        ready=number(status.get("numberReady")),
        updated=number(status.get("updatedNumberScheduled")),
        available=number(status.get("numberAvailable")),
        image=intern(images[0] if images else ""),
        deleting="deletionTimestamp" in metadata,
        template=intern(text(mapping(mapping(template, "metadata"), "annotations").get(HASH))),
    )


def mapping(document: Any, key: str) -> Mapping[str, Any]:
    """Return a member that is an object; an empty one if it is not."""
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def items(document: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Return the objects of a member that is a list; none if it is not."""
    found = document.get(key) if isinstance(document, Mapping) else None
    return (
        (item for item in found if isinstance(item, Mapping))
        if isinstance(found, list)
        else iter(())
    )


def text(value: Any) -> str:
    """Return a member that is a string; empty if it is not."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """Return a whole number from 0, also of a quantity such as ``2k``; 0 for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return 0
    digits, unit = found.groups(default="")
    return int(digits) * _UNITS[unit.replace("E", "e")]


# Kubelets write 1000 as 1k; what somebody else writes into a Node's status keeps its form.
_QUANTITY = re.compile("([0-9]{1,20})([kMG]|[KMG]i|[eE][0-9])?")
_UNITS: Mapping[str, int] = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    **{f"e{power}": 10**power for power in range(10)},
}


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from items(status, "initContainerStatuses")
    yield from items(status, "containerStatuses")


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((c for c in items(status, "conditions") if c.get("type") == kind), {})


def _ended(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """How a container ended that has failed; empty for one that did what it should."""
    now = mapping(mapping(container, "state"), "terminated")
    ended = now or mapping(mapping(container, "lastState"), "terminated")
    return ended if ended.get("exitCode") else {}


def _trouble(status: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> tuple[str, str]:
    """Reason and message of what keeps a pod from serving, empty if nothing is known."""
    for container in containers:
        waiting = mapping(mapping(container, "state"), "waiting")
        reason = text(waiting.get("reason"))
        # Every pod waits so for a moment.
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            return reason, text(waiting.get("message"))
    if reason := text(status.get("reason")):
        return reason, text(status.get("message"))
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return text(scheduled.get("reason")), text(scheduled.get("message"))
    return "", ""
