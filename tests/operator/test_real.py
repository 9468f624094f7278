"""The whole operator on a real API server, with the rights of its roles and no others.

No controller runs there, so a DaemonSet has no pods, and deleted objects leave theirs behind.
"""

import base64
import socket
from pathlib import Path
from typing import Any

import yaml
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.operator.running import OperatorProcess
from tests.operator.served import NAMESPACE, plugin
from tests.support.apiclient import ApiClient, Object
from tests.support.certificates import certificate
from tests.support.envtest import ADMIN, OPERATOR, RealApiServer, real_api_server
from tests.support.helpers import PATIENCE, until
from twistdp.crds import crd

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "operator"
PLUGINS = "/apis/twistdp.io/v1alpha1/deviceplugins"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
GPUS = plugin("run-gpus", catalog=[{"name": "intel-gpu"}])


class Place:
    """A real API server as `OperatorProcess` takes it."""

    def __init__(self, server: RealApiServer) -> None:
        self._server = server

    def kubeconfig(self, _: str = "") -> str:
        """The configuration of the operator's service account."""
        cluster = {"server": self._server.url, "certificate-authority": self._server.ca}
        return yaml.safe_dump(
            {
                "clusters": [{"name": "real", "cluster": cluster}],
                "users": [{"name": "operator", "user": {"token": OPERATOR}}],
                "contexts": [{"name": "x", "context": {"cluster": "real", "user": "operator"}}],
                "current-context": "x",
            }
        )


class RealTests(TestCase):
    """One DevicePlugin, from its creation to its deletion."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Define the kind, and give the operator its roles."""
        self.server = await real_api_server()
        self.admin = ApiClient(self.server.url, ADMIN, self.server.ca)
        for document in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            crd(),
            *(
                document
                for path in sorted((DEPLOY / "rbac").glob("*.yaml"))
                for document in yaml.safe_load_all(path.read_text())
                if path.name != "kustomization.yaml"
            ),
        ):
            await self.apply(document)
        await self.settled(PLUGINS, lambda reply: reply.code == 200)

    async def apply(self, document: Object) -> None:
        """Apply an object, and remove it at the end if it is the test's own."""
        version, kind = document["apiVersion"], document["kind"].lower()
        namespace = document["metadata"].get("namespace")
        root = "apis" if "/" in version else "api"
        inside = f"/namespaces/{namespace}" if namespace else ""
        path = f"/{root}/{version}{inside}/{kind}s/{document['metadata']['name']}"
        reply = await self.admin.ask(
            "PATCH", path, document, "application/apply-patch+yaml", fieldManager="t", force="true"
        )
        self.assertIn(reply.code, (200, 201), reply.body)

    async def settled(self, path: str, condition: Any, seconds: float = PATIENCE) -> Any:
        """Read until the condition holds."""
        end = reactor.seconds() + seconds
        while not condition(reply := await self.admin.get(path)):
            self.assertLess(reactor.seconds(), end, reply.body)
            await deferLater(reactor, 0.05)
        return reply.body

    async def operator(self, *options: str) -> OperatorProcess:
        """An operator, with its objects removed at the end."""

        async def remove() -> None:
            await self.admin.delete(f"{PLUGINS}/run-gpus")
            for path in (f"{DAEMON_SETS}/run-gpus", f"{LEASES}/twistdp-operator"):
                await self.admin.delete(path)

        self.addCleanup(remove)
        place: Any = Place(self.server)
        return OperatorProcess(self, place, *options)

    async def test_life(self) -> None:
        """A DevicePlugin gets a DaemonSet and a status, and drift is repaired."""
        operator = await self.operator("--leader-election")
        await self.apply(GPUS)
        made = await self.settled(f"{DAEMON_SETS}/run-gpus", lambda reply: reply.code == 200)
        self.assertEqual(made["metadata"]["ownerReferences"][0]["name"], "run-gpus")
        found = await self.settled(
            f"{PLUGINS}/run-gpus", lambda reply: "conditions" in reply.body.get("status", {})
        )
        self.assertEqual(found["status"]["daemonSet"]["name"], "run-gpus")
        self.assertNotIn("annotations", found["metadata"])
        self.assertNotIn("finalizers", found["metadata"])
        await self.admin.delete(f"{DAEMON_SETS}/run-gpus")
        again = await self.settled(
            f"{DAEMON_SETS}/run-gpus",
            lambda reply: (
                reply.code == 200 and reply.body["metadata"]["uid"] != made["metadata"]["uid"]
            ),
        )
        lease = (await self.admin.get(f"{LEASES}/twistdp-operator")).body
        self.assertTrue(lease["spec"]["holderIdentity"])
        self.assertEqual(await operator.end(), 0, operator.output)
        lease = (await self.admin.get(f"{LEASES}/twistdp-operator")).body
        self.assertFalse(lease["spec"]["holderIdentity"])
        self.assertNotIn("forbids", operator.output)
        self.assertNotIn("Traceback", operator.output)
        # Another one finds all as it should be.
        operator = await self.operator("--leader-election")
        await until(lambda: "this operator is the leader" in operator.output)
        await deferLater(reactor, 2)
        after = (await self.admin.get(f"{DAEMON_SETS}/run-gpus")).body
        self.assertEqual(after["metadata"]["resourceVersion"], again["metadata"]["resourceVersion"])
        self.assertEqual(await operator.end(), 0, operator.output)

    async def test_webhook(self) -> None:
        """A bad object is refused in the model's words, as kubectl shows them."""
        place = Path(self.mktemp())
        authority, _ = certificate(place)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        operator = await self.operator(f"--webhook={port}", f"--webhook-certs={place.absolute()}")
        await until(lambda: "answering reviews" in operator.output)
        document = yaml.safe_load((DEPLOY / "webhook" / "webhook.yaml").read_text().split("---")[1])
        document["webhooks"][0]["failurePolicy"] = "Fail"
        document["webhooks"][0]["clientConfig"] = {
            "url": f"https://localhost:{port}/validate",
            "caBundle": base64.b64encode(authority.read_bytes()).decode(),
        }
        name = document["metadata"]["name"]
        self.addCleanup(lambda: self.admin.delete(f"{WEBHOOKS}/{name}"))
        await self.apply(document)
        config = {"domain": "lab.example.com", "resources": {"kvm": {"path": "dev/kvm"}}}
        bad = plugin("run-bad", config=config)
        end = reactor.seconds() + PATIENCE
        while (reply := await self.admin.create(PLUGINS, bad, dryRun="All")).code == 201:
            self.assertLess(reactor.seconds(), end, "the webhook is not asked")
        self.assertEqual(reply.code, 422, reply.body)
        self.assertIn("denied the request: spec.config.resources.kvm", reply.body["message"])
        reply = await self.admin.create(PLUGINS, GPUS, dryRun="All")
        self.assertEqual(reply.code, 201, reply.body)
        self.assertEqual(await operator.end(), 0, operator.output)
