"""Keeps one resource registered with the kubelet."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from twistdp.errors import KubeletAbsent, RegistrationRefused, StillServed, TwistdpError
from twistdp.host import SOON
from twistdp.klog import V
from twistdp.kubelet.complaints import Complaints
from twistdp.kubelet.directory import PluginDirectory
from twistdp.kubelet.session import new_session
from twistdp.kubelet.strategy import Registrant, RegistrationStrategy
from twistdp.kubelet.streams import ListStreams
from twistdp.rpc import Server
from twistdp.status import Standing
from twistdp.tools import Backoff

STABLE = 5.0
"""Seconds that a stream must have lived for its end to be answered without a back-off."""

STREAM_TIMEOUT, STREAM_TIMEOUT_MOST = 1.0, 16.0
"""Seconds in which a kubelet that has accepted opens ListAndWatch; usually it does so at once.

It does not if it has dropped the new connection because an older one ended.  Each time that it
opens none it gets twice as long, for it may be slow."""

STREAM_PATIENCE = 0.05
"""Seconds that older streams get to end before the resource is registered again."""

_STANDINGS = {KubeletAbsent: Standing.WAITING, StillServed: Standing.STANDING_BY}


class Registrar:
    """Carries out what the session machine decides (its `Effects`)."""

    def __init__(
        self,
        resource: str,
        registration: RegistrationStrategy,
        *,
        server: Server,
        streams: ListStreams,
        directory: PluginDirectory,
        reactor: Any,
    ) -> None:
        self._resource = resource
        self._registration = registration
        self._server = server
        self._streams = streams
        self._directory = directory
        self._news = directory.news
        self._reactor = reactor
        self._session = new_session(self)
        self._backoff = Backoff(0.01, 5.0, immediate=True)
        self._attempt: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._since = 0.0
        self._stream_timeout = STREAM_TIMEOUT
        self._local = False
        """Whether this machine, not the kubelet, made the last attempt fail."""
        self._complaints = Complaints(resource, server.path, directory.news)
        self._standing = Standing.REGISTERING
        registration.attach(
            Registrant(
                server,
                end_streams=lambda: streams.end_generation(STREAM_PATIENCE),
                found=self._session.outdated,
                is_live=lambda: bool(streams.kubelets),
            )
        )

    @property
    def standing(self) -> Standing:
        """How the resource stands with the kubelet, once it is started and until it is stopped.

        It is stuck if it is not registered and no attempt runs or is planned.  That an attempt ends
        is the registration's promise.
        """
        busy = self._attempt is not None or (self._timer is not None and self._timer.active())
        if self._standing is Standing.REGISTERED or busy:
            return self._standing
        return Standing.STUCK

    def start(self) -> None:
        """Serve and register, and do so again whenever that is needed."""
        self._directory.subscribe(self._server.path, self._kubelet_changed, self._socket_changed)
        self._session.start()

    def stop(self) -> None:
        """Register no more; what is registered stays so until its stream ends."""
        self._directory.unsubscribe(self._server.path)
        self._session.stop()
        self._news.forget(self._resource)

    def stream_lost(self) -> None:
        """The kubelet's stream has ended."""
        self._news.lost(self._resource)
        if self._reactor.seconds() - self._since >= STABLE:
            self._backoff.reset()
        self._session.stream_ended()

    # Effects

    def announce(self) -> None:
        """Begin an attempt."""
        self.cease()
        self._news.trying(self._resource)
        V(4).info("an attempt to register begins", resource=self._resource)
        attempt = self._attempt = Deferred.fromCoroutine(self._registration.register())
        attempt.addCallbacks(
            self._succeeded, self._failed, callbackArgs=(attempt,), errbackArgs=(attempt,)
        )

    def wait(self) -> None:
        """Plan the next attempt."""
        self.cease()
        # An event reports a kubelet that has changed, but none a disk that has space again.
        delay = self._backoff.next(SOON) if self._local else self._backoff.next()
        self._timer = self._reactor.callLater(delay, self._session.retry)

    def cease(self) -> None:
        """Drop a running attempt and a planned one."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if self._standing is Standing.REGISTERED:
            self._standing = Standing.REGISTERING
        self._news.over(self._resource)

    def _succeeded(self, _: None, attempt: Deferred[None]) -> None:
        if attempt is not self._attempt:
            return
        self._attempt = None
        self._local = False
        self._complaints.clear()
        self._since = self._reactor.seconds()
        self._standing = Standing.REGISTERED
        self._news.registered(self._resource)
        self._session.registered()
        if self._streams.kubelets_over:  # before the answer arrived
            self._session.stream_ended()
        else:
            self._timer = self._reactor.callLater(self._stream_timeout, self._check_stream)

    def _failed(self, failure: Failure, attempt: Deferred[None]) -> None:
        if attempt is not self._attempt:
            return
        self._attempt = None
        self._local = failure.check(OSError) is not None and not failure.check(TwistdpError)
        why = failure.check(*_STANDINGS)
        self._standing = _STANDINGS[why] if why else Standing.FAILING
        self._complaints.failed(failure)
        if failure.check(RegistrationRefused):
            self._streams.settled()  # it opens no stream, though it may have asked
        self._session.failed()

    def _check_stream(self) -> None:
        missing = self._streams.kubelets_missing
        self._streams.settled()
        if not missing:
            self._stream_timeout = STREAM_TIMEOUT
        else:
            self._stream_timeout = min(self._stream_timeout * 2, STREAM_TIMEOUT_MOST)
            self._complaints.report(
                "the kubelet has accepted the registration but opened no stream; registering again"
            )
            self._session.stream_ended()

    # Events of the directory

    def _kubelet_changed(self) -> None:
        self._streams.settled()  # an earlier kubelet that has asked opens none now
        self._backoff.reset()
        self._session.outdated()

    def _socket_changed(self) -> None:
        if self._server.is_published():
            return
        self._backoff.reset()
        if self._streams.kubelets and not self._registration.by_name:
            # Its connection lives on.  If a starting kubelet has removed the name, its own socket
            # and the end of the stream will show that.
            self._server.listen().addErrback(lambda _: self._session.outdated())
        else:
            self._session.outdated()
