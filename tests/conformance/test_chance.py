"""Verdicts do not depend on chance, such as a first list or a socket's name."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.conformance.plans import late_plan
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.suite import look, run

JUDGED = {
    "list.first-complete": "fail",
    "list.order": "pass",
    "list.ids-stable": "pass",
    "list.two-streams": "pass",
    "allocate.known": "pass",
    "allocate.many": "pass",
    "restart.kubelet": "pass",
    "restart.socket-absent": "pass",
    "restart.stream": "pass",
    "restart.ten-changes": "pass",
    "process.crash": "pass",
}
"""The results of some checks."""


class ChanceTests(TestCase):
    """A plugin that lists nothing first, and whose socket is named after the time in seconds."""

    timeout = 300

    async def test_late(self) -> None:
        """It fails the check for that, and no other check fails or is skipped because of it."""
        plan = late_plan()
        found = await look(plan, reactor)
        self.assertEqual(set(found.devices), {"a", "b", "c"}, found.problem)
        checks = [check for check in CHECKS if check.id in JUDGED]
        results = await run(plan, checks, found, reactor=reactor, jobs=3)
        self.assertEqual({one.check.id: one.verdict.value for one in results}, JUDGED, results)
