"""The paths of a DevicePlugin with client and watches, on the fake API server and on a real one.

No controller runs beside either, so the test plays nodes and the DaemonSets' controller, and does
what garbage collection would do.  The operator has the rights of its roles and no others.
"""

import ssl
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.apiclient import ApiClient, ApiReply, Object
from tests.support.apicontract import Mixed
from tests.support.envtest import ACCOUNT, ADMIN, OPERATOR, real_api_server
from tests.support.helpers import until
from twistdp.crds import crd
from twistdp.operator.asked import Asked
from twistdp.operator.cleanup import FINALIZER
from twistdp.operator.credentials import Cluster, Token
from twistdp.operator.service import Operator
from twistdp.operator.settings import OperatorSettings
from twistdp.testing import ApiServer

NAMESPACE = "twistdp-system"
PLUGINS = "/apis/twistdp.io/v1alpha1/deviceplugins"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "operator"
PATIENCE = 60.0


def paths() -> list[Object]:
    """The namespace, the definition, and the operator's roles."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    files = [*sorted((DEPLOY / "rbac").glob("*.yaml")), DEPLOY / "cleanup" / "cluster_role.yaml"]
    roles = [
        document
        for file in files
        if file.name != "kustomization.yaml"
        for document in yaml.safe_load_all(file.read_text())
    ]
    return [namespace, crd(), *roles]


class PathContract(Mixed):
    """What an operator does on every API server."""

    timeout = 300
    admin: ApiClient
    cluster: Cluster

    async def connect(self) -> None:
        """Set `admin` and `cluster`."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Connect, prepare the API server, and start an operator."""
        self.asked: list[str] = []
        await self.connect()
        for document in paths():
            await self.applied(document)
        await self.settled(PLUGINS, lambda reply: reply.code == 200)
        self.name = f"t{uuid.uuid4().hex[:12]}"
        self.domain = f"{self.name}.example.com"
        settings = OperatorSettings(
            namespace=NAMESPACE, plugin_image="example.com/twistdp:1", status_interval=0.2
        )
        operator = Operator(self.cluster, settings, reactor)
        seen = operator._client._seen

        def note(asked: Asked, code: int, reason: str) -> None:
            seen(asked, code, reason)
            if asked.verb not in ("list", "watch", "create") and asked.resource:
                self.asked.append(f"{asked.verb} {asked.resource} {code}")

        operator._client._seen = note
        operator.startService()
        self.addCleanup(operator.stopService)
        self.reconciler = operator.reconciler
        await until(lambda: operator.reconciler.is_synced, PATIENCE)

    async def applied(self, document: Object) -> Object:
        """Apply an object as somebody else."""
        version, kind = document["apiVersion"], document["kind"].lower()
        metadata = document["metadata"]
        inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
        root = "apis" if "/" in version else "api"
        path = f"/{root}/{version}{inside}/{kind}s/{metadata['name']}"
        reply = await self.admin.apply(path, document, "somebody", force="true")
        self.assertIn(reply.code, (200, 201), reply.body)
        found: Object = reply.body
        return found

    async def settled(
        self, path: str, condition: Callable[[ApiReply], object], seconds: float = PATIENCE
    ) -> Object:
        """Read an object until the condition holds."""
        end = reactor.seconds() + seconds
        while not condition(reply := await self.admin.get(path)):
            self.assertLess(reactor.seconds(), end, (reply.body, self.asked))
            await deferLater(reactor, 0.05)
        found: Object = reply.body
        return found

    async def plugin(self, **spec: Any) -> Object:
        """Make the DevicePlugin, and wait for its DaemonSet."""
        self.addCleanup(self.swept)
        document = {
            "apiVersion": "twistdp.io/v1alpha1",
            "kind": "DevicePlugin",
            "metadata": {"name": self.name},
            "spec": {
                "config": {"domain": self.domain, "resources": {"cam": "/dev/cam*"}},
                **spec,
            },
        }
        reply = await self.admin.create(PLUGINS, document)
        self.assertEqual(reply.code, 201, reply.body)
        return await self.settled(f"{DAEMON_SETS}/{self.name}", lambda reply: reply.code == 200)

    async def swept(self) -> None:
        """Remove what a test leaves."""
        await self.admin.patch(f"{PLUGINS}/{self.name}", {"metadata": {"finalizers": None}})
        for path in (
            f"{PLUGINS}/{self.name}",
            f"{DAEMON_SETS}/{self.name}",
            f"{ACCOUNTS}/{self.name}",
            f"{CONFIG_MAPS}/{self.name}-config",
            f"/api/v1/nodes/{self.name}",
        ):
            await self.admin.delete(path)

    async def edited(self, patch: Object, path: str = "") -> None:
        """Change an object by a merge patch."""
        reply = await self.admin.patch(path or f"{PLUGINS}/{self.name}", patch)
        self.assertEqual(reply.code, 200, reply.body)

    async def condition(self, kind: str, reason: str) -> Object:
        """Wait for a condition's reason; returns the whole status."""

        def holds(reply: ApiReply) -> bool:
            conditions = reply.body.get("status", {}).get("conditions", [])
            return any(c["type"] == kind and c["reason"] == reason for c in conditions)

        found: Object = (await self.settled(f"{PLUGINS}/{self.name}", holds))["status"]
        return found

    async def rolled_out(self, nodes: int = 1) -> None:
        """Write a DaemonSet's status as its controller does."""
        found = (await self.admin.get(f"{DAEMON_SETS}/{self.name}")).body
        names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
        counts = dict.fromkeys((*names, "updatedNumberScheduled", "numberAvailable"), nodes)
        status = {
            **counts,
            "numberMisscheduled": 0,
            "observedGeneration": found["metadata"]["generation"],
        }
        await self.edited({"status": status}, f"{DAEMON_SETS}/{self.name}/status")

    async def node(self, devices: int, healthy: int) -> None:
        """Have the test's node report devices."""
        key = f"{self.domain}/cam"
        status = {"capacity": {key: f"{devices}"}, "allocatable": {key: f"{healthy}"}}
        path = f"/api/v1/nodes/{self.name}"
        if (await self.admin.get(path)).code == 404:
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
            reply = await self.admin.create("/api/v1/nodes", node)
            self.assertEqual(reply.code, 201, reply.body)
        await self.edited({"status": status}, f"{path}/status")

    async def quiet(self) -> None:
        """Wait until a second passes without a request: no status is due then."""
        before = -1
        while before != len(self.asked):
            before = len(self.asked)
            await deferLater(reactor, 1.0)

    async def test_life(self) -> None:
        """Created, rolled out, edited and rolled out again; then nothing is asked."""
        await self.ready()
        made = await self.plugin()
        self.assertEqual(made["metadata"]["ownerReferences"][0]["name"], self.name)
        await self.rolled_out()
        await self.node(3, 2)
        await self.condition("Available", "AllReady")
        found = await self.settled(
            f"{PLUGINS}/{self.name}", lambda reply: reply.body["status"].get("unhealthy") == 1
        )
        self.assertEqual(
            found["status"]["resources"],
            [
                {
                    "name": f"{self.domain}/cam",
                    "devices": 3,
                    "healthy": 2,
                    "unhealthy": 1,
                    "nodes": 1,
                }
            ],
        )
        await self.edited({"spec": {"image": "x:2", "nodeSelector": {"a": "b"}}})
        changed = await self.settled(
            f"{DAEMON_SETS}/{self.name}", lambda reply: reply.body["metadata"]["generation"] == 2
        )
        spec = changed["spec"]["template"]["spec"]
        self.assertEqual((spec["containers"][0]["image"], spec["nodeSelector"]["a"]), ("x:2", "b"))
        await self.condition("Progressing", "RollingOut")
        await self.rolled_out()
        await self.condition("Progressing", "Done")
        await self.quiet()
        self.asked.clear()
        await self.edited({"metadata": {"labels": {"beat": "1"}}}, f"/api/v1/nodes/{self.name}")
        await self.quiet()
        self.assertEqual(self.asked, [])

    async def test_config(self) -> None:
        """A new configuration changes the ConfigMap alone; from config to catalog it goes."""
        await self.ready()
        await self.plugin()
        await self.rolled_out()
        await self.condition("Progressing", "Done")
        path = f"{CONFIG_MAPS}/{self.name}-config"
        await self.edited({"spec": {"config": {"resources": {"cam": "/dev/cam[0-9]"}}}})
        await self.settled(path, lambda reply: "[0-9]" in str(reply.body["data"]))
        found = (await self.admin.get(f"{DAEMON_SETS}/{self.name}")).body
        self.assertEqual(found["metadata"]["generation"], 1)
        await self.edited({"spec": {"config": None, "catalog": [{"name": "intel-gpu"}]}})
        await self.settled(
            f"{DAEMON_SETS}/{self.name}", lambda reply: reply.body["metadata"]["generation"] == 2
        )
        self.assertEqual((await self.admin.get(path)).code, 200)
        await self.rolled_out()
        await self.settled(path, lambda reply: reply.code == 404)

    async def test_drift(self) -> None:
        """Changes of our fields are repaired, once each; those of others stay."""
        await self.ready()
        made = await self.plugin()
        path = f"{DAEMON_SETS}/{self.name}"
        before = made["spec"]["minReadySeconds"]
        await self.edited(
            {"metadata": {"labels": {"team": "a"}}, "spec": {"minReadySeconds": 77}}, path
        )
        found = await self.settled(
            path, lambda reply: reply.body["spec"]["minReadySeconds"] == before
        )
        self.assertEqual(found["metadata"]["labels"]["team"], "a")
        for other in (f"{CONFIG_MAPS}/{self.name}-config", f"{ACCOUNTS}/{self.name}"):
            reply = await self.admin.delete(other)
            self.assertEqual(reply.code, 200, reply.body)
            await self.settled(other, lambda reply: reply.code == 200)
        await self.quiet()
        self.asked.clear()
        await self.quiet()
        self.assertEqual(self.asked, [])

    async def test_pause_and_bad(self) -> None:
        """A paused object's objects stay; so do those of one that has become bad."""
        await self.ready()
        await self.plugin()
        await self.rolled_out()
        await self.edited(
            {
                "metadata": {"annotations": {"twistdp.io/paused": "true"}},
                "spec": {"image": "x:2"},
            }
        )
        await self.condition("Paused", "Annotated")
        found = (await self.admin.get(f"{DAEMON_SETS}/{self.name}")).body
        self.assertEqual(found["metadata"]["generation"], 1)
        await self.edited({"metadata": {"annotations": {"twistdp.io/paused": None}}})
        await self.settled(
            f"{DAEMON_SETS}/{self.name}", lambda reply: reply.body["metadata"]["generation"] == 2
        )
        await self.edited({"spec": {"config": {"resources": {"cam": {"nonsense": 1}}}}})
        status = await self.condition("Degraded", "InvalidSpec")
        self.assertIn("nonsense", str(status["conditions"]))
        await self.edited({"spec": {"config": {"resources": {"cam": "/dev/cam*"}}}})
        await self.condition("Degraded", "AsExpected")

    async def test_clean_up(self) -> None:
        """With a clean-up, the object goes after the entry of its resource on the node."""
        await self.ready()
        await self.plugin(cleanUp={"extendedResources": True})
        found = (await self.admin.get(f"{PLUGINS}/{self.name}")).body
        self.assertEqual(found["metadata"]["finalizers"], [FINALIZER])
        await self.node(3, 3)
        await self.admin.delete(f"{PLUGINS}/{self.name}")
        await self.settled(f"{DAEMON_SETS}/{self.name}", lambda reply: reply.code == 404)
        self.assertEqual((await self.admin.get(f"{PLUGINS}/{self.name}")).code, 200)
        await self.node(0, 0)
        await self.settled(f"{PLUGINS}/{self.name}", lambda reply: reply.code == 404)
        node = (await self.admin.get(f"/api/v1/nodes/{self.name}")).body
        self.assertNotIn(self.domain, str(node["status"]))

    async def test_another_of_the_name(self) -> None:
        """An object that is deleted and made again gets the objects of before as its own."""
        await self.ready()
        await self.plugin()
        await self.admin.delete(f"{PLUGINS}/{self.name}")
        await until(lambda: self.name not in self.reconciler.cache.plugins, PATIENCE)
        self.assertNotIn("delete", str(self.asked))
        await self.plugin()
        uid = (await self.admin.get(f"{PLUGINS}/{self.name}")).body["metadata"]["uid"]
        await self.settled(
            f"{DAEMON_SETS}/{self.name}",
            lambda reply: [o["uid"] for o in reply.body["metadata"]["ownerReferences"]] == [uid],
        )


class FakePathTests(PathContract, TestCase):
    """On the fake API server."""

    async def connect(self) -> None:
        """Start one."""
        server = ApiServer()
        await server.start()
        self.addCleanup(server.stop)
        server.tokens = {ADMIN: "admin", OPERATOR: ACCOUNT}
        server.authorize = server.rbac
        self.admin = ApiClient(server.url, ADMIN)
        self.cluster = Cluster(server.url, token=Token(fixed=OPERATOR))


class RealPathTests(PathContract, TestCase):
    """On a real API server."""

    async def connect(self) -> None:
        """Use the process's."""
        server = await real_api_server()
        self.admin = ApiClient(server.url, ADMIN, server.ca)
        tls = ssl.create_default_context(cafile=server.ca)
        self.cluster = Cluster(server.url, tls, Token(fixed=OPERATOR))
