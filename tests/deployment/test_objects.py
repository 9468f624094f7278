"""Tests for `twistdp.deployment`: the objects as values, with all that a DaemonSet can have."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.deployment import (
    DaemonSet,
    InitContainer,
    constraints,
    daemon_set,
    pod_monitor,
    service,
    service_account,
    service_monitor,
)
from twistdp.deployment.daemonset import VIRTUAL_NODES
from twistdp.deployment.pod import REQUIRED

OWNER = {"apiVersion": "twistdp.io/v1alpha1", "kind": "DevicePlugin", "name": "gpus", "uid": "7"}


def plugin(**more: Any) -> DaemonSet:
    """A plugin with these fields."""
    return DaemonSet(options=["--scanner=a:B"], image="i", name="gpus", namespace="n", **more)


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    """The specification of a DaemonSet's pods."""
    spec: dict[str, Any] = made["spec"]["template"]["spec"]
    return spec


class PlaceTests(SynchronousTestCase):
    """Where the pods run."""

    def test_affinity(self) -> None:
        """Each term of an affinity, one of which is enough, leaves virtual nodes out."""
        zone = {"key": "zone", "operator": "In", "values": ["a"]}
        name = {"key": "metadata.name", "operator": "In", "values": ["b"]}
        terms = [{"matchExpressions": [zone]}, {"matchFields": [name]}]
        preferred = [{"weight": 1, "preference": {"matchExpressions": [zone]}}]
        affinity = {REQUIRED: {"nodeSelectorTerms": terms}, "preferredDuring": preferred}
        made = pod_of(daemon_set(plugin(node_affinity=affinity)))["affinity"]["nodeAffinity"]
        first, second = made[REQUIRED]["nodeSelectorTerms"]
        for term in (first, second):
            keys = [one["key"] for one in term["matchExpressions"] if one["operator"] == "NotIn"]
            self.assertEqual(keys, list(VIRTUAL_NODES))
        self.assertEqual(first["matchExpressions"][0], zone)
        self.assertEqual(second["matchFields"], [name])
        self.assertEqual(made["preferredDuring"], preferred)

    def test_selector(self) -> None:
        """A selector comes on top of Linux; tolerations and priority replace the usual ones."""
        more = {"tolerations": [{"key": "a"}], "priority_class": "low"}
        made = pod_of(daemon_set(plugin(node_selector={"gpu": "yes"}, **more)))
        self.assertEqual(made["nodeSelector"], {"kubernetes.io/os": "linux", "gpu": "yes"})
        self.assertEqual(made["tolerations"], [{"key": "a"}])
        self.assertEqual(made["priorityClassName"], "low")


class ContainerTests(SynchronousTestCase):
    """What runs in the pods."""

    def test_image(self) -> None:
        """Secrets are the pod's, the policy each container's."""
        init = InitContainer(image="j", command=["a"], args=["$(b)"])
        made = pod_of(
            daemon_set(
                plugin(
                    image_pull_policy="Always", image_pull_secrets=["x", "y"], init_container=init
                )
            )
        )
        self.assertEqual(made["imagePullSecrets"], [{"name": "x"}, {"name": "y"}])
        (first,) = made["initContainers"]
        for container in (first, *made["containers"]):
            self.assertEqual(container["imagePullPolicy"], "Always")
        self.assertEqual(first["args"], ["$$(b)"])

    def test_least(self) -> None:
        """The pods have no token of the API server, and each container drops all capabilities."""
        made = pod_of(daemon_set(plugin(init_container=InitContainer(image="j"))))
        for one in (made, service_account(plugin())):
            self.assertIs(one["automountServiceAccountToken"], False)
        for container in (*made["initContainers"], *made["containers"]):
            self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})

    def test_init_container(self) -> None:
        """A plain one reads what the plugin reads; to a privileged one sysfs stays writable."""
        for privileged, wanted in ((False, ["/dev", "/sys", "/opt/x"]), (True, ["/opt/x"])):
            init = InitContainer(image="j", privileged=privileged)
            made = pod_of(
                daemon_set(plugin(init_container=init, host_paths=["/dev", "/sys", "/opt/x"]))
            )
            (first,) = made["initContainers"]
            self.assertEqual([one["mountPath"] for one in first["volumeMounts"]], wanted)
            self.assertIs(first["securityContext"].get("privileged", False), privileged)
            # Kubernetes refuses a privileged container that may not gain privileges.
            self.assertIs("allowPrivilegeEscalation" in first["securityContext"], not privileged)

    def test_init_container_volumes(self) -> None:
        """It alone has variables, directories to write to, a ConfigMap and an empty directory."""
        init = InitContainer(
            image="j",
            env={"A": "$(b)"},
            host_paths=["/opt/x", "/opt/y", "/opt/y"],
            config_map=("c", "/conf"),
            scratch="/scratch",
        )
        made = pod_of(daemon_set(plugin(init_container=init, host_paths=["/dev", "/opt/x"])))
        (first,) = made["initContainers"]
        self.assertEqual(first["env"][1], {"name": "A", "value": "$$(b)"})
        mounts = {one["mountPath"]: one for one in first["volumeMounts"]}
        self.assertEqual(list(mounts), ["/dev", "/opt/x", "/opt/y", "/conf", "/scratch"])
        self.assertEqual(mounts["/opt/x"], {"name": "init-0", "mountPath": "/opt/x"})
        self.assertIs(mounts["/conf"]["readOnly"], True)
        volumes = {one["name"]: one for one in made["volumes"]}
        self.assertEqual(
            volumes["init-1"]["hostPath"], {"path": "/opt/y", "type": "DirectoryOrCreate"}
        )
        self.assertEqual(volumes["init-config"]["configMap"], {"name": "c"})
        self.assertEqual(volumes["init-scratch"]["emptyDir"], {})
        (plain,) = made["containers"]
        taken = {one["name"] for one in plain["volumeMounts"]}
        self.assertFalse(taken & {"init-0", "init-1", "init-config", "init-scratch"})

    def test_scanner_map(self) -> None:
        """A ConfigMap that exists is on Python's path, and the pods change with it."""
        made = daemon_set(plugin(pod_annotations={"files": "1"}), "mine")
        (environment, _), volume = (
            pod_of(made)["containers"][0]["env"],
            pod_of(made)["volumes"][-1],
        )
        self.assertEqual(environment, {"name": "PYTHONPATH", "value": "/etc/twistdp"})
        self.assertEqual(volume, {"name": "scanner", "configMap": {"name": "mine"}})
        self.assertEqual(made["spec"]["template"]["metadata"]["annotations"], {"files": "1"})

    def test_resources(self) -> None:
        """They replace the usual ones."""
        made = pod_of(daemon_set(plugin(resources={"limits": {"memory": "1Gi"}})))
        self.assertEqual(made["containers"][0]["resources"], {"limits": {"memory": "1Gi"}})


class ObjectTests(SynchronousTestCase):
    """The objects around the pods."""

    def test_owner(self) -> None:
        """Each belongs to the owner, and has the labels, by which the pods are found."""
        one = plugin(owner=OWNER, labels={"more": "1"}, http_port=9100)
        for made in (
            daemon_set(one),
            service_account(one),
            service(one),
            service_monitor(one, "30s", {}),
            pod_monitor(one, "30s", {}),
            *constraints(one),
        ):
            self.assertEqual(made["metadata"]["ownerReferences"], [OWNER], made["kind"])
            self.assertEqual(
                made["metadata"]["labels"], {"app.kubernetes.io/name": "gpus", "more": "1"}
            )
        spec = daemon_set(one)["spec"]
        self.assertEqual(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
        self.assertEqual(spec["template"]["metadata"]["labels"]["more"], "1")

    def test_update(self) -> None:
        """How pods are replaced."""
        spec = daemon_set(plugin(rolling_update={"maxSurge": "10%"}, min_ready_seconds=5))["spec"]
        self.assertEqual(spec["updateStrategy"]["rollingUpdate"], {"maxSurge": "10%"})
        self.assertEqual(spec["minReadySeconds"], 5)

    def test_monitors(self) -> None:
        """They find the plugin's port, with labels that Prometheus may select by."""
        one = plugin(http_port=9100)
        for made, place in (
            (pod_monitor(one, "15s", {"team": "x"}), "podMetricsEndpoints"),
            (service_monitor(one, "15s", {"team": "x"}), "endpoints"),
        ):
            self.assertEqual(made["metadata"]["labels"]["team"], "x")
            (endpoint,) = made["spec"][place]
            self.assertEqual((endpoint["port"], endpoint["interval"]), ("http", "15s"))
        (port,) = service(one)["spec"]["ports"]
        self.assertEqual((port["name"], port["port"]), ("http", 9100))

    def test_constraints(self) -> None:
        """OpenShift allows another SELinux type, and privileges, only where they are asked for."""
        allowed, *_ = constraints(
            plugin(
                openshift=True,
                selinux_type="mine_t",
                init_container=InitContainer(image="j", privileged=True),
            )
        )
        self.assertEqual(allowed["seLinuxContext"]["seLinuxOptions"]["type"], "mine_t")
        self.assertIs(allowed["allowPrivilegedContainer"], True)
        plain, *_ = constraints(plugin(openshift=True))
        self.assertIs(plain["allowPrivilegedContainer"], False)
