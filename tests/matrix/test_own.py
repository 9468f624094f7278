"""Our own plugin passes the whole suite, in both ways to register."""

from tests.conformance.plans import glob_plan, own_plan
from tests.conformance.test_own import OwnTestCase


class OwnTests(OwnTestCase):
    """``twistd deviceplugin`` with hooks and a policy, and with our scanner of patterns."""

    async def test_socket(self) -> None:
        """Registered at the kubelet's socket."""
        await self.suite(
            own_plan("socket"),
            {"options.unannounced", "registry.info", "registry.notify", "registry.once"},
        )

    async def test_watcher(self) -> None:
        """Found in the plugins registry."""
        await self.suite(own_plan("watcher"), {"options.unannounced", "restart.socket-only"})

    async def test_patterns(self) -> None:
        """The ids of our scanner of patterns, with names and links that come late."""
        for links_only in (False, True):
            await self.suite(glob_plan(links_only), set(), ("identity",))
