"""Which DevicePlugins list the same resources, found without comparing all of them."""

from collections.abc import Mapping

import attrs

_NONE: frozenset[str] = frozenset()


@attrs.frozen
class Rival:
    """Another DevicePlugin with some of the same resources, which both have pods for on `nodes`.

    A kubelet takes a resource from one plugin, so the other one stands by.
    """

    name: str
    nodes: int
    resources: tuple[str, ...]


class Claims:
    """What DevicePlugins claim, as `twistdp.crds.claims` has it."""

    def __init__(self) -> None:
        self._claims: dict[str, frozenset[str]] = {}
        self._claiming: dict[str, set[str]] = {}

    def put(self, plugin: str, claims: frozenset[str]) -> None:
        """Note what a plugin claims; nothing once it is gone."""
        for claim in self._claims.pop(plugin, _NONE) - claims:
            claiming = self._claiming[claim]
            claiming.discard(plugin)
            if not claiming:
                del self._claiming[claim]
        if claims:
            self._claims[plugin] = claims
        for claim in claims:
            self._claiming.setdefault(claim, set()).add(plugin)

    def sharing(self, plugin: str) -> set[str]:
        """Return the other plugins that claim something of what a plugin claims."""
        claims = self._claims.get(plugin, _NONE)
        found = set().union(*(self._claiming[claim] for claim in claims))
        found.discard(plugin)
        return found

    def rivals(self, plugin: str, meetings: Mapping[str, int], most: int) -> list[Rival]:
        """Return the first `most` of the plugins that it meets on so many nodes, by name."""
        mine = self._claims.get(plugin, _NONE)
        return [
            Rival(name, meetings[name], tuple(sorted(mine & self._claims.get(name, _NONE))))
            for name in sorted(meetings)[:most]
        ]
