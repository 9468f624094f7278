"""The emulated kubelet's topology manager, which keeps a pod's devices on few NUMA nodes.

As in a kubelet, a resource has no preference if none of its devices has NUMA nodes.  If one has,
the devices without any are on no set of nodes, nor are those on a node that the machine lacks: a
request that needs them cannot be aligned.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final, Literal, TypeAlias, get_args

import attrs

from twistdp.errors import BadSetting

Policy: TypeAlias = Literal["none", "best-effort", "restricted", "single-numa-node"]
"""The values of a kubelet's ``--topology-manager-policy``."""

POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)
"""The names of the kubelet's topology manager policies."""

REJECTED = "TopologyAffinityError: Resources cannot be allocated with Topology locality"
"""The reason and the message of a pod that the topology manager refuses."""


class NotAligned(Exception):
    """The policy refuses the request."""


@attrs.frozen
class TopologyManager:
    """Decides by `policy` on a machine with the NUMA nodes `nodes`.

    Raises `BadSetting` for another policy and, unless the policy is none, for more than eight
    nodes: a kubelet does not start with them.
    """

    policy: Policy = "none"
    nodes: Collection[int] = (0, 1)

    def __attrs_post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise BadSetting(
                f"topology policy {self.policy!r}: there is no such policy; give one of "
                f"{', '.join(POLICIES)}"
            )
        if self.policy != "none" and not 1 <= len(self.nodes) <= 8:
            raise BadSetting(
                f"{len(self.nodes)} NUMA nodes: a kubelet with a topology policy needs 1 to 8; "
                "give as many, or the policy none"
            )

    def affinity(
        self, numa: Mapping[str, Sequence[int]], available: Iterable[str], count: int
    ) -> frozenset[int] | None:
        """The NUMA nodes to take `count` of the devices `available` from; None means any.

        `numa` has the nodes of all devices of the resource that have any, available or not.
        Raises `NotAligned` if the policy refuses the request.
        """
        if self.policy == "none" or not any(numa.values()):
            return None
        placed = [frozenset(numa[id_]) for id_ in available if id_ in numa]
        fitting = [some for some in self._sets() if _on(some, placed) >= count]
        best = fitting[0] if fitting else None
        # The narrowest set that would do if no device were in use; a wider one is second best.
        ideal = [some for some in self._sets() if _on(some, map(frozenset, numa.values())) >= count]
        preferred = best is not None and len(best) == len(ideal[0])
        if self.policy == "restricted" and not preferred:
            raise NotAligned
        if self.policy == "single-numa-node" and not (preferred and best and len(best) == 1):
            raise NotAligned
        return best

    def _sets(self) -> list[frozenset[int]]:
        """All sets of the machine's nodes, narrow ones and those of low numbers first."""
        nodes = sorted(self.nodes)
        return [
            frozenset(some)
            for size in range(1, len(nodes) + 1)
            for some in combinations(nodes, size)
        ]


def _on(nodes: frozenset[int], placed: Iterable[frozenset[int]]) -> int:
    """How many devices are on at least one of the nodes."""
    return sum(bool(nodes & where) for where in placed)
