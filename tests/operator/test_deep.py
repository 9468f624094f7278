"""An object that is deeper than Python reads by default."""

import sys
from functools import partial

from twisted.trial.unittest import TestCase

from tests.operator.running import OperatorProcess
from tests.operator.served import DEVICE_PLUGINS, NAMESPACE, api_server, plugin
from twistdp.operator.shell import DEEPEST

DEPTH = 3000


class DeepTests(TestCase):
    """It is one bad object, and the others are served."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start an API server that may have such an object, in this process."""
        self.addCleanup(sys.setrecursionlimit, sys.getrecursionlimit())
        sys.setrecursionlimit(DEEPEST)
        self.server = await api_server(DEVICE_PLUGINS)
        self.addCleanup(self.server.stop)

    async def serves(self, name: str) -> None:
        """Wait until another plugin has what it needs."""
        self.server.objects.create(plugin(name, catalog=[{"name": "intel-gpu"}]))
        await self.server.until(lambda: self.server.objects.find("daemonsets", name, NAMESPACE))

    async def test_deep(self) -> None:
        """It is seen in a list, and by a watch."""
        self.deep("first")
        operator = OperatorProcess(self, self.server)
        await self.serves("one")
        self.deep("second")
        await self.serves("two")
        for name in ("first", "second"):
            await self.server.until(partial(self.message, name))
            self.assertIn("more than 32 lists and mappings", self.message(name))
        self.assertNotIn("cannot watch", operator.output)

    def message(self, name: str) -> str:
        """What the status says to be wrong; empty before it is written."""
        status = self.server.objects.get("deviceplugins", name).get("status", {})
        return "".join(
            one["message"] for one in status.get("conditions", ()) if one["type"] == "Degraded"
        )

    def deep(self, name: str) -> None:
        """Make a DevicePlugin with lists in lists."""
        deep: list[object] = []
        for _ in range(DEPTH):
            deep = [deep]
        config = {"domain": "lab.example.com", "resources": {"kvm": deep}}
        self.server.objects.create(plugin(name, config=config))
