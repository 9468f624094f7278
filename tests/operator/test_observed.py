"""What is kept of nodes, pods and DaemonSets."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.operator.children import Place, child_of, digest, version_of
from twistdp.operator.kinds import CONFIG_MAP, DAEMON_SET, KINDS, NODE
from twistdp.operator.observed import Count, counts_of, daemon_set_of, number, pod_of


def a_pod(**status: Any) -> dict[str, Any]:
    """A pod on a node."""
    return {"metadata": {"name": "p"}, "spec": {"nodeName": "n1"}, "status": status}


def waiting(reason: str, **rest: Any) -> dict[str, Any]:
    """A container that waits."""
    return {"state": {"waiting": {"reason": reason, **rest}}}


class NodeTests(SynchronousTestCase):
    """Counts of devices."""

    def test_extended(self) -> None:
        """Extended resources count, those of the node itself do not."""
        capacity = {"cpu": "8", "memory": "1Gi", "hugepages-2Mi": "0", "a.example/x": "3"}
        allocatable = {"cpu": "8", "a.example/x": "2"}
        node = {"status": {"capacity": capacity, "allocatable": allocatable}}
        self.assertEqual(counts_of(node), {"a.example/x": Count(3, 2)})
        self.assertEqual(counts_of(node)["a.example/x"].unhealthy, 1)

    def test_lingering(self) -> None:
        """A resource that a node had once is there with 0."""
        node = {"status": {"capacity": {"a.example/x": "0"}, "allocatable": {}}}
        self.assertEqual(counts_of(node), {"a.example/x": Count(0, 0)})

    def test_numbers(self) -> None:
        """Quantities in each form that the API server has; anything else is 0."""
        values: list[Any] = ["3", 3, "2k", "1M", "1G", True, -1, "x", "", "1.5", []]
        found = [number(value) for value in values]
        self.assertEqual(found, [3, 3, 2000, 10**6, 10**9, 0, 0, 0, 0, 0, 0])
        written = ["1Ki", "2Mi", "1e3", "2E2", "1Gi", "1K", "1ki", "e3", "9" * 5000]
        found = [number(value) for value in written]
        self.assertEqual(found, [1024, 2 << 20, 1000, 200, 1 << 30, 0, 0, 0, 0])


class PodTests(SynchronousTestCase):
    """What keeps a pod from serving."""

    def test_reasons(self) -> None:
        """A container that waits, the pod itself, or its scheduling, in this order."""
        scheduling = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        cases: list[tuple[dict[str, Any], str, str]] = [
            (
                {"containerStatuses": [waiting("ErrImagePull", message="no")], "reason": "x"},
                "ErrImagePull",
                "no",
            ),
            ({"initContainerStatuses": [waiting("CrashLoopBackOff")]}, "CrashLoopBackOff", ""),
            ({"containerStatuses": [waiting("ContainerCreating")]}, "", ""),
            ({"reason": "Evicted", "message": "disk"}, "Evicted", "disk"),
            ({"conditions": [{**scheduling, "message": "0/3"}]}, "Unschedulable", "0/3"),
            ({"conditions": [{**scheduling, "status": "True"}]}, "", ""),
        ]
        for status, reason, message in cases:
            pod = pod_of(a_pod(**status))
            self.assertEqual((pod.reason, pod.message), (reason, message))

    def test_ends(self) -> None:
        """Restarts add up, and the last failure has its code; success is none."""
        failed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        fine = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        pod = pod_of(
            a_pod(
                initContainerStatuses=[{"state": fine, "restartCount": 1}],
                containerStatuses=[{"lastState": failed, "restartCount": 2}],
            )
        )
        self.assertEqual((pod.restarts, pod.exit_code, pod.exit_reason), (3, 137, "OOMKilled"))
        now = {"terminated": {"exitCode": 2, "reason": "Error"}}
        pod = pod_of(a_pod(containerStatuses=[{"state": now, "lastState": failed}]))
        self.assertEqual((pod.exit_code, pod.exit_reason), (2, "Error"))

    def test_waiting_without_a_reason(self) -> None:
        """A container that waits for no known reason does not hide the pod's."""
        waiting: list[dict[str, Any]] = [{"state": {"waiting": {}}}]
        pod = pod_of(a_pod(containerStatuses=waiting, reason="Evicted", message="no memory"))
        self.assertEqual((pod.reason, pod.message), ("Evicted", "no memory"))

    def test_ready(self) -> None:
        """Ready is what the condition says."""
        for status in ("True", "False", "Unknown"):
            pod = pod_of(a_pod(conditions=[{"type": "Ready", "status": status}]))
            self.assertEqual(pod.ready, status == "True")

    def test_long(self) -> None:
        """A long message is cut."""
        pod = pod_of(a_pod(reason="x", message="y" * 10_000))
        self.assertLess(len(pod.message), 1000)


class ChildTests(SynchronousTestCase):
    """Versions of objects."""

    def test_daemon_set(self) -> None:
        """The counts, and the first container's image."""
        template = {"spec": {"containers": [{"image": "a:1"}, {"image": "b:1"}]}}
        seen = daemon_set_of(
            {
                "metadata": {"name": "d", "namespace": "n", "uid": "u", "generation": 4},
                "spec": {"template": template},
                "status": {"observedGeneration": 3, "desiredNumberScheduled": 5, "numberReady": 2},
            }
        )
        self.assertEqual((seen.generation, seen.observed_generation), (4, 3))
        self.assertEqual((seen.desired, seen.ready, seen.image), (5, 2, "a:1"))

    def test_same(self) -> None:
        """Two versions are the same if only the status differs."""
        base = {"uid": "u", "generation": 2, "resourceVersion": "7", "labels": {"a": "b"}}
        version = version_of({"metadata": base})
        same = {**base, "resourceVersion": "9"}
        self.assertTrue(version.same_as(version_of({"metadata": same})))
        changes: list[dict[str, Any]] = [
            {"generation": 3},
            {"uid": "v"},
            {"labels": {}},
            {"annotations": {"x": "y"}},
        ]
        for change in changes:
            self.assertFalse(version.same_as(version_of({"metadata": {**same, **change}})))

    def test_without_generation(self) -> None:
        """Of a kind without generation each change counts."""
        one, two = ({"metadata": {"uid": "u", "resourceVersion": v}} for v in "78")
        self.assertFalse(version_of(one).same_as(version_of(two)))

    def test_owner(self) -> None:
        """The owner is a DevicePlugin; a controller of another kind is noted."""
        owners = [
            {"kind": "DevicePlugin", "name": "gpus", "uid": "u", "controller": True},
            {"kind": "Other", "name": "o", "controller": True},
        ]
        metadata = {"name": "c", "namespace": "n", "labels": {"twistdp.io/deviceplugin": "old"}}
        child = child_of(CONFIG_MAP, {"metadata": {**metadata, "ownerReferences": owners}})
        self.assertEqual(child.place, Place("ConfigMap", "n", "c"))
        self.assertEqual(child.plugins, {"gpus", "old"})
        self.assertTrue(child.controlled)
        alone = child_of(DAEMON_SET, {"metadata": {**metadata, "ownerReferences": owners[:1]}})
        self.assertFalse(alone.controlled)
        self.assertIsNotNone(alone.daemon_set)

    def test_digest(self) -> None:
        """The order of keys does not count, everything else does."""
        self.assertEqual(digest({"a": 1, "b": 2}), digest({"b": 2, "a": 1}))
        self.assertNotEqual(digest({"a": [1, 2]}), digest({"a": [2, 1]}))
        self.assertLess(digest("\ud800"), 2**64)

    def test_paths(self) -> None:
        """Where the API server has objects of each kind."""
        self.assertEqual(NODE.path("ignored", "n1", "status"), "/api/v1/nodes/n1/status")
        self.assertEqual(DAEMON_SET.path(), "/apis/apps/v1/daemonsets")
        self.assertEqual(DAEMON_SET.path("n", "d"), "/apis/apps/v1/namespaces/n/daemonsets/d")
        self.assertEqual(KINDS["DevicePlugin"].resource, "deviceplugins.twistdp.io")
        self.assertEqual(str(Place("Node", "", "n1")), "Node n1")
