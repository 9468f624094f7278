"""``deploy/operator``: the operator's permissions are those that its page lists, and no more."""

import os
import re
from collections.abc import Iterator
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.deployments import ROOT, content

OPERATOR = os.path.join(ROOT, "deploy", "operator")

Permission = tuple[str, str, str, str]
"""A namespace (empty: the whole cluster), an API group, a resource and a verb."""


def documents(*names: str) -> Iterator[dict[str, Any]]:
    """The documents of a file of ours."""
    yield from yaml.safe_load_all(content("deploy", "operator", *names))


def granted(*names: str) -> set[Permission]:
    """What the roles in a file grant."""
    return {
        (role["metadata"].get("namespace", ""), group, resource, verb)
        for role in documents(*names)
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def listed() -> Iterator[Permission]:
    """What docs/operator-operations.md lists."""
    page = content("docs", "operator-operations.md").partition("\n## Permissions\n")[2]
    cluster, own = page.partition("\n## ")[0].split("In the operator's namespace:")
    for namespace, part in (("", cluster), ("twistdp-system", own)):
        for where, resources, verbs in re.findall(r"(?m)^\| (.*?) \| (`.*?) \| (.*?) \|", part):
            (group, other) = re.findall(r"^(?:`(.*?)`|core)(?:, in namespace `(.*?)`)?$", where)[0]
            for resource in re.findall(r"`(.*?)`", resources):
                for verb in verbs.split(", "):
                    yield other or namespace, group, resource, verb


class PermissionTests(SynchronousTestCase):
    """The roles."""

    def test_page(self) -> None:
        """The page and the roles have the same, and nothing is a wildcard."""
        found = granted("rbac", "cluster_role.yaml") | granted("rbac", "role.yaml")
        found |= granted("cleanup", "cluster_role.yaml")
        self.assertEqual(found, set(listed()))
        self.assertFalse([one for one in found if "*" in one])

    def test_own_rights(self) -> None:
        """Neither rights of others nor secrets nor pods that run something can be had with them."""
        changed = {
            (group, resource)
            for _, group, resource, verb in granted("rbac", "cluster_role.yaml")
            | granted("rbac", "role.yaml")
            if verb not in ("get", "list", "watch")
        }
        for group, resource in changed:
            self.assertNotIn(resource, ("secrets", "pods", "nodes", "nodes/status"))
            self.assertNotEqual(group, "rbac.authorization.k8s.io")

    def test_bindings(self) -> None:
        """Each role is bound to the operator's account, in the role's own namespace."""
        (account,) = documents("rbac", "service_account.yaml")
        subject = {key: account["metadata"][key] for key in ("name", "namespace")}
        for names in (
            ("rbac", "role.yaml"),
            ("rbac", "cluster_role.yaml"),
            ("cleanup", "cluster_role.yaml"),
        ):
            roles = list(documents(*names))
            bound = {}
            for binding in roles:
                if binding["kind"].endswith("Binding"):
                    self.assertEqual(binding["subjects"], [{"kind": "ServiceAccount", **subject}])
                    namespace = binding["metadata"].get("namespace")
                    bound[binding["roleRef"]["kind"], namespace] = binding["roleRef"]["name"]
            self.assertEqual(
                bound,
                {
                    (role["kind"], role["metadata"].get("namespace")): role["metadata"]["name"]
                    for role in roles
                    if not role["kind"].endswith("Binding")
                },
            )

    def test_users(self) -> None:
        """Everybody who may see the cluster may read them; an administrator gives more."""
        aggregated = [
            role for role in documents("rbac", "users.yaml") if "aggregate" in str(role["metadata"])
        ]
        (viewer,) = aggregated
        self.assertEqual(viewer["metadata"]["name"], "twistdp-deviceplugin-viewer")
        self.assertEqual(
            {verb for rule in viewer["rules"] for verb in rule["verbs"]}, {"get", "list", "watch"}
        )
