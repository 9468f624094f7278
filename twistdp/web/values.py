"""The whole state of a plugin as values, for programs and people who ask.

There are no values of environment variables and annotations in it, only their names: a value may be
a secret.  Times are in seconds since the epoch.
"""

from collections.abc import Iterable, Sequence

import attrs

from twistdp.model import Holder


@attrs.frozen
class Node:
    """A device node that a container gets."""

    host_path: str
    container_path: str
    permissions: str


@attrs.frozen
class Mount:
    """A mount that a container gets."""

    host_path: str
    container_path: str
    read_only: bool


@attrs.frozen
class Turn:
    """A change of a device's health."""

    time: float
    health: str
    reason: str


@attrs.frozen
class Device:
    """One device of a resource."""

    id: str
    health: str
    """``Healthy`` or ``Unhealthy``."""
    reason: str
    """Why it is so; empty where nobody gave a reason."""
    listed: bool
    """Whether the list has room for it."""
    group: str
    """The physical device or card that it is a part of."""
    numa_nodes: Sequence[int]
    nodes: Sequence[Node]
    mounts: Sequence[Mount]
    env_names: Sequence[str]
    annotation_names: Sequence[str]
    cdi: bool
    """Whether it has a CDI part."""
    holder: Holder | None
    """None if no container has it, or if the kubelet cannot be asked."""
    history: Sequence[Turn]
    """The last changes of its health, the oldest first."""


@attrs.frozen
class Session:
    """How a resource stands with the kubelet."""

    standing: str
    """registering, registered, waiting, standing by, failing or stuck."""
    since: float | None
    """When the last registration succeeded, or failed first since then."""
    streams: int
    """The open ListAndWatch streams of a kubelet."""
    last_word: float | None
    """When the kubelet called, or opened a stream, the last time."""
    reason: str
    """Why the last attempt failed; empty if it did not."""
    problem: str = attrs.field(init=False)
    """Why the resource is not ready; empty if it is, also while it stands by."""

    @problem.default
    def _find_problem(self) -> str:
        if self.standing == "registered":
            return "" if self.streams else "registered, but the kubelet has no stream open"
        if self.standing == "standing by":
            return ""
        if self.standing == "waiting":
            return self.reason or "waiting for a kubelet"
        return ": ".join(filter(None, (self.standing, self.reason)))


@attrs.frozen
class Resource:
    """One resource."""

    name: str
    scanner: str
    endpoint: str
    """The path of its socket; empty for a resource that was found and cannot be served."""
    session: Session
    capacity: int
    allocatable: int
    held: int | None
    """How many devices containers have; None if the kubelet cannot be asked."""
    not_listed: int
    devices: Iterable[Device] | None
    """None where only the numbers were asked for."""


@attrs.frozen
class Scan:
    """The last scan that ended."""

    time: float
    seconds: float


@attrs.frozen
class Scanner:
    """One scanner."""

    name: str
    namespace: str
    source: str
    """What on the command line asks for it."""
    scanned: bool
    """Whether a scan has ended well since the start."""
    last_scan: Scan | None
    failing: str | None
    """Why its last scan failed; None if it did not."""
    hung: bool
    """Whether its running scan is longer than the time limit."""


@attrs.frozen
class Configuration:
    """One configuration file."""

    file: str
    read_time: float | None
    """When it was read again the last time; None if it is as it was at the start."""
    problems: Sequence[str]
    """Why the file that is there now is refused; the one before stays in force."""


@attrs.frozen
class PodResources:
    """Whether the kubelet can be asked who holds devices."""

    socket: str
    available: bool
    reason: str
    """Why it cannot; empty if it can."""


@attrs.frozen
class State:
    """One plugin process."""

    version: str
    start_time: float
    time: float
    """When this was true."""
    node: str
    """The host's name."""
    plugin_dir: str
    registration: str
    """socket or watcher."""
    scanners: Sequence[Scanner]
    configurations: Sequence[Configuration]
    pod_resources: PodResources
    resources: Sequence[Resource]
