"""Our own plugin passes the suite.

Here are some groups of checks; `tests.matrix.test_own` has all of them, in both ways to register.
"""

from collections.abc import Collection

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.conformance.plans import own_plan
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Verdict
from twistdp.conformance.plan import Plan
from twistdp.conformance.suite import look, run

AT_ONCE = 3


class OwnTestCase(TestCase):
    """Runs the suite on ``twistd deviceplugin``."""

    timeout = 300

    async def suite(
        self,
        plan: Plan,
        skipped: set[str],
        groups: Collection[str] = (),
        resource: str = "check.example.com/thing",
    ) -> None:
        """All checks, or those of some groups, pass, but for those that cannot be made."""
        checks = [c for c in CHECKS if not groups or c.id.partition(".")[0] in groups]
        found = await look(plan, reactor)
        self.assertEqual(found.resource, resource, found.problem)
        results = await run(plan, checks, found, reactor=reactor, jobs=AT_ONCE)
        bad = [
            f"{result.check.id}: {result.verdict.value}: {result.reason} "
            f"{[seen.text for seen in result.evidence]}"
            for result in results
            if result.verdict is not Verdict.PASS and result.check.id not in skipped
        ]
        self.assertEqual(bad, [])
        left = {result.check.id for result in results if result.verdict is Verdict.SKIP}
        self.assertEqual(left, skipped)


class OwnTests(OwnTestCase):
    """Plugins of another kind than most."""

    async def test_long_name(self) -> None:
        """With a name so long that the socket's name is cut to fit its directory."""
        domain = ".".join(["check", 14 * "long", "example.com"])
        await self.suite(
            own_plan("socket", "FolderScanner", namespace=domain),
            set(),
            ("registration",),
            f"{domain}/thing",
        )

    async def test_one_device_only(self) -> None:
        """With a scanner that refuses several devices for a container, which is its right."""
        await self.suite(
            own_plan("socket", "SingleScanner"),
            {"allocate.many", "allocate.order", "allocate.containers"},
            ("allocate",),
        )

    async def test_unannounced(self) -> None:
        """With a scanner that has no hooks, so that nothing is announced."""
        await self.suite(
            own_plan("socket", "FolderScanner"),
            {"options.preferred", "options.pre-start"},
            ("options", "allocate"),
        )
