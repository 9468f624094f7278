"""The operator's metrics and probes."""

import re

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.docs.pages import page
from tests.operator.served import (
    DEVICE_PLUGINS,
    NAMESPACE,
    api_server,
    plugin,
)
from tests.support.helpers import until
from tests.support.http import Reply, ask
from twistdp.operator.credentials import Cluster
from twistdp.operator.service import Operator
from twistdp.operator.settings import OperatorSettings
from twistdp.operator.tallies import families
from twistdp.testing.apiserver import ApiServer
from twistdp.web import HttpOptions, process


class HttpTests(TestCase):
    """An operator in this process, and what is asked of it."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start an API server."""
        self.server: ApiServer = await api_server(DEVICE_PLUGINS)
        self.addCleanup(self.server.stop)

    def run_operator(self, *, elects: bool = False) -> Operator:
        """An operator that answers on a socket."""
        settings = OperatorSettings(namespace=NAMESPACE, plugin_image="x:1", status_interval=0.1)
        operator = Operator(Cluster(self.server.url), settings, reactor, elects=elects)
        self.path = f"{self.mktemp()}.sock"
        options = HttpOptions()
        options.opt_http(f"unix:{self.path}")
        web = process.web_service(options, operator.checks, families(operator), reactor)
        assert web is not None
        for service in (operator, web):
            service.startService()
            self.addCleanup(service.stopService)
        return operator

    async def get(self, path: str) -> Reply:
        """The answer at a path."""
        return await ask(f"unix:{self.path}", path)

    async def metrics(self) -> dict[str, float]:
        """The operator's own samples."""
        text = (await self.get("/metrics")).body.decode()
        return {
            name: float(value)
            for name, value in re.findall(r"(?m)^(twistdp_operator_\S+) (\S+)$", text)
        }

    async def test_metrics(self) -> None:
        """What it has done is counted."""
        self.server.objects.create(plugin("gpus", catalog=[{"name": "intel-gpu"}]))
        operator = self.run_operator()
        await until(lambda: operator.tallies.reconciles["done"])
        found = await self.metrics()
        request = "twistdp_operator_api_requests_total"
        self.assertEqual(found[f'{request}{{code="200",resource="nodes",verb="list"}}'], 1)
        self.assertEqual(
            found[f'{request}{{code="201",resource="daemonsets.apps",verb="patch"}}'], 1
        )
        self.assertGreaterEqual(found['twistdp_operator_reconciles_total{result="done"}'], 1)
        self.assertGreaterEqual(found["twistdp_operator_reconcile_duration_seconds_count"], 1)
        self.assertEqual(found["twistdp_operator_device_plugins"], 1)
        self.assertEqual(found["twistdp_operator_leader"], 1)
        self.assertEqual(found["twistdp_operator_queue_length"], 0)

    async def test_follower(self) -> None:
        """One that waits for the lease is ready, and is not the leader."""
        self.server.objects.create(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "twistdp-operator", "namespace": NAMESPACE},
                "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3600},
            }
        )
        operator = self.run_operator(elects=True)
        await until(lambda: operator.reconciler.is_synced)
        self.assertEqual((await self.get("/readyz")).status, 200)
        self.assertEqual((await self.metrics())["twistdp_operator_leader"], 0)

    async def test_not_ready(self) -> None:
        """It is not ready before all kinds are listed, and lives."""
        self.server.authorize = lambda call: call.kind != "nodes"
        operator = self.run_operator()
        await until(lambda: operator.tallies.requests["list", "nodes", "403"])
        self.assertEqual((await self.get("/livez")).status, 200)
        reply = await self.get("/readyz?verbose")
        self.assertEqual(reply.status, 500)
        self.assertIn("[-]caches failed: not every kind has been listed yet", reply.body.decode())
        self.assertEqual((await self.get("/readyz/ping")).status, 200)
        self.assertEqual((await self.get("/readyz/none")).status, 404)
        self.assertEqual((await self.get("/")).status, 404)

    async def test_page(self) -> None:
        """The page's table has the same metrics."""
        operator = self.run_operator()
        rows = re.findall(
            r"(?m)^\| `(twistdp_operator_\w+)` \| (\w+) \| (.*?) ?\| ",
            page("docs/operator-operations.md"),
        )
        self.assertEqual(
            rows,
            [
                (each.name, each.kind, ", ".join(f"`{label}`" for label in each.labels))
                for each in families(operator)
            ],
        )
