"""Kubernetes' schemas accept the objects that the operator makes.

Without what ``make test-manifests`` installs, these say so and are skipped.
"""

import importlib.util
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from tests.crds.objects import an_object
from tests.operator.test_desired import CONFIG, SCANNER, SETTINGS
from tests.operator.test_status import CRASHING, NOT_PULLED, THEN, known
from tests.support.deployments import validate
from twistdp.crds import crd, read, samples
from twistdp.deployment.pod import REQUIRED
from twistdp.operator.desired import desired
from twistdp.operator.observed import Count
from twistdp.operator.status import status

ITEM = [{"name": "intel-npu"}]
TERM = {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}
FIELD = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

SPECS: list[dict[str, Any]] = [
    {"config": CONFIG, "http": {}, "monitoring": {"kind": "ServiceMonitor", "labels": {"a": "b"}}},
    {"scanner": SCANNER, "domain": "a.io", "logLevel": 4, "logFormat": "json"},
    {
        "catalog": ITEM,
        "image": "registry.example.com/a@sha256:" + "0" * 64,
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["one", "two"],
        "nodeSelector": {"a": "b"},
        "affinity": {
            "nodeAffinity": {
                REQUIRED: {"nodeSelectorTerms": [TERM, FIELD]},
                PREFERRED: [{"weight": 1, "preference": TERM}],
            }
        },
        "tolerations": [
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
            {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
        ],
        "priorityClassName": "low",
        "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": 1 << 30}},
    },
    {"catalog": ITEM, "tolerations": [], "resources": {}},
    {
        "catalog": ITEM,
        "updateStrategy": {"type": "Surge", "maxSurge": "10%"},
        "registration": "watcher",
        "kubeletDirectory": "/data/kubelet",
        "cdi": {"enabled": True, "directory": "/etc/cdi"},
        "security": {"openshift": True, "hostPaths": ["/run/modem"]},
    },
    {
        "catalog": ITEM,
        "security": {"seLinuxType": "mine_t"},
        "initContainer": {
            "image": "init:1",
            "command": ["/a"],
            "args": ["b"],
            "env": {"A": "b"},
            "hostPaths": ["/sys/devices"],
            "configMap": "queues",
            "configMapPath": "/conf",
        },
    },
    {"catalog": ITEM, "initContainer": {"image": "init:1", "privileged": True}},
]
"""Specs that give each field once."""


class RenderedTests(SynchronousTestCase):
    """Objects for every kind of spec."""

    if importlib.util.find_spec("kubernetes_validate") is None:
        skip = "kubernetes-validate is not installed: run `make test-manifests`"

    def test_valid(self) -> None:
        """They are what the schemas describe."""
        for one in (*(an_object(**spec) for spec in SPECS), *samples().values()):
            one["metadata"]["uid"] = "7"
            for halted in (False, True):
                validate(yaml.safe_dump_all(desired(read(one), SETTINGS, "1", halted)))

    def test_privileged(self) -> None:
        """What the schemas do not say: a privileged container may gain privileges."""
        for spec in SPECS:
            for one in desired(read(an_object(**spec)), SETTINGS):
                pod = one.get("spec", {}).get("template", {}).get("spec", {})
                for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
                    context = container["securityContext"]
                    self.assertFalse(
                        context.get("privileged") and "allowPrivilegeEscalation" in context
                    )
                names = [volume["name"] for volume in pod.get("volumes", ())]
                self.assertEqual(len(set(names)), len(names))


class StatusTests(SynchronousTestCase):
    """The status that the operator writes."""

    def test_schema(self) -> None:
        """The definition's schema has all of it: the API server would drop the rest."""
        (version,) = crd()["spec"]["versions"]
        schema = closed(version["schema"]["openAPIV3Schema"]["properties"]["status"])
        many = {f"x.io/{number:03}": Count(3, 2) for number in range(90)}
        for situation in (
            known(),
            known(daemon_set=None),
            known(NOT_PULLED, CRASHING, nodes={f"n{number}": many for number in range(90)}),
            known(problems=["no"], refusal="no", paused=True, stalled=True),
        ):
            made = status(situation, {}, THEN)
            errors = [
                f"{'/'.join(map(str, error.path))}: {error.message}"
                for error in Draft202012Validator(schema).iter_errors(made)
            ]
            self.assertEqual(errors, [])


def closed(schema: Any) -> Any:
    """A schema that accepts no other fields than those that it describes."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made["additionalProperties"] = False
    return made
