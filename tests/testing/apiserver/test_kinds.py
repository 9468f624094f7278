"""The table of kinds: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apicontract import ApiContract, OnFake, OnReal
from twistdp.testing.apiserver.kinds import BUILT_IN

Object = dict[str, Any]

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "x"}
WEBHOOKS = [
    {
        "name": "a.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://example.com/"},
    }
]
SLICE = {
    "driver": "a.example.com",
    "nodeName": "n",
    "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
}
CONTAINERS = [{"name": "c", "image": "i"}]
WORKLOAD = {
    "selector": {"matchLabels": {"a": "b"}},
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": CONTAINERS}},
}
EXACTLY = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
REQUEST = {"requests": [{"name": "r", "exactly": EXACTLY}]}
LEAST: dict[str, Object] = {
    "Namespace": {},
    "Pod": {"spec": {"containers": CONTAINERS}},
    "Node": {},
    "ConfigMap": {},
    "Secret": {},
    "ServiceAccount": {},
    "Service": {"spec": {"ports": [{"port": 1}]}},
    "DaemonSet": {"spec": WORKLOAD},
    "Deployment": {"spec": WORKLOAD},
    "Lease": {},
    "Role": {"rules": RULES},
    "RoleBinding": {"roleRef": ROLE},
    "ClusterRole": {"rules": RULES},
    "ClusterRoleBinding": {"roleRef": ROLE},
    "ResourceSlice": {"spec": SLICE},
    "ResourceClaim": {"spec": {"devices": REQUEST}},
    "DeviceClass": {"spec": {}},
    "ValidatingWebhookConfiguration": {"webhooks": WEBHOOKS},
    "MutatingWebhookConfiguration": {"webhooks": WEBHOOKS},
}
"""The least that an object of each kind has."""


class KindContract(ApiContract):
    """What every API server says about kinds, and does with the least of each."""

    async def test_discovery(self) -> None:
        """Kinds have the same scope, names and status on both."""
        await self.ready()
        for kind in BUILT_IN:
            start = f"/apis/{kind.group}" if kind.group else "/api"
            reply = self.good(await self.client.get(f"{start}/v1"))
            found = {each["name"]: each for each in reply["resources"]}
            ours = found[kind.plural]
            self.assertEqual(
                (ours["kind"], ours["namespaced"], ours["singularName"]),
                (kind.kind, kind.namespaced, kind.kind.lower()),
            )
            self.assertEqual(tuple(ours.get("shortNames", ())), kind.short, kind)
            self.assertEqual(tuple(ours.get("categories", ())), kind.categories, kind)
            self.assertEqual(f"{kind.plural}/status" in found, kind.status, kind)
            self.assertLessEqual({"get", "list", "watch", "patch"}, set(ours["verbs"]))

    async def test_openapi(self) -> None:
        """kubectl finds that the server validates fields, and so does not do it itself."""
        await self.ready()
        root = self.good(await self.client.get("/openapi/v3"))["paths"]
        for path, inside, plural in (
            ("api/v1", "/namespaces/{namespace}", "pods"),
            ("api/v1", "", "nodes"),
            ("apis/apps/v1", "/namespaces/{namespace}", "daemonsets"),
        ):
            found = self.good(await self.client.get(root[path]["serverRelativeURL"]))
            patch = found["paths"][f"/{path}{inside}/{plural}/{{name}}"]["patch"]
            names = {parameter["name"] for parameter in patch["parameters"]}
            self.assertLessEqual({"fieldValidation", "dryRun", "fieldManager"}, names)
            self.assertEqual(patch["x-kubernetes-group-version-kind"]["version"], "v1")

    async def test_generations(self) -> None:
        """The same kinds have generations on both, and the same get a status."""
        await self.ready()
        for kind in BUILT_IN:
            if kind.kind not in LEAST:
                continue
            start = f"/apis/{kind.group}" if kind.group else "/api"
            inside = f"/namespaces/{self.name}" if kind.namespaced else ""
            path = f"{start}/v1{inside}/{kind.plural}"
            sent = {
                "apiVersion": kind.api_version(),
                "kind": kind.kind,
                "metadata": {"name": f"{self.name}-x"},
                **LEAST[kind.kind],
            }
            made = await self.made(path, sent)
            self.assertEqual(made["metadata"].get("generation"), kind.generation or None, kind)
            labels = {"metadata": {"labels": {"a": "b"}}}
            new = self.good(await self.client.patch(f"{path}/{self.name}-x", labels))
            self.assertEqual(new["metadata"].get("generation"), kind.generation or None, kind)
            again = self.good(await self.client.patch(f"{path}/{self.name}-x", labels))
            self.assertEqual(again, new)
            # Defaults do not stand in the way of who applies the same again.
            applied = await self.client.apply(f"{path}/{self.name}-x", sent)
            self.assertEqual(applied.code, 200, applied.body)
            gone = await self.client.delete(f"{path}/{self.name}-x")
            self.assertEqual(gone.code, 200, gone.body)


class FakeKindTests(OnFake, KindContract, TestCase):
    """The contract, tested on the fake server."""


class RealKindTests(OnReal, KindContract, TestCase):
    """The contract, tested on a real server."""
