"""What the contract tests of API servers share: they run on the fake server and on a real one."""

import uuid
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import TestCase

from tests.support.apiclient import ApiClient, ApiReply, ApiWatch
from tests.support.envtest import ADMIN, real_api_server
from twistdp.testing import ApiServer

Object = dict[str, Any]

if TYPE_CHECKING:
    Mixed = TestCase
else:
    Mixed = object  # trial would run a test case


class ApiContract(Mixed):
    """A client of a server, and a namespace that is the test's own."""

    client: ApiClient

    async def connect(self) -> ApiClient:
        """Connect to a server."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Connect, and make the namespace."""
        self.client = await self.connect()
        self.name = f"t{uuid.uuid4().hex[:12]}"
        """A name that no other test uses; it is the namespace's."""
        reply = await self.client.create("/api/v1/namespaces", {"metadata": {"name": self.name}})
        self.assertEqual(reply.code, 201, reply.body)

    @property
    def maps(self) -> str:
        """The path of the namespace's ConfigMaps."""
        return f"/api/v1/namespaces/{self.name}/configmaps"

    @property
    def daemons(self) -> str:
        """The path of the namespace's DaemonSets."""
        return f"/apis/apps/v1/namespaces/{self.name}/daemonsets"

    async def made(self, path: str, obj: Object, **query: Any) -> Object:
        """An object that is created."""
        reply = await self.client.create(path, obj, **query)
        self.assertEqual(reply.code, 201, reply.body)
        found: Object = reply.body
        return found

    async def watch(self, path: str, **query: Any) -> ApiWatch:
        """A watch that ends with the test."""
        watch = await self.client.watch(path, **query)
        self.addCleanup(watch.close)
        return watch

    def good(self, reply: ApiReply, code: int = 200) -> Object:
        """The object of an answer that is no error."""
        self.assertEqual(reply.code, code, reply.body)
        found: Object = reply.body
        return found

    def refused(self, reply: ApiReply, code: int, reason: str, *texts: str) -> Object:
        """The Status of an answer that is an error."""
        status: Object = reply.body
        self.assertEqual((reply.code, status.get("reason", "")), (code, reason), status)
        self.assertEqual(
            (status["kind"], status["apiVersion"], status["status"], status["code"]),
            ("Status", "v1", "Failure", code),
        )
        for text in texts:
            self.assertIn(text, status["message"])
        return status


class OnFake(Mixed):
    """Runs a contract on the fake server."""

    async def connect(self) -> ApiClient:
        """Start a server."""
        self.server = ApiServer()
        await self.server.start()
        self.addCleanup(self.server.stop)
        return ApiClient(self.server.url)


class OnReal(Mixed):
    """Runs a contract on a real server."""

    timeout = 300

    async def connect(self) -> ApiClient:
        """Use the process's server."""
        server = await real_api_server()
        return ApiClient(server.url, ADMIN, server.ca)


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        **({"data": data} if data else {}),
    }


def daemon_set(name: str, image: str = "example.com/plugin:1", **metadata: Any) -> Object:
    """A DaemonSet of one container."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, **metadata},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "plugin", "image": image}]},
            },
        },
    }
