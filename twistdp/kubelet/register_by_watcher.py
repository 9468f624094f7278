"""Registers resources the other way: the kubelet finds their sockets in its plugins registry."""

import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from twistdp.errors import KubeletAbsent, RegistrationRefused
from twistdp.kubelet.api import GET_INFO, NOTIFY_STATUS, PLUGIN_TYPE, VERSION
from twistdp.kubelet.pluginregistration_v1_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from twistdp.kubelet.strategy import Registrant
from twistdp.model import one_line
from twistdp.rpc import Method
from twistdp.tools import Sparing

_log = Logger()

PATIENCE = 3.0
"""Seconds until a kubelet counts as absent; one that runs finds a socket within one."""

TIMEOUT = 5.0
"""Seconds from GetInfo to the kubelet's result, which usually takes some milliseconds.

A kubelet that has been killed meanwhile gives none, nor does a program that only asks."""


class WatcherRegistration:
    """Waits for the kubelet to find and register `resource`; see `RegistrationStrategy`.

    Every registration begins with a GetInfo: after a new socket, a kubelet's start, or a refusal,
    which the kubelet retries by itself.  It never begins again because a stream has ended: for
    that the socket's name must be removed and made again.
    """

    by_name = True

    def __init__(self, resource: str, reactor: Any) -> None:
        self.methods: Sequence[Method] = (
            Method(GET_INFO, InfoRequest, self._get_info),
            Method(NOTIFY_STATUS, RegistrationStatus, self._notified),
        )
        self._resource = resource
        self._reactor = reactor
        self._sparing = Sparing(reactor)
        self._asked: float | None = None
        """When a kubelet began a registration that no attempt has noticed."""
        self._pending = False
        """Whether a GetInfo has come, and no result after it."""
        self._refused = False
        self._used = False
        """Whether a kubelet is done with the socket's name, and must see a new one."""
        self._status: Deferred[str | None] | None = None
        """The running attempt waits for it: why the kubelet refuses, or None when it accepts."""

    def attach(self, registrant: Registrant) -> None:
        """See `RegistrationStrategy`."""
        self._registrant = registrant

    async def register(self) -> None:
        """See `RegistrationStrategy`."""
        asked, self._asked = self._is_asked(), None
        if self._used and not asked:
            await self._registrant.end_streams()
            self._registrant.server.withdraw()
            self._used = False
        directory = os.path.dirname(self._registrant.server.path)
        if not os.path.isdir(directory):
            raise KubeletAbsent(f"no kubelet yet: waiting for {directory} to appear")
        status = self._status = Deferred()
        try:
            await self._registrant.server.listen()
            if asked:
                status.addTimeout(TIMEOUT, self._reactor)
            elif not self._refused:
                status.addTimeout(PATIENCE, self._reactor)
            refusal = await status
        except TimeoutError as error:
            if not asked:
                raise KubeletAbsent(
                    f"no kubelet yet: waiting for one to find the sockets in {directory}"
                ) from error
            self._used = True
            raise RegistrationRefused(
                self._resource,
                f"the kubelet began it and gave no result within {TIMEOUT:g} s; trying again",
            ) from error
        finally:
            self._status = None
        if refusal is not None:
            raise RegistrationRefused(
                self._resource, f"the kubelet refused: {refusal}; it tries again by itself"
            )

    def _is_asked(self) -> bool:
        """Whether a kubelet may be about to register."""
        return self._asked is not None and self._reactor.seconds() - self._asked < TIMEOUT

    async def _get_info(self, _: InfoRequest) -> PluginInfo:
        self._report_questions()
        self._pending = True
        self._asked = self._reactor.seconds()
        if not self._registrant.is_live():
            self._refused = False
            self._registrant.found()
            await self._registrant.end_streams()
        return PluginInfo(
            type=PLUGIN_TYPE,
            name=self._resource,
            endpoint="",  # this very socket
            supported_versions=[VERSION],
        )

    def _report_questions(self) -> None:
        """Log that this question, or the one before, does not begin a registration.

        A kubelet asks while it has no stream, and reports a result.
        """
        live = self._registrant.is_live()
        if not live and not self._pending:
            return
        if (often := self._sparing.count(live)) is None:
            return
        what = "a kubelet has registered it" if live else "no result followed the last question"
        _log.warn(
            "{resource}: a program asked who serves {path} (GetInfo), though {what}{often}",
            resource=self._resource,
            path=self._registrant.server.path,
            what=what,
            often=often,
        )

    def _notified(self, status: RegistrationStatus) -> RegistrationStatusResponse:
        self._pending = False
        self._asked = None
        waiting, self._status = self._status, None
        self._used |= status.plugin_registered
        self._refused = not status.plugin_registered
        # Otherwise no attempt waits for it any more; the next one makes a new name.
        if waiting is not None:
            refusal = one_line(status.error) or "it gives no reason"
            waiting.callback(None if status.plugin_registered else refusal)
        return RegistrationStatusResponse()
