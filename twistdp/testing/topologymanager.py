"""The emulated kubelet's topology manager: whether, and where, devices are on few NUMA nodes.

As in a kubelet, a resource of which no device has NUMA nodes has no preference.  As soon as one
device has some, those without are on no set of nodes, and neither are those on a node that the
machine does not have: a request that needs them can be aligned nowhere.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final, Literal, TypeAlias, get_args

import attrs

from twistdp.errors import BadSetting

Policy: TypeAlias = Literal["none", "best-effort", "restricted", "single-numa-node"]
"""What a kubelet's ``--topology-manager-policy`` may be."""

POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)
"""The names of the kubelet's topology manager policies."""

REJECTED = "TopologyAffinityError: Resources cannot be allocated with Topology locality"
"""Reason and message of a pod that the topology manager does not admit."""


class NotAligned(Exception):
    """The policy does not admit the request."""


@attrs.frozen
class TopologyManager:
    """Decides by `policy` on a machine with the NUMA nodes `nodes`.

    Raises `BadSetting` for another policy, and, unless the policy is none, for more than eight
    nodes, with which a kubelet does not start.
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
        """The NUMA nodes from which `count` of the devices `available` are to be taken.

        `numa` are the nodes of all the resource's devices that have some, available or not.
        None means any.  Raises `NotAligned` where the policy admits no such request.
        """
        if self.policy == "none" or not any(numa.values()):
            return None
        placed = [frozenset(numa[id_]) for id_ in available if id_ in numa]
        fitting = [some for some in self._sets() if _on(some, placed) >= count]
        best = fitting[0] if fitting else None
        # The narrowest set that would do if no device were in use: anything wider is second best.
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
