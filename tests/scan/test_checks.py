"""Tests for twistdp.scan.checks."""

from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.health.engine import HealthChecks
from twistdp.health.values import Present
from twistdp.scan.checks import NoChecks, checks_of, counted_checks_of
from twistdp.status import events_of


class ChecksOfTests(SynchronousTestCase):
    """The checks of a scanner are those that it keeps as `checks`, if they are such."""

    def test_own(self) -> None:
        """A scanner's own checks are found."""
        checks = HealthChecks()
        self.assertIs(checks_of(SimpleNamespace(checks=checks)), checks)

    def test_none(self) -> None:
        """Without checks, or with something else of that name, there are none."""
        for scanner in (object(), SimpleNamespace(checks=["something else"])):
            checks = checks_of(scanner)
            self.assertIsInstance(checks, NoChecks)
            checks.start(None)
            with checks.scan(is_whole=True):
                pass
            checks.stop()

    def test_counted(self) -> None:
        """Each check is counted by its kind and result."""
        clock = Clock()
        events = events_of(clock)
        checks = HealthChecks()
        self.assertIs(counted_checks_of(SimpleNamespace(checks=checks), clock), checks)
        for passed in (True, False, True):
            checks.made(Present("/dev/null"), passed)
        self.assertEqual(
            events.counts, {("check", "present", "passed"): 2, ("check", "present", "failed"): 1}
        )
        self.assertIsInstance(counted_checks_of(object(), clock), NoChecks)
