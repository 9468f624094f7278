"""What garbage collection does not do: entries of extended resources that linger on nodes.

A kubelet sets a resource that nobody serves any more to 0, five minutes after its plugin has
gone, and leaves it in the Node's status forever.  On request such entries are removed when the
DevicePlugin is deleted; a finalizer keeps the object until then.
"""

import datetime
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

from twistdp import klog
from twistdp.operator.api import ApiError, IApi
from twistdp.operator.cache import Cache, Took
from twistdp.operator.happenings import Happenings
from twistdp.operator.kinds import DAEMON_SET, DEVICE_PLUGIN, NODE
from twistdp.operator.observed import CLEANING_SINCE
from twistdp.operator.seen import PluginSeen
from twistdp.operator.work import Work

FINALIZER: Final = "twistdp.io/extended-resources"
"""The finalizer of DevicePlugins that want it."""

PATIENCE: Final = 900.0
"""Seconds after which the clean-up gives up; kubelets need five minutes, and then some."""

_LISTS = ("capacity", "allocatable")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


class CleanUp:
    """Adds the finalizer, cleans up, and removes it.

    All methods raise `ApiError` and `Unreachable`; the next call goes on where this one failed.
    """

    def __init__(
        self,
        api: IApi,
        clock: IReactorTime,
        cache: Cache,
        happenings: Happenings,
        took: Took,
        wall_clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._clock = clock
        self._cache = cache
        self._happenings = happenings
        self._took = took
        self._wall_clock = wall_clock

    async def prepare(self, seen: PluginSeen) -> None:
        """Make the object have the finalizer if it wants a clean-up, and not have it if not."""
        wanted = _is_wanted(seen)
        if wanted and FINALIZER not in seen.finalizers:
            place = "/metadata/finalizers/-" if seen.finalizers else "/metadata/finalizers"
            value: Any = FINALIZER if seen.finalizers else [FINALIZER]
            # Without a list there is no member to test, and somebody else may add one.
            tests = [] if seen.finalizers else [_test_revision(seen)]
            await self._change(seen, [*tests, {"op": "add", "path": place, "value": value}])
        elif not wanted and FINALIZER in seen.finalizers:
            await self.release(seen)

    async def pursue(self, seen: PluginSeen, work: Work) -> float | None:
        """Clean up after an object that is being deleted.

        Returns the seconds after which to come again at the latest; None once nothing is left to
        be done.
        """
        if FINALIZER not in seen.finalizers:
            return None
        if not _is_wanted(seen):
            await self.release(seen)
            return None
        now = self._clock.seconds()
        if work.cleaning_since is None:
            age = self._age(seen)
            if age is None:
                await self._begin(seen)
            work.cleaning_since = now - (age or 0.0)
            return 0.0
        left = work.cleaning_since + PATIENCE - now
        try:
            lingering = "pods" if await self._serves(seen) else await self._linger(seen)
        except ApiError as error:
            if left > 0:
                self._post(seen, "CleanUpRefused", str(error))
                raise
            lingering = f"resources ({error})"
        if lingering and left > 0:
            return left
        if lingering:
            klog.warning("gave up cleaning up", plugin=seen.name, left=lingering)
            message = f"still there after {PATIENCE / 60:g} minutes: {lingering}; clean up by hand"
            self._post(seen, "CleanUpGivenUp", message)
        await self.release(seen)
        return None

    def _age(self, seen: PluginSeen) -> float | None:
        """Return the seconds since the clean-up began, perhaps by an operator before this one.

        None if it has not begun.  The time of the deletion would not do: there may have been no
        operator then.
        """
        try:
            began = datetime.datetime.strptime(seen.cleaning_since, _TIME)
        except ValueError:
            return None
        age = self._wall_clock() - began.replace(tzinfo=datetime.UTC).timestamp()
        return min(max(0.0, age), PATIENCE)

    async def _begin(self, seen: PluginSeen) -> None:
        """Have the object say that the clean-up begins now."""
        moment = datetime.datetime.fromtimestamp(self._wall_clock(), datetime.UTC)
        path, written = "/metadata/annotations", moment.strftime(_TIME)
        if seen.annotated:
            path += f"/{_escaped(CLEANING_SINCE)}"
            await self._change(seen, [{"op": "add", "path": path, "value": written}])
        else:
            # Somebody else may add one.
            value = {CLEANING_SINCE: written}
            add = {"op": "add", "path": path, "value": value}
            await self._change(seen, [_test_revision(seen), add])

    def _post(self, seen: PluginSeen, reason: str, message: str) -> None:
        self._happenings.post(seen.name, seen.uid, reason, message, warning=True)

    async def release(self, seen: PluginSeen) -> None:
        """Remove the finalizer."""
        path = f"/metadata/finalizers/{seen.finalizers.index(FINALIZER)}"
        await self._change(seen, [_test(path, FINALIZER), {"op": "remove", "path": path}])

    async def _change(self, seen: PluginSeen, operations: Sequence[dict[str, Any]]) -> None:
        """Change the object that was seen, unless it is gone.

        If it has been changed since, it is read again, and Conflict is raised.
        """
        try:
            answer = await self._api.patch(
                DEVICE_PLUGIN, "", seen.name, [_test("/metadata/uid", seen.uid), *operations]
            )
        except ApiError as error:
            if error.status == 404:
                return
            if error.status != 422:
                raise
            # A watch may bring it later than the next attempt.
            self._took(DEVICE_PLUGIN, await self._api.get(DEVICE_PLUGIN, "", seen.name))
            raise ApiError(
                409, "Conflict", error.message, verb=error.verb, resource=error.resource
            ) from error
        self._took(DEVICE_PLUGIN, answer)

    async def _serves(self, seen: PluginSeen) -> bool:
        """Whether pods may still serve the devices; deletes the DaemonSet if need be."""
        sets = [
            child
            for child in self._cache.owned(seen.name)
            if child.place.kind == DAEMON_SET.name and child.owner_uid == seen.uid
        ]
        for child in sets:
            if not child.deleting:
                place = child.place
                try:
                    await self._api.delete(
                        DAEMON_SET, place.namespace, place.name, child.version.uid
                    )
                except ApiError as error:
                    if error.status not in (404, 409):
                        raise
        return bool(sets) or bool(self._cache.pods(seen.name))

    async def _linger(self, seen: PluginSeen) -> str:
        """Remove what has become 0; return what has not, as a message names it."""
        waiting = []
        census = self._cache.census
        for node, counts in sorted(census.counts(census.only_of(seen.name)).items()):
            gone = [name for name, count in counts.items() if not count.devices]
            if gone:
                await self._remove(node, gone)
            if len(gone) < len(counts):
                waiting.append(node)
        more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        return f"devices on {', '.join(waiting[:3])}{more}" if waiting else ""

    async def _remove(self, node: str, resources: Sequence[str]) -> None:
        """Remove the entries of resources that are 0, by one request if they all are."""
        if await self._patched(node, _removal(resources, _LISTS)):
            return
        # One has changed, or is in one of the lists only.
        for name in resources:
            for one in _LISTS:
                await self._patched(node, _removal([name], [one]))

    async def _patched(self, node: str, operations: Sequence[dict[str, Any]]) -> bool:
        """Change a node's status; returns whether all the tests in the patch were met."""
        try:
            answer = await self._api.patch(NODE, "", node, operations, "status")
        except ApiError as error:
            if error.status == 422:
                return False
            if error.status == 404:
                return True
            raise
        self._took(NODE, answer)
        klog.info("removed resources that lingered on a node", node=node)
        return True


def _is_wanted(seen: PluginSeen) -> bool:
    return seen.plugin is not None and seen.plugin.spec.clean_up.extended_resources


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def _test_revision(seen: PluginSeen) -> dict[str, Any]:
    return _test("/metadata/resourceVersion", f"{seen.revision}")


def _escaped(key: str) -> str:
    """A key as a path of a JSON patch has it."""
    return key.replace("~", "~0").replace("/", "~1")


def _removal(resources: Sequence[str], lists: Sequence[str]) -> list[dict[str, Any]]:
    paths = [f"/status/{one}/{_escaped(name)}" for name in resources for one in lists]
    return [
        operation
        for path in paths
        for operation in (_test(path, "0"), {"op": "remove", "path": path})
    ]
