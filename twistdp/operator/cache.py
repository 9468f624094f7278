"""What is known of the cluster: small values, and which DevicePlugins a change is about."""

from collections.abc import Callable, Hashable, Mapping, Set
from typing import Any

import attrs

from twistdp.crds import DevicePlugin, claims, open_domains, resource_names
from twistdp.operator.census import Census
from twistdp.operator.children import Child, Place, child_of, digest
from twistdp.operator.claims import Claims, Rival
from twistdp.operator.gone import Gone
from twistdp.operator.kinds import CONFIG_MAP, DEVICE_PLUGIN, NODE, POD, Kind
from twistdp.operator.lists import Lists
from twistdp.operator.observed import PodSeen, counts_of, mapping, text
from twistdp.operator.pods import Pods
from twistdp.operator.seen import PluginSeen, mounted, named_by, plugin_seen, same_but_status


@attrs.frozen
class Touched:
    """The DevicePlugins that a change is about: `now` to be reconciled, of `later` the status."""

    now: Set[str] = frozenset()
    later: Set[str] = frozenset()


NOTHING = Touched()

Took = Callable[[Kind, Mapping[str, Any]], object]
"""Takes an object that a request was answered with, which a watch will show as well, or later.

Somebody else's change may be in it, so what it touches is reconciled as after a watch's news.
"""


class Cache:
    """What watches have brought.  No method raises, whatever a document has in it."""

    def __init__(self) -> None:
        self.plugins: dict[str, PluginSeen] = {}
        self.children: dict[Place, Child] = {}
        self.sent: dict[str, Mapping[str, Any]] = {}
        """The statuses that were last sent: to see one of them is no news."""
        self.census = Census()
        self.lists = Lists()
        self._gone = Gone()
        self._owned: dict[str, set[Place]] = {}
        self._wanted: dict[Place, str] = {}
        self._wants: dict[str, frozenset[Place]] = {}
        self._claims = Claims()
        self._pods = Pods(self._claims)
        self._files: dict[str, int] = {}
        self._mounting: dict[str, set[str]] = {}
        """The plugins that mount a ConfigMap of somebody else, by its name."""

    def take(self, kind: Kind, change: str | None, document: Mapping[str, Any]) -> Touched:
        """Take a change as `IObserver.observe` gets it."""
        metadata = mapping(document, "metadata")
        name, namespace = text(metadata.get("name")), text(metadata.get("namespace"))
        key: Hashable = Place(kind.name, namespace, name)
        if not name:
            return NOTHING
        uid = text(metadata.get("uid"))
        if change == "DELETED":
            self._gone.add(uid)
            if self._is_newer(kind, Place(kind.name, namespace, name), uid):
                return NOTHING
            self.lists.drop(kind, key)
            return self._drop(kind, Place(kind.name, namespace, name))
        if change is None:
            self._gone.discard(uid)  # lists are the truth
        elif uid in self._gone:
            return NOTHING
        self.lists.put(kind, key, of_list=change is None)
        if kind == DEVICE_PLUGIN:
            return self._plugin(name, document, of_list=change is None)
        if kind == NODE:
            return Touched(later=self.census.take(name, counts_of(document)))
        if kind == POD:
            return Touched(later=self._pods.take(name, document))
        return self._child(kind, document, of_list=change is None)

    def listed(self, kind: Kind) -> Touched:
        """Take note that a list is complete."""
        now: set[str] = set()
        later: set[str] = set()
        for place in self.lists.listed(kind):
            assert isinstance(place, Place)
            self._gone.add(self._uid(kind, place))
            touched = self._drop(kind, place)
            now |= touched.now
            later |= touched.later
        return Touched(now, later)

    def owned(self, plugin: str) -> list[Child]:
        """Return the objects that a DevicePlugin owns, or that its label names."""
        return [self.children[place] for place in self._owned.get(plugin, ())]

    def want(self, plugin: str, places: frozenset[Place]) -> None:
        """Take note where a plugin's objects have to be, whether or not others are there now."""
        for place in self._wants.pop(plugin, frozenset()):
            self._wanted.pop(place, None)
        if places:
            self._wants[plugin] = places
            self._wanted.update(dict.fromkeys(places, plugin))

    def pods(self, plugin: str) -> list[PodSeen]:
        """Return a plugin's pods."""
        return self._pods.of(plugin)

    def rivals(self, plugin: str, most: int) -> tuple[list[Rival], int]:
        """Return the first `most` plugins that serve the same on the same nodes, and how many
        others do.
        """
        meetings = self._pods.meetings(plugin)
        rivals = self._claims.rivals(plugin, meetings, most)
        return rivals, len(meetings) - len(rivals)

    def files_version(self, plugin: DevicePlugin) -> str | None:
        """Return what stands for the files of a scanner's ConfigMap; None if it has none."""
        scanner = plugin.spec.scanner
        name = None if scanner is None else scanner.config_map
        found = None if name is None else self._files.get(name)
        return None if found is None else f"{found:016x}"

    def missing_files(self, plugin: DevicePlugin) -> list[str]:
        """Return the ConfigMaps that the plugin's pods mount and that do not exist."""
        return sorted(mounted(plugin) - self._files.keys())

    def _uid(self, kind: Kind, place: Place) -> str:
        """Return the uid of a DevicePlugin or child that is known; an empty text of others."""
        known = self.children.get(place)
        seen = self.plugins.get(place.name) if kind == DEVICE_PLUGIN else None
        return seen.uid if seen else known.version.uid if known else ""

    def _is_newer(self, kind: Kind, place: Place, uid: str) -> bool:
        """Whether the object that is known has another uid than the one that is gone."""
        return bool(uid) and (self._uid(kind, place) or uid) != uid

    def _drop(self, kind: Kind, place: Place) -> Touched:
        if kind == NODE:
            return Touched(later=self.census.drop(place.name))
        if kind == POD:
            return Touched(later=self._pods.drop(place.name))
        if kind == DEVICE_PLUGIN:
            self.sent.pop(place.name, None)
            seen = self.plugins.pop(place.name, None)
            self._mount(place.name, seen.plugin if seen else None, None)
            self.want(place.name, frozenset())
            met = self._claim(place.name, frozenset())
            return Touched(now={place.name}, later=self.census.forget(place.name) | met)
        child = self.children.pop(place, None)
        for plugin in child.plugins if child else ():
            self._disown(plugin, place)
        plugins = self._about(place, child)
        if kind == CONFIG_MAP and self._files.pop(place.name, None) is not None:
            plugins |= self._mounting.get(place.name, set())
        return Touched(now=plugins)

    def _plugin(self, name: str, document: Mapping[str, Any], *, of_list: bool) -> Touched:
        before = self.plugins.get(name)
        seen = plugin_seen(name, document, before)
        if seen.status == (sent := self.sent.get(name)):
            seen = attrs.evolve(seen, status=sent)  # no second copy of it in memory
        is_known = before is not None and before.uid == seen.uid and not of_list
        if before is not None and is_known and seen.revision < before.revision:
            return NOTHING  # what a request answered with was newer
        self.plugins[name] = seen
        later: set[str] = set()
        if seen.plugin is not None and (before is None or seen.plugin is not before.plugin):
            self._mount(name, before.plugin if before else None, seen.plugin)
            later = self.census.name(
                name, resource_names(seen.plugin) or frozenset(), open_domains(seen.plugin)
            ) | self._claim(name, claims(seen.plugin))
        elif seen.plugin is None and before is None:
            # What the last good spec named is still on the nodes.
            named = named_by(seen.status)
            later = self.census.name(name, named) | self._claim(name, named)
        if before is not None and same_but_status(before, seen):
            is_news = seen.status != before.status and seen.status is not sent
            return Touched(later=later | ({name} if is_news else set()))
        return Touched(now={name}, later=later)

    def _claim(self, plugin: str, found: frozenset[str]) -> set[str]:
        """Note what a plugin claims; return the others that this is about."""
        met = set(self._pods.meetings(plugin))
        self._claims.put(plugin, found)
        return met.union(self._pods.meetings(plugin))

    def _child(self, kind: Kind, document: Mapping[str, Any], *, of_list: bool) -> Touched:
        child = child_of(kind, document)
        before = self.children.get(child.place)
        if before and not of_list and 0 < child.version.revision < before.version.revision:
            return NOTHING  # what a request answered with was newer
        now = self._take_files(child.place.name, document) if kind == CONFIG_MAP else set()
        if before is not None:
            for plugin in before.plugins - child.plugins:
                self._disown(plugin, child.place)
        self.children[child.place] = child
        for plugin in child.plugins:
            self._owned.setdefault(plugin, set()).add(child.place)
        plugins = self._about(child.place, before, child)
        if before is None or not before.version.same_as(child.version) or child.deleting:
            return Touched(now=plugins | now)
        changed = before.daemon_set != child.daemon_set
        return Touched(now=now, later=plugins if changed else frozenset())

    def _about(self, place: Place, *children: Child | None) -> frozenset[str]:
        """Return the plugins that an object has to do with, before and after a change."""
        found = (child.plugins for child in children if child is not None)
        wanting = self._wanted.get(place)
        return frozenset({wanting} if wanting is not None else ()).union(*found)

    def _take_files(self, name: str, document: Mapping[str, Any]) -> set[str]:
        found = digest([document.get("data"), document.get("binaryData")])
        if self._files.get(name) == found:
            return set()
        self._files[name] = found
        return set(self._mounting.get(name, ()))

    def _mount(self, name: str, before: DevicePlugin | None, now: DevicePlugin | None) -> None:
        for config_map in mounted(before):
            self._mounting.get(config_map, set()).discard(name)
        for config_map in mounted(now):
            self._mounting.setdefault(config_map, set()).add(name)

    def _disown(self, plugin: str, place: Place) -> None:
        places = self._owned.get(plugin, set())
        places.discard(place)
        if not places:
            self._owned.pop(plugin, None)
