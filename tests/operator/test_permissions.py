"""The operator with the rights of its roles alone: none is missing, and it uses each of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import TestCase

from tests.deployment.test_operator_rbac import Permission, granted
from tests.operator.running import OperatorProcess
from tests.operator.served import NAMESPACE, POD_MONITORS, api_server, definition, plugin
from tests.support.envtest import ACCOUNT, OPERATOR
from twistdp.crds import crd
from twistdp.testing.apiserver import ApiCall

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "operator"
SERVICE_MONITORS = definition(
    "ServiceMonitor", "servicemonitors", "monitoring.coreos.com", "v1", "Namespaced"
)
ROLES = (("rbac", "cluster_role.yaml"), ("rbac", "role.yaml"), ("cleanup", "cluster_role.yaml"))
OF_OPENSHIFT = {("", "twistdp.io", "deviceplugins/finalizers", "update")}
"""What only an admission plugin asks for."""
NAME, DOMAIN = "cams", "lab.example.com"
COUNT = {f"{DOMAIN}/kvm": "0"}
COUNTS = (
    *("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled"),
    *("numberReady", "numberAvailable"),
)
SPEC = {
    "config": {"domain": DOMAIN, "resources": {"cam": "/dev/cam*"}},
    "http": {"port": 9100},
    "monitoring": {"kind": "PodMonitor"},
    "cleanUp": {"extendedResources": True},
}
KINDS = (
    *("daemonsets", "configmaps", "serviceaccounts"),
    *("services", "podmonitors", "servicemonitors"),
)
"""Of the operator's objects."""


def permissions(call: ApiCall) -> Iterator[Permission]:
    """What a call needs in a role; applying a new object creates it, too."""
    resource = f"{call.kind}/{call.subresource}" if call.subresource else call.kind
    verbs = [call.verb] if call.verb != "apply" else ["patch", *["create"] * (call.code == 201)]
    for verb in verbs:
        yield call.namespace, call.group, resource, verb


class PermissionTests(TestCase):
    """One DevicePlugin with all that there is, from its creation to its deletion."""

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Start an API server with the roles, and an operator with their account."""
        self.server = await api_server(crd(), POD_MONITORS, SERVICE_MONITORS, garbage=True)
        self.addCleanup(self.server.stop)
        self.server.tokens = {OPERATOR: ACCOUNT}
        self.server.authorize = self.server.rbac
        for names in ROLES:
            for role in yaml.safe_load_all(DEPLOY.joinpath(*names).read_text()):
                self.server.objects.create(role)
        self.operator = OperatorProcess(self, self.server, "--leader-election", token=OPERATOR)

    def found(self) -> dict[tuple[str, str], Any]:
        """What the operator has made, by kind and name."""
        return {
            (kind, each["metadata"]["name"]): each
            for kind in KINDS
            for each in self.server.objects.list(kind, NAMESPACE)
        }

    def edit(self, **spec: Any) -> None:
        """Change the DevicePlugin."""
        self.server.objects.patch("deviceplugins", NAME, {"spec": spec})

    async def has(self, *kinds: str) -> None:
        """Wait until there are objects of these kinds, and of no others.

        Meanwhile all pods become ready, since what is left over goes only then.
        """

        def settled() -> bool:
            found = self.found()
            daemons = found.get(("daemonsets", NAME))
            if daemons is not None:
                generation = daemons["metadata"]["generation"]
                if daemons.get("status", {}).get("observedGeneration") != generation:
                    status = {**dict.fromkeys(COUNTS, 1), "observedGeneration": generation}
                    self.server.objects.patch(
                        "daemonsets", NAME, {"status": status}, NAMESPACE, "status"
                    )
            return {kind for kind, _ in found} == set(kinds)

        await self.server.until(settled)

    async def test_life(self) -> None:
        """No request is refused, and each right is used."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}}
        self.server.objects.create({**node, "status": {"capacity": COUNT, "allocatable": COUNT}})
        self.server.objects.create(plugin(NAME, **SPEC))
        usual = ("daemonsets", "configmaps", "serviceaccounts")
        await self.has(*usual, "podmonitors")
        self.edit(monitoring={"kind": "ServiceMonitor"})
        await self.has(*usual, "services", "servicemonitors")
        self.edit(monitoring=None, config=None, domain=DOMAIN, catalog=[{"name": "kvm"}])
        await self.has("daemonsets", "serviceaccounts")
        self.server.objects.delete("serviceaccounts", NAME, NAMESPACE)
        await self.has("daemonsets", "serviceaccounts")
        await self.server.until(lambda: self.server.objects.list("events"))
        self.server.objects.delete("deviceplugins", NAME)
        await self.server.until(lambda: not self.found())
        await self.server.until(lambda: self.server.objects.find("deviceplugins", NAME) is None)
        self.assertEqual(await self.operator.end(), 0, self.operator.output)
        calls = [call for call in self.server.calls if call.user == ACCOUNT]
        self.assertEqual([call for call in calls if call.code == 403], [])
        used = {permission for call in calls for permission in permissions(call)}
        given = set().union(*(granted(*names) for names in ROLES)) - OF_OPENSHIFT
        self.assertEqual(given - used, set())
