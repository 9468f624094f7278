"""Each check finds what it is for: a plugin that does one thing wrong fails just that check."""

from twisted.internet import reactor
from twisted.internet.defer import DeferredSemaphore, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.conformance.bugs import Bug, all_bugs
from tests.conformance.plans import plan_for
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Result
from twistdp.conformance.suite import Found, run

AT_ONCE = 3


async def judged(bug: type[Bug]) -> Result:
    """What comes of the check that a bug is for."""
    checks = [check for check in CHECKS if check.id == bug.check]
    found = Found(bug.resource if bug.accepted else "", {})
    (result,) = await run(plan_for(bug.__name__, bug.registry), checks, found, reactor=reactor)
    return result


class BugTests(TestCase):
    """Broken plugins are found out."""

    timeout = 120

    async def judge(self, group: str) -> None:
        """All bugs of a group of checks have the verdict that they are for."""
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

    async def test_registration(self) -> None:
        """Ways to be registered badly or never."""
        await self.judge("registration")

    async def test_options(self) -> None:
        """Options that say something else than the plugin does."""
        await self.judge("options")

    async def test_list(self) -> None:
        """Lists that are wrong, late or too many."""
        await self.judge("list")

    async def test_allocate(self) -> None:
        """Allocations that give too much, too little or something else."""
        await self.judge("allocate")

    async def test_identity(self) -> None:
        """Ids that stand for this and that."""
        await self.judge("identity")

    async def test_restart(self) -> None:
        """Ways not to survive a kubelet."""
        await self.judge("restart")

    async def test_wire(self) -> None:
        """Trouble with peers that misbehave."""
        await self.judge("wire")

    async def test_process(self) -> None:
        """Trouble as a process."""
        await self.judge("process")

    async def test_registry(self) -> None:
        """Trouble in the plugins registry."""
        await self.judge("registry")


class CatalogTests(SynchronousTestCase):
    """The checks and their bugs."""

    def test_every_check_has_a_bug(self) -> None:
        """There is a broken plugin for each check, and for nothing else."""
        self.assertEqual({check.id for check in CHECKS}, {bug.check for bug in all_bugs()})

    def test_every_check_is_explained(self) -> None:
        """Ids are unique, and each check says what it is, why, and where that is written."""
        ids = [check.id for check in CHECKS]
        self.assertEqual(len(set(ids)), len(ids))
        for check in CHECKS:
            self.assertGreater(len(check.explanation), 80, check.id)
            self.assertGreater(len(check.source), 10, check.id)
            self.assertRegex(check.id, r"^[a-z]+\.[a-z-]+$")

    def test_dependencies_come_first(self) -> None:
        """A check comes after those that it depends on."""
        ids = [check.id for check in CHECKS]
        for check in CHECKS:
            for id_ in check.after:
                self.assertLess(ids.index(id_), ids.index(check.id), (id_, check.id))
