"""``deploy/kustomize``: kubectl builds it, Kubernetes accepts it, and ``twistdp manifests`` agrees.

Without kubectl, or without what ``make test-manifests`` installs, these say so and are skipped.
"""

import importlib.util
import os
import re
import shlex
import shutil
from subprocess import run
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.deployments import (
    MISSING,
    OLDEST,
    ROOT,
    built,
    command_in,
    content,
    printed,
    validate,
)
from tests.support.helpers import temporary_directory
from twistdp import __version__
from twistdp.deployment.daemonset import VIRTUAL_NODES
from twistdp.deployment.manifests import sample_pod

KUSTOMIZE = os.path.join(ROOT, "deploy", "kustomize")
OVERLAYS = sorted(os.listdir(os.path.join(KUSTOMIZE, "overlays")))
OWN = os.path.join(KUSTOMIZE, "overlays", "own-scanner", "joysticks.py")
DEVICES = os.path.join(KUSTOMIZE, "overlays", "devices", "devices.yaml")

REQUIRED_OF_CONSTRAINTS = {
    *("allowHostDirVolumePlugin", "allowHostIPC", "allowHostNetwork", "allowHostPID"),
    *("allowHostPorts", "allowPrivilegedContainer", "allowedCapabilities"),
    *("defaultAddCapabilities", "priority", "readOnlyRootFilesystem", "requiredDropCapabilities"),
    "volumes",
}
"""The fields that OpenShift's schema requires of SecurityContextConstraints."""

OF_CONSTRAINTS = REQUIRED_OF_CONSTRAINTS | {
    *("apiVersion", "kind", "metadata", "allowPrivilegeEscalation", "allowedFlexVolumes"),
    *("allowedUnsafeSysctls", "defaultAllowPrivilegeEscalation", "forbiddenSysctls", "fsGroup"),
    *("groups", "runAsUser", "seLinuxContext", "seccompProfiles", "supplementalGroups", "users"),
}
"""All that it knows."""


def base_command() -> list[str]:
    """The command that the base says it is made by."""
    command: list[str] = command_in(content("deploy", "kustomize", "base", "kustomization.yaml"))
    return command


def documents(text: str) -> dict[str, Any]:
    """Documents by kind; of lists that have no order, sorted."""
    found = {one["kind"]: one for one in yaml.safe_load_all(text)}
    pod = found["DaemonSet"]["spec"]["template"]["spec"]
    pod["volumes"].sort(key=lambda one: one["name"])
    pod["containers"][0]["volumeMounts"].sort(key=lambda one: one["name"])
    return found


class BaseTests(SynchronousTestCase):
    """The base, which needs nothing to be looked at."""

    def test_sample(self) -> None:
        """The sample has a template too, and asks for what the base offers."""
        options = dict(
            option.removeprefix("--set=").removeprefix("--").split("=", 1)
            for option in base_command()[2:]
        )
        resource = f"{options['namespace']}/{options['resource']}"
        self.assertEqual(
            content("deploy", "kustomize", "sample-pod.yaml"),
            sample_pod(options["resource"], "busybox", resource, "/dev/tty[UA]*"),
        )

    def test_document(self) -> None:
        """The commands in docs/kubernetes.md print manifests."""
        commands = re.findall(
            r"(?m)^    twistdp manifests ((?:.*\\\n)*.*)", content("docs", "kubernetes.md")
        )
        self.assertEqual(len(commands), 4)
        devices = os.path.join(temporary_directory(self), "devices.yaml")
        with open(devices, "w", encoding="utf-8") as file:
            file.write("domain: lab.example.com\nresources: {kvm: /dev/kvm}\n")
        for command in commands:
            arguments = shlex.split(command.replace("\\\n", " ").split(" | ")[0])
            arguments = [one.replace("=deploy/", f"={ROOT}/deploy/") for one in arguments]
            arguments = [one.replace("=devices.yaml", f"={devices}") for one in arguments]
            self.assertIn("kind: DaemonSet\n", printed("manifests", *arguments))


class BuiltTests(SynchronousTestCase):
    """What kubectl builds."""

    skip = MISSING

    def build(self, *names: str) -> str:
        """A directory below ours, built."""
        return built(os.path.join(KUSTOMIZE, *names))

    def test_document(self) -> None:
        """The kustomization in docs/kubernetes.md builds."""
        *_, snippet = re.findall(r"(?s)```yaml\n(.*?)```", content("docs", "kubernetes.md"))
        copy = os.path.join(temporary_directory(self), "kustomize")
        shutil.copytree(KUSTOMIZE, copy)
        os.mkdir(os.path.join(copy, "mine"))
        with open(os.path.join(copy, "mine", "kustomization.yaml"), "w", encoding="utf-8") as file:
            file.write(snippet)
        text = self.build(copy, "mine")
        validate(text)
        self.assertIn(f"image: lab/twistdp:{__version__.public()}\n", text)
        self.assertIn('lab.example.com/bench: "true"\n', text)

    def test_schemas(self) -> None:
        """The base, the overlays, and the sample are valid."""
        self.assertEqual(
            OVERLAYS, ["cdi", "devices", "openshift", "own-scanner", "selinux", "watcher"]
        )
        validate(self.build("base"))
        for overlay in OVERLAYS:
            validate(self.build("overlays", overlay))
        validate(content("deploy", "kustomize", "sample-pod.yaml"))

    def test_older(self) -> None:
        """An older Kubernetes accepts them without the unknown field, as documented."""
        import kubernetes_validate

        (remedy,) = re.findall(r"sed '(/.*?/d)'", content("docs", "kubernetes.md"))
        for flags in ([], ["--cdi"]):
            text = printed("manifests", *flags, "--", "--scanner=nowhere:Scanner")
            self.assertRaises(kubernetes_validate.ValidationError, validate, text, [OLDEST])
            done = run(["sed", remedy], input=text, capture_output=True, text=True, check=True)
            validate(done.stdout, [OLDEST])

    def test_schemas_bite(self) -> None:
        """A misspelt word is found."""
        import kubernetes_validate

        text = self.build("base").replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")
        self.assertRaises(kubernetes_validate.ValidationError, validate, text)

    def test_overlays(self) -> None:
        """An overlay is what the command prints for the same."""
        flags, options = ["--"], base_command()[2:]
        for overlay, arguments in (
            ("cdi", ["--cdi", *flags, *options]),
            ("openshift", ["--openshift", *flags, *options]),
            ("selinux", ["--selinux", *flags, *options]),
            ("watcher", [*flags, *options, "--registration=watcher"]),
            ("devices", [f"--config={DEVICES}"]),
            ("own-scanner", [f"--scanner-file={OWN}", "--", "--scanner=joysticks:JoystickScanner"]),
        ):
            ours, rendered = self.build("overlays", overlay), printed("manifests", *arguments)
            validate(rendered)
            hashed = re.compile(r"twistdp-scanner-\w+")
            found, expected = (
                documents(hashed.sub("twistdp-scanner", text)) for text in (ours, rendered)
            )
            if overlay in ("devices", "own-scanner"):
                del expected["ConfigMap"]["metadata"]["labels"]
            self.assertEqual(found, expected, overlay)


class ClusterTests(SynchronousTestCase):
    """Clusters that admit or place pods by rules of their own."""

    skip = MISSING

    def printed(self, *flags: str) -> dict[str, Any]:
        """What the command prints with these options, by kind."""
        return documents(printed("manifests", *flags, "--", "--scanner=nowhere:Scanner"))

    def test_virtual_nodes(self) -> None:
        """No pod is placed on a virtual node; on any other node there is one."""
        pod = self.printed()["DaemonSet"]["spec"]["template"]["spec"]
        node = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = node["nodeSelectorTerms"]

        def placed(labels: dict[str, str]) -> bool:
            assert {one["operator"] for one in term["matchExpressions"]} == {"NotIn"}
            return all(
                labels.get(one["key"]) not in one["values"] for one in term["matchExpressions"]
            )

        for key, values in VIRTUAL_NODES.items():
            for value in values:
                self.assertFalse(placed({key: value}), value)
            self.assertTrue(placed({key: "other"}))
        self.assertTrue(placed({}))
        self.assertTrue(placed({"eks.amazonaws.com/compute-type": "ec2"}))

    def test_priority_class(self) -> None:
        """A quota in the pods' namespace allows their priority class."""
        for namespace in ("devices", "default"):
            made = self.printed(f"--namespace={namespace}", "--name=lab")
            quota, pod = made["ResourceQuota"], made["DaemonSet"]["spec"]["template"]["spec"]
            self.assertEqual(quota["metadata"]["namespace"], namespace)
            (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
            self.assertEqual((scope["scopeName"], scope["operator"]), ("PriorityClass", "In"))
            self.assertEqual(scope["values"], [pod["priorityClassName"]])
            self.assertEqual(list(quota["spec"]["hard"]), ["pods"])
        self.assertNotIn("ResourceQuota", self.printed("--namespace=kube-system"))

    def test_openshift_allows(self) -> None:
        """The constraints let the pod do what it asks for, by OpenShift's rules, and no more."""
        scanner = f"--scanner-file={OWN}"
        made = self.printed("--openshift", "--cdi", "--name=lab", "--namespace=devices", scanner)
        scc, pod = (
            made["SecurityContextConstraints"],
            made["DaemonSet"]["spec"]["template"]["spec"],
        )
        of_pod, of_container = pod["securityContext"], pod["containers"][0]["securityContext"]
        kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
        self.assertEqual(kinds, set(scc["volumes"]))
        self.assertTrue(scc["allowHostDirVolumePlugin"])
        selinux = {"type": "MustRunAs", "seLinuxOptions": of_pod["seLinuxOptions"]}
        self.assertEqual(scc["seLinuxContext"], selinux)
        self.assertEqual(of_pod["seLinuxOptions"]["type"], "container_device_plugin_t")
        user = {"type": "MustRunAs", "uid": of_container["runAsUser"]}
        self.assertEqual(scc["runAsUser"], user)
        self.assertEqual(of_pod["seccompProfile"]["type"], "RuntimeDefault")
        self.assertEqual(scc["seccompProfiles"], ["runtime/default"])
        self.assertTrue(scc["readOnlyRootFilesystem"] and of_container["readOnlyRootFilesystem"])
        self.assertEqual(scc["requiredDropCapabilities"], of_container["capabilities"]["drop"])
        self.assertFalse(scc["allowedCapabilities"] or scc["defaultAddCapabilities"])
        allowed = {key for key, value in scc.items() if key.startswith("allow") and value}
        self.assertEqual(allowed, {"allowHostDirVolumePlugin"})
        self.assertLessEqual(set(scc), OF_CONSTRAINTS)
        self.assertLessEqual(REQUIRED_OF_CONSTRAINTS, set(scc))

    def test_openshift_watcher(self) -> None:
        """They allow the empty directory that hides secrets, where there is one."""
        watcher = ["--openshift", "--", "--scanner=nowhere:Scanner", "--registration=watcher"]
        made = documents(printed("manifests", *watcher))
        pod, scc = (
            made["DaemonSet"]["spec"]["template"]["spec"],
            made["SecurityContextConstraints"],
        )
        kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
        self.assertEqual(kinds, {"hostPath", "emptyDir"})
        self.assertLessEqual(kinds, set(scc["volumes"]))

    def test_openshift_binds(self) -> None:
        """Only the plugin's account may use the constraints."""
        made = self.printed("--openshift", "--name=lab", "--namespace=devices")
        scc, account = made["SecurityContextConstraints"], made["ServiceAccount"]["metadata"]
        self.assertEqual((scc["users"], scc["groups"]), ([], []))
        (rule,), binding = made["Role"]["rules"], made["RoleBinding"]
        self.assertEqual((rule["verbs"], rule["resourceNames"]), (["use"], ["lab"]))
        self.assertEqual(scc["metadata"]["name"], "lab")
        self.assertEqual(binding["roleRef"]["name"], made["Role"]["metadata"]["name"])
        (subject,) = binding["subjects"]
        self.assertEqual(subject["kind"], "ServiceAccount")
        for key in ("name", "namespace"):
            self.assertEqual(subject[key], account[key])
        for kind in ("Role", "RoleBinding"):
            self.assertEqual(made[kind]["metadata"]["namespace"], "devices")

    def test_openshift_nodes(self) -> None:
        """The usual selector of a cluster's namespaces is lifted, so that all nodes are served."""
        made = self.printed("--openshift")
        annotations = made["Namespace"]["metadata"]["annotations"]
        self.assertEqual(annotations, {"openshift.io/node-selector": ""})
        self.assertNotIn("annotations", self.printed()["Namespace"]["metadata"])


class ScannerTests(SynchronousTestCase):
    """The scanner of the overlay ``own-scanner``."""

    def test_finds(self) -> None:
        """It lists the existing joysticks by their names."""
        directory = temporary_directory(self)
        for name in ("js0", "js1", "event0"):
            with open(os.path.join(directory, name), "w", encoding="ascii"):
                pass
        spec = importlib.util.spec_from_file_location("joysticks", OWN)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        tree = module.JoystickScanner(directory).discover()
        self.assertEqual(sorted(tree["joystick"]), ["js0", "js1"])
