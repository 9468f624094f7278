"""The fake API server: its life, its trouble on command, and what tests see of it."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import yaml
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import LoopingCall, deferLater
from twisted.protocols.policies import WrappingFactory

from twistdp.testing.apiserver.api import Api, Authorize, Visit
from twistdp.testing.apiserver.calls import Answer, Asked
from twistdp.testing.apiserver.faults import ApiFault
from twistdp.testing.apiserver.objects import Objects
from twistdp.testing.apiserver.playing import Cluster
from twistdp.testing.apiserver.record import ApiCall
from twistdp.testing.apiserver.refusals import expired
from twistdp.testing.apiserver.site import ApiResource, ApiSite
from twistdp.testing.apiserver.watches import Watch
from twistdp.testing.apiserver.writes import Admit
from twistdp.testing.conditions import Conditions

BOOKMARKS: Final = 60.0
"""Seconds between two bookmarks, as a real API server has them."""


class ApiServer:
    """A small Kubernetes API server for tests of controllers, over plain HTTP on loopback.

    It starts with the namespaces that every cluster has.  No controller runs in it: nobody makes
    pods or fills in a status, and with `garbage` alone objects go with their owners.  While it
    listens, watches that take bookmarks get one every `bookmarks` seconds.
    """

    def __init__(
        self, *, garbage: bool = False, reactor: Any = None, bookmarks: float = BOOKMARKS
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._reactor = reactor
        self._conditions = Conditions(reactor)
        self.garbage = garbage
        """Whether the garbage collector runs."""
        self._soon: Any = None
        self._every = bookmarks
        self._bookmarks = LoopingCall(self.bookmark)
        self._bookmarks.clock = reactor
        self._api = Api(reactor.seconds)
        self._api.changed = self._changed
        self._resource = ApiResource(self._api, reactor)
        self._port: Any = None
        self._factory: Any = None
        self._number = 0
        self.objects = Objects(self._api.answer, self._api.registry)
        """The objects, to read and to change."""
        self.cluster = Cluster(self.objects)
        """The rest of the cluster, to be played."""

    # Life

    async def start(self, endpoint: str = "") -> None:
        """Listen, on the same port as before if there was one; `endpoint` is one of Twisted's."""
        endpoint = endpoint or f"tcp:{self._number}:interface=127.0.0.1"
        self._factory = WrappingFactory(ApiSite(self._resource))
        self._port = await serverFromString(self._reactor, endpoint).listen(self._factory)
        self._number = getattr(self._port.getHost(), "port", 0)
        self._bookmarks.start(self._every, now=False)

    async def stop(self) -> None:
        """Refuse connections and cut those that are open; the objects stay."""
        port, self._port = self._port, None
        if port is None:
            return
        self._bookmarks.stop()
        await port.stopListening()
        for protocol in list(self._factory.protocols):
            protocol.transport.abortConnection()
        while self._factory.protocols:
            await deferLater(self._reactor, 0.0)
        if self._soon is not None and self._soon.active():
            self._soon.cancel()

    async def restart(self, compact: bool = False) -> None:
        """Stop and start, with the history of changes compacted if that is asked for."""
        await self.stop()
        if compact:
            self.compact()
        await self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._number}"

    def kubeconfig(self, token: str = "") -> str:
        """A client's configuration, as YAML."""
        user = {"token": token} if token else {}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                "users": [{"name": "fake", "user": user}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                "current-context": "fake",
            }
        )

    def answer(self, asked: Asked) -> Answer | Watch | None:
        """Obey a client's request in this process: it is recorded, and meets faults but delays.

        None stands for a connection that is cut.  A watch waits for its `begin`.
        """
        return Visit(self._api, asked).outcome()

    # What tests see

    @property
    def calls(self) -> deque[ApiCall]:
        """The last 10 000 calls of clients, oldest first; `clear` it as you like."""
        return self._api.calls

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """How many calls there were, by verb and plural; `clear` it as you like."""
        return self._api.counts

    @property
    def revision(self) -> int:
        """The version of the last change."""
        return self._api.store.revision

    @property
    def watching(self) -> list[str]:
        """The plurals of the kinds that are watched, one for each open watch."""
        return sorted(watch.scope.kind.plural for watch in self._resource.watches)

    def until(self, condition: Callable[[], object], timeout: float = 5.0) -> Deferred[None]:
        """Fires as soon as `condition` is true; it is called after every change and call, and when
        a watch has ended.

        Fails with Twisted's TimeoutError after `timeout` seconds.
        """
        waiting = self._conditions.add(condition, timeout)
        self._look()
        return waiting

    # Who may do what

    @property
    def tokens(self) -> dict[str, str] | None:
        """Users by their bearer tokens; others get 401.  None lets everybody in."""
        return self._api.tokens

    @tokens.setter
    def tokens(self, tokens: dict[str, str] | None) -> None:
        self._api.tokens = tokens

    @property
    def authorize(self) -> Authorize | None:
        """Decides whether a call is allowed; others get 403.  None allows all."""
        return self._api.authorize

    @authorize.setter
    def authorize(self, authorize: Authorize | None) -> None:
        self._api.authorize = authorize

    @property
    def rbac(self) -> Authorize:
        """Allows what the stored roles and bindings allow; it is a value for `authorize`."""
        return self._api.rights.allows

    @property
    def admission(self) -> list[Admit]:
        """Functions that see each object before it is stored, and may change or refuse it."""
        return self._api.writes.admission

    # Trouble on command

    def fault(self, fault: ApiFault) -> ApiFault:
        """Have the next requests meet a fault."""
        return self._api.faults.add(fault)

    def fail(self, code: int, verb: str = "", kind: str = "", **rest: Any) -> ApiFault:
        """Refuse the next requests with an HTTP status; `rest` are fields of `ApiFault`."""
        return self.fault(ApiFault(verb, kind, code=code, **rest))

    def compact(self) -> None:
        """Forget the history of changes: older versions are gone, as 410 says."""
        self._api.store.compact()

    def cut_watches(self, kind: str = "") -> None:
        """Cut the connections of open watches."""
        for watch in self._watches(kind):
            watch.cut()

    def end_watches(self, kind: str = "") -> None:
        """End open watches as the server does when their time is over."""
        for watch in self._watches(kind):
            watch.end()

    def expire_watches(self, kind: str = "") -> None:
        """Send open watches the error 410, and end them."""
        for watch in self._watches(kind):
            watch.fail(expired("too old resource version"))

    def bookmark(self, kind: str = "") -> None:
        """Send open watches that take them a bookmark."""
        for watch in self._watches(kind):
            watch.bookmark()

    def collect_garbage(self) -> int:
        """Run the garbage collector once, until nothing is left to do; returns its writes."""
        self._api.has_garbage = False
        return self._api.garbage.collect()

    def _watches(self, kind: str) -> list[Watch]:
        watches = self._resource.watches
        return [watch for watch in watches if kind in ("", watch.scope.kind.plural)]

    def _changed(self) -> None:
        """Look at what is waited for, and collect garbage, once the request is done."""
        is_due = bool(self._conditions) or (self.garbage and self._api.has_garbage)
        if is_due and not (self._soon and self._soon.active()):
            self._soon = self._reactor.callLater(0, self._look)

    def _look(self) -> None:
        if self.garbage and self._api.has_garbage:
            self.collect_garbage()
        self._conditions.look()
