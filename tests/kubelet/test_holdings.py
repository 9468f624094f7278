"""Tests for `twistdp.kubelet.holdings`: what causes a question, and what counts as an answer."""

import os
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.errors import CallFailed, PeerUnavailable, Untrusted
from twistdp.kubelet.holdings import (
    AGAIN,
    FRESH,
    NO_PODS,
    PATIENCE,
    PERIOD,
    STATIC_PODS,
    Holdings,
    holdings_of,
)
from twistdp.kubelet.podresources import Container, Pod
from twistdp.kubelet.questions import AFTER, GAP
from twistdp.kubelet.unseen import LATE
from twistdp.model import Holder
from twistdp.status import Event, Kind, events_of
from twistdp.status.events import KEPT

RESOURCE = "x.example/a"
OTHER = "other.example/b"


def pod(name: str, *ids: str, resource: str = RESOURCE) -> Pod:
    """A pod with these devices."""
    devices = {resource: frozenset(ids)} if ids else {}
    return Pod("default", name, [Container("main", devices)])


def holder(name: str) -> Holder:
    """Its container."""
    return Holder("default", name, "main")


class HoldingsTests(SynchronousTestCase):
    """With a kubelet that answers `answer`, at once or when told."""

    def setUp(self) -> None:
        """Nobody follows yet; the process serves `RESOURCE`."""
        self.clock = Clock()
        self.events = events_of(self.clock)
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.seen: list[Event] = []
        self.asked: list[float] = []
        self.answer: Any = [pod("p", "1")]
        self.holdings = Holdings(self.list_pods, self.clock)

    def list_pods(self) -> Deferred[Sequence[Pod]]:
        """Answer as a kubelet."""
        self.asked.append(self.clock.seconds())
        if isinstance(self.answer, Deferred):
            return self.answer
        deferred: Deferred[Sequence[Pod]] = Deferred()
        if isinstance(self.answer, Exception):
            deferred.errback(self.answer)
        else:
            deferred.callback(self.answer)
        return deferred

    def follow(self, releases: bool = False) -> None:
        """Follow until the end of the test."""
        self.events.follow(self.seen.append)
        self.addCleanup(self.holdings.follow(releases=releases))
        self.clock.advance(AFTER)

    def facts(self, kind: Kind) -> list[dict[str, Any]]:
        """The facts of the events of a kind, which are forgotten then."""
        found = [dict(event.facts) for event in self.seen if event.kind is kind]
        self.seen[:] = [event for event in self.seen if event.kind is not kind]
        return found

    def allocate(self, *ids: str) -> None:
        """The plugin answers Allocate."""
        self.events.emit(Kind.ALLOCATED, resource=RESOURCE, ids=[list(ids)])

    def test_ask(self) -> None:
        """A question has the next answer; nobody asks without one."""
        self.clock.advance(100.0)
        self.assertEqual(self.asked, [])
        self.assertEqual(self.holdings.reason, "it was not asked yet")
        asking = self.holdings.ask()
        self.clock.advance(0.0)
        self.assertEqual(self.successResultOf(asking), {RESOURCE: {"1": holder("p")}})
        self.assertEqual(self.holdings.reason, "")
        self.clock.advance(100.0)
        self.assertEqual(len(self.asked), 1)

    def test_fresh(self) -> None:
        """People get an answer of the last second at once, and wait half a second for a new one."""
        asking = self.holdings.fresh()
        self.clock.advance(0.0)
        self.assertEqual(self.successResultOf(asking), {RESOURCE: {"1": holder("p")}})
        self.clock.advance(FRESH / 2)
        self.successResultOf(self.holdings.fresh())
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(FRESH)
        self.answer = Deferred()
        asking = self.holdings.fresh()
        self.clock.advance(0.0)
        self.assertNoResult(asking)
        self.clock.advance(PATIENCE)
        self.assertEqual(self.successResultOf(asking), {RESOURCE: {"1": holder("p")}})
        self.answer = PeerUnavailable("UNAVAILABLE", "gone")
        self.holdings.ask()
        self.clock.advance(FRESH)
        self.clock.advance(FRESH)
        self.assertIsNone(self.successResultOf(self.holdings.fresh()))

    def test_fresh_after_allocate(self) -> None:
        """An answer from before Allocate, or from right after it, does not count for people."""
        for stale in ([pod("p")], [], [pod("old", "1")]):
            self.answer = stale
            self.addCleanup(self.holdings.follow())
            self.clock.advance(AGAIN)
            self.allocate("1")
            asking = self.holdings.fresh()
            self.holdings.ask()
            self.clock.advance(AFTER / 2)
            self.assertNoResult(asking)
            self.answer = [pod("q", "1")]
            self.clock.advance(GAP)
            self.assertEqual(self.successResultOf(asking), {RESOURCE: {"1": holder("q")}}, stale)

    def test_fresh_without_the_allocated(self) -> None:
        """A kubelet that never lists an allocated device, or that fails, is not asked for ever."""
        for answer in ([pod("p")], [], PeerUnavailable("UNAVAILABLE", "gone")):
            self.answer = answer
            self.follow()
            self.clock.advance(GAP)
            self.asked.clear()
            self.allocate("1")
            asking = self.holdings.fresh()
            self.clock.pump([GAP / 10] * 20)
            self.assertEqual(self.successResultOf(asking), self.holdings.held)
            self.successResultOf(self.holdings.fresh())
            self.assertEqual(len(self.asked), 1)

    def test_fresh_while_asking(self) -> None:
        """The answer before a question that is under way is as old as it was."""
        self.follow()
        self.clock.advance(FRESH)
        self.answer = Deferred()
        self.holdings.ask()
        self.clock.advance(0.0)
        asking = self.holdings.fresh()
        answering, self.answer = self.answer, [pod("q", "2")]
        self.assertNoResult(asking)
        answering.callback([pod("q", "2")])
        self.clock.advance(GAP)
        self.assertEqual(self.successResultOf(asking), {RESOURCE: {"2": holder("q")}})

    def test_allocated_while_asking(self) -> None:
        """An answer on the way does not count for a device that is allocated meanwhile."""
        self.follow()
        self.clock.advance(FRESH)
        self.answer = Deferred()
        self.holdings.ask()
        self.clock.advance(0.0)
        self.clock.advance(0.01)
        self.allocate("1")
        answering, self.answer = self.answer, [pod("new", "1")]
        answering.callback([pod("old", "1")])
        asking = self.holdings.fresh()
        self.assertNoResult(asking)
        self.clock.advance(GAP)
        self.assertEqual(self.successResultOf(asking), {RESOURCE: {"1": holder("new")}})

    def test_cancelled(self) -> None:
        """When nobody waits any more the call ends."""
        answering: Deferred[Any] = Deferred()
        self.answer = answering
        asking = self.holdings.ask()
        self.clock.advance(0.0)
        asking.cancel()
        self.failureResultOf(asking)
        self.assertTrue(answering.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_after_events(self) -> None:
        """A follower gets answers after a registration, a stream, a kubelet and Allocate."""
        self.follow()
        for kind in (Kind.REGISTERED, Kind.STREAM_OPENED, Kind.STREAM_ENDED, Kind.KUBELET_APPEARED):
            self.clock.advance(10.0)
            before = len(self.asked)
            self.events.emit(kind, resource=RESOURCE)
            self.clock.advance(AFTER)
            self.assertEqual(len(self.asked), before + 1, kind)
        before = len(self.asked)
        self.events.emit(Kind.DEVICES_CHANGED, resource=RESOURCE)
        self.clock.advance(10.0)
        self.assertEqual(len(self.asked), before)

    def test_after_allocate(self) -> None:
        """A device that is not listed by then is asked for once more, a second later."""
        self.follow()
        self.allocate("1")
        self.clock.pump([0.01] * 300)
        self.assertEqual(len(self.asked), 2)
        begun = self.clock.seconds()
        self.allocate("2")
        self.clock.pump([0.01] * 300)
        first, again = self.asked[2:]
        self.assertAlmostEqual(first, begun + AFTER, places=1)
        self.assertAlmostEqual(again, begun + LATE, places=1)

    def test_a_storm(self) -> None:
        """However much happens, the kubelet is asked ten times a second at most."""
        self.follow(releases=True)
        self.asked.clear()
        for number in range(1000):
            self.allocate(str(number))
            self.events.emit(Kind.REGISTERED, resource=RESOURCE)
            self.clock.advance(0.01)
        self.assertLessEqual(len(self.asked), 10.0 / GAP + 1)
        self.clock.pump([0.01] * 300)
        self.asked.clear()
        self.clock.pump([0.1] * 1000)
        self.assertLessEqual(len(self.asked), 100.0 / PERIOD)

    def test_releases(self) -> None:
        """Slowly, while pods have devices, if somebody waits for their release."""
        self.follow(releases=True)
        self.clock.pump([1.0] * 50)
        self.assertEqual(len(self.asked), 1 + 50 // PERIOD)
        self.answer = [pod("p")]
        self.clock.pump([1.0] * 10)
        self.asked.clear()
        self.clock.pump([1.0] * 50)
        self.assertEqual(self.asked, [])

    def test_followers(self) -> None:
        """Each follower ends alone, and one that waits for releases is enough."""
        calls: list[str] = []
        ends = [
            self.holdings.follow(lambda: calls.append("first"), releases=True),
            self.holdings.follow(lambda: calls.append("second")),
            self.holdings.follow(lambda: calls.append("third")),
        ]
        self.clock.advance(AFTER)
        self.assertEqual(calls, ["first", "second", "third"])
        ends.pop()()
        calls.clear()
        self.clock.pump([1.0] * int(PERIOD + 1))
        self.assertEqual(calls, ["first", "second"])
        ends.pop(0)()
        calls.clear()
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.clock.advance(AFTER)
        self.assertEqual(calls, ["second"])
        ends.pop()()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_timer_without_need(self) -> None:
        """Where nobody waits for releases, no answer follows without an event."""
        self.follow()
        self.clock.pump([1.0] * 100)
        self.assertEqual(len(self.asked), 1)

    def test_static_pods_alone(self) -> None:
        """After an answer with others they are no answer: a kubelet that starts lists them first.

        On a node that has no others they are one.
        """
        self.holdings = Holdings(self.list_pods, self.clock, nodes=["Node-1"])
        static = pod("proxy-node-1", "2")
        for answer, expected in (
            ([static], {"2": holder("proxy-node-1")}),
            ([static, pod("p", "1")], {"2": holder("proxy-node-1"), "1": holder("p")}),
            ([static], None),
            ([pod("p", "1")], {"1": holder("p")}),
        ):
            self.answer = answer
            asking = self.holdings.ask()
            self.clock.advance(GAP)
            found = self.successResultOf(asking)
            self.assertEqual(found and found[RESOURCE], expected)
            self.assertEqual(self.holdings.reason, "" if found else STATIC_PODS)

    def test_last_pod_of_a_kubelet(self) -> None:
        """A kubelet that has listed others knows it when none is left; another one may not yet."""
        identity: list[object] = []
        self.holdings = Holdings(
            self.list_pods, self.clock, nodes=["Node-1"], kubelet=lambda: identity[0]
        )
        static, other = pod("proxy-node-1", "2"), pod("p", "1")
        left = {RESOURCE: {"2": holder("proxy-node-1")}}
        for kubelet, answer, expected, reason in (
            ("first", [static, other], {RESOURCE: {**left[RESOURCE], "1": holder("p")}}, ""),
            ("first", [static], left, ""),
            ("first", [], {}, ""),
            ("second", [], None, NO_PODS),
            ("second", [other], {RESOURCE: {"1": holder("p")}}, ""),
            ("second", [], {}, ""),
            ("second", [other], {RESOURCE: {"1": holder("p")}}, ""),
            ("third", [static], None, STATIC_PODS),
            ("second", [], {}, ""),
            (None, [other], {RESOURCE: {"1": holder("p")}}, ""),
            (None, [], None, NO_PODS),
        ):
            identity[:], self.answer = [kubelet], answer
            asking = self.holdings.ask()
            self.clock.advance(GAP)
            self.assertEqual(self.successResultOf(asking), expected)
            self.assertEqual(self.holdings.reason, reason)
            self.assertEqual(self.holdings.has_all_pods, not reason)

    def test_kubelet_that_starts_meanwhile(self) -> None:
        """It is not known which one has answered, and whether it knew its pods."""
        kubelets = ["first", "second", "second", "second", "second", "third"]
        self.holdings = Holdings(self.list_pods, self.clock, kubelet=lambda: kubelets.pop(0))
        for answer in ([pod("p", "1")], [], []):
            self.answer = answer
            asking = self.holdings.ask()
            self.clock.advance(GAP)
            self.assertEqual(self.successResultOf(asking) is None, not answer)

    def test_no_pods(self) -> None:
        """A kubelet that lists no pod does not know its pods yet; it is asked again."""
        self.follow()
        self.answer = []
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.clock.advance(GAP)
        self.assertIsNone(self.holdings.held)
        self.assertEqual(self.holdings.pods, frozenset())
        self.assertEqual(self.holdings.reason, NO_PODS)
        self.facts(Kind.POD_RESOURCES)
        self.answer = [pod("p", "1")]
        self.clock.pump([0.1] * 20)
        self.assertEqual(self.holdings.held, {RESOURCE: {"1": holder("p")}})
        self.assertEqual(self.facts(Kind.POD_RESOURCES), [{"available": True, "reason": ""}])
        self.assertEqual(len(self.facts(Kind.HELD)), 1)  # the first answer's

    def test_unavailable(self) -> None:
        """Errors are reasons; it is asked again ever more rarely, and soon for a new kubelet."""
        self.answer = PeerUnavailable("UNAVAILABLE", "/x.sock: No such file or directory")
        self.follow()
        self.assertEqual(self.holdings.reason, "/x.sock: No such file or directory")
        with capturedLogs() as logged:
            self.clock.pump([1.0] * 600)
        self.assertEqual(logged, [])
        self.assertLess(len(self.asked), 40)
        self.assertEqual(len(self.facts(Kind.POD_RESOURCES)), 1)
        self.asked.clear()
        self.answer = CallFailed("RESOURCE_EXHAUSTED", "rejected by rate limit\nforged")
        self.events.emit(Kind.KUBELET_APPEARED, directory="/x")
        self.clock.pump([0.1] * 16)
        self.assertEqual(len(self.asked), 2)
        self.assertNotIn("\n", self.holdings.reason)

    def test_distrust(self) -> None:
        """An untrusted socket is logged once."""
        self.answer = Untrusted("/x.sock", "others may write", "chmod it")
        with capturedLogs() as logged:
            self.follow()
            self.clock.pump([1.0] * 100)
            self.answer = [pod("p", "1")]
            self.clock.pump([1.0] * 100)
        line, over = map(formatEvent, logged)
        self.assertEqual(over, "the kubelet can be asked again which pods hold devices")
        self.assertEqual(
            line,
            "cannot ask the kubelet which pods hold devices: /x.sock cannot be trusted: others "
            "may write; chmod it",
        )

    def test_events(self) -> None:
        """Changes of our resources are events; an answer in another order is none."""
        self.follow()
        first = [("1", holder("p"))]
        self.assertEqual(
            self.facts(Kind.HELD),
            [
                {
                    "resource": RESOURCE,
                    "held": first,
                    "released": [],
                    "changes": {"held": 1, "released": 0},
                }
            ],
        )
        self.answer = [pod("z", "9", resource=OTHER), pod("q", "1", "2")]
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.clock.advance(GAP)
        self.assertEqual(
            self.facts(Kind.HELD),
            [
                {
                    "resource": RESOURCE,
                    "held": [("1", holder("q")), ("2", holder("q"))],
                    "released": [("1", holder("p"))],
                    "changes": {"held": 2, "released": 1},
                }
            ],
        )
        self.answer = self.answer[::-1]
        self.events.emit(Kind.REGISTERED, resource=RESOURCE)
        self.clock.advance(GAP)
        self.assertEqual(self.facts(Kind.HELD), [])
        self.assertEqual(self.facts(Kind.POD_RESOURCES), [{"available": True, "reason": ""}])

    def test_shared(self) -> None:
        """There is one for each socket, as long as somebody keeps it."""
        kept = holdings_of(self.clock, "/a.sock")
        self.assertIs(holdings_of(self.clock, "/a.sock"), kept)
        self.assertIsNot(holdings_of(self.clock, "/b.sock"), kept)
        self.assertIsNot(holdings_of(Clock(), "/a.sock"), kept)

    def test_which_kubelet(self) -> None:
        """A kubelet is known by its socket, which each makes when it starts."""
        path = f"{temporary_directory(self)}/kubelet.sock"
        holdings = holdings_of(self.clock, path)
        found = [holdings._kubelet()]
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as kubelet:
                kubelet.bind(path)
            found += [holdings._kubelet(), holdings._kubelet()]
            os.rename(path, f"{path}.old")  # or the next could have its number
        self.assertEqual(found[0], None)
        self.assertEqual(found[1::2], found[2::2])
        self.assertEqual(len({*found}), 3)

    def test_ours(self) -> None:
        """Events are also about resources whose own events are long past, and about new ones."""
        for number in range(KEPT):
            self.events.emit(Kind.OVERFLOWED, source=str(number))
        self.holdings.serve([RESOURCE])
        self.follow()
        self.assertEqual([each["resource"] for each in self.facts(Kind.HELD)], [RESOURCE])
        self.events.emit(Kind.REGISTERED, resource=OTHER)
        self.answer = [pod("p", "1"), pod("q", "2", resource=OTHER)]
        self.events.emit(Kind.KUBELET_APPEARED, directory="/x")
        self.clock.advance(GAP)
        self.assertEqual([each["resource"] for each in self.facts(Kind.HELD)], [OTHER])

    def test_no_growth(self) -> None:
        """Devices that are allocated while the kubelet cannot be asked are forgotten."""
        self.answer = PeerUnavailable("UNAVAILABLE", "/x.sock: No such file or directory")
        self.follow()
        for number in range(1000):
            self.allocate(str(number))
            self.clock.advance(LATE)
        self.assertLess(len(self.holdings._unseen._since), 5)

    def test_a_fault(self) -> None:
        """A fault of ours is logged, and is the reason; it is asked again."""
        self.answer = ZeroDivisionError("oops")
        self.follow()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsNone(self.holdings.held)
        reason = "it failed; the log has the reason"
        self.assertEqual(self.facts(Kind.POD_RESOURCES), [{"available": False, "reason": reason}])
        self.answer = [pod("p", "1")]
        self.clock.pump([0.5] * 5)
        self.assertEqual(self.holdings.held, {RESOURCE: {"1": holder("p")}})
        self.assertEqual(self.holdings.pods, {("default", "p")})

    def test_a_follower_that_fails(self) -> None:
        """Its error is logged, and the others are called."""
        called: list[int] = []

        def fail() -> None:
            raise ValueError("oops")

        for follower in (fail, lambda: called.append(1)):
            self.addCleanup(self.holdings.follow(follower))
        self.clock.advance(AFTER)
        self.assertEqual(called, [1])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_the_end(self) -> None:
        """When nobody follows any more, nothing is left to do."""
        self.holdings.follow(releases=True)()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.allocate("1")
        self.assertEqual(self.clock.getDelayedCalls(), [])
