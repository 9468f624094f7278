"""The election of a leader, on a clock."""

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import observe
from twistdp.operator.api import ApiError, Document, Unreachable
from twistdp.operator.fence import Fenced
from twistdp.operator.leader import DEADLINE, DURATION, RETRY, Elector, claimed, seen

LONG_AGO = 1_000_000_000.0
LEADS = "this operator is the leader"
LOST = "this operator is no longer the leader"
WAITS = "another operator is the leader; waiting"
CANNOT = "cannot have the lease of the leader; trying again"


class Leases:
    """An API server with one lease."""

    def __init__(self) -> None:
        self.lease: Document | None = None
        self.error: Exception | None = None
        """What each request fails with."""
        self.silent: list[Deferred[Any]] | None = None
        """Requests that are never answered, unless it is None."""
        self.reads = 0
        self.writes = 0

    def get(self, *_: Any) -> Deferred[Document]:
        """The lease."""
        self.reads += 1
        if self.silent is not None:
            self.silent.append(Deferred())
            return self.silent[-1]
        if self.error is not None:
            return fail(self.error)
        return fail(ApiError(404, "NotFound", "")) if self.lease is None else succeed(self.lease)

    def create(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """Create it."""
        return self._write(document, None)

    def replace(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """Replace it."""
        return self._write(document, document["metadata"].get("resourceVersion"))

    def _write(self, document: Mapping[str, Any], version: str | None) -> Deferred[Document]:
        if self.silent is not None:
            self.silent.append(Deferred())
            return self.silent[-1]
        if self.error is not None:
            return fail(self.error)
        now = None if self.lease is None else self.lease["metadata"]["resourceVersion"]
        if now is None and version is not None:
            return fail(ApiError(404, "NotFound", ""))
        if now != version:
            return fail(ApiError(409, "Conflict", ""))
        self.writes += 1
        metadata = {**document["metadata"], "resourceVersion": str(int(now or 0) + 1)}
        self.lease = {**document, "metadata": metadata}
        return succeed(self.lease)

    @property
    def holder(self) -> str:
        """Who has it."""
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])


class ElectionTests(SynchronousTestCase):
    """Operators with a clock of their own each, and one lease."""

    def setUp(self) -> None:
        """Begin without a lease, and follow the log."""
        self.lines: list[str] = []
        observe(self, lambda event: self.lines.append(event["log_text"]))
        self.leases = Leases()
        self.clocks: list[Clock] = []
        self.news: list[str] = []

    def elector(self, me: str) -> tuple[Elector, Clock]:
        """An operator that stands for election."""
        clock = Clock()
        clock.advance(1000 * len(self.clocks))  # clocks of two nodes have nothing in common
        self.clocks.append(clock)
        api: Any = self.leases
        elector = Elector(
            api,
            "n",
            "l",
            me,
            clock,
            lambda: self.news.append(f"{me} leads"),
            lambda: self.news.append(f"{me} lost"),
            lambda: LONG_AGO + clock.seconds(),
        )
        elector.start()
        return elector, clock

    def advance(self, seconds: float, *clocks: Clock) -> None:
        """Let time pass, for all or for some."""
        for _ in range(round(seconds * 10)):
            for clock in clocks or self.clocks:
                clock.advance(0.1)

    def test_first(self) -> None:
        """The first one makes the lease, and renews it as long as it lives."""
        elector, _ = self.elector("a")
        self.assertEqual(self.news, ["a leads"])
        self.assertTrue(elector.leads)
        self.advance(60)
        self.assertEqual(self.news, ["a leads"])
        self.assertEqual(self.leases.holder, "a")
        self.assertTrue(60 / RETRY - 1 <= self.leases.writes <= 60 / RETRY + 1)
        self.assertEqual(self.leases.reads, 1)
        self.assertEqual(self.lines, [LEADS])

    def test_second(self) -> None:
        """Another one waits, though its clock shows another time, until the first is gone."""
        self.elector("a")
        second, other = self.elector("b")
        self.advance(60)
        self.assertFalse(second.leads)
        began = other.seconds()
        while not second.leads:
            self.advance(0.1, other)
        self.assertLessEqual(other.seconds() - began, DURATION + 2 * RETRY)
        self.assertGreaterEqual(other.seconds() - began, DURATION - RETRY)
        self.assertEqual(self.leases.holder, "b")
        self.assertEqual(self.leases.lease["spec"]["leaseTransitions"], 1)  # type: ignore[index]
        self.assertEqual(self.lines, [LEADS, WAITS, LEADS])

    def test_stopped_process(self) -> None:
        """A leader whose process stood still no longer leads when it goes on, before any timer."""
        first, clock = self.elector("a")
        second, other = self.elector("b")
        self.advance(10)
        self.advance(30, other)
        self.assertTrue(second.leads)
        clock.rightNow += 30  # no timer has been called yet
        self.assertFalse(first.leads)
        clock.advance(0)
        self.assertEqual(self.news, ["a leads", "b leads", "a lost"])
        self.advance(30)
        self.assertFalse(first.leads)

    def test_away(self) -> None:
        """A leader that cannot renew the lease stops before another one may take it."""
        elector, _ = self.elector("a")
        self.advance(4)
        self.leases.error = Unreachable("away")
        self.advance(DEADLINE - 0.5 - RETRY)
        self.assertTrue(elector.leads)
        self.advance(RETRY + 1)
        self.assertEqual(self.news, ["a leads", "a lost"])
        self.leases.error = None
        self.advance(RETRY + 0.1)
        self.assertEqual(self.news, ["a leads", "a lost", "a leads"])
        self.assertEqual(self.lines, [LEADS, LOST, LEADS])

    def test_silent(self) -> None:
        """The same if requests are not answered."""
        elector, _ = self.elector("a")
        self.leases.silent = []
        self.advance(DEADLINE + 0.1)
        self.assertFalse(elector.leads)
        self.leases.silent = None
        self.advance(DEADLINE)
        self.assertTrue(elector.leads)

    def test_one_answer_is_missing(self) -> None:
        """A renewal that is not answered is made again while there is time."""
        self.elector("a")
        self.leases.silent = []
        self.advance(RETRY + DEADLINE / 2 + 0.2)
        self.assertEqual(len(self.leases.silent), 1)
        self.leases.silent = None
        self.advance(60)
        self.assertEqual(self.news, ["a leads"])

    def test_stopped_before_the_answer(self) -> None:
        """A process that stood still between a request and its answer is not the leader."""
        self.leases.silent = []
        elector, clock = self.elector("a")
        (answer,) = self.leases.silent
        self.leases.silent = None
        clock.rightNow += 30  # no timer has been called yet
        answer.errback(ApiError(404, "NotFound", ""))
        self.assertFalse(elector.leads)
        # A reactor refuses to call something in the past.
        self.assertLessEqual(clock.seconds(), min(c.getTime() for c in clock.getDelayedCalls()))
        clock.advance(0)
        self.assertEqual((self.news, self.lines), (["a leads", "a lost"], [LEADS, LOST]))

    def test_at_once(self) -> None:
        """Of two that take the lease at the same moment one waits, which is no trouble."""
        get = self.leases.get

        def late(*arguments: Any) -> Deferred[Document]:
            """Answer, and then have another one take the lease."""
            answer = get(*arguments)
            other = claimed({"metadata": {"resourceVersion": "1"}}, "b", LONG_AGO)
            self.leases.lease = other
            return answer

        self.leases.lease = {"metadata": {"resourceVersion": "0"}}
        self.patch(self.leases, "get", late)
        elector, _ = self.elector("a")
        self.assertFalse(elector.leads)
        self.patch(self.leases, "get", get)
        self.advance(RETRY + 0.1)
        self.assertEqual((self.leases.holder, self.lines), ("b", [WAITS]))

    def test_given_up(self) -> None:
        """A leader that stops gives the lease up, and the next one need not wait."""
        first, clock = self.elector("a")
        second, other = self.elector("b")
        self.advance(5)
        self.successResultOf(first.stop())
        self.assertEqual(self.leases.holder, "")
        self.advance(RETRY + 0.1, other)
        self.assertTrue(second.leads)
        self.assertEqual(clock.getDelayedCalls(), [])
        self.advance(60, clock)
        self.assertEqual(self.news, ["a leads", "b leads"])

    def test_stopped_under_way(self) -> None:
        """One that stops while it waits for an answer asks nothing more."""
        self.leases.silent = []
        elector, clock = self.elector("a")
        self.successResultOf(elector.stop())
        self.assertTrue(self.leases.silent[0].called)  # as it is when it is cancelled
        self.leases.silent = None
        self.advance(60)
        self.assertEqual((self.leases.lease, self.news), (None, []))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_touched(self) -> None:
        """A lease that somebody labels stays ours."""
        self.elector("a")
        lease = self.leases.lease
        assert lease is not None
        metadata = {**lease["metadata"], "labels": {"a": "b"}, "resourceVersion": "100"}
        self.leases.lease = {**lease, "metadata": metadata}
        self.advance(20)
        self.assertEqual(self.news, ["a leads"])
        self.assertEqual(self.leases.lease["metadata"]["labels"], {"a": "b"})

    def test_removed(self) -> None:
        """A lease that somebody removes is made again."""
        self.elector("a")
        self.leases.lease = None
        self.advance(20)
        self.assertEqual((self.news, self.leases.holder), (["a leads"], "a"))

    def test_taken_away(self) -> None:
        """A leader whose lease another one has taken stops at once."""
        self.elector("a")
        lease = self.leases.lease
        assert lease is not None
        self.leases.lease = {
            **claimed(lease, "b", LONG_AGO),
            "metadata": {**lease["metadata"], "resourceVersion": "100"},
        }
        self.advance(2 * RETRY + 0.1)
        self.assertEqual(self.news, ["a leads", "a lost"])

    def test_forbidden(self) -> None:
        """Without the right to it nobody leads."""
        self.leases.error = ApiError(403, "Forbidden", "no")
        elector, _ = self.elector("a")
        self.advance(30)
        self.assertFalse(elector.leads)
        self.assertEqual(self.lines, [CANNOT])
        self.leases.error = None
        self.advance(RETRY + 0.1)
        self.leases.error = ApiError(403, "Forbidden", "no")
        self.advance(30)
        self.assertEqual(self.lines, [CANNOT, LEADS, CANNOT, LOST])

    def test_claimed(self) -> None:
        """A lease says who has it, since when and for how long; so does one that is given up."""
        taken = claimed({"metadata": {}}, "a", LONG_AGO)
        moment, later = "2001-09-09T01:46:40.000000Z", "2001-09-09T01:46:42.000000Z"
        self.assertEqual(
            taken["spec"],
            {
                "holderIdentity": "a",
                "acquireTime": moment,
                "renewTime": moment,
                "leaseDurationSeconds": DURATION,
                "leaseTransitions": 0,
            },
        )
        renewed = claimed(taken, "a", LONG_AGO + 2)
        self.assertEqual(renewed["spec"], {**taken["spec"], "renewTime": later})
        left = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": later}
        given_up = claimed(taken, "a", LONG_AGO + 2, given_up=True)
        self.assertEqual(given_up["spec"], {**taken["spec"], **left})

    def test_odd_lease(self) -> None:
        """A lease with nonsense in it is nobody's, and no error."""
        for spec in (None, {}, {"holderIdentity": None}, {"leaseDurationSeconds": "x"}):
            found = seen({"spec": spec}, None, 1.0)
            self.assertTrue(found.is_over(1.0))


class FenceTests(SynchronousTestCase):
    """Writes of an operator that is not the leader."""

    def test_fence(self) -> None:
        """They are not made."""
        api: Any = Leases()
        may = [True]
        fenced = Fenced(api, lambda: may[0])
        self.successResultOf(fenced.create({"metadata": {}}))
        may[0] = False
        self.failureResultOf(fenced.create({"metadata": {}}), Unreachable)
        self.successResultOf(fenced.get(api, "", ""))
        self.assertEqual(api.writes, 1)
