"""Each check finds its bug: a plugin with one bug fails only that check.

Here are two groups of checks; `tests.matrix.test_bugs` has the others.
"""

from twisted.internet import reactor
from twisted.internet.defer import DeferredSemaphore, gatherResults
from twisted.trial.unittest import TestCase

from tests.conformance.bugs import Bug, all_bugs
from tests.conformance.plans import plan_for
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Result
from twistdp.conformance.suite import Found, run

AT_ONCE = 3


async def judged(bug: type[Bug]) -> Result:
    """The result of the check that should find a bug."""
    checks = [check for check in CHECKS if check.id == bug.check]
    found = Found(bug.resource if bug.accepted else "", {})
    (result,) = await run(plan_for(bug.__name__, bug.registry), checks, found, reactor=reactor)
    return result


class BugTestCase(TestCase):
    """Judges broken plugins."""

    timeout = 300

    async def judge(self, group: str) -> None:
        """All bugs of a group of checks get the expected verdict."""
        places = DeferredSemaphore(AT_ONCE)
        bugs = [bug for bug in all_bugs() if bug.check.startswith(f"{group}.")]
        results = await gatherResults([places.run(judged, bug) for bug in bugs])
        wrong = [
            f"{bug.__name__}: {result.verdict.value}, not {bug.verdict}, of {bug.check}: "
            f"{result.reason} {[seen.text for seen in result.evidence]}"
            for bug, result in zip(bugs, results, strict=True)
            if result.verdict.value != bug.verdict or "broke" in result.reason
        ]
        self.assertEqual(wrong, [])


class BugTests(BugTestCase):
    """Broken plugins are found."""

    async def test_options(self) -> None:
        """Options that differ from the plugin's behaviour."""
        await self.judge("options")

    async def test_allocate(self) -> None:
        """Allocations that give too much, too little or something else."""
        await self.judge("allocate")
