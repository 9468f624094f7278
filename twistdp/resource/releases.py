"""Notifies a scanner of devices that containers have given back."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.kubelet import Holdings, holdings_of
from twistdp.kubelet.checkpoint import Checkpoint
from twistdp.model import DeviceInfo, Holder, ReleasedDevices, natural_key
from twistdp.resource.baseline import Baseline
from twistdp.resource.hooks import Hooks
from twistdp.resource.resource import Resource
from twistdp.resource.tenancies import Key, Release, Tenancies
from twistdp.settings import Settings
from twistdp.status import Event, Kind, Name, Names, events_of
from twistdp.tools import Shared, Worker

_log = Logger()

LASTING: Final = 60.0
"""Seconds without an answer of the kubelet's after which that is logged."""

FAREWELL: Final = 5.0
"""Seconds that cancelled hooks have to end when the plugin stops."""

_NAMES: Final = Shared(lambda _: Names())


class Releases(Service):
    """Calls `post_release` of a scanner's `hooks`.

    `resources` are those of the domain `namespace` that the scanner's manager serves, by type.
    """

    def __init__(
        self,
        namespace: str,
        resources: Mapping[str, Resource],
        hooks: Hooks,
        settings: Settings,
        reactor: Any,
    ) -> None:
        self._namespace = namespace
        self._prefix = f"{namespace}/"
        self._name = hooks.name
        self._resources = resources
        self._hooks = hooks
        self._reactor = reactor
        self._events = events_of(reactor)
        self._holdings: Holdings = holdings_of(reactor, settings.pod_resources_socket)
        self._checkpoint = Checkpoint(settings.plugin_dir)
        self._state_dir = settings.state_dir
        self._names = _NAMES.of(reactor)
        self._file_name: Name | None = None
        """No other scanner's file has it meanwhile, though two may be of one class."""
        self._worker = Worker(f"checkpoint for {namespace}", reactor)
        self._reading = False
        self._complaint_due: float | None = None
        """When it is time to log that there is no answer; None while there is one."""
        self._ends: list[Callable[[], None]] = []
        self._timer: IDelayedCall | None = None
        self._pending: list[Release] = []
        """What was given back, until the scanner's hook has ended."""
        self._calls: set[Deferred[None]] = set()

    def startService(self) -> None:
        """Begin with what was known before."""
        super().startService()
        self._complaint_due = None
        self._file_name = self._names.claim(self, f"{self._namespace}.{self._name}")
        self._baseline = Baseline(self._state_dir, self._file_name.text)
        held, released = self._baseline.read()
        self._tenancies = Tenancies(held, self._reactor.seconds())
        self._ends = [
            self._events.follow(self._happened),
            self._holdings.follow(self._answered),
        ]
        self._report(released)

    def stopService(self) -> Deferred[Any]:
        """Cancel calls of the hook; they are made again after the next start."""
        super().stopService()
        while self._ends:
            self._ends.pop()()
        self._plan(None)
        self._worker.stop()
        self._reading = False
        self._file_name = None
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        return DeferredList(calls).addTimeout(FAREWELL, self._reactor, lambda *_: None)

    def _happened(self, event: Event) -> None:
        if event.kind is Kind.KUBELET_APPEARED or (
            event.kind is Kind.STREAM_ENDED and event.facts["kubelets"]
        ):
            self._tenancies.forget_kubelet()
        elif event.kind is Kind.ALLOCATED and self._is_ours(event.facts["resource"]):
            ids = [id_ for some in event.facts["ids"] for id_ in some]
            now = self._reactor.seconds()
            self._report(self._tenancies.allocated(event.facts["resource"], ids, now))

    def _is_ours(self, resource: str) -> bool:
        # A type has no slash, so a resource of another domain is not among them.
        return resource.removeprefix(self._prefix) in self._resources

    def _answered(self) -> None:
        held, now = self._holdings.held, self._reactor.seconds()
        if held is None:
            self._tenancies.forget_kubelet()
            self._plan(None)
            self._complain(now)
            return
        if self._complaint_due == float("inf"):
            _log.info("scanner {scanner}: its post_release is called again", scanner=self._name)
        self._complaint_due = None
        ours = {resource for resource, _ in self._tenancies.held}
        ours.update(filter(self._is_ours, held))
        listed = {
            (resource, id_): holder
            for resource in ours
            for id_, holder in held.get(resource, {}).items()
        }
        found = self._holdings
        released = self._tenancies.answered(
            listed, found.pods, found.asked_at, now, has_all_pods=found.has_all_pods
        )
        self._report(released)
        if self.running:  # a hook may stop it
            if self._tenancies.unlisted(now):
                self._read_checkpoint()
            self._plan(self._tenancies.look_again(now))

    def _complain(self, now: float) -> None:
        """Log once why nothing is known, if that lasts."""
        if self._complaint_due is None:
            self._complaint_due = now + LASTING
        elif now >= self._complaint_due:
            self._complaint_due = float("inf")
            _log.warn(
                "scanner {scanner}: its post_release is not called while the kubelet cannot be "
                "asked which pods hold devices: {reason}",
                scanner=self._name,
                reason=self._holdings.reason,
            )

    def _plan(self, delay: float | None) -> None:
        """Ask the kubelet again after `delay` seconds, if nothing makes that necessary before."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if delay is not None:
            self._timer = self._reactor.callLater(delay, self._holdings.ask_soon, 0.0)

    def _read_checkpoint(self) -> None:
        """See whether the kubelet keeps the devices that it lists for nobody."""
        if not self._reading:
            self._reading = True
            keys = self._tenancies.unlisted(self._reactor.seconds())
            reading = self._worker.call(self._checkpoint.kept_ids)
            reading.addErrback(_not_read)
            reading.addCallback(self._kept, keys)
            reading.addErrback(_report_fault)

    def _kept(self, kept: Collection[Key] | None, keys: set[Key]) -> None:
        self._reading = False
        if kept is not None and self.running:
            now = self._reactor.seconds()
            self._report(self._tenancies.not_kept(keys.difference(kept), now))
        if self.running:
            self._plan(self._tenancies.look_again(self._reactor.seconds()))

    def _report(self, released: Iterable[Release]) -> None:
        """Keep what is known now, and call the hook for each container."""
        groups: dict[tuple[str, Holder | None], list[Release]] = {}
        for release in released:
            self._pending.append(release)
            groups.setdefault((release.resource, release.holder), []).append(release)
        self._write()
        for (resource, holder), releases in groups.items():
            ids = sorted((release.device for release in releases), key=natural_key)
            devices = ReleasedDevices(resource, ids, self._known(resource, ids))
            call = Deferred.fromCoroutine(self._hooks.post_release(devices, holder))
            self._calls.add(call)
            call.addBoth(self._ended, call, releases)

    def _ended(self, outcome: object, call: Deferred[None], releases: Iterable[Release]) -> None:
        self._calls.discard(call)
        if isinstance(outcome, Failure) and outcome.check(CancelledError):
            return
        if isinstance(outcome, Failure):
            _report_fault(outcome)
        for release in releases:
            self._pending.remove(release)
        self._write()

    def _write(self) -> None:
        held = {key: tenancy.holder for key, tenancy in self._tenancies.held.items()}
        self._baseline.write(held, self._pending)

    def _known(self, resource: str, ids: Iterable[str]) -> Mapping[str, DeviceInfo]:
        found = self._resources.get(resource.removeprefix(self._prefix))
        return {} if found is None else found.inventory.known(ids)


def _not_read(failure: Failure) -> None:
    """Log why the checkpoint was not read; it is read again after the next answer."""
    if not failure.check(OSError):  # no thread can start now
        _log.failure("reading which devices the kubelet keeps for containers", failure)


def _report_fault(failure: Failure) -> None:
    _log.failure("notifying the scanner of devices that were given back", failure)
