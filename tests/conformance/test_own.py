"""Our own plugin passes the suite, in both ways to be registered."""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.conformance.plans import own_plan
from twistdp.conformance.catalog import CHECKS
from twistdp.conformance.checking import Verdict
from twistdp.conformance.suite import look, run

AT_ONCE = 3


class OwnTests(TestCase):
    """``twistd deviceplugin`` with all hooks, a policy and a device that falls ill."""

    timeout = 300

    async def suite(self, registration: str, skipped: set[str]) -> None:
        """All checks pass, but those that cannot be made."""
        plan = own_plan(registration)
        found = await look(plan, reactor)
        self.assertEqual(found.resource, "check.example.com/thing", found.problem)
        results = await run(plan, CHECKS, found, reactor=reactor, jobs=AT_ONCE)
        bad = [
            f"{result.check.id}: {result.verdict.value}: {result.reason} "
            f"{[seen.text for seen in result.evidence]}"
            for result in results
            if result.verdict is not Verdict.PASS and result.check.id not in skipped
        ]
        self.assertEqual(bad, [])
        left = {result.check.id for result in results if result.verdict is Verdict.SKIP}
        self.assertEqual(left, skipped)

    async def test_socket(self) -> None:
        """Registered at the kubelet's socket."""
        await self.suite(
            "socket",
            {"options.unannounced", "registry.info", "registry.notify", "registry.once"},
        )

    async def test_watcher(self) -> None:
        """Found in the plugins registry."""
        await self.suite("watcher", {"options.unannounced", "restart.socket-only"})
