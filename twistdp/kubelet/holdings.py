"""Knows which pods have which devices, from the kubelet's answers."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from twistdp.errors import CallFailed, MalformedMessage, Untrusted
from twistdp.kubelet.podresources import (
    Held,
    Pod,
    PodResourcesClient,
    differences,
    held_by,
    node_names,
    only_static,
)
from twistdp.kubelet.presence import socket_identity
from twistdp.kubelet.questions import AFTER, Questions
from twistdp.kubelet.unseen import LATE, Unseen
from twistdp.model import printable
from twistdp.status import Event, Kind, events_of
from twistdp.tools import Backoff, Shared

_log = Logger()

AGAIN: Final = 1.0
"""Seconds until the kubelet is asked again after the first question that it does not answer."""

PERIOD: Final = 10.0
"""Seconds between questions while pods have devices and somebody waits for their release, of which
a kubelet notifies nobody."""

FRESH: Final = 1.0
"""Seconds for which an answer is as good as a new one, for people."""

PATIENCE: Final = 0.5
"""Seconds for which people wait for a new answer."""

MOST_PAIRS: Final = 100
"""Devices that one event names."""

NO_PODS: Final = "the kubelet lists no pod: it has none, or does not know them yet"
STATIC_PODS: Final = (
    "the kubelet lists only pods of files: it has no others, or does not know them yet"
)

_WHEN: Final = frozenset(
    {Kind.REGISTERED, Kind.STREAM_OPENED, Kind.STREAM_ENDED, Kind.KUBELET_APPEARED}
)


class Holdings:
    """What the kubelet reports about which container has which device.

    `list_pods` asks the kubelet: when somebody asks, and, while somebody follows, after events that
    may change the answer.  An answer without a pod counts as none, and so does one with only static
    pods of these `nodes` after one with others: see `PodResourcesClient.pods`.  Both count if the
    same `kubelet`, the identity of the one that listens, has listed others before: it gets those of
    the API server all at once.  Nothing is added to the kubelet's answer.
    """

    def __init__(
        self,
        list_pods: Callable[[], Awaitable[Sequence[Pod]]],
        clock: IReactorTime,
        *,
        nodes: Collection[str] = (),
        kubelet: Callable[[], object] = lambda: None,
    ) -> None:
        self._list_pods = list_pods
        self._nodes = nodes
        self._kubelet = kubelet
        self._informed: object = None
        """The kubelet that has listed a pod that is not static; None if it is not known."""
        self._has_others = False
        """Whether a pod that is not static was listed."""
        self._clock = clock
        self._events = events_of(clock)
        self.held: Held | None = None
        """The last answer; None if it cannot be known."""
        self.pods: frozenset[tuple[str, str]] = frozenset()
        """Namespace and name of the pods in it, with or without devices."""
        self.has_all_pods = False
        """Whether the kubelet knew all pods of its node for certain."""
        self.reason = "it was not asked yet"
        """Why it cannot be known; empty if it can."""
        self._known: Held = {}
        self._followers: dict[object, tuple[Callable[[], None], bool]] = {}
        self._unfollow: Callable[[], None] | None = None
        self._ours: set[str] = set()
        """The resources that this process serves, or has served."""
        self.asked_at = float("-inf")
        """When the question of the last answer was asked, in seconds of the clock."""
        self._unseen = Unseen()
        self._backoff = Backoff(AGAIN, 30.0)
        self._complaint = ""
        self._questions = Questions(clock, self._ask, self._answered, self._rest)

    def ask(self) -> Deferred[Held | None]:
        """Ask, soon; fires with the answer, or None if there is none."""
        return self._questions.ask()

    @property
    def current(self) -> Held | None:
        """The last answer if it is still true: while somebody follows, or for `FRESH` seconds."""
        is_fresh = self._clock.seconds() - self.asked_at < FRESH
        return self.held if self._followers or is_fresh else None

    def fresh(self) -> Deferred[Held | None]:
        """As `ask`, for people: an answer of the last second counts if it is from after Allocate.

        An older answer, or none, counts if the kubelet takes more than half a second or did not
        answer before.
        """
        age = self._clock.seconds() - self.asked_at
        if self.asked_at >= self._settled() and (
            age < FRESH or (self.held is None and self.asked_at >= 0)
        ):
            return succeed(self.held)
        asking = Deferred.fromCoroutine(self._ask_settled())
        return asking.addTimeout(PATIENCE, self._clock, lambda *_: self.held)

    async def _ask_settled(self) -> Held | None:
        while True:
            held = await self.ask()
            if self.asked_at >= self._settled():
                return held

    def _settled(self) -> float:
        """The time in seconds from which the kubelet lists all devices that were allocated."""
        latest = self._unseen.latest()
        return float("-inf") if latest is None else latest + AFTER

    def ask_soon(self, delay: float = AFTER) -> None:
        """Ask after `delay` seconds; those who follow get the answer."""
        self._questions.ask_soon(delay)

    def follow(
        self, follower: Callable[[], None] = lambda: None, *, releases: bool = False
    ) -> Callable[[], None]:
        """Ask after events from now on, and call `follower` after each answer, and each failure.

        With `releases`, also ask each `PERIOD` while pods have devices.  Returns what ends this.
        """
        key = object()
        self._followers[key] = follower, releases
        if self._unfollow is None:
            self._unfollow = self._events.follow(self._happened)
            self._ours.update(map(_resource, self._events.kept))
        self.ask_soon()

        def end() -> None:
            self._followers.pop(key, None)
            if not self._followers and self._unfollow is not None:
                self._unfollow()
                self._unfollow = None
            self._rest()

        return end

    def serve(self, resources: Iterable[str]) -> None:
        """Emit events about these resources too: this process serves them."""
        self._ours.update(resources)

    def _happened(self, event: Event) -> None:
        self._ours.add(_resource(event))
        if event.kind is Kind.ALLOCATED:
            for ids in event.facts["ids"]:
                self._unseen.add(event.facts["resource"], ids, self._clock.seconds())
            self.ask_soon()
        elif event.kind in _WHEN:
            self._backoff.reset()
            self.ask_soon()

    def _rest(self) -> None:
        """Stop asking if nobody wants to know."""
        if not self._followers and not self._questions.is_awaited:
            self._unseen.clear()
            self._questions.stop()

    async def _ask(self) -> Held | None:
        try:
            await self._ask_kubelet()
        except CancelledError:  # nobody wants to know any more
            pass
        except Exception:
            _log.failure("asking the kubelet which pods hold devices")
            self._unknown("it failed; the log has the reason")
        return self.held

    async def _ask_kubelet(self) -> None:
        kubelet = self._kubelet()
        try:
            pods = await self._list_pods()
        except (CallFailed, MalformedMessage, Untrusted) as error:
            reason = getattr(error, "details", "") or str(error)
            self._unknown(printable(reason), is_fault=isinstance(error, Untrusted))
        else:
            is_static = only_static([pod.name for pod in pods], self._nodes)
            if self._kubelet() != kubelet:  # another has started meanwhile
                kubelet = None
            if not is_static:
                self._informed = kubelet
            self.has_all_pods = not is_static or (kubelet is not None and kubelet == self._informed)
            if self.has_all_pods or (pods and not self._has_others):
                self._has_others = not is_static
                self._take(pods)
            else:
                self._unknown(STATIC_PODS if pods else NO_PODS)

    def _answered(self) -> float | None:
        """Call those who follow; returns when to ask again if nothing happens until then."""
        for follower, _ in tuple(self._followers.values()):
            try:
                follower()
            except Exception:
                _log.failure("following which pods hold devices")
        return self._next() if self._followers else None

    def _next(self) -> float | None:
        now = self._clock.seconds()
        if self.held is None:
            return now + self._backoff.next()
        self._backoff.reset()
        if (latest := self._unseen.latest()) is not None:
            return latest + LATE
        if self.held and any(releases for _, releases in self._followers.values()):
            return now + PERIOD
        return None

    def _unknown(self, reason: str, *, is_fault: bool = False) -> None:
        if is_fault and reason != self._complaint:
            self._complaint = reason
            _log.warn("cannot ask the kubelet which pods hold devices: {reason}", reason=reason)
        self.asked_at = self._questions.begun
        changed = self.held is not None or reason != self.reason
        self.held, self.pods, self.reason = None, frozenset(), reason
        self._unseen.answered({}, self.asked_at, self._clock.seconds())
        if changed:
            self._events.emit(Kind.POD_RESOURCES, available=False, reason=reason)

    def _take(self, pods: Sequence[Pod]) -> None:
        self.asked_at = self._questions.begun
        before, held = self._known, held_by(pods)
        appeared = self.held is None
        self.held = self._known = held
        self.pods = frozenset((pod.namespace, pod.name) for pod in pods)
        self.reason = ""
        if self._complaint:
            self._complaint = ""
            _log.info("the kubelet can be asked again which pods hold devices")
        self._unseen.answered(held, self.asked_at, self._clock.seconds())
        if appeared:
            self._events.emit(Kind.POD_RESOURCES, available=True, reason="")
        for resource, got, lost in differences(before, held):
            if resource in self._ours:
                self._events.emit(
                    Kind.HELD,
                    resource=resource,
                    held=got[:MOST_PAIRS],
                    released=lost[:MOST_PAIRS],
                    changes={"held": len(got), "released": len(lost)},
                )


def _resource(event: Event) -> str:
    return str(event.facts.get("resource", ""))


def _holdings(reactor: Any, socket: str) -> Holdings:
    client = PodResourcesClient(socket, reactor=reactor)
    kubelet = partial(socket_identity, socket)
    return Holdings(client.pods, reactor, nodes=node_names(), kubelet=kubelet)


_SHARED: Final = Shared(_holdings)


def holdings_of(reactor: Any, socket: str) -> Holdings:
    """The one `Holdings` of a pod-resources socket; keep it as long as you need it."""
    return _SHARED.of(reactor, socket)
