"""The operator as one service: client, watches, reconciler and election."""

import os
import socket
from collections.abc import Iterator
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.python.failure import Failure

from twistdp import klog
from twistdp.operator.asked import Asked
from twistdp.operator.client import Client
from twistdp.operator.complaints import Complaints
from twistdp.operator.credentials import Cluster
from twistdp.operator.fence import Fenced
from twistdp.operator.kinds import SERVICE
from twistdp.operator.leader import Elector
from twistdp.operator.reconciler import WATCHED, Reconciler
from twistdp.operator.settings import OperatorSettings
from twistdp.operator.tallies import Tallies
from twistdp.operator.watching import Watching
from twistdp.rpc import keep_steady, loop_of
from twistdp.web.process import LIVEZ, Check

PATIENCE: Final = 3.0
"""Seconds that each step of the end has, such as giving the lease up."""


class Operator(Service):
    """Runs what the DevicePlugins of `cluster` ask for.

    With `elects`, only while it has the lease; others watch as well, and are ready to go on.
    """

    def __init__(
        self, cluster: Cluster, settings: OperatorSettings, reactor: Any, *, elects: bool = False
    ) -> None:
        self._cluster = cluster
        self._reactor = reactor
        self._complaints = Complaints()
        self.tallies = Tallies()
        client = self._client = Client(cluster, loop_of(reactor), self._seen)
        self._elector: Elector | None = None
        if elects:
            self._elector = Elector(
                client,
                settings.namespace,
                settings.name,
                f"{socket.gethostname()}_{os.urandom(8).hex()}",
                reactor,
                self._led,
                self._lost,
            )
        api = Fenced(client, lambda: self.leads) if elects else client
        self.reconciler = Reconciler(
            api,
            settings,
            reactor,
            done=self.tallies.done,
            look=lambda: self._watching.look(),
        )
        self._watching = Watching(
            client,
            self.reconciler,
            settings.namespace,
            (*WATCHED, SERVICE),
            self.reconciler.offer,
            reactor,
        )

    @property
    def leads(self) -> bool:
        """Whether this is the operator that reconciles."""
        return self._elector is None or self._elector.leads

    def checks(self, probe: str) -> Iterator[Check]:
        """The checks of a probe: it is ready when it knows all objects."""
        yield Check("ping")
        if probe != LIVEZ:
            missing = "" if self.reconciler.is_synced else "not every kind has been listed yet"
            yield Check("caches", missing)

    def startService(self) -> None:
        """Begin."""
        super().startService()
        # A wall clock that is set back would leave the leader in office after its lease.
        keep_steady(self._reactor)
        klog.info("the operator starts", server=self._cluster.server)
        self._watching.startService()
        if self._elector is None:
            self.reconciler.start()
        else:
            self._elector.start()

    def stopService(self) -> Deferred[Any]:
        """End all requests, give the lease up, and close the connections."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await DeferredList([self._in_time(self.reconciler.stop()), self._watching.stopService()])
        if self._elector is not None:
            await self._in_time(self._elector.stop())
        await self._in_time(self._client.close())

    def _in_time(self, waiting: Deferred[Any]) -> Deferred[Any]:
        def late(failure: Failure) -> None:
            failure.trap(TimeoutError)

        return waiting.addTimeout(PATIENCE, self._reactor).addErrback(late)

    def _led(self) -> None:
        self.reconciler.start()

    def _lost(self) -> None:
        self.reconciler.stop()

    def _seen(self, asked: Asked, status: int, reason: str) -> None:
        self.tallies.seen(asked, status)
        self._complaints.seen(asked, status, reason)
