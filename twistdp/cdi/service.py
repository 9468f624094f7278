"""The CDI parts of devices: written before the devices are advertised, named, and removed later."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.cdi.complaints import complaints_of
from twistdp.errors import AdministratorError
from twistdp.host import SOON
from twistdp.kubelet import holdings_of
from twistdp.model import Devices
from twistdp.settings import Settings
from twistdp.tools import Backoff, stop_all

if TYPE_CHECKING:
    from twistdp.cdi.files import SpecFile
    from twistdp.model import CDIDevice

_log = Logger()

TIDY_AFTER: Final = 60.0
"""Seconds until names of vanished devices are dropped: by then a kubelet that has just started
knows its pods again."""

AGAIN: Final = 1.0
"""Seconds until the second look for leftovers, and between the first two answers of a kubelet."""


class CdiParts:
    """Keeps the spec of the resource ``namespace/resource_type``.

    Does nothing as long as no device has a CDI part, and imports the code for files only then:
    that takes 8 ms, a fortieth of the start of a plugin.
    """

    def __init__(
        self, namespace: str, resource_type: str, *, settings: Settings, reactor: Any
    ) -> None:
        self._namespace = namespace
        self._type = resource_type
        self._name = f"{namespace}/{resource_type}"
        self._settings = settings
        self._reactor = reactor
        self._spec: SpecFile | None = None
        self._devices: Mapping[str, CDIDevice] = {}
        self._tidying: IDelayedCall | None = None
        self._asking: Deferred[None] | None = None
        self._retry: IDelayedCall | None = None
        self._complaints = complaints_of(reactor)
        self._holdings = holdings_of(reactor, settings.pod_resources_socket)

    @property
    def used(self) -> bool:
        """Whether any device has had a CDI part."""
        return self._spec is not None

    def describe(self, devices: Devices) -> None:
        """Write the spec, before `devices` are advertised; it has unhealthy devices too.

        Logs a failure, and tries again every second and in `names`: a pod is refused rather
        than started without its device.
        """
        self._devices = {id_: info.cdi for id_, info in devices.items() if info.cdi is not None}
        if self._spec is None:
            if not self._devices:
                return
            from twistdp.cdi.files import SpecFile

            self._spec = SpecFile(
                self._settings.cdi_dir, self._namespace, self._type, clock=self._reactor.seconds
            )
        self._write()

    def names(self, ids: Iterable[str]) -> list[str]:
        """Return the qualified names of these devices, for a container that gets them.

        Raises `twistdp.cdi.files.SpecNotWritten` if the runtime would not find the names.
        """
        return [] if self._spec is None else self._spec.names(ids)

    def stop(self) -> None:
        """Stop; the spec stays, because containers may be started again."""
        pending = [self._tidying, self._asking, self._retry]
        self._tidying = self._asking = self._retry = None
        steps = [what.cancel for what in pending if what is not None]
        steps.append(lambda: self._complaints.forget(self._name))
        if self._spec is not None:
            steps.append(self._spec.close)
        stop_all(self._name, *steps)

    def _write(self, held: Collection[str] | None = None) -> None:
        assert self._spec is not None
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        self._retry = None
        try:
            self._spec.write(self._devices, held)
        except AdministratorError as error:
            self._retry = self._reactor.callLater(SOON, self._write)
            reason = getattr(error, "reason", None) or str(error)
            self._complaints.failed(self._name, str(error), reason)
        else:
            self._complaints.written(self._name)
        if self._spec.surplus and self._tidying is None:
            self._tidying = self._reactor.callLater(TIDY_AFTER, self._tidy)

    def _tidy(self) -> None:
        """Drop the names that no pod holds any more."""
        self._tidying = None

        async def ask() -> None:
            held = await self._holdings.ask()
            self._write(None if held is None else held.get(self._name, {}))

        self._asking = Deferred.fromCoroutine(ask())
        self._asking.addErrback(report_unless_cancelled, "tidying CDI specs")


class Leftovers:
    """Removes specs of the domain `namespace` whose resources are not `served`.

    `served` returns names as ``domain/type``.  A spec stays while pods hold its devices, while
    another process serves the resource, and until the kubelet has reported for a second who holds
    devices, which takes a second after its start.  Then another look follows, after a minute at the
    latest.  Logs errors and never raises them.
    """

    def __init__(
        self,
        namespace: str,
        served: Callable[[], Iterable[str]],
        *,
        settings: Settings,
        reactor: Any,
    ) -> None:
        self._namespace = namespace
        self._served = served
        self._directory = settings.cdi_dir
        self._reactor = reactor
        self._holdings = holdings_of(reactor, settings.pod_resources_socket)
        self._is_known = False
        """Whether the kubelet reported who holds devices when it was asked last."""
        self._looking: Deferred[None] | None = None
        self._gone: dict[str, IDelayedCall] = {}
        """Resources whose last device has gone within the last minute."""
        self._logged: set[str] = set()

    def look(self) -> None:
        """Look now, and again until nothing is left."""
        if self._looking is None:
            self._looking = Deferred.fromCoroutine(self._look())
            self._looking.addErrback(report_unless_cancelled, "cleaning CDI specs")
            self._looking.addCallback(self._ended)

    def gone(self, resource: str) -> None:
        """Remove the spec of a resource that is no longer served, in a minute at the earliest.

        A pod that has just got a device of it may not be visible yet.
        """
        if resource in self._gone:
            self._gone.pop(resource).cancel()
        self._gone[resource] = self._reactor.callLater(TIDY_AFTER, self._is_due, resource)

    def stop(self) -> None:
        """Stop looking; the next process removes what is left."""
        if self._looking is not None:
            self._looking.cancel()
        while self._gone:
            self._gone.popitem()[1].cancel()

    def _is_due(self, resource: str) -> None:
        del self._gone[resource]
        self.look()

    def _ended(self, _: object) -> None:
        self._looking = None

    async def _look(self) -> None:
        backoff = Backoff(AGAIN, TIDY_AFTER)
        while await self._clean():
            await deferLater(self._reactor, backoff.next())

    async def _clean(self) -> bool:
        """Remove what can be removed now; returns whether something is left."""
        ours = f"twistdp.{self._namespace}_", ".twistdp."
        try:
            if not any(name.startswith(ours) for name in os.listdir(self._directory)):
                return False
        except OSError:
            return False  # no directory, no leftovers
        # Only now: a plugin without CDI needs no code for files.
        from twistdp.cdi.stale import clean, stale_files

        namespaces = {self._namespace}
        stale = stale_files(self._directory, namespaces, self._spared()).values()
        if all(file.in_use for file in stale):
            return bool(stale)
        held = await self._holdings.ask()
        if held is not None and not self._is_known:
            # A kubelet that has just started takes its pods one after the other.
            await deferLater(self._reactor, AGAIN)
            held = await self._holdings.ask()
        self._is_known = held is not None
        return clean(self._directory, namespaces, self._spared(), held, logged=self._logged)

    def _spared(self) -> set[str]:
        return {*self._served(), *self._gone}


def report_unless_cancelled(failure: Failure, doing: str) -> None:
    """Log a failure, unless it is the end of a cancelled wait."""
    if not failure.check(CancelledError):
        _log.failure("{doing}", failure, doing=doing)
