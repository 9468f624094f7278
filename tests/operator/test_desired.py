"""Tests for `twistdp.operator.desired`."""

import copy
import json
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.crds.objects import an_object
from twistdp.crds import BadObject, read
from twistdp.deployment.pod import REQUIRED
from twistdp.errors import BadSettings
from twistdp.operator.desired import FILES, desired
from twistdp.operator.observed import HASH
from twistdp.operator.settings import OperatorSettings

SETTINGS = OperatorSettings(namespace="twistdp-system", plugin_image="twistdp:1")
CONFIG = {"domain": "lab.example.com", "resources": {"kvm": "/dev/kvm"}}
SCANNER = {"class": "cams:Scanner", "configMap": "cams"}


def objects(files: str | None = None, **spec: Any) -> dict[str, dict[str, Any]]:
    """What a spec amounts to, by kind."""
    found = an_object(**spec)
    found["metadata"] |= {"uid": "7-7", "generation": 3}
    return {one["kind"]: one for one in desired(read(found), SETTINGS, files)}


def pod(**spec: Any) -> dict[str, Any]:
    """The specification of its pods."""
    found: dict[str, Any] = objects(**spec)["DaemonSet"]["spec"]["template"]["spec"]
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The kinds that differ."""
    return {kind for kind in before | after if before.get(kind) != after.get(kind)}


class ObjectTests(SynchronousTestCase):
    """Which objects there are, and what all of them have."""

    def test_kinds(self) -> None:
        """Each is made where it is needed, the DaemonSet as the last."""
        for spec, kinds in (
            ({}, ["ServiceAccount", "DaemonSet"]),
            ({"config": CONFIG}, ["ServiceAccount", "ConfigMap", "DaemonSet"]),
            (
                {"config": CONFIG, "http": {}, "monitoring": {}},
                ["ServiceAccount", "ConfigMap", "PodMonitor", "DaemonSet"],
            ),
            (
                {"config": CONFIG, "http": {}, "monitoring": {"kind": "ServiceMonitor"}},
                ["ServiceAccount", "ConfigMap", "Service", "ServiceMonitor", "DaemonSet"],
            ),
            (
                {"scanner": SCANNER, "domain": "a.io", "security": {"openshift": True}},
                ["ServiceAccount", "DaemonSet"],
            ),
        ):
            self.assertEqual(list(objects(**spec)), kinds)

    def test_metadata(self) -> None:
        """Each belongs to the DevicePlugin, and is found by its labels, as the pods are."""
        made = objects(config=CONFIG, http={}, monitoring={"kind": "ServiceMonitor"})
        labels = {
            "app.kubernetes.io/name": "gpus",
            "app.kubernetes.io/managed-by": "twistdp-operator",
            "twistdp.io/deviceplugin": "gpus",
        }
        owner = {
            "apiVersion": "twistdp.io/v1alpha1",
            "kind": "DevicePlugin",
            "name": "gpus",
            "uid": "7-7",
            "controller": True,
            "blockOwnerDeletion": True,
        }
        for kind, one in made.items():
            metadata = one["metadata"]
            self.assertEqual(metadata["namespace"], "twistdp-system", kind)
            self.assertEqual(metadata["labels"], labels, kind)
            self.assertEqual(metadata["ownerReferences"], [owner], kind)
            self.assertRegex(metadata["annotations"][HASH], "^[0-9a-f]{16}$", kind)
        template = made["DaemonSet"]["spec"]["template"]
        self.assertEqual(template["metadata"]["labels"], labels)
        self.assertRegex(template["metadata"]["annotations"].pop(HASH), "^[0-9a-f]{16}$")
        self.assertEqual(template["metadata"]["annotations"], {})
        self.assertEqual(made["ConfigMap"]["metadata"]["name"], "gpus-config")

    def test_long_namespace(self) -> None:
        """The operator may be in any namespace that Kubernetes accepts."""
        plugin = read(an_object(catalog=[{"name": "intel-npu"}]))
        made = desired(plugin, OperatorSettings(namespace="n" * 63, plugin_image="x"))
        self.assertEqual({one["metadata"]["namespace"] for one in made}, {"n" * 63})

    def test_names(self) -> None:
        """The operator's own account, and its namespace's, cannot become a DevicePlugin's."""
        for name, refused in (
            *(("default", True), ("twistdp-operator", True), ("twistdp-operator-webhook", True)),
            *(("twistdp", False), ("default-gpus", False)),
        ):
            found = an_object(config=CONFIG)
            found["metadata"] |= {"name": name, "uid": "7-7"}
            if refused:
                error = self.assertRaises(BadSettings, desired, read(found), SETTINGS)
                (line,) = error.lines
                self.assertIn(f"metadata.name: {name} is a name of the operator's", line)
            else:
                self.assertTrue(desired(read(found), SETTINGS))

    def test_hash(self) -> None:
        """It is that of the content, and the same for the same."""
        first, again = objects(config=CONFIG), objects(config=copy.deepcopy(CONFIG))
        self.assertEqual(json.dumps(first), json.dumps(again))
        labels = {"a": "1", "b": "2"}
        turned = dict(reversed(labels.items()))
        first, again = (objects(config=CONFIG, nodeSelector=one) for one in (labels, turned))
        self.assertEqual(first["DaemonSet"]["metadata"], again["DaemonSet"]["metadata"])
        first, other = objects(config=CONFIG), objects(config=CONFIG, logLevel=2)
        for kind in first:
            same = first[kind]["metadata"]["annotations"] == other[kind]["metadata"]["annotations"]
            self.assertIs(same, kind != "DaemonSet", kind)


class ChangeTests(SynchronousTestCase):
    """Which objects a change changes."""

    def test_config(self) -> None:
        """Another configuration changes its ConfigMap alone, and no pod."""
        other = {**CONFIG, "resources": {"kvm": "/dev/kvm", "fuse": {"path": "/dev/fuse"}}}
        made = objects(config=other)
        self.assertEqual(changed(objects(config=CONFIG), made), {"ConfigMap"})
        self.assertIn("fuse", made["ConfigMap"]["data"]["config.yaml"])

    def test_mounts(self) -> None:
        """One that needs other directories of the node changes the pods."""
        for resource, path in (
            ({"path": "/dev/null", "cdi": {"env": {"A": "b"}}}, "/var/run/cdi"),
            ({"usb": "1:1", "as": "net", "env": {"A": "b"}}, "/sys"),
        ):
            made = objects(config={**CONFIG, "resources": {"kvm": resource}})
            self.assertEqual(changed(objects(config=CONFIG), made), {"ConfigMap", "DaemonSet"})
            mounts = made["DaemonSet"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
            self.assertIn(path, [one["mountPath"] for one in mounts])

    def test_shared(self) -> None:
        """Sharing an entry of the catalogue otherwise is a change of the configuration."""
        first, other = (
            objects(catalog=[{"name": "intel-npu", "replicas": count}]) for count in (2, 3)
        )
        self.assertEqual(changed(first, other), {"ConfigMap"})

    def test_files(self) -> None:
        """Other files of a scanner replace the pods."""
        spec = {"scanner": SCANNER, "domain": "a.io"}
        first, other = objects("1", **spec), objects("2", **spec)
        self.assertEqual(changed(first, other), {"DaemonSet"})
        template = other["DaemonSet"]["spec"]["template"]
        self.assertEqual(template["metadata"]["annotations"][FILES], "2")
        self.assertEqual(changed(objects(None, **spec), first), {"DaemonSet"})

    def test_selector(self) -> None:
        """No change of a spec changes the pods' selector, which Kubernetes refuses."""
        plain = objects()["DaemonSet"]["spec"]["selector"]
        for spec in ({"config": CONFIG}, {"catalog": [{"name": "intel-npu"}], "http": {}}):
            self.assertEqual(objects(**spec)["DaemonSet"]["spec"]["selector"], plain)


class PodTests(SynchronousTestCase):
    """What the pods are."""

    def test_plugin(self) -> None:
        """The container's options are those of the spec, and its image the operator's."""
        (container,) = pod(config=CONFIG, logLevel=2, http={"port": 9100})["containers"]
        self.assertEqual(container["image"], "twistdp:1")
        self.assertEqual(
            container["args"],
            ["-v=2", "--config=/etc/twistdp-config/config.yaml", "--http=tcp:9100"],
        )
        (own,) = pod(config=CONFIG, image="mine:2", imagePullPolicy="Never")["containers"]
        self.assertEqual((own["image"], own["imagePullPolicy"]), ("mine:2", "Never"))

    def test_scanner(self) -> None:
        """A scanner's files are on Python's path."""
        made = pod(scanner={**SCANNER, "arguments": {"n": ["1", "2"]}}, domain="a.io")
        (container,) = made["containers"]
        self.assertEqual(container["env"][0], {"name": "PYTHONPATH", "value": "/etc/twistdp"})
        self.assertEqual(
            container["args"],
            ["--namespace=a.io", "--scanner=cams:Scanner", "--set=n=1", "--set=n=2"],
        )
        self.assertIn({"name": "scanner", "configMap": {"name": "cams"}}, made["volumes"])

    def test_place(self) -> None:
        """Where the pods run, in the words of the API."""
        terms = [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}]
        toleration = {"key": "a", "operator": "Exists", "effect": "NoSchedule"}
        made = pod(
            catalog=[{"name": "intel-npu"}],
            nodeSelector={"gpu": "yes"},
            affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}},
            tolerations=[toleration],
            priorityClassName="low",
            resources={"limits": {"memory": "1Gi"}},
        )
        self.assertEqual(made["nodeSelector"], {"kubernetes.io/os": "linux", "gpu": "yes"})
        (term,) = made["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]
        self.assertEqual(term["matchExpressions"][0], terms[0]["matchExpressions"][0])
        self.assertEqual(made["tolerations"], [toleration])
        self.assertEqual(made["priorityClassName"], "low")
        self.assertEqual(made["containers"][0]["resources"], {"limits": {"memory": "1Gi"}})

    def test_tolerations(self) -> None:
        """Without the key all taints are tolerated, with an empty list none."""
        item = [{"name": "intel-npu"}]
        self.assertEqual(pod(catalog=item)["tolerations"], [{"operator": "Exists"}])
        self.assertEqual(pod(catalog=item, tolerations=[])["tolerations"], [])

    def test_kubelet(self) -> None:
        """Another directory of the kubelet is mounted, and an option of the plugin names it."""
        made = pod(catalog=[{"name": "intel-npu"}], kubeletDirectory="/data/kubelet")
        (container,) = made["containers"]
        self.assertIn("--plugin-dir=/data/kubelet/device-plugins", container["args"])
        paths = [one["hostPath"]["path"] for one in made["volumes"] if "hostPath" in one]
        self.assertEqual(paths[0], "/data/kubelet/device-plugins")
        self.assertIn("/data/kubelet/pod-resources", paths)

    def test_init_container(self) -> None:
        """One that prepares the node comes first."""
        (first,) = pod(
            catalog=[{"name": "intel-npu"}],
            initContainer={
                "image": "init:1",
                "args": ["--all"],
                "env": {"A": "b"},
                "privileged": True,
                "configMap": "queues",
                "configMapPath": "/conf",
                "hostPaths": ["/opt/tools"],
                "scratch": "/scratch",
            },
        )["initContainers"]
        self.assertEqual((first["image"], first["args"]), ("init:1", ["--all"]))
        self.assertIn({"name": "A", "value": "b"}, first["env"])
        paths = [one["mountPath"] for one in first["volumeMounts"]]
        self.assertLess({"/conf", "/opt/tools", "/scratch"}, set(paths))
        self.assertIs(first["securityContext"]["privileged"], True)

    def test_node_name(self) -> None:
        """Its own NODE_NAME replaces ours: Kubernetes takes no variable twice."""
        init = {"image": "init:1", "env": {"NODE_NAME": "mine"}}
        (first,) = pod(catalog=[{"name": "intel-npu"}], initContainer=init)["initContainers"]
        self.assertEqual(first["env"], [{"name": "NODE_NAME", "value": "mine"}])

    def test_security(self) -> None:
        """SELinux, and directories for checks of health."""
        item = [{"name": "intel-npu"}]
        made = pod(catalog=item, security={"seLinuxType": "mine_t", "hostPaths": ["/run/modem"]})
        self.assertEqual(made["securityContext"]["seLinuxOptions"], {"type": "mine_t"})
        mounts = made["containers"][0]["volumeMounts"]
        self.assertIn("/run/modem", [one["mountPath"] for one in mounts])
        openshift = pod(catalog=item, security={"openshift": True})["securityContext"]
        self.assertEqual(
            openshift["seLinuxOptions"], {"type": "container_device_plugin_t", "level": "s0"}
        )

    def test_update(self) -> None:
        """The strategy is the DaemonSet's; a pod counts when it has been ready for a while."""
        item = [{"name": "intel-npu"}]
        for strategy, wanted in (
            ({}, {"maxUnavailable": 1}),
            ({"maxUnavailable": "10%"}, {"maxUnavailable": "10%"}),
            ({"type": "Surge", "maxSurge": 2}, {"maxSurge": 2, "maxUnavailable": 0}),
        ):
            spec = objects(catalog=item, updateStrategy=strategy)["DaemonSet"]["spec"]
            self.assertEqual(spec["updateStrategy"]["rollingUpdate"], wanted)
            self.assertGreater(spec["minReadySeconds"], 0)


class HaltTests(SynchronousTestCase):
    """A roll-out that must not go on."""

    def test_template(self) -> None:
        """Nothing replaces pods, and their template is the same."""
        found = an_object(catalog=[{"name": "intel-npu"}], updateStrategy={"type": "Surge"})
        plugin = read(found)
        going, halted = (desired(plugin, SETTINGS, None, way)[-1] for way in (False, True))
        self.assertEqual(halted["spec"]["updateStrategy"], {"type": "OnDelete"})
        self.assertEqual(halted["spec"]["template"], going["spec"]["template"])


class RefusalTests(SynchronousTestCase):
    """What fits the schema and cannot work."""

    def test_fields(self) -> None:
        """A path that cannot be mounted is named by its field, should the rules let it through."""
        for source, path in (
            ({"scanner": SCANNER, "domain": "a.io"}, "/etc/twistdp"),
            ({"config": CONFIG}, "/etc/twistdp-config"),
        ):
            found = an_object(**source)
            found["metadata"] |= {"uid": "7-7", "generation": 3}
            self.assertRaises(BadObject, read, an_object(**source, security={"hostPaths": [path]}))
            plugin = read(found)
            security = attrs.evolve(plugin.spec.security, host_paths=[path])
            spec = attrs.evolve(plugin.spec, security=security)
            error = self.assertRaises(
                BadSettings, desired, attrs.evolve(plugin, spec=spec), SETTINGS
            )
            self.assertNotIsInstance(error, BadObject)
            self.assertIn("give another spec.security.hostPaths", str(error))
            self.assertNotIn("--", str(error))
