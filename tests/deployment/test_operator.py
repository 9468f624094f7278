"""``deploy/operator``: kubectl builds it, Kubernetes accepts it, and its parts fit each other.

Without kubectl, or without what ``make test-manifests`` installs, these say so and are skipped.
"""

import os
import re
import shutil
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.deployments import NO_KUBECTL, ROOT, built, content, validate
from tests.support.helpers import temporary_directory
from twistdp import __version__
from twistdp.deployment.daemonset import PRIORITY

OPERATOR = os.path.join(ROOT, "deploy", "operator")
COMPONENTS = ("certmanager", "cleanup", "monitoring", "openshift")
"""All; the first has ``webhook`` in it."""

NAMESPACE = "twistdp-system"

Objects = dict[tuple[str, str], dict[str, Any]]
"""By kind and name."""


def container_of(objects: Objects) -> dict[str, Any]:
    """The operator's container."""
    deployment = objects["Deployment", "twistdp-operator"]
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


class OperatorTests(SynchronousTestCase):
    """What kubectl builds."""

    skip = NO_KUBECTL

    def text(self, *components: str) -> str:
        """The default with some components, as a kustomization of somebody's own has them."""
        mine = temporary_directory(self)
        relative = os.path.relpath(OPERATOR, os.path.realpath(mine))
        kustomization = {
            "resources": [f"{relative}/default"],
            "components": [f"{relative}/{name}" for name in components],
        }
        with open(os.path.join(mine, "kustomization.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(kustomization, file)
        return built(mine)

    def objects(self, *components: str) -> Objects:
        """The same, as objects."""
        found = list(yaml.safe_load_all(self.text(*components)))
        objects = {(one["kind"], one["metadata"]["name"]): one for one in found}
        self.assertEqual(len(objects), len(found))
        return objects

    def test_schemas(self) -> None:
        """The default alone, with each component that needs no other, and with all, are valid."""
        validate(built(os.path.join(OPERATOR, "default")))
        for components in ([], ["cleanup"], ["monitoring"], ["openshift"], ["webhook"], COMPONENTS):
            validate(self.text(*components))

    def test_all_components(self) -> None:
        """These tests know all directories."""
        others = {
            "webhook",
            "crd",
            "default",
            "manager",
            "manifests",
            "rbac",
            "samples",
            "scorecard",
        }
        self.assertEqual(set(os.listdir(OPERATOR)) - others, set(COMPONENTS))

    def test_restricted(self) -> None:
        """The operator's pod asks for no more than the Pod Security level restricted allows."""
        for components in ((), COMPONENTS):
            objects = self.objects(*components)
            pod = objects["Deployment", "twistdp-operator"]["spec"]["template"]["spec"]
            context = container_of(objects)["securityContext"]
            self.assertEqual(
                pod["securityContext"],
                {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            )
            self.assertEqual(
                context,
                {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
            )
            self.assertFalse({"hostNetwork", "hostPID", "hostIPC"} & set(pod))
            kinds = {key for one in pod.get("volumes", []) for key in one if key != "name"}
            self.assertLessEqual(kinds, {"secret"})

    def test_images(self) -> None:
        """The operator and the plugins have the version's images."""
        container, version = container_of(self.objects()), __version__.public()
        environment = {one["name"]: one.get("value") for one in container["env"]}
        self.assertEqual(container["image"], f"twistdp-operator:{version}")
        self.assertEqual(environment["RELATED_IMAGE_DEVICEPLUGIN"], f"twistdp:{version}")

    def test_probes(self) -> None:
        """They ask at the port that the operator listens at."""
        container = container_of(self.objects())
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        self.assertIn(f"--http=tcp:{ports['http']}", container["args"])
        for probe in ("livenessProbe", "readinessProbe"):
            self.assertEqual(container[probe]["httpGet"]["port"], "http")

    def test_namespace(self) -> None:
        """Plugins may run in the namespace, which all objects but the rights to events are in."""
        objects = self.objects(*COMPONENTS)
        namespace = objects["Namespace", NAMESPACE]["metadata"]
        self.assertEqual(namespace["labels"]["pod-security.kubernetes.io/enforce"], "privileged")
        self.assertEqual(namespace["annotations"], {"openshift.io/node-selector": ""})
        (scope,) = objects["ResourceQuota", "twistdp-operator"]["spec"]["scopeSelector"][
            "matchExpressions"
        ]
        self.assertIn(PRIORITY, scope["values"])
        elsewhere = {
            (kind, name, one["metadata"]["namespace"])
            for (kind, name), one in objects.items()
            if one["metadata"].get("namespace", NAMESPACE) != NAMESPACE
        }
        self.assertEqual(
            elsewhere,
            {(kind, "twistdp-operator-events", "default") for kind in ("Role", "RoleBinding")},
        )

    def test_other_namespace(self) -> None:
        """Its name can be replaced in the text, as documented, and is nowhere in parts."""
        text = self.text(*COMPONENTS).replace(NAMESPACE, "devices")
        self.assertNotIn("twistdp-sys", text)
        validate(text)

    def test_page(self) -> None:
        """The kustomization in docs/operator-operations.md names both images and two components."""
        snippet, *_ = re.findall(
            r"(?s)```yaml\n(.*?)```", content("docs", "operator-operations.md")
        )
        directory = temporary_directory(self)
        shutil.copytree(OPERATOR, os.path.join(directory, "deploy", "operator"))
        mine = os.path.join(directory, "mine")
        os.mkdir(mine)
        with open(os.path.join(mine, "kustomization.yaml"), "w", encoding="utf-8") as file:
            file.write(snippet)
        text = built(mine)
        validate(text)
        for name in ("twistdp-operator", "twistdp"):
            self.assertIn(f": registry.example.com/{name}:{__version__.public()}\n", text)
        self.assertIn("kind: PodMonitor\n", text)

    def test_webhook(self) -> None:
        """The API server gets to the operator's port, with a certificate of the service's name."""
        objects = self.objects("certmanager")
        container = container_of(objects)
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        self.assertIn(f"--webhook={ports['webhook']}", container["args"])
        (webhook,) = objects["ValidatingWebhookConfiguration", "twistdp-operator"]["webhooks"]
        place = webhook["clientConfig"]["service"]
        service = objects["Service", place["name"]]
        self.assertEqual(service["metadata"]["namespace"], place["namespace"])
        (port,) = service["spec"]["ports"]
        self.assertEqual((port["port"], port["targetPort"]), (443, "webhook"))
        labels = objects["Deployment", "twistdp-operator"]["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(service["spec"]["selector"], labels)
        certificate = objects["Certificate", "twistdp-operator-webhook"]
        self.assertIn(f"{place['name']}.{place['namespace']}.svc", certificate["spec"]["dnsNames"])
        (mount,) = container["volumeMounts"]
        pod = objects["Deployment", "twistdp-operator"]["spec"]["template"]["spec"]
        (volume,) = pod["volumes"]
        self.assertEqual(volume["secret"]["secretName"], certificate["spec"]["secretName"])
        self.assertEqual(volume["name"], mount["name"])
        self.assertIn(f"--webhook-certs={mount['mountPath']}", container["args"])
        injected = objects["ValidatingWebhookConfiguration", "twistdp-operator"]["metadata"]
        self.assertEqual(
            injected["annotations"]["cert-manager.io/inject-ca-from"],
            f"{NAMESPACE}/{certificate['metadata']['name']}",
        )

    def test_optional_webhook(self) -> None:
        """It is asked about DevicePlugins only, and they can be made while the operator is away."""
        (webhook,) = self.objects("webhook")["ValidatingWebhookConfiguration", "twistdp-operator"][
            "webhooks"
        ]
        self.assertEqual(webhook["failurePolicy"], "Ignore")
        (rule,) = webhook["rules"]
        self.assertEqual(
            (rule["apiGroups"], rule["resources"]), (["twistdp.io"], ["deviceplugins"])
        )

    def test_openshift(self) -> None:
        """The accounts of the operator's namespace, and no others, may use the constraints."""
        objects = self.objects("openshift")
        scc = objects["SecurityContextConstraints", "twistdp-deviceplugin"]
        self.assertEqual((scc["users"], scc["groups"]), ([], []))
        (rule,) = objects["Role", "twistdp-deviceplugin"]["rules"]
        self.assertEqual(
            (rule["verbs"], rule["resourceNames"]), (["use"], [scc["metadata"]["name"]])
        )
        binding = objects["RoleBinding", "twistdp-deviceplugin"]
        self.assertEqual(binding["roleRef"]["name"], "twistdp-deviceplugin")
        (subject,) = binding["subjects"]
        self.assertEqual(subject["name"], f"system:serviceaccounts:{NAMESPACE}")

    def test_samples(self) -> None:
        """They are DevicePlugins, and their directory can be applied as a whole."""
        samples = list(yaml.safe_load_all(built(os.path.join(OPERATOR, "samples"))))
        self.assertTrue(samples)
        for sample in samples:
            self.assertEqual(sample["kind"], "DevicePlugin")
