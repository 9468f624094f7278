"""Tests for twistdp.scan.checks."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from twistdp.health.engine import HealthChecks
from twistdp.scan.checks import NoChecks, checks_of


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
