"""Trees in; resource services started, updated and stopped."""

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

from twistdp.cdi import clean_leftovers, report_unless_cancelled
from twistdp.errors import BadScanner, BadTree
from twistdp.host import SOON, NumaNodes, begin_keeping, end_keeping, keep_from_children
from twistdp.inotify import inotify_of
from twistdp.kubelet import PluginDirectory
from twistdp.model import (
    NOTHING,
    Devices,
    DeviceTree,
    INotifier,
    IScanner,
    accept,
    check_namespace,
    difference,
    name_of,
)
from twistdp.resource import BlockedWatch, Hooks, Resource
from twistdp.rpc import Reactors, keep_steady, remove_leftovers
from twistdp.scan import (
    Attribute,
    Handover,
    Preparation,
    Sightings,
    Vetting,
    WatchingScanner,
    check_join,
    check_scanner,
    report_faults,
    scan_service,
    sightings_of,
)
from twistdp.settings import Settings
from twistdp.status import Condition, ResourceCondition, Standing
from twistdp.tools import Worker

_log = Logger()


@implementer(INotifier)
class Manager(MultiService):
    """Serves what `scanner` finds as resources of the domain `namespace`.

    A service that can be composed into any Twisted application that runs on the asyncio
    reactor.  `reactor` is looked up when the service starts, unless it is given; from then on
    its clock is a monotonic one.  Raises
    `twistdp.errors.BadName` for a namespace that the kubelet would refuse.
    """

    def __init__(
        self,
        namespace: str,
        scanner: IScanner | WatchingScanner,
        *,
        settings: Settings | None = None,
        reactor: Any = None,
    ) -> None:
        super().__init__()
        self.namespace = check_namespace(namespace)
        try:
            check_scanner(scanner)
        except BadScanner as error:
            raise BadScanner(f"scanner {name_of(scanner)}: {error}") from error
        self._scanner = scanner
        nothing: Mapping[str, str] = {}
        self._join = Attribute(scanner, "join", check_join, nothing, name_of(scanner))
        self._scanning: IService | None = None
        self._settings = settings or Settings()
        self._check_paths = self._settings.check_paths and getattr(scanner, "check_paths", True)
        if isinstance(scanner, WatchingScanner):
            scanner.check_paths = self._check_paths
        self._reactor = reactor
        self._accepted = NOTHING
        self._numa = NumaNodes(self._settings.sysfs)
        self._prepare: Preparation | None = None
        self._handover: Handover | None = None
        self._sightings: Sightings | None = None
        self._resources: dict[str, Resource] = {}
        self._retiring: dict[str, Deferred[Any]] = {}
        self._directory: PluginDirectory | None = None
        self._cleaning: Deferred[None] | None = None
        self._failed: dict[str, str] = {}
        """Resource types that could not be served, and why."""
        self._retry: IDelayedCall | None = None

    @property
    def condition(self) -> Condition:
        """How far it has come, while it runs."""
        failed = self._failed.keys() - self._resources.keys()
        return Condition(
            self._settings.socket_dir,
            self._cleaning is not None,
            (
                *(resource.condition for resource in self._resources.values()),
                *(ResourceCondition(0, Standing.FAILING) for _ in failed),
            ),
        )

    def startService(self) -> None:
        """Watch the kubelet's directory, and scan."""
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        keep_steady(self._reactor)
        self._hooks = Hooks(
            self._scanner,
            name_of(self._scanner),
            self._reactor,
            timeout=self._settings.hook_timeout,
            blocked=BlockedWatch(self._reactor),
        )
        inotify = inotify_of(self._reactor)
        self._directory = PluginDirectory(self._settings.socket_dir, inotify, self._reactor)
        self._directory.setServiceParent(self)
        self._remove_leftovers(report=True)
        self._private = Reactors(self._reactor)
        keep_from_children(self._private)
        begin_keeping(self)
        super().startService()
        # Last, for it may notify at once, and a resource that is added then is started then.
        if self._prepare is None:
            self._sightings = sightings_of(self._reactor)
            vetting = Vetting() if self._check_paths else None
            self._prepare = Preparation(self._numa, self.namespace, self._sightings, vetting)
            name = name_of(self._scanner)
            worker = Worker(name, self._reactor)
            self._handover = Handover(name, self._prepare, self._accept, worker)
        if self._scanning is None:  # it outlives a stop, for its last call may do so too
            self._scanning = scan_service(
                self._scanner,
                self,
                reactor=self._reactor,
                inotify=inotify,
                scan_timeout=self._settings.scan_timeout,
                prepare=self._prepare,
            )
        self._scanning.setServiceParent(self)

    def stopService(self) -> Deferred[Any]:
        """Stop all; fires when every socket is gone.  The service may be started again."""
        stopped = DeferredList([super().stopService(), *self._retiring.values()])
        for service in list(self):
            service.disownServiceParent()
        if self._handover is not None:
            self._handover.stop()
        if self._sightings is not None:
            self._sightings.forget(f"{self.namespace}/{kind}" for kind in self._accepted.resources)
        self._resources.clear()
        self._accepted = NOTHING
        self._failed.clear()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._cleaning is not None:
            self._cleaning.cancel()
            self._cleaning = None
        # What a resource could not remove when it was retired, it may be possible to remove now.
        return stopped.addCallback(self._ended)

    def _ended(self, outcome: object) -> object:
        end_keeping(self)
        # What cannot be removed, its server or our start has said.
        self._remove_leftovers(report=False)
        return outcome

    def _remove_leftovers(self, *, report: bool) -> None:
        settings = self._settings
        remove_leftovers(settings.socket_dir, settings.private_place, report=report)

    def notify(self, tree: DeviceTree) -> None:
        """See `INotifier.notify`."""
        if isInIOThread():
            self._notified(tree)
        elif self._reactor is not None:
            # Copied here: its thread may go on to change it.
            copied: Any = tree
            if isinstance(tree, DeviceTree):
                copied = tree.copy()
                tree.settle()
            self._reactor.callFromThread(self._notified, copied)

    def _notified(self, tree: DeviceTree) -> None:
        if not self.running:
            return  # a thread did not know yet
        # What a watching scanner has found was prepared in its thread.
        if isinstance(self._scanner, WatchingScanner) or not isinstance(tree, DeviceTree):
            self._accept(tree)
        else:
            assert self._handover is not None
            self._handover.take(tree)

    def _accept(self, tree: DeviceTree) -> None:
        """Serve the devices of a tree that was prepared."""
        try:
            accepted = accept(tree, self._accepted)
        except BadTree:
            _log.failure("scanner {scanner}", scanner=name_of(self._scanner))
            return
        report_faults(self._accepted, accepted, name_of(self._scanner))
        change = difference(self._accepted.resources, accepted.resources)
        self._accepted = accepted
        changed = (*change.removed, *change.changed, *change.added, *self._failed)
        self._serve_all(list(dict.fromkeys(changed)))
        self._clean_once()

    def _serve_all(self, resource_types: Iterable[str]) -> None:
        """Have these resources list what was accepted; what fails is tried again soon."""
        for resource_type in resource_types:
            try:
                self._serve(resource_type, self._accepted.resources.get(resource_type, {}))
            except Exception as error:
                if self._failed.get(resource_type) != repr(error):
                    doing = "serving {resource_type}, tried again every second"
                    _log.failure(doing, resource_type=resource_type)
                self._failed[resource_type] = repr(error)
            else:
                self._failed.pop(resource_type, None)
        if self._failed and self._retry is None:
            self._retry = self._reactor.callLater(SOON, self._serve_failed)

    def _serve_failed(self) -> None:
        self._retry = None
        self._serve_all(list(self._failed))

    def _serve(self, resource_type: str, devices: Devices) -> None:
        """Have a resource list `devices`; it is made with the first ones."""
        if resource_type in self._resources:
            self._resources[resource_type].update(devices)
        elif devices:
            self._add(resource_type)

    def _clean_once(self) -> None:
        """After the first tree: what earlier processes have left of resources that are gone."""
        if self._cleaning is None:
            self._cleaning = Deferred.fromCoroutine(
                clean_leftovers(
                    self.namespace,
                    [f"{self.namespace}/{kind}" for kind in self._accepted.resources],
                    settings=self._settings,
                    reactor=self._reactor,
                )
            )
            self._cleaning.addErrback(report_unless_cancelled, "cleaning CDI specs")

    def _add(self, resource_type: str) -> None:
        if resource_type in self._retiring:
            return  # added again when the old one has ended
        assert self._directory is not None
        resource = Resource(
            f"{self.namespace}/{resource_type}",
            self._accepted.resources[resource_type],
            settings=self._settings,
            hooks=self._hooks,
            join=self._join.read(),
            numa=self._numa,
            directory=self._directory,
            emptied=lambda: self._retire(resource_type),
            reactor=self._reactor,
        )
        try:
            resource.setServiceParent(self)
        except Exception:
            resource.disownServiceParent()
            raise
        self._resources[resource_type] = resource

    def _retire(self, resource_type: str) -> None:
        resource = self._resources.pop(resource_type)

        def retired(outcome: object) -> None:
            if isinstance(outcome, Failure):
                _log.failure("stopping {resource}", outcome, resource=resource_type)
            self._retiring.pop(resource_type, None)
            if self.running:
                self._serve_all([resource_type])

        done: Deferred[Any] = Deferred()
        self._retiring[resource_type] = done
        done.addBoth(retired)
        resource.retire().addBoth(done.callback)
