"""Makes the values of the whole state from the running managers."""

import os
import socket
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import attrs

from twistdp._version import __version__
from twistdp.kubelet import Held, Holdings
from twistdp.manager import Manager
from twistdp.model import HEALTHY, DeviceInfo, Holder, name_of, natural_key
from twistdp.resource import Resource
from twistdp.settings import Settings
from twistdp.status import Progress, ResourceProgress, ScannerProgress, Standing, events_of
from twistdp.web import values


@attrs.frozen
class Part:
    """Which devices of a resource are asked for: all of them, if nothing else is given."""

    ids: Collection[str] | None = None
    """Those with these ids, as far as they are there."""
    after: str | None = None
    """Those that come after this id, which need not be there, in natural order."""
    most: int | None = None
    """So many at most."""

    def of(self, order: Sequence[str]) -> Collection[str]:
        """The ids that are asked for, of all of them in natural order."""
        if self.ids is not None:
            order = [id_ for id_ in order if id_ in self.ids]
        start = 0
        if self.after is not None:
            start = bisect_right(order, natural_key(self.after), key=natural_key)
        return order[start:] if self.most is None else order[start : start + self.most]


ALL: Final = Part()


class Observatory:
    """Looks at a plugin: at the managers that `served` returns, with what asks for each.

    `progress` has followed it since its `start`, in seconds since the epoch.  `files` are its
    configuration files, `settings` those that all managers share.  `holdings` knows who
    has which device.
    """

    def __init__(
        self,
        served: Callable[[], Sequence[tuple[Manager, str]]],
        settings: Settings,
        reactor: Any,
        *,
        progress: Progress,
        start: float,
        files: Sequence[str] = (),
        holdings: Holdings,
    ) -> None:
        self.served = served
        self._settings = settings
        self._files = files
        self.holdings = holdings
        self._start = start
        self._progress = progress
        self.events = events_of(reactor)

    def state(
        self, *, devices: bool = True, resource: str | None = None, part: Part = ALL
    ) -> values.State:
        """The state now: with or without the single devices, of all resources or of one.

        `part` is which devices of each resource.
        """
        held = self.holdings.held
        served = self.served()
        found: dict[str, tuple[Resource | str, Manager]] = {}
        for manager, _ in served:
            for kind, reason in manager.failed.items():
                found[f"{manager.namespace}/{kind}"] = reason, manager
            for each in manager.resources.values():
                found[each.full_name] = each, manager
        self._progress.keep(found)
        self.holdings.serve(found)
        return values.State(
            version=__version__.public(),
            start_time=self._start,
            time=time.time(),
            node=os.environ.get("NODE_NAME") or socket.gethostname(),
            plugin_dir=self._settings.plugin_dir,
            registration=self._settings.registration,
            scanners=[self._scanner(manager, source) for manager, source in served],
            configurations=[self._file(path) for path in self._files],
            pod_resources=values.PodResources(
                self._settings.pod_resources_socket, held is not None, self.holdings.reason
            ),
            resources=[
                self._resource(what, manager, held, part if devices else None)
                if isinstance(what, Resource)
                else self._unserved(name, what, manager, devices)
                for name, (what, manager) in sorted(found.items())
                if resource is None or name == resource
            ],
        )

    def _scanner(self, manager: Manager, source: str) -> values.Scanner:
        name = self._name(manager)
        found = self._progress.scanners.get(name, ScannerProgress())
        last = None if found.time is None else values.Scan(found.time, found.seconds)
        return values.Scanner(
            name=name,
            namespace=manager.namespace,
            source=source,
            scanned=manager.condition.scanned,
            last_scan=last,
            failing=found.failing,
            hung=found.hung,
        )

    def _name(self, manager: Manager) -> str:
        return self.events.scanners.of(manager.scanner, name_of(manager.scanner))

    def _file(self, path: str) -> values.Configuration:
        found = self._progress.files.get(path)
        if found is None:
            return values.Configuration(path, None, ())
        return values.Configuration(path, found.time, found.problems)

    def _resource(
        self, resource: Resource, manager: Manager, held: Held | None, part: Part | None
    ) -> values.Resource:
        inventory = resource.inventory
        name = resource.full_name
        found = self._progress.resources.get(name, ResourceProgress())
        holders = None if held is None else held.get(name, {})
        standing = resource.condition.standing
        capacity = len(inventory.devices) - len(inventory.left_out)
        ill = sum(inventory.devices[id_].state != HEALTHY for id_ in inventory.left_out)
        return values.Resource(
            name=name,
            scanner=self._name(manager),
            endpoint=resource.server.path,
            session=values.Session(
                standing.name.lower().replace("_", " "),
                found.failed or found.registered,
                resource.streams.kubelets,
                found.last_word,
                found.reason,
            ),
            capacity=capacity,
            allocatable=capacity - (inventory.unhealthy - ill),
            held=None if holders is None else len(holders),
            not_listed=len(inventory.left_out),
            devices=None
            if part is None
            else _devices(resource, part.of(inventory.order), holders or {}),
        )

    def _unserved(self, name: str, reason: str, manager: Manager, devices: bool) -> values.Resource:
        """A resource that was found, and that the plugin failed to serve."""
        return values.Resource(
            name=name,
            scanner=self._name(manager),
            endpoint="",
            session=values.Session(Standing.FAILING.name.lower(), None, 0, None, reason),
            capacity=0,
            allocatable=0,
            held=None,
            not_listed=0,
            devices=() if devices else None,
        )


def _devices(
    resource: Resource, ids: Collection[str], holders: Mapping[str, Holder]
) -> Iterator[values.Device]:
    """The devices with these ids, each as it is when it is asked for; some may be gone by then."""
    inventory = resource.inventory
    rest = iter(ids)
    while some := list(islice(rest, 100)):
        for candidate in inventory.candidates(some):
            id_ = candidate.id
            if (info := inventory.devices.get(id_)) is None:
                continue  # it has gone since the last of them was asked for
            yield values.Device(
                id=id_,
                health=info.state,
                reason=info.reason,
                listed=id_ not in inventory.left_out,
                group=candidate.group,
                numa_nodes=candidate.numa,
                nodes=_nodes(info),
                mounts=[
                    values.Mount(m.host_path, m.container_path, m.read_only) for m in info.mounts
                ],
                env_names=list(info.envs),
                annotation_names=list(info.annotations),
                cdi=info.cdi is not None,
                holder=holders.get(id_),
                history=[
                    values.Turn(turn.time, turn.state, turn.reason)
                    for turn in resource.report.history.of(id_)
                ],
            )


def _nodes(info: DeviceInfo) -> list[values.Node]:
    return [values.Node(n.host_path, n.container_path, n.permissions) for n in info.nodes]
