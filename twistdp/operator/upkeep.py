"""Applies the objects that a DevicePlugin needs, and repairs them when somebody changes them."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from twistdp import klog
from twistdp.crds import DevicePlugin
from twistdp.errors import BadSettings
from twistdp.operator.api import ApiError, Document, IApi
from twistdp.operator.cache import Cache, Took
from twistdp.operator.children import Child, Place, digest, place_of, version_of
from twistdp.operator.desired import desired
from twistdp.operator.happenings import Happenings
from twistdp.operator.kinds import (
    DAEMON_SET,
    DEVICE_PLUGIN,
    KINDS,
    POD_MONITOR,
    SERVICE,
    SERVICE_MONITOR,
    Kind,
)
from twistdp.operator.maker import Maker
from twistdp.operator.observed import mapping
from twistdp.operator.rollout import SURGE, is_complete, is_halted
from twistdp.operator.seen import PluginSeen
from twistdp.operator.settings import OperatorSettings
from twistdp.operator.work import Applied, Work

MONITORS: Final = frozenset({POD_MONITOR, SERVICE_MONITOR})
"""Kinds that a cluster may not have; without them what needs them is left out."""

_FOR_MONITORING: Final = frozenset({POD_MONITOR.name, SERVICE_MONITOR.name, SERVICE.name})
LOOK: Final = 300.0
"""Seconds after which it is looked again for a kind that a plugin waits for."""

_CALM: Final = 600.0
"""Seconds without a repair after which the next one is made at once again."""


class Upkeep:
    """Makes what exists equal to what is desired, by as few requests as possible.

    What was applied is not applied again until the DevicePlugin changes or a watch shows that
    somebody has changed it.
    """

    def __init__(
        self,
        api: IApi,
        settings: OperatorSettings,
        clock: IReactorTime,
        cache: Cache,
        happenings: Happenings,
        took: Took,
        look: Callable[[], object],
    ) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._cache = cache
        self._happenings = happenings
        self._took = took
        self._look = look
        self._maker = Maker(api, took)
        self.offered: frozenset[Kind] = frozenset()
        """Those of `MONITORS` that the cluster has, and that have been listed."""
        self.listable: frozenset[Kind] = frozenset()
        """Those that it has, listed or not."""

    def basis(self, plugin: DevicePlugin) -> object:
        """Return what the desired objects depend on, to be compared."""
        files = self._cache.files_version(plugin), tuple(self._cache.missing_files(plugin))
        return plugin.uid, plugin.generation, files, self.offered, self._is_halted(plugin)

    async def keep(self, seen: PluginSeen, work: Work) -> float | None:
        """Apply what is missing or has been changed, and delete what is not needed any more.

        Returns the seconds after which to come again, None unless there is a reason.  Raises
        `ApiError` and `Unreachable`; the next call goes on where this one has failed.
        """
        plugin = seen.plugin
        assert plugin is not None
        basis = self.basis(plugin)
        strayed = {
            place for place, applied in work.applied.items() if self._strayed(place, applied)
        }
        if strayed and work.basis == basis and work.repairs.wait:
            return work.repairs.wait
        # What vanished may have gone with the DevicePlugin, whose end no watch has shown yet.
        is_gone = any(place not in self._cache.children for place in strayed)
        if is_gone and not await self._exists(seen):
            return None
        if strayed or work.basis != basis:
            work.basis = None
            work.problems = ()
            try:
                wanted = self._wanted(plugin, work)
                self._check_places(seen, wanted)
            except BadSettings as error:
                work.problems = error.lines  # what was applied before stays
                return None
            if not await self._apply_all(seen, work, wanted, strayed):
                return None
            work.basis = basis
        await self._delete_leftovers(seen, work)
        if not work.waiting:
            return None
        self._look()
        return LOOK

    async def _exists(self, seen: PluginSeen) -> bool:
        """Whether the API server has the DevicePlugin, and not another one of its name.

        Raises `ApiError`, also where it has none.
        """
        found = await self._api.get(DEVICE_PLUGIN, "", seen.name)
        return mapping(found, "metadata").get("uid") == seen.uid

    def _wanted(self, plugin: DevicePlugin, work: Work) -> list[Document]:
        """Return the objects to apply, and note the kinds that they wait for.

        Raises `BadSettings`.
        """
        namespace = self._settings.namespace
        if missing := self._cache.missing_files(plugin):
            raise BadSettings(
                [f"spec: there is no ConfigMap {namespace}/{name}; create it" for name in missing]
            )
        files, halted = self._cache.files_version(plugin), self._is_halted(plugin)
        documents = desired(plugin, self._settings, files, halted)
        kinds = {document["kind"] for document in documents}
        present = {kind.name for kind in self.listable}
        work.waiting = tuple(sorted(kinds & self._absent - present))
        return [document for document in documents if document["kind"] not in self._absent]

    @property
    def _absent(self) -> set[str]:
        """The names of kinds whose objects are neither made nor known."""
        return {kind.name for kind in MONITORS - self.offered}

    def _is_halted(self, plugin: DevicePlugin) -> bool:
        """Whether the plugin's roll-out must not go on; it does when the pods are ready."""
        strategy, name = plugin.spec.update_strategy, plugin.name
        if strategy.type != SURGE:
            return False
        sets = [child.daemon_set for child in self._cache.owned(name) if child.daemon_set]
        pods = self._cache.pods(name)
        return any(is_halted(strategy.type, strategy.max_surge, seen, pods) for seen in sets)

    def _check_places(self, seen: PluginSeen, documents: Collection[Mapping[str, Any]]) -> None:
        """Refuse to take over what somebody else has made; raises `BadSettings`."""
        places = frozenset(map(place_of, documents))
        self._cache.want(seen.name, places)
        children = [self._cache.children.get(place) for place in sorted(places, key=str)]
        if taken := [str(c.place) for c in children if c is not None and not _is_ours(c, seen)]:
            raise BadSettings(
                [
                    f"metadata.name: there is {place} already, and the operator has not made it; "
                    "delete it, or choose another name"
                    for place in taken
                ]
            )

    async def _apply_all(
        self,
        seen: PluginSeen,
        work: Work,
        documents: Collection[Mapping[str, Any]],
        strayed: Collection[Place],
    ) -> bool:
        """Whether all is applied; False if that has to wait for a change that a watch will show."""
        for place in set(work.applied).difference(map(place_of, documents)):
            del work.applied[place]
        refused: ApiError | None = None
        for document in documents:
            place, content = place_of(document), digest(document)
            before = work.applied.get(place)
            if before is not None and before.digest == content and place not in strayed:
                continue
            child = self._cache.children.get(place)
            if child is not None and child.deleting:
                return False
            try:
                answer = await self._maker.made(document, child)
            except ApiError as error:
                if place.kind not in _FOR_MONITORING or error.status in (401, 429):
                    raise
                refused = error  # the plugin itself can do without
                continue
            version = version_of(answer)
            work.applied[place] = Applied(content, version)
            self._took(KINDS[place.kind], answer)
            if before is not None and before.digest == content:
                self._repaired(seen, work, child, before, place, version)
            if not self._is_current(seen):
                return False
        if refused is not None:
            raise refused
        return True

    async def _delete_leftovers(self, seen: PluginSeen, work: Work) -> None:
        """Delete what the plugin needed before, once no pod of that time is left.

        Users may make the plugin the owner of what is theirs, such as a scanner's files.
        """
        left = [
            child
            for child in self._cache.owned(seen.name)
            if child.managed
            and child.owner_uid == seen.uid
            and child.place not in work.applied
            and child.place.kind not in self._absent
            and not child.deleting
        ]
        if not left or not self._is_rolled_out(work):
            return
        for child in left:
            place = child.place
            try:
                await self._api.delete(
                    KINDS[place.kind], place.namespace, place.name, child.version.uid
                )
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
            else:
                klog.info("deleted what a device plugin no longer needs", object=str(place))

    def _is_rolled_out(self, work: Work) -> bool:
        children = (self._cache.children.get(p) for p in work.applied if p.kind == DAEMON_SET.name)
        return all(
            child is not None and child.daemon_set is not None and is_complete(child.daemon_set)
            for child in children
        )

    def _strayed(self, place: Place, applied: Applied) -> bool:
        """Whether somebody has changed or deleted an object since we applied it."""
        child = self._cache.children.get(place)
        return child is None or not child.version.same_as(applied.version)

    def _is_current(self, seen: PluginSeen) -> bool:
        """Whether the DevicePlugin still is what we work for; if not, there is another turn."""
        now = self._cache.plugins.get(seen.name)
        if now is None or now.deleting or now.plugin is None or seen.plugin is None:
            return False
        same = (now.uid, now.generation) == (seen.uid, seen.generation)
        return same and not now.plugin.paused

    def _repaired(
        self,
        seen: PluginSeen,
        work: Work,
        child: Child | None,
        before: Applied,
        place: Place,
        version: Any,
    ) -> None:
        """Take note of what has been applied again, and report it if that changed anything."""
        if child is not None:
            is_news = child.version.revision > before.version.revision
            if not is_news or child.version.same_as(version):
                return
        now = self._clock.seconds()
        if now - work.repaired_at > _CALM:
            work.repairs.reset()
        work.repaired_at = now
        work.repairs.failed()
        what = "deleted" if child is None else "changed"
        message = f"somebody has {what} {place}; it is as the object asks for again"
        klog.info("repaired what somebody has changed", plugin=seen.name, object=str(place))
        self._happenings.post(seen.name, seen.uid, "DriftRepaired", message, warning=True)


def _is_ours(child: Child, seen: PluginSeen) -> bool:
    is_known = child.owner == seen.name or (child.managed and child.label == seen.name)
    return is_known and not child.controlled
