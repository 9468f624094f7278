"""Tests for `twistdp.cdi.complaints`, on a clock."""

import json

from twisted.internet.task import Clock

from tests.support.logs import HEADER, LogTestCase
from twistdp.cdi.complaints import GATHERING, SpecComplaints, complaints_of
from twistdp.logs.format import as_json

MANY = [f"a/x-{number}" for number in range(200)]


class ComplaintsTests(LogTestCase):
    """`SpecComplaints`"""

    def setUp(self) -> None:
        """Nothing fails."""
        super().setUp()
        self.clock = Clock()
        self.complaints = SpecComplaints(self.clock)

    def logged(self) -> list[str]:
        """Return the lines since the last call, without headers."""
        found = [HEADER.fullmatch(line) for line in self.lines]
        self.kept.written.clear()
        return [f"{each['severity']} {each['rest']}" for each in found if each]

    def fail_all(self, reason: str = "full") -> None:
        """No spec can be written."""
        for name in MANY:
            self.complaints.failed(name, f"{name} is {reason}", reason)

    def test_many(self) -> None:
        """The first is logged at once, others in one line, and again for another reason."""
        self.fail_all()
        self.assertEqual(self.logged(), ["E a/x-0 is full"])
        self.fail_all()
        self.clock.advance(GATHERING)
        (line,) = self.logged()
        self.assertTrue(line.startswith("E CDI specs of a/x-1, a/x-2, "), line)
        self.assertIn(" and 193 more cannot be written, for the same reason: full; it is", line)
        self.fail_all("read-only")
        self.clock.advance(GATHERING)
        self.assertEqual(len(self.logged()), 2)

    def test_over(self) -> None:
        """The recovery of many resources is logged in few lines."""
        self.fail_all()
        self.clock.advance(GATHERING)
        self.logged()
        for name in MANY:
            self.complaints.written(name)
        (line,) = self.logged()
        self.assertTrue(line.startswith("I CDI specs of a/x-0, "), line)
        self.assertTrue(line.endswith(" and 194 more are written again"), line)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.complaints.written("a/x-0")
        self.assertEqual(self.logged(), [])

    def test_some_over(self) -> None:
        """While others still fail, those that recover are logged soon."""
        self.fail_all()
        self.clock.advance(GATHERING)
        self.logged()
        self.complaints.written("a/x-1")
        self.assertEqual(self.logged(), [])
        self.clock.advance(GATHERING)
        self.assertEqual(self.logged(), ["I CDI specs of a/x-1 are written again"])

    def test_not_logged(self) -> None:
        """A failure that is over before it was logged is not logged at all."""
        self.complaints.failed("a/x", "a/x is full", "full")
        self.complaints.failed("a/y", "a/y is full", "full")
        self.complaints.written("a/y")
        self.logged()
        self.clock.advance(GATHERING)
        self.assertEqual(self.logged(), [])

    def test_forget(self) -> None:
        """Resources that end leave nothing planned."""
        self.fail_all()
        for name in MANY:
            self.complaints.forget(name)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.logged()
        self.complaints.failed("a/x-0", "a/x-0 is full", "full")
        self.assertEqual(self.logged(), ["E a/x-0 is full"])

    def test_shared(self) -> None:
        """All resources of a reactor share them."""
        shared = complaints_of(self.clock)
        self.assertIs(shared, complaints_of(self.clock))


class FactsTests(LogTestCase):
    """The same for programs."""

    form = staticmethod(as_json)

    def test_facts(self) -> None:
        """Constant messages, names and numbers."""
        clock = Clock()
        complaints = SpecComplaints(clock)
        for name in MANY:
            complaints.failed(name, f"{name} is full", "full")
        clock.advance(GATHERING)
        complaints.written("a/x-0")
        clock.advance(GATHERING)
        first, more, over = map(json.loads, self.lines)
        for line in (first, more):
            self.assertEqual((line["msg"], line["reason"]), ("CDI specs cannot be written", "full"))
        self.assertEqual(first["resources"], ["a/x-0"])
        self.assertEqual((more["count"], len(more["resources"])), (199, 100))
        self.assertEqual((over["resources"], over["count"]), (["a/x-0"], 1))
