"""Makes the status of a DevicePlugin from what is known of it: a function of values.

It stays small however many nodes and resources there are: totals, and the nodes that somebody
should look at first.
"""

import heapq
from collections.abc import Mapping
from typing import Any, Final

from twistdp.operator.conditions import conditions, written
from twistdp.operator.known import Known
from twistdp.operator.observed import NodeCounts

MOST_RESOURCES: Final = 32
"""Resources with totals of their own."""

MOST_NODES: Final = 64
"""Nodes with counts of their own."""

MOST_OF_A_NODE: Final = 8
"""Resources that a node has counts for."""

LARGEST_NODES: Final = 12_000
"""Bytes that the nodes may have together, about."""


def status(known: Known, previous: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The status now, after the `previous` one; `now` is in seconds since 1970.

    It is the same for the same values, whatever their order.  `previous` may be any JSON object.
    """
    totals = _totals(known)
    nodes, omitted = _nodes(known.nodes)
    seen = known.daemon_set
    daemon_set = {} if seen is None else {"namespace": seen.namespace, "name": seen.name}
    return {
        "observedGeneration": known.generation,
        "conditions": written(conditions(known, previous), previous, known.generation, now),
        **({} if seen is None else {"daemonSet": daemon_set, "image": seen.image}),
        "desired": 0 if seen is None else seen.desired,
        "ready": 0 if seen is None else seen.ready,
        "updated": 0 if seen is None else seen.updated,
        "devices": sum(one["devices"] for one in totals),
        "unhealthy": sum(one["unhealthy"] for one in totals),
        "resources": _first_resources(totals),
        "resourcesOmitted": max(0, len(totals) - MOST_RESOURCES),
        "nodes": nodes,
        "nodesOmitted": omitted,
    }


def _totals(known: Known) -> list[dict[str, Any]]:
    """The counts of each resource over all nodes, by name."""
    found: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in known.resources}
    for counts in known.nodes.values():
        for name, count in counts.items():
            sums = found.setdefault(name, [0, 0, 0, 0])
            sums[0] += count.devices
            sums[1] += count.devices - count.unhealthy
            sums[2] += count.unhealthy
            sums[3] += count.devices > 0
    return [
        dict(zip(("name", "devices", "healthy", "unhealthy", "nodes"), (name, *sums), strict=True))
        for name, sums in sorted(found.items())
    ]


def _first_resources(totals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many as there is room for, first those with unhealthy devices; by name."""
    first = heapq.nsmallest(
        MOST_RESOURCES, totals, key=lambda one: (not one["unhealthy"], one["name"])
    )
    return sorted(first, key=lambda one: str(one["name"]))


def _nodes(nodes: Mapping[str, NodeCounts]) -> tuple[list[dict[str, Any]], int]:
    """Nodes with devices, first those with unhealthy ones, and how many are left out."""
    present = [
        (all(count.unhealthy == 0 for count in counts.values()), name)
        for name, counts in nodes.items()
        if any(count.devices for count in counts.values())
    ]
    made: list[dict[str, Any]] = []
    size = 0
    for _, name in heapq.nsmallest(MOST_NODES, present):
        entry = _node(name, nodes[name])
        size += sum(50 + len(one["name"]) for one in entry["resources"]) + 60 + len(name)
        if size > LARGEST_NODES:
            break
        made.append(entry)
    return made, len(present) - len(made)


def _node(name: str, counts: NodeCounts) -> dict[str, Any]:
    present = [(not count.unhealthy, one) for one, count in counts.items() if count.devices]
    shown = [one for _, one in heapq.nsmallest(MOST_OF_A_NODE, present)]
    return {
        "name": name,
        "resources": [
            {
                "name": one,
                "healthy": counts[one].devices - counts[one].unhealthy,
                "unhealthy": counts[one].unhealthy,
            }
            for one in shown
        ],
        "resourcesOmitted": len(present) - len(shown),
    }
