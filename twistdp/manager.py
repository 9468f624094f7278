"""Receives what scans change; starts, updates and stops the resources that serve it."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.cdi import Leftovers
from twistdp.errors import BadScanner
from twistdp.host import SOON, begin_keeping, end_keeping, keep_from_children
from twistdp.inotify import inotify_of
from twistdp.kubelet import PluginDirectory
from twistdp.model import (
    NO_DEVICES,
    IScanner,
    Update,
    Updates,
    check_namespace,
    hooks_of,
    name_of,
)
from twistdp.resource import Resource
from twistdp.rpc import Reactors, keep_steady, remove_leftovers
from twistdp.scan import (
    Attribute,
    Discovery,
    Preparation,
    Sightings,
    Vetting,
    WatchingScanner,
    check_join,
    check_scanner,
    scan_service,
    sightings_of,
)
from twistdp.settings import Settings
from twistdp.status import Condition, ResourceCondition, Standing

if TYPE_CHECKING:
    from twistdp.resource.hooks import Hooks

_log = Logger()


class Manager(MultiService):
    """Serves what `scanner` finds as resources of the domain `namespace`.

    A service that can be composed into any Twisted application that runs on the asyncio
    reactor.  `reactor` is looked up when the service starts, unless it is given; from then on
    its clock is a monotonic one.  Each manager needs a scanner of its own, since two would call
    one in two threads at once.  `settings_of` is called with a resource type and `settings`, and
    returns the settings of that type.  Raises `twistdp.errors.BadName` for a namespace that the
    kubelet would refuse, and `twistdp.errors.BadScanner` for no scanner.
    """

    def __init__(
        self,
        namespace: str,
        scanner: IScanner | WatchingScanner,
        *,
        settings: Settings | None = None,
        settings_of: Callable[[str, Settings], Settings] | None = None,
        reactor: Any = None,
    ) -> None:
        super().__init__()
        self.namespace = check_namespace(namespace)
        try:
            check_scanner(scanner)
        except BadScanner as error:
            raise BadScanner(f"scanner {name_of(scanner)}: {error}") from error
        self.scanner = scanner
        nothing: Mapping[str, str] = {}
        self._join = Attribute(scanner, "join", check_join, nothing, name_of(scanner))
        self._joined: dict[str, str] = {}
        self._scanning: IService | None = None
        self._settings = settings or Settings()
        self._settings_of = settings_of or (lambda _, common: common)
        self._check_paths = self._settings.check_paths and getattr(scanner, "check_paths", True)
        if isinstance(scanner, WatchingScanner):
            scanner.check_paths = self._check_paths
        self._reactor = reactor
        self._sightings: Sightings | None = None
        self._updates: dict[str, Update] = {}
        """The last update of each type that has devices, with all that its resource has missed."""
        self.resources: dict[str, Resource] = {}
        self._used: dict[str, Settings] = {}
        self._retiring: dict[str, Deferred[Any]] = {}
        self._directory: PluginDirectory | None = None
        self._leftovers: Leftovers | None = None
        self.failed: dict[str, str] = {}
        """Resource types that could not be served, with the error."""
        self._retry: IDelayedCall | None = None

    @property
    def condition(self) -> Condition:
        """The state of the service and its resources, while it runs."""
        failed = self.failed.keys() - self.resources.keys()
        return Condition(
            self._settings.socket_dir,
            self._leftovers is not None,
            (
                *(resource.condition for resource in self.resources.values()),
                *(ResourceCondition(0, Standing.FAILING) for _ in failed),
            ),
        )

    def startService(self) -> None:
        """Watch the kubelet's directory, and scan."""
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        keep_steady(self._reactor)
        self._sightings = sightings_of(self._reactor)
        self._hooks = self._find_hooks()
        inotify = inotify_of(self._reactor)
        self._directory = PluginDirectory(self._settings.socket_dir, inotify, self._reactor)
        self._directory.setServiceParent(self)
        if self._hooks is not None and self._hooks.observes_releases:
            from twistdp.resource.releases import Releases

            observed = self.namespace, self.resources, self._hooks, self._settings, self._reactor
            Releases(*observed).setServiceParent(self)
        self._remove_leftovers(report=True)
        self._private = Reactors(self._reactor)
        keep_from_children(self._private)
        begin_keeping(self)
        super().startService()
        # Last, because the scanner may notify at once, and new resources start at once too.
        if self._scanning is None:  # it outlives a stop, as its last call may
            self._scanning = scan_service(
                self.scanner,
                self._new_preparation,
                self._take,
                reactor=self._reactor,
                inotify=inotify,
                scan_timeout=self._settings.scan_timeout,
            )
        self._scanning.setServiceParent(self)

    def _find_hooks(self) -> "Hooks | None":
        """The scanner's hooks; None if it has none, since to call them takes 4 ms of imports."""
        if not hooks_of(self.scanner):
            return None
        from twistdp.resource.blocked import BlockedWatch
        from twistdp.resource.hooks import Hooks

        return Hooks(
            self.scanner,
            name_of(self.scanner),
            self._reactor,
            timeout=self._settings.hook_timeout,
            blocked=BlockedWatch(self._reactor),
        )

    def rescan(self) -> None:
        """Scan again soon; resources with other settings than before are made again."""
        self._read_join()
        for kind in list(self.resources):
            if self._used[kind] != self._settings_of(kind, self._settings):
                self._retire(kind)
        scanning: object = self._scanning
        if isinstance(scanning, Discovery) and self.running:
            scanning.rescan()

    def _read_join(self) -> None:
        self._joined.clear()
        self._joined.update(self._join.read())

    def stopService(self) -> Deferred[Any]:
        """Stop all; fires when every socket is gone.  The service may be started again."""
        stopped = DeferredList([super().stopService(), *self._retiring.values()])
        for service in list(self):
            service.disownServiceParent()
        if self._sightings is not None:
            self._sightings.forget(f"{self.namespace}/{kind}" for kind in self._updates)
        self.resources.clear()
        self._updates.clear()
        self.failed.clear()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._leftovers is not None:
            self._leftovers.stop()
            self._leftovers = None
        # Files that a resource could not remove when it retired may be removable now.
        return stopped.addCallback(self._ended)

    def _ended(self, outcome: object) -> object:
        end_keeping(self)
        # The server, or our start, has logged what cannot be removed.
        self._remove_leftovers(report=False)
        return outcome

    def _remove_leftovers(self, *, report: bool) -> None:
        settings = self._settings
        remove_leftovers(settings.socket_dir, settings.private_place, report=report)

    def _new_preparation(self) -> Preparation:
        return Preparation(
            name_of(self.scanner),
            self.namespace,
            sightings=sightings_of(self._reactor).look_for(self.scanner),
            vetting=Vetting() if self._check_paths else None,
        )

    def _take(self, updates: Updates) -> None:
        """Take the updates of a scan, which may be none."""
        for resource_type, update in updates.items():
            if resource_type in self.failed:
                update = update.after(self._updates[resource_type])
            self._updates[resource_type] = update
        self._serve_all(list(dict.fromkeys([*updates, *self.failed])))
        self._clean_once()

    def _serve_all(self, resource_types: Iterable[str]) -> None:
        """Update the resources of these types; a failed one is updated again soon."""
        for resource_type in resource_types:
            try:
                self._serve(resource_type, self._updates.get(resource_type, NO_DEVICES))
            except Exception as error:
                if self.failed.get(resource_type) != repr(error):
                    doing = "cannot serve {resource_type}; trying again every second"
                    _log.failure(doing, resource_type=resource_type)
                self.failed[resource_type] = repr(error)
            else:
                self.failed.pop(resource_type, None)
        if self.failed and self._retry is None:
            self._retry = self._reactor.callLater(SOON, self._serve_failed)

    def _serve_failed(self) -> None:
        self._retry = None
        self._serve_all(list(self.failed))

    def _serve(self, resource_type: str, update: Update) -> None:
        """Update a resource, or make it if these are its first devices."""
        if resource_type in self.resources:
            self.resources[resource_type].update(update)
        elif update.devices and resource_type not in self._retiring:
            self._add(resource_type, update.whole())
        if not update.devices:
            self._updates.pop(resource_type, None)

    def _clean_once(self) -> None:
        """After the first scan, begin to remove CDI specs that earlier processes left."""
        if self._leftovers is None:
            self._leftovers = Leftovers(
                self.namespace,
                lambda: [f"{self.namespace}/{kind}" for kind in self._updates],
                settings=self._settings,
                reactor=self._reactor,
            )
            self._leftovers.look()

    def _add(self, resource_type: str, update: Update) -> None:
        assert self._directory is not None
        settings = self._settings_of(resource_type, self._settings)
        self._read_join()
        resource = Resource(
            f"{self.namespace}/{resource_type}",
            update,
            settings=settings,
            hooks=self._hooks,
            join=self._joined,
            directory=self._directory,
            emptied=lambda: self._retire(resource_type),
            reactor=self._reactor,
        )
        try:
            resource.setServiceParent(self)
        except Exception:
            resource.disownServiceParent()
            raise
        self.resources[resource_type] = resource
        self._used[resource_type] = settings

    def _retire(self, resource_type: str) -> None:
        resource = self.resources.pop(resource_type)
        if self._leftovers is not None:
            self._leftovers.gone(f"{self.namespace}/{resource_type}")

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
