"""Which resources are whose, so that a change of a node is about the right DevicePlugins alone."""

from collections.abc import Iterable

from twistdp.operator.counts import Devices
from twistdp.operator.observed import Count, NodeCounts

_NONE: frozenset[str] = frozenset()


class Census:
    """The devices of all nodes, and who names which resource.

    A DevicePlugin names its resources, and domains in which it lists others that are not known:
    the resources there that no DevicePlugin names are its.
    """

    def __init__(self) -> None:
        self._devices = Devices()
        self._naming: dict[str, set[str]] = {}
        self._domains: dict[str, set[str]] = {}
        self._names: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def take(self, node: str, counts: NodeCounts) -> set[str]:
        """Replace what a node has; return the DevicePlugins that this is about."""
        return self._plugins_of(self._devices.update(node, counts))

    def drop(self, node: str) -> set[str]:
        """Forget a node; return the DevicePlugins that this is about."""
        return self._plugins_of(self._devices.remove(node))

    def name(
        self, plugin: str, resources: frozenset[str], domains: frozenset[str] = _NONE
    ) -> set[str]:
        """Note which resources are a plugin's; return the others that this is about."""
        if self._names.get(plugin) == (resources, domains):
            return set()
        touched = self.forget(plugin)
        self._names[plugin] = resources, domains
        for resource in resources:
            self._naming.setdefault(resource, set()).add(plugin)
        for domain in domains:
            self._domains.setdefault(domain, set()).add(plugin)
        return touched | (self._openly(resources) - {plugin})

    def forget(self, plugin: str) -> set[str]:
        """Note that a plugin is gone; return the others that this is about."""
        resources, domains = self._names.pop(plugin, (_NONE, _NONE))
        for resource in resources:
            _discard(self._naming, resource, plugin)
        for domain in domains:
            _discard(self._domains, domain, plugin)
        return self._openly(resources)

    def resources_of(self, plugin: str) -> frozenset[str]:
        """Return the resources that are a plugin's; of those in its domains the ones on nodes."""
        resources, domains = self._names.get(plugin, (_NONE, _NONE))
        found = _NONE.union(*map(self._devices.in_domain, domains))
        return resources | (found - self._naming.keys())

    def only_of(self, plugin: str) -> frozenset[str]:
        """Return the resources that are no other DevicePlugin's as well, also those with 0."""
        resources, domains = self._names.get(plugin, (_NONE, _NONE))
        alone = {domain for domain in domains if self._domains[domain] == {plugin}}
        found = {name for name in self._devices.names() if _domain_of(name) in alone}
        named = {name for name in resources if self._naming[name] == {plugin}}
        return frozenset(named | (found - self._naming.keys()))

    def counts(self, resources: Iterable[str]) -> dict[str, dict[str, Count]]:
        """Return the devices of resources by node; nodes that have none of them are left out."""
        return self._devices.of(sorted(resources))

    def _plugins_of(self, resources: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for resource in resources:
            found |= self._naming.get(resource) or self._domains.get(_domain_of(resource), set())
        return found

    def _openly(self, resources: Iterable[str]) -> set[str]:
        """Return the plugins that have a resource as long as nobody names it."""
        return set().union(*(self._domains.get(_domain_of(each), set()) for each in resources))


def _domain_of(resource: str) -> str:
    return resource.partition("/")[0]


def _discard(sets: dict[str, set[str]], key: str, item: str) -> None:
    found = sets.get(key)
    if found is not None:
        found.discard(item)
        if not found:
            del sets[key]
