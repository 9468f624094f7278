"""Who may do what: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apiclient import ApiClient
from tests.support.apicontract import ApiContract, OnFake, OnReal, config_map
from tests.support.envtest import ACCOUNT, ADMIN, NOBODY, OPERATOR, real_api_server

Object = dict[str, Any]

RBAC = "/apis/rbac.authorization.k8s.io/v1"


class RightContract(ApiContract):
    """What every API server with roles allows."""

    async def client_of(self, token: str) -> ApiClient:
        """A client with the token of a user."""
        raise NotImplementedError

    async def allow(self, scope: str, rules: list[Object], subject: Object | None = None) -> None:
        """Bind a new role with these rules, in all namespaces (``Cluster``) or the test's own."""
        name = f"{self.name}-{len(rules)}-{scope.lower()}"
        path = RBAC if scope else f"{RBAC}/namespaces/{self.name}"
        await self.made(
            f"{path}/{scope.lower()}roles", {"metadata": {"name": name}, "rules": rules}
        )
        namespace, _, account = ACCOUNT.removeprefix("system:serviceaccount:").partition(":")
        subject = subject or {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{scope}Role", "name": name}
        await self.made(
            f"{path}/{scope.lower()}rolebindings",
            {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]},
        )

    async def test_nobody(self) -> None:
        """A user without roles may do nothing, and an unknown one is not even let in."""
        await self.ready()
        client = await self.client_of(NOBODY)
        status = self.refused(await client.get(self.maps), 403, "Forbidden")
        self.assertEqual(
            status["message"],
            'configmaps is forbidden: User "nobody" cannot list resource "configmaps" in API group '
            f'"" in the namespace "{self.name}"',
        )
        self.assertEqual(status["details"], {"kind": "configmaps"})
        status = self.refused(await client.patch(f"{self.daemons}/a/status", {}), 403, "Forbidden")
        self.assertEqual(
            status["message"],
            'daemonsets.apps "a" is forbidden: User "nobody" cannot patch resource '
            f'"daemonsets/status" in API group "apps" in the namespace "{self.name}"',
        )
        reply = await client.get("/api/v1/nodes", watch="1")
        self.refused(
            reply, 403, "Forbidden", 'cannot watch resource "nodes"', "at the cluster scope"
        )
        unknown = await self.client_of("unknown")
        status = self.refused(await unknown.get(self.maps), 401, "Unauthorized")
        self.assertEqual(status["message"], "Unauthorized")

    async def test_role(self) -> None:
        """A role allows verbs of resources in its namespace; applying a new object creates it."""
        await self.ready()
        client = await self.client_of(OPERATOR)
        rule: Object = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]}
        await self.allow("", [rule])
        path = f"{self.maps}/a"

        async def settled() -> int:
            while (code := (await client.get(path)).code) == 403:
                pass
            return code

        self.assertEqual(await settled(), 404)
        reply = await client.apply(path, config_map("a", key="1"))
        self.refused(reply, 403, "Forbidden", 'cannot create resource "configmaps"')
        await self.made(self.maps, config_map("a", key="1"))
        self.good(await client.apply(path, config_map("a", key="1")))
        for reply in (
            await client.delete(path),
            await client.get(self.maps),
            await client.get("/api/v1/namespaces/default/configmaps/a"),
            await client.update(path, config_map("a")),
        ):
            self.refused(reply, 403, "Forbidden")

    async def test_elsewhere(self) -> None:
        """What a user may do in one namespace, or with another group, allows nothing here."""
        await self.ready()
        client = await self.client_of(NOBODY)
        user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}
        group = {"apiGroups": ["apps"], "resources": ["configmaps"], "verbs": ["*"]}
        await self.allow("Cluster", [group], user)
        path, name = f"{RBAC}/namespaces/default", f"{self.name}-elsewhere"
        rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
        await self.made(f"{path}/roles", {"metadata": {"name": name}, "rules": [rule]})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [user]}
        await self.made(f"{path}/rolebindings", binding)
        while (found := await client.get("/api/v1/namespaces/default/configmaps/x")).code == 403:
            pass
        self.assertEqual(found.code, 404)
        self.refused(await client.get(f"{self.maps}/x"), 403, "Forbidden")
        for kind in ("roles", "rolebindings"):
            self.good(await self.client.delete(f"{path}/{kind}/{name}"))

    async def test_cluster_role(self) -> None:
        """A cluster role allows everywhere; it may name objects, subresources and groups."""
        await self.ready()
        client = await self.client_of(OPERATOR)
        named = {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [self.name],
            "verbs": ["get", "list", "create"],
        }
        status = {"apiGroups": ["apps"], "resources": ["*/status"], "verbs": ["*"]}
        await self.allow("Cluster", [named, status])
        group = "system:serviceaccounts:" + ACCOUNT.split(":")[2]
        rule = {"apiGroups": ["*"], "resources": ["leases"], "verbs": ["get"]}
        await self.allow("Cluster", [rule], {"kind": "Group", "name": group})
        leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
        while (await client.get(f"{leases}/x")).code == 403:
            pass
        self.assertEqual((await client.get(f"{self.maps}/{self.name}")).code, 404)
        self.refused(await client.get(f"{self.maps}/other"), 403, "Forbidden")
        self.refused(await client.get(self.maps), 403, "Forbidden")
        selector = f"metadata.name={self.name}"
        self.good(await client.get(self.maps, fieldSelector=selector))
        self.refused(await client.create(self.maps, config_map(self.name)), 403, "Forbidden")
        self.assertEqual((await client.patch(f"{self.daemons}/x/status", {})).code, 404)
        self.refused(await client.patch(f"{self.daemons}/x", {}), 403, "Forbidden")


class FakeRightTests(OnFake, RightContract, TestCase):
    """The contract, tested on the fake server."""

    async def connect(self) -> ApiClient:
        """Start a server that knows the users."""
        client = await super().connect()
        self.server.tokens = {ADMIN: "admin", NOBODY: "nobody", OPERATOR: ACCOUNT}
        self.server.authorize = self.server.rbac
        return ApiClient(client.url, ADMIN)

    async def client_of(self, token: str) -> ApiClient:
        """A client with another token."""
        return ApiClient(self.server.url, token)


class RealRightTests(OnReal, RightContract, TestCase):
    """The contract, tested on a real server."""

    async def client_of(self, token: str) -> ApiClient:
        """A client with another token."""
        server = await real_api_server()
        return ApiClient(server.url, token, server.ca)
