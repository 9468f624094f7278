"""Tests for the programs of ``.ci`` that write and check the operator's bundle for OLM."""

import functools
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.deployment.test_operator_rbac import granted
from tests.support.deployments import NO_KUBECTL, ROOT, validate
from tests.support.helpers import temporary_directory
from tests.support.scripts import script

bundle, check = script("bundle"), script("check_bundle")

DIGEST = "sha256:" + "0" * 64
VERSION = os.path.join("manifests", "twistdp-operator.clusterserviceversion.yaml")
ANNOTATIONS = os.path.join("metadata", "annotations.yaml")
LABEL = "operators.operatorframework.io."


@functools.cache
def made() -> dict[str, str]:
    """The files of a bundle, of two images by digest."""
    given = bundle.arguments(
        [
            *("bundle", "--version=0.3.0rc2", "--channels=candidate,stable"),
            *("--default-channel=stable", f"--image=lab/operator@{DIGEST}"),
            f"--plugin-image=lab/plugin@{DIGEST}",
        ]
    )
    files: dict[str, str] = bundle.files(bundle.built(), bundle.samples(), given)
    return files


class PartsTests(SynchronousTestCase):
    """Parts of the bundle, which need no kubectl."""

    def test_versions(self) -> None:
        """Python's versions become semantic ones, which stay."""
        for version, expected in (
            ("0.2.0", "0.2.0"),
            ("0.2.0rc1", "0.2.0-rc.1"),
            ("0.2.0.dev3", "0.2.0-dev.3"),
            ("0.2.0-rc.1", "0.2.0-rc.1"),
        ):
            self.assertEqual(bundle.semantic(version), expected)

    def test_descriptors(self) -> None:
        """Each field has one, with a control that fits; a known control takes all of its field."""
        schema = {
            "properties": {
                "logLevel": {"type": "integer", "description": "How much."},
                "imagePullPolicy": {"type": "string", "enum": ["Always"]},
                "cdi": {"type": "object", "properties": {"enabled": {"type": "boolean"}}},
                "kind": {"enum": ["A", "B"]},
                "resources": {"type": "object", "properties": {"limits": {"type": "object"}}},
            }
        }
        found = {one.pop("path"): one for one in bundle.descriptors(schema)}
        ui = "urn:alm:descriptor:com.tectonic.ui:"
        self.assertEqual(
            found,
            {
                "logLevel": {
                    "displayName": "Log Level",
                    "description": "How much.",
                    "x-descriptors": [f"{ui}number"],
                },
                "imagePullPolicy": {
                    "displayName": "Image Pull Policy",
                    "x-descriptors": [f"{ui}imagePullPolicy"],
                },
                "cdi": {"displayName": "Cdi"},
                "cdi.enabled": {"displayName": "Enabled", "x-descriptors": [f"{ui}booleanSwitch"]},
                "kind": {
                    "displayName": "Kind",
                    "x-descriptors": [f"{ui}select:A", f"{ui}select:B"],
                },
                "resources": {
                    "displayName": "Resources",
                    "x-descriptors": [f"{ui}resourceRequirements"],
                },
            },
        )

    def test_targets(self) -> None:
        """The target of the former format says what has replaced it, and makes that."""
        done = run(
            ["/usr/bin/make", "--dry-run", "packagemanifests"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertIn("bundles, which have replaced the format of package manifests", done.stdout)
        self.assertIn("python .ci/bundle.py bundle", done.stdout)


class BundleTests(SynchronousTestCase):
    """The whole bundle."""

    skip = NO_KUBECTL

    def setUp(self) -> None:
        """A copy of the bundle."""
        self.texts = made()
        self.directory = Path(temporary_directory(self))
        for path, text in self.texts.items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_text(text, "utf-8")
        self.version: dict[str, Any] = yaml.safe_load(self.texts[VERSION])

    def change(self, path: str, change: Callable[[dict[str, Any]], object]) -> list[str]:
        """What is wrong when a file of the bundle is changed; it is put back."""
        content = yaml.safe_load(self.texts[path])
        change(content)
        (self.directory / path).write_text(yaml.safe_dump(content), "utf-8")
        found = list(check.problems(self.directory))
        (self.directory / path).write_text(self.texts[path], "utf-8")
        return found

    def test_sound(self) -> None:
        """Nothing is wrong with it, and making it again makes the same."""
        self.assertEqual(list(check.problems(self.directory)), [])
        self.assertEqual(made.__wrapped__(), self.texts)

    def test_release(self) -> None:
        """For a release, images need a digest and the maintainers an address."""
        spec = {
            "relatedImages": [{"name": "operator", "image": "lab/operator:1"}],
            "maintainers": [{"name": "We", "email": "we@lab.example"}],
        }
        self.assertEqual(
            list(check.unfit({"spec": spec})),
            [
                "image lab/operator:1 is not given by digest, NAME@sha256:...",
                "the maintainers' address we@lab.example is not a real one",
            ],
        )
        spec["maintainers"][0]["email"] = "we@lab.org"
        spec["relatedImages"][0]["image"] = f"lab/operator@{DIGEST}"
        self.assertEqual(list(check.unfit({"spec": spec})), [])

    def test_names(self) -> None:
        """Version, channels and images are those that were given."""
        self.assertEqual(self.version["metadata"]["name"], "twistdp-operator.v0.3.0-rc.2")
        labels = yaml.safe_load(self.texts[ANNOTATIONS])["annotations"]
        self.assertEqual(labels[f"{LABEL}bundle.channels.v1"], "candidate,stable")
        self.assertEqual(labels[f"{LABEL}bundle.channel.default.v1"], "stable")
        images = {one["image"] for one in self.version["spec"]["relatedImages"]}
        self.assertEqual(images, {f"lab/operator@{DIGEST}", f"lab/plugin@{DIGEST}"})
        text = self.texts[VERSION]
        self.assertNotIn("twistdp-operator:0", text)
        self.assertNotIn("twistdp:0", text)

    def test_permissions(self) -> None:
        """They are those of the roles, and what the clean-up needs is not among them."""
        install = self.version["spec"]["install"]["spec"]
        found = {
            (group, resource, verb)
            for key in ("permissions", "clusterPermissions")
            for one in install[key]
            for rule in one["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        roles = granted("rbac", "cluster_role.yaml") | granted("rbac", "role.yaml")
        self.assertEqual(found, {permission[1:] for permission in roles})
        (own,) = install["permissions"]
        self.assertNotIn("events", str(own["rules"]))

    def test_descriptors(self) -> None:
        """Every field of the object and its status has one, with a description."""
        (owned,) = self.version["spec"]["customresourcedefinitions"]["owned"]
        definition = yaml.safe_load(
            self.texts[os.path.join("manifests", "twistdp.io_deviceplugins.yaml")]
        )
        (served,) = definition["spec"]["versions"]
        for part in ("spec", "status"):
            fields = served["schema"]["openAPIV3Schema"]["properties"][part]["properties"]
            descriptors = owned[f"{part}Descriptors"]
            self.assertLessEqual(set(fields), {one["path"] for one in descriptors})
            self.assertEqual([one["path"] for one in descriptors if not one.get("description")], [])

    def test_examples(self) -> None:
        """They are the samples."""
        examples = json.loads(self.version["metadata"]["annotations"]["alm-examples"])
        self.assertEqual(examples, bundle.samples())

    def test_webhook(self) -> None:
        """OLM makes the certificate, and mounts it where the operator looks for it."""
        spec = self.version["spec"]
        (webhook,) = spec["webhookdefinitions"]
        (deployment,) = spec["install"]["spec"]["deployments"]
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        self.assertEqual((pod["volumes"], container["volumeMounts"]), ([], []))
        self.assertIn(f"--webhook={webhook['targetPort']}", container["args"])
        directory = "/tmp/k8s-webhook-server/serving-certs"  # OLM's
        self.assertIn(f"--webhook-certs={directory}", container["args"])

    def test_schemas(self) -> None:
        """Kubernetes accepts its objects, and the Deployment in it."""
        for path, text in self.texts.items():
            if path.startswith("manifests/"):
                validate(text)
        (deployment,) = self.version["spec"]["install"]["spec"]["deployments"]
        made = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": deployment["name"]},
            "spec": deployment["spec"],
        }
        validate(yaml.safe_dump(made))

    def test_mistakes(self) -> None:
        """Each is found, and nothing else."""
        for path, change, expected in (
            (VERSION, lambda one: one["spec"].pop("icon"), "'icon' is a required property"),
            (
                VERSION,
                lambda one: one["metadata"]["annotations"].update(capabilities="All"),
                "'All' is not one of",
            ),
            (
                VERSION,
                lambda one: one["metadata"]["annotations"].update(categories="Toys"),
                "OperatorHub has no categories ['Toys']",
            ),
            (VERSION, lambda one: one["metadata"].update(name="twistdp"), "name twistdp is not"),
            (
                VERSION,
                lambda one: one["spec"]["installModes"][0].update(supported=True),
                "install modes are ['AllNamespaces', 'OwnNamespace']",
            ),
            (
                VERSION,
                lambda one: one["spec"]["customresourcedefinitions"].update(required=[{}]),
                "it requires definitions of others",
            ),
            (
                VERSION,
                lambda one: one["spec"]["customresourcedefinitions"]["owned"][0].update(kind="X"),
                "it owns",
            ),
            (
                VERSION,
                lambda one: one["metadata"]["annotations"].update({"alm-examples": "[]"}),
                "it has no example of ['DevicePlugin']",
            ),
            (
                VERSION,
                lambda one: one["spec"]["relatedImages"].pop(),
                f"relatedImages lacks lab/plugin@{DIGEST}",
            ),
            (
                VERSION,
                lambda one: one["spec"]["webhookdefinitions"][0].update(deploymentName="x"),
                "webhook deviceplugins.twistdp.io is of no deployment",
            ),
            (VERSION, lambda one: one.update(kind="Pod"), "cannot have the kind Pod"),
            (
                ANNOTATIONS,
                lambda one: one["annotations"].update({f"{LABEL}bundle.channel.default.v1": "x"}),
                "the default channel 'x' is none of",
            ),
            (
                ANNOTATIONS,
                lambda one: one["annotations"].update({f"{LABEL}bundle.mediatype.v1": "plain"}),
                "is 'plain', and not 'registry+v1'",
            ),
        ):
            found = self.change(path, change)
            self.assertIn(expected, "\n".join(found))

    def test_dependencies(self) -> None:
        """Dependencies, with which OLM v1 does not install it, are found."""
        (self.directory / "metadata" / "dependencies.yaml").write_text("dependencies: []\n")
        (found,) = check.problems(self.directory)
        self.assertIn("it has dependencies", found)

    def test_command(self) -> None:
        """The files of an earlier bundle go, and those of others stay."""
        directory = Path(temporary_directory(self))
        (directory / "manifests").mkdir()
        (directory / "manifests" / "old.yaml").touch()
        (directory / "mine.yaml").touch()
        self.patch(sys, "argv", ["bundle.py", str(directory)])
        self.patch(sys, "stdout", io.StringIO())
        bundle.main()
        names = {
            os.path.relpath(path, directory) for path in directory.rglob("*.*") if path.is_file()
        }
        self.assertEqual(names, {*self.texts, "mine.yaml"})
