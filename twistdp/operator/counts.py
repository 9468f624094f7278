"""How many devices the nodes have: an index that finds a resource's nodes without a search."""

from collections.abc import Iterable

from twistdp.operator.observed import Count, NodeCounts


class Devices:
    """The devices of all nodes.  Equal counts are kept once."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeCounts] = {}
        self._resources: dict[str, dict[str, Count]] = {}
        self._counts: dict[Count, Count] = {}

    def __len__(self) -> int:
        """The nodes that are known."""
        return len(self._nodes)

    def update(self, node: str, counts: NodeCounts) -> frozenset[str]:
        """Take a node's counts, and return the resources that have changed."""
        before = self._nodes.get(node, {})
        changed = [name for name, count in counts.items() if before.get(name) != count]
        gone = [name for name in before if name not in counts]
        self._nodes[node] = kept = {
            name: self._counts.setdefault(count, count) for name, count in counts.items()
        }
        for name in changed:
            self._resources.setdefault(name, {})[node] = kept[name]
        for name in gone:
            self._drop(name, node)
        return frozenset((*changed, *gone))

    def remove(self, node: str) -> frozenset[str]:
        """Forget a node, and return the resources that it had."""
        gone = self._nodes.pop(node, {})
        for name in gone:
            self._drop(name, node)
        return frozenset(gone)

    def of(self, resources: Iterable[str]) -> dict[str, dict[str, Count]]:
        """The counts of some resources, by node."""
        found: dict[str, dict[str, Count]] = {}
        for resource in resources:
            for node, count in self._resources.get(resource, {}).items():
                found.setdefault(node, {})[resource] = count
        return found

    def names(self) -> set[str]:
        """Each resource that a node has."""
        return set(self._resources)

    def in_domain(self, domain: str) -> set[str]:
        """The resources of a domain that a node has devices of.

        A resource that is gone stays on nodes with 0, and is not among them.
        """
        prefix = f"{domain}/"
        return {
            name
            for name, nodes in self._resources.items()
            if name.startswith(prefix) and any(count.devices for count in nodes.values())
        }

    def nodes(self) -> list[str]:
        """The names of the nodes."""
        return list(self._nodes)

    def _drop(self, resource: str, node: str) -> None:
        nodes = self._resources[resource]
        del nodes[node]
        if not nodes:
            del self._resources[resource]
