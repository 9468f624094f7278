"""Warns of device nodes that appear under another id, or in two resources.

The kubelet knows only ids, so it would give such a device to two pods.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias

from twisted.logger import Logger

from twistdp.host import host_paths
from twistdp.model import DeviceInfo
from twistdp.tools import Shared

_log = Logger()

MOST: Final = 4096
"""Most device nodes that are remembered in a process; others cause no warning."""

_MOST_GONE: Final = 256
"""Most devices that are remembered after they are gone."""

_MEMORY: Final = 1
"""The major number of /dev/null and its like, which are no hardware but stand in for it."""

Look: TypeAlias = Callable[[str, Iterable[str], Mapping[str, DeviceInfo]], None]
"""Checks devices of a resource: ids that are gone, and devices that are new or have other nodes."""

_Number: TypeAlias = tuple[int, int]
"""Kind and number of a node, by which drivers distinguish devices."""


class _Sight(NamedTuple):
    """One device, as a scan saw it.

    `files` are the real paths and inode numbers of its nodes: another device that gets the same
    numbers later is another file.
    """

    resource: str
    device_id: str
    group: str | None
    paths: tuple[str, ...]
    nodes: frozenset[_Number]
    files: frozenset[tuple[str, int]]
    reporter: object = None
    """The scanner, if it reports itself which of its own resources share a node."""

    def is_part_of(self, other: "_Sight") -> bool:
        """Return whether the scanner calls both parts of one device."""
        return self.group is not None and self.group == other.group


class Sightings:
    """Warns of nodes under a second id and of nodes in two resources, once for each resource.

    All scanners of a process share one, in their threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._here: defaultdict[str, dict[str, _Sight]] = defaultdict(dict)
        """By resource and id."""
        self._by_node: defaultdict[_Number, defaultdict[str, dict[str, _Sight]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        """By node, resource and id."""
        self._gone: dict[tuple[str, frozenset[_Number]], _Sight] = {}
        self._renamed: set[str] = set()
        self._shared: set[frozenset[str]] = set()

    def look_for(self, scanner: object) -> Look:
        """The `look` for the resources of a scanner.

        A class of scanners with `reports_shared` set to True reports itself which of its own
        resources share a node.
        """
        reports = getattr(type(scanner), "reports_shared", False) is True
        return partial(self.look, reporter=scanner if reports else None)

    def look(
        self,
        resource: str,
        gone: Iterable[str],
        fresh: Mapping[str, DeviceInfo],
        reporter: object = None,
    ) -> None:
        """Check devices of a resource: `gone` ids, and `fresh` ones, new or with other nodes.

        Other resources of the same `reporter` may have the same nodes without a warning.
        """
        seen: dict[int, _Sight | None] = {}
        with self._lock:
            for id_ in gone:
                if (sight := self._forget(resource, id_)) is not None:
                    self._gone[resource, sight.nodes] = sight
            while len(self._gone) > _MOST_GONE:
                del self._gone[next(iter(self._gone))]
            new: list[_Sight] = []
            changed: list[_Sight] = []
            for id_, info in fresh.items():
                was_here = self._forget(resource, id_) is not None
                if id(info) not in seen:  # many ids may be one device
                    seen[id(info)] = _see(resource, id_, info)
                sight = seen[id(info)]
                if sight is not None:
                    sight = sight._replace(device_id=id_, reporter=reporter)
                    (changed if was_here else new).append(sight)
            for sight in new:
                self._check_name(sight)
            self._check_names(new)
            for sight in new + changed:
                self._keep(sight)
            for sight in new + changed:
                self._check_resources(sight)

    def forget(self, resources: Iterable[str]) -> None:
        """Forget resources that are not served any more."""
        with self._lock:
            for resource in resources:
                for id_ in list(self._here.get(resource, ())):
                    self._forget(resource, id_)

    def _keep(self, sight: _Sight) -> None:
        if self._count + len(sight.nodes) > MOST:
            return
        self._count += len(sight.nodes)
        self._here[sight.resource][sight.device_id] = sight
        for node in sight.nodes:
            self._by_node[node][sight.resource][sight.device_id] = sight

    def _forget(self, resource: str, device_id: str) -> _Sight | None:
        sight = self._here.get(resource, {}).pop(device_id, None)
        if sight is not None:
            self._count -= len(sight.nodes)
            for node in sight.nodes:
                by_resource = self._by_node[node]
                del by_resource[resource][device_id]
                if not by_resource[resource]:
                    del by_resource[resource]
                if not by_resource:
                    del self._by_node[node]
        return sight

    def _check_name(self, sight: _Sight) -> None:
        """Warn if a device with a new id had another id before."""
        if sight.resource in self._renamed:
            return
        other = self._gone.get((sight.resource, sight.nodes))
        if other is None or other.files != sight.files or other.device_id == sight.device_id:
            here: Mapping[str, Mapping[str, _Sight]]
            here = self._by_node.get(next(iter(sight.nodes)), {})
            others = [
                other
                for other in here.get(sight.resource, {}).values()
                if other.nodes == sight.nodes
            ]
            # A device with several ids has them on purpose.
            if len(others) != 1 or _see_again(others[0]) != others[0].nodes:
                return
            (other,) = others
        if other.is_part_of(sight):
            return
        self._renamed.add(sight.resource)
        _log.warn(
            "{resource}: {path} was listed as {before} and is listed as {now} now, so two pods may "
            "be given it; an id must depend on the device alone (twistdp.device_id makes one of a "
            "name that stays), and ids that are parts of one device need the same group",
            resource=sight.resource,
            path=sight.paths[0],
            before=other.device_id,
            now=sight.device_id,
        )

    def _check_names(self, sights: Iterable[_Sight]) -> None:
        """Warn if one device has appeared under two ids, by two names of its nodes.

        A device with several ids for the same names is shared on purpose.
        """
        first: dict[frozenset[_Number], _Sight] = {}
        for sight in sights:
            other = first.setdefault(sight.nodes, sight)
            if set(other.paths) == set(sight.paths) or sight.resource in self._renamed:
                continue
            if other.is_part_of(sight) or not _see_again(other) == other.nodes == _see_again(sight):
                continue
            self._renamed.add(sight.resource)
            _log.warn(
                "{resource}: {path} and {other} are one device, listed as {one} and as {two}, so "
                "two pods may be given it; list it once, or give both ids the same group",
                resource=sight.resource,
                path=other.paths[0],
                other=sight.paths[0],
                one=other.device_id,
                two=sight.device_id,
            )

    def _check_resources(self, sight: _Sight) -> None:
        """Warn if the nodes of a device are in another resource too."""
        for node in sight.nodes:
            here: Mapping[str, Mapping[str, _Sight]] = self._by_node.get(node, {})
            for resource, others in here.items():
                pair = frozenset((resource, sight.resource))
                if len(pair) == 1 or pair in self._shared:
                    continue
                other = next(iter(others.values()))
                if sight.reporter is not None and sight.reporter is other.reporter:
                    continue
                # Other nodes may be common to all devices of a driver.
                if not (sight.nodes <= other.nodes or other.nodes <= sight.nodes):
                    continue
                if len(others) > 1 and len(here.get(sight.resource, ())) > 1:
                    continue  # both offer it several times: it can be shared
                if _see_again(other) != other.nodes:
                    continue
                self._shared.add(pair)
                _log.warn(
                    "{path} is in two resources, as {one} of {resource} and as {two} of {other}, "
                    "so two pods may be given it; leave it out of one of them",
                    path=sight.paths[0],
                    one=sight.device_id,
                    resource=sight.resource,
                    two=other.device_id,
                    other=resource,
                )


def _see(resource: str, device_id: str, info: Any) -> _Sight | None:
    """Look at the nodes of a device; None if it has none that could be confused."""
    try:
        paths = tuple(host_paths(info))
        found = _look_at(paths)
    except Exception:  # a bad device, which is refused later, or one that is gone
        return None
    if not found:
        return None
    nodes = frozenset(number for number, _, _ in found)
    files = frozenset((path, inode) for _, path, inode in found)
    return _Sight(resource, device_id, info.group, paths, nodes, files)


def _see_again(sight: _Sight) -> frozenset[_Number]:
    """Look at the nodes of a device again: links may lead elsewhere by now."""
    try:
        return frozenset(number for number, _, _ in _look_at(sight.paths))
    except OSError:
        return frozenset()


def _look_at(paths: Iterable[str]) -> list[tuple[_Number, str, int]]:
    found = []
    for path in paths:
        status = os.stat(path)
        kind = stat.S_IFMT(status.st_mode)
        if stat.S_ISBLK(kind) or (stat.S_ISCHR(kind) and os.major(status.st_rdev) != _MEMORY):
            real = os.path.realpath(path) if os.path.islink(path) else path
            found.append(((kind, status.st_rdev), real, status.st_ino))
    return found


_SHARED: Final = Shared(lambda _: Sightings())


def sightings_of(reactor: Any) -> Sightings:
    """Return the `Sightings` that all scanners on a reactor share."""
    return _SHARED.of(reactor)
