"""What the operator knows of a DevicePlugin and its pods at one moment."""

from collections.abc import Collection, Mapping, Sequence

import attrs

from twistdp.operator.claims import Rival
from twistdp.operator.observed import DaemonSetSeen, NodeCounts, PodSeen


@attrs.frozen(kw_only=True)
class Known:
    """All that a status is made of.

    `generation` is that of the object that was looked at, and `problems` are those of its spec.
    `refusal` is what the API server says about an object that it does not accept.  `waiting`
    are kinds for monitoring that the cluster does not have.  `resources` are
    the names that the plugin offers as far as its spec says; `nodes` has the counts of its
    resources, and of no other.  `stalled` says that the roll-out stands still,
    `halted` that the operator keeps it from going on, and `replacing` that the DaemonSet has
    changed since each node had a pod of it.  `rivals` are other plugins that serve the same on the
    same nodes, the first ones by name, and `rivals_omitted` counts the others.
    """

    generation: int
    problems: Sequence[str] = ()
    refusal: str = ""
    waiting: Sequence[str] = ()
    paused: bool = False
    stalled: bool = False
    halted: bool = False
    replacing: bool = False
    resources: Collection[str] = ()
    rivals: Sequence[Rival] = ()
    rivals_omitted: int = 0
    daemon_set: DaemonSetSeen | None = None
    pods: Sequence[PodSeen] = ()
    nodes: Mapping[str, NodeCounts] = attrs.field(factory=dict)
