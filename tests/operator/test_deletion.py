"""A DevicePlugin is deleted, with and without clean-up of the nodes."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import DOMAIN, NAMESPACE, SET, Stage, daemon_set, running
from twistdp.operator.cleanup import FINALIZER, PATIENCE
from twistdp.operator.kinds import DEVICE_PLUGIN, NODE

KVM: dict[str, Any] = {"catalog": [{"name": "kvm"}], "domain": DOMAIN}
CLEAN: dict[str, Any] = {**KVM, "cleanUp": {"extendedResources": True}}
PATCH_NODE = "patch nodes/{}/status"
RELEASE = "patch deviceplugins/gpus"


class PlainTests(SynchronousTestCase):
    """Nothing is to be cleaned up."""

    def test_no_request(self) -> None:
        """Garbage collection does all of it: the operator asks nothing, and forgets the object."""
        stage = running()
        stage.server.garbage = True
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle(60)
        self.assertEqual(stage.requests(), [])
        self.assertIsNone(stage.find("daemonsets"))
        self.assertEqual(stage.reconciler.cache.plugins, {})
        self.assertEqual(stage.reconciler._works, {})

    def test_foreground(self) -> None:
        """While garbage collection deletes in the foreground, nothing is made again."""
        stage = running()
        stage.objects.delete("deviceplugins", "gpus", propagationPolicy="Foreground")
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        stage.settle(60)
        self.assertEqual(stage.requests(), [])
        self.assertIsNone(stage.find("daemonsets"))

    def test_while_nobody_watches(self) -> None:
        """An object that vanished between two lists is forgotten as well."""
        stage = running()
        stage.feed.cut()
        stage.objects.delete("deviceplugins", "gpus")
        stage.feed.begin()
        stage.settle(60)
        self.assertEqual(stage.requests(), [])
        self.assertEqual(stage.reconciler.cache.plugins, {})

    def test_between_requests(self) -> None:
        """An object that is deleted while its objects are applied gets no further ones."""
        stage = Stage()
        stage.start()
        stage.api.latency = 1.0
        stage.plugin()
        stage.settle(1.5)
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle(60)
        self.assertEqual(stage.requests(), ["apply serviceaccounts/gpus"])

    def test_another_of_the_name(self) -> None:
        """An object that is made again at once gets objects of its own."""
        stage = running()
        stage.server.garbage = True
        stage.objects.delete("deviceplugins", "gpus")
        uid = stage.plugin(**KVM)["metadata"]["uid"]
        stage.settle(60)
        owners = daemon_set(stage)["metadata"]["ownerReferences"]
        self.assertEqual([owner["uid"] for owner in owners], [uid])
        self.assertEqual(stage.requests().count(SET), 1)

    def test_another_between_lists(self) -> None:
        """So does one that took its place while nobody watched."""
        stage = running()
        stage.feed.cut()
        stage.objects.delete("deviceplugins", "gpus")
        uid = stage.plugin(**KVM)["metadata"]["uid"]
        stage.feed.begin()
        stage.settle(60)
        owners = daemon_set(stage)["metadata"]["ownerReferences"]
        self.assertEqual([owner["uid"] for owner in owners], [uid])


class FinalizerTests(SynchronousTestCase):
    """The finalizer is there as long as it is asked for."""

    def test_first(self) -> None:
        """It is there before anything that needs it."""
        stage = Stage()
        stage.start()
        stage.plugin(**CLEAN)
        stage.settle()
        self.assertEqual(stage.requests()[0], RELEASE)
        self.assertEqual(_finalizers(stage), [FINALIZER])

    def test_beside_others(self) -> None:
        """Those of others stay."""
        stage = running(**KVM)
        stage.edit({"metadata": {"finalizers": ["a/b"]}})
        stage.edit({"spec": {"cleanUp": {"extendedResources": True}}})
        stage.settle()
        self.assertEqual(_finalizers(stage), ["a/b", FINALIZER])
        stage.edit({"spec": {"cleanUp": None}})
        stage.settle()
        self.assertEqual(_finalizers(stage), ["a/b"])

    def test_taken_off(self) -> None:
        """Somebody who takes it off gets it back."""
        stage = running(**CLEAN)
        stage.edit({"metadata": {"finalizers": None}})
        stage.settle()
        self.assertEqual(_finalizers(stage), [FINALIZER])

    def test_conflict(self) -> None:
        """If somebody adds another one at that moment, both are there in the end."""
        stage = running(**KVM)
        stage.api.latency = 0.5
        stage.edit({"spec": {"cleanUp": {"extendedResources": True}}})
        stage.settle(0.3)
        stage.edit({"metadata": {"finalizers": ["a/b"]}})
        stage.settle()
        self.assertEqual(_finalizers(stage), ["a/b", FINALIZER])


class CleanUpTests(SynchronousTestCase):
    """Resources with 0 are removed from nodes before the object goes."""

    def test_all(self) -> None:
        """The DaemonSet goes, the kubelet says 0, the entries go, and then the object."""
        stage = self._deleted()
        self.assertEqual(stage.requests(), ["delete daemonsets/gpus"])
        self._end_pods(stage)
        self.assertEqual(stage.requests(), ["delete daemonsets/gpus"])
        stage.node("n1", kvm=0)
        stage.settle(300)
        self.assertEqual(_lists(stage, "n1"), [["cpu"], ["cpu"]])
        self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"))
        stage.node("n2", kvm=0)
        stage.settle()
        self.assertEqual(_lists(stage, "n2"), [["cpu"], ["cpu"]])
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
        self.assertEqual(
            stage.requests(),
            [
                "delete daemonsets/gpus",
                PATCH_NODE.format("n1"),
                PATCH_NODE.format("n2"),
                RELEASE,
            ],
        )

    def test_gone_node(self) -> None:
        """A node that is gone is not waited for."""
        stage = self._deleted()
        self._end_pods(stage)
        stage.node("n1", kvm=0)
        stage.objects.delete("nodes", "n2")
        stage.settle()
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_others_resource(self) -> None:
        """A resource that another DevicePlugin names stays."""
        stage = self._deleted(other=True)
        stage.node("n1", kvm=0)
        self._end_pods(stage)
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
        self.assertIn(f"{DOMAIN}/kvm", _lists(stage, "n1")[0])

    def test_pods_first(self) -> None:
        """Nothing is removed while a pod of the plugin may still serve."""
        stage = self._deleted()
        self.assertIsNone(stage.find("daemonsets"))
        stage.node("n1", kvm=0)
        stage.settle(60)
        self.assertIn(f"{DOMAIN}/kvm", _lists(stage, "n1")[0])

    def test_daemon_set_first(self) -> None:
        """Nor while its DaemonSet is there, which may make another pod."""
        stage = running(**CLEAN)
        stage.node("n1", kvm=3)
        stage.objects.patch("daemonsets", "gpus", {"metadata": {"finalizers": ["a/b"]}}, NAMESPACE)
        stage.settle()
        stage.objects.delete("deviceplugins", "gpus")
        self._end_pods(stage)
        stage.node("n1", kvm=0)
        stage.settle(60)
        self.assertIn(f"{DOMAIN}/kvm", _lists(stage, "n1")[0])

    def test_not_zero_any_more(self) -> None:
        """An entry that has become more than 0 in the meantime is left as it is."""
        stage = self._deleted()
        self._end_pods(stage)
        stage.api.latency = 0.5
        stage.node("n1", kvm=0)
        stage.settle(0.3)
        stage.feed.cut([NODE])
        stage.node("n1", kvm=2)
        stage.settle()
        self.assertIn(f"{DOMAIN}/kvm", _lists(stage, "n1")[0])

    def test_only_in_one_list(self) -> None:
        """An entry that is in one of the lists only is removed there."""
        stage = self._deleted()
        self._end_pods(stage)
        stage.node("n1", kvm=0)
        key = f"{DOMAIN}/kvm"
        stage.objects.patch(
            "nodes",
            "n2",
            {"status": {"capacity": {key: "0"}, "allocatable": {key: None}}},
            subresource="status",
        )
        stage.settle()
        self.assertEqual(_lists(stage, "n2"), [["cpu"], ["cpu"]])
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_gives_up(self) -> None:
        """A node that keeps its devices does not keep the object forever."""
        stage = self._deleted()
        self._end_pods(stage)
        stage.settle(PATIENCE - 60)
        self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"))
        stage.settle(120)
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
        messages = [e["message"] for e in stage.objects.list("events")]
        self.assertIn("still there after 15 minutes: devices on n1, n2; clean up by hand", messages)

    def test_forbidden(self) -> None:
        """If nodes may not be changed, an event says so, and the object goes in the end."""
        stage = self._deleted()
        stage.server.fail(403, kind="nodes", times=float("inf"))
        self._end_pods(stage)
        stage.node("n1", kvm=0)
        stage.node("n2", kvm=0)
        stage.settle(PATIENCE + 400)
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
        said = [
            event["reason"]
            for event in stage.objects.list("events")
            if 'cannot patch resource "nodes/status"' in event["message"]
        ]
        self.assertEqual(set(said), {"CleanUpRefused", "CleanUpGivenUp"})
        self.assertLess(len(said), 5)

    def test_no_longer_wanted(self) -> None:
        """A deleted object that wants no clean-up any more goes at once."""
        stage = self._deleted()
        stage.edit({"spec": {"cleanUp": None}})
        stage.settle()
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_bad_spec(self) -> None:
        """So does one whose spec cannot be read."""
        stage = running(**CLEAN)
        stage.edit({"spec": {"catalog": None}})
        stage.settle()
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle()
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_paused(self) -> None:
        """A pause does not keep a deleted object."""
        stage = running(**CLEAN)
        stage.edit({"metadata": {"annotations": {"twistdp.io/paused": "true"}}})
        stage.settle()
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle()
        self.assertIsNone(stage.find("daemonsets"))

    def test_while_the_api_is_away(self) -> None:
        """A deletion that the operator sees only when the API server is back is done then."""
        stage = running(**CLEAN)
        stage.feed.cut()
        stage.api.away = True
        stage.objects.delete("deviceplugins", "gpus")
        stage.reconciler.observe(
            DEVICE_PLUGIN, "MODIFIED", stage.objects.get("deviceplugins", "gpus")
        )
        stage.settle(300)
        self.assertIsNotNone(stage.find("daemonsets"))
        stage.api.away = False
        stage.feed.begin()
        stage.settle(60)
        self.assertIsNone(stage.find("daemonsets"))
        self._end_pods(stage)
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def _deleted(self, other: bool = False) -> Stage:
        stage = running(**CLEAN)
        if other:
            stage.plugin("others", **KVM)
        stage.node("n1", kvm=3)
        stage.node("n2", kvm=3)
        stage.settle()
        stage.forget()
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle()
        return stage

    def _end_pods(self, stage: Stage) -> None:
        stage.objects.delete("pods", "gpus-n1", NAMESPACE, gracePeriodSeconds=0)
        stage.settle()


def _finalizers(stage: Stage) -> list[str]:
    found: list[str] = stage.objects.get("deviceplugins", "gpus")["metadata"].get("finalizers", [])
    return found


def _lists(stage: Stage, node: str) -> list[list[str]]:
    status = stage.objects.get("nodes", node)["status"]
    return [sorted(status["capacity"]), sorted(status["allocatable"])]
