"""SIGTERM and SIGINT end a real operator soon and well, whatever the API server does."""

import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.operator.running import OperatorProcess
from tests.operator.served import DEVICE_PLUGINS, api_server, plugin
from tests.support.helpers import until
from twistdp.operator.kinds import SERVICE
from twistdp.operator.reconciler import WATCHED
from twistdp.testing.apiserver import ApiFault

FOR_EVER = float("inf")
BAD = ("Traceback", "never awaited", "Unclosed", "was destroyed", "never retrieved")
"""What Python writes about work that was not ended."""


class EndingTests(TestCase):
    """A signal, at various moments."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start an API server."""
        self.server = await api_server(DEVICE_PLUGINS)
        self.addCleanup(self.server.stop)
        self.server.objects.create(plugin("gpus", catalog=[{"name": "intel-gpu"}]))

    def watched(self) -> bool:
        """Whether the operator watches everything."""
        return set(self.server.watching) == {kind.plural for kind in (*WATCHED, SERVICE)}

    async def started(self) -> OperatorProcess:
        """An operator that has done its work."""
        operator = OperatorProcess(self, self.server)
        await self.server.until(lambda: self.server.counts["apply", "daemonsets"])
        await self.server.until(self.watched)
        return operator

    async def ends(self, operator: OperatorProcess, name: str = "TERM") -> None:
        """End it, and look at what it leaves."""
        self.assertEqual(await operator.end(name), 0, operator.output)
        for words in BAD:
            self.assertNotIn(words, operator.output)

    async def test_at_work(self) -> None:
        """SIGTERM, as the kubelet sends it."""
        await self.ends(await self.started())

    async def test_interrupt(self) -> None:
        """SIGINT, as Ctrl-C sends it."""
        await self.ends(await self.started(), "INT")

    async def test_twice(self) -> None:
        """A second signal changes nothing."""
        operator = await self.started()
        operator.signal("TERM")
        await self.ends(operator, "INT")

    async def test_away_at_the_start(self) -> None:
        """There is no API server yet."""
        await self.server.stop()
        operator = OperatorProcess(self, self.server)
        await until(lambda: "cannot watch the API server" in operator.output)
        await self.ends(operator)

    async def test_comes(self) -> None:
        """It comes later, and everything is done."""
        await self.server.stop()
        operator = OperatorProcess(self, self.server)
        await until(lambda: "cannot watch the API server" in operator.output)
        await self.server.start()
        await self.server.until(lambda: self.server.counts["apply", "daemonsets"])
        await self.ends(operator)

    async def test_away_at_the_end(self) -> None:
        """The API server has gone away."""
        operator = await self.started()
        await self.server.stop()
        await self.ends(operator)

    async def test_silent_at_the_start(self) -> None:
        """It takes requests, and answers none."""
        fault = self.server.fault(ApiFault(delay=1000, times=FOR_EVER))
        operator = OperatorProcess(self, self.server)
        await until(lambda: fault.met)
        await self.ends(operator)

    async def test_silent_at_the_end(self) -> None:
        """It no longer answers, while the operator has something to apply."""
        operator = await self.started()
        fault = self.server.fault(ApiFault(delay=1000, times=FOR_EVER))
        self.server.objects.delete("daemonsets", "gpus", "twistdp-system")
        self.server.cut_watches("pods")
        await until(lambda: fault.met >= 2)
        await self.ends(operator)

    async def test_out_of_order(self) -> None:
        """It answers each request with 500."""
        operator = await self.started()
        fault = self.server.fail(500, times=FOR_EVER)
        self.server.objects.delete("daemonsets", "gpus", "twistdp-system")
        self.server.cut_watches()
        await until(lambda: fault.met >= 3)
        await self.ends(operator)

    async def test_forbidden(self) -> None:
        """It may not list nodes, which the log says once."""
        self.server.authorize = lambda call: call.kind != "nodes"
        operator = OperatorProcess(self, self.server)
        await until(lambda: "forbids a request" in operator.output)
        await self.ends(operator)
        self.assertEqual(operator.output.count("forbids a request"), 1, operator.output)
        self.assertIn('resource="nodes"', operator.output)

    async def test_without_the_extra(self) -> None:
        """Without kopf there is one line that says what to install."""
        place = Path(self.mktemp())
        place.mkdir()
        (place / "kopf.py").write_text("raise ImportError('no kopf')\n")
        path = [str(place.absolute()), *filter(None, sys.path)]
        operator = OperatorProcess(self, self.server, env={"PYTHONPATH": ":".join(path)})
        self.assertEqual(await operator.ended, 1)
        self.assertEqual(
            operator.output,
            "deviceplugin-operator: kopf and aiohttp, the extra twistdp[operator], are missing; "
            "install them in a checkout of twistdp with: "
            "pip install --constraint constraints.txt kopf aiohttp\n",
        )
