"""A DevicePlugin is deleted, with and without clean-up of the nodes."""

from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import (
    DOMAIN,
    NAMESPACE,
    SET,
    Stage,
    applying,
    daemon_set,
    made,
    running,
)
from twistdp.operator.cleanup import FINALIZER, PATIENCE
from twistdp.operator.kinds import DAEMON_SET, DEVICE_PLUGIN, NODE
from twistdp.operator.observed import CLEANING_SINCE

KVM: dict[str, Any] = {"catalog": [{"name": "kvm"}], "domain": DOMAIN}
CLEAN: dict[str, Any] = {**KVM, "cleanUp": {"extendedResources": True}}
PATCH_NODE = "patch nodes/{}/status"
RELEASE = ANNOTATE = "patch deviceplugins/gpus"


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
        self.assertEqual(stage.reconciler.cache.sent, {})
        self.assertEqual(stage.reconciler.cache._wanted, {})
        self.assertEqual(stage.reconciler._works, {})
        self.assertEqual(stage.reconciler._happenings._allowances, {})

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
        stage = applying()
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle(60)
        self.assertEqual(stage.requests(), made("serviceaccounts", "gpus"))

    def test_deleting_between_requests(self) -> None:
        """Nor does one that somebody's finalizer still keeps, nor has it a status any more."""
        stage = applying()
        stage.edit({"metadata": {"finalizers": ["a/b"]}})
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle(60)
        self.assertEqual(stage.requests(), made("serviceaccounts", "gpus"))

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
        self.assertEqual(stage.status()["observedGeneration"], 1)


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

    def test_changed_unseen(self) -> None:
        """A change that no watch has shown yet is read, and the finalizer comes or goes then."""
        for wanted in (True, None):
            stage = running(**(KVM if wanted else CLEAN))
            stage.edit({"spec": {"cleanUp": wanted and {"extendedResources": True}}})
            stage.feed.cut([DEVICE_PLUGIN])
            stage.edit({"metadata": {"finalizers": ["a/b", *_finalizers(stage)]}})
            stage.settle()
            self.assertEqual(_finalizers(stage), ["a/b", FINALIZER] if wanted else ["a/b"])
            self.assertEqual(stage.events(), ["RolledOut"])

    def test_refused(self) -> None:
        """A change of the finalizers that the API server refuses for a while is made after that."""
        for code in (409, 500):
            for wanted in (True, None):
                stage = running(**(KVM if wanted else CLEAN))
                stage.server.fail(code, "patch", "deviceplugins")
                stage.edit({"spec": {"cleanUp": wanted and {"extendedResources": True}}})
                stage.settle()
                self.assertEqual(_finalizers(stage), [FINALIZER] if wanted else [], code)


class CleanUpTests(SynchronousTestCase):
    """Resources with 0 are removed from nodes before the object goes."""

    def test_all(self) -> None:
        """The DaemonSet goes, the kubelet says 0, the entries go, and then the object."""
        stage = self._deleted()
        self.assertEqual(stage.requests(), [ANNOTATE, "delete daemonsets/gpus"])
        self._end_pods(stage)
        self.assertEqual(stage.requests(), [ANNOTATE, "delete daemonsets/gpus"])
        stage.node("n1", kvm=0)
        with capturedLogs() as events:
            stage.settle(300)
        removed = "removed resources that lingered on a node"
        self.assertEqual([e["node"] for e in events if e.get("log_text") == removed], ["n1"])
        self.assertEqual(_lists(stage, "n1"), [["cpu"], ["cpu"]])
        self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"))
        stage.node("n2", kvm=0)
        stage.settle()
        self.assertEqual(_lists(stage, "n2"), [["cpu"], ["cpu"]])
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
        self.assertEqual(
            stage.requests(),
            [
                ANNOTATE,
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

    def test_node_gone_unseen(self) -> None:
        """Nor is one that no watch has shown to be gone."""
        stage = self._deleted()
        self._end_pods(stage)
        stage.node("n1", kvm=0)
        stage.settle()
        stage.forget()
        stage.api.latency = 0.5
        stage.node("n2", kvm=0)
        stage.settle(0.3)
        stage.feed.cut([NODE])
        stage.objects.delete("nodes", "n2")
        stage.settle()
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
        self.assertEqual(stage.requests(), [PATCH_NODE.format("n2"), RELEASE])
        self.assertEqual(stage.events(), ["RolledOut"])

    def test_late_news(self) -> None:
        """Watches that show what was done only later do not have it done again."""
        stage = self._deleted(lag=1.0)
        self._end_pods(stage)
        stage.forget()
        stage.node("n1", kvm=0)
        stage.settle(0.5)
        stage.node("n2", kvm=0)
        stage.settle()
        self.assertEqual(
            stage.requests(), [PATCH_NODE.format("n1"), PATCH_NODE.format("n2"), RELEASE]
        )

    def test_daemon_set_gone_unseen(self) -> None:
        """A DaemonSet that is gone, or another one by now, does not count as refused."""
        for again in (False, True):
            stage = running(**CLEAN)
            stage.feed.cut([DAEMON_SET])
            before = daemon_set(stage)
            stage.objects.delete("daemonsets", "gpus", NAMESPACE)
            if again:
                for key in ("uid", "resourceVersion", "generation", "creationTimestamp"):
                    del before["metadata"][key]
                stage.objects.create(before)
            stage.objects.delete("deviceplugins", "gpus")
            self._end_pods(stage)
            stage.settle(60)
            self.assertEqual(stage.requests(), [ANNOTATE, "delete daemonsets/gpus"], again)
            self.assertEqual(stage.events(), ["RolledOut"])
            stage.feed.begin([DAEMON_SET])
            stage.settle()
            self.assertIsNone(stage.find("daemonsets"))
            self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_daemon_set_refused(self) -> None:
        """A DaemonSet that may not be deleted is an event, and is deleted once it may be."""
        stage = running(**CLEAN)
        fault = stage.server.fail(403, "delete", "daemonsets", times=float("inf"))
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle(60)
        self.assertEqual(stage.events(), ["RolledOut", "CleanUpRefused"])
        self.assertEqual(_warnings(stage), ["CleanUpRefused"])
        fault.end()
        stage.settle(90)  # the pauses differ by chance
        self.assertIsNone(stage.find("daemonsets"))

    def test_daemon_set_of_a_user(self) -> None:
        """A DaemonSet of somebody else, which only has the plugin's label, stays."""
        stage = running(**CLEAN)
        mine = daemon_set(stage)
        labels = {"twistdp.io/deviceplugin": "gpus"}
        metadata = {"name": "mine", "namespace": NAMESPACE, "labels": labels}
        stage.objects.create({**mine, "metadata": metadata})
        stage.objects.delete("deviceplugins", "gpus")
        self._end_pods(stage)
        self.assertIsNotNone(stage.find("daemonsets", "mine"))
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
        for nodes, named in ((3, "n1, n2, n3"), (4, "n1, n2, n3 and 1 more")):
            stage = self._deleted(nodes=nodes)
            self._end_pods(stage)
            with capturedLogs() as events:
                stage.settle(PATIENCE - 60)
                self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"))
                stage.settle(120)
            self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
            self.assertEqual(_warnings(stage), ["CleanUpGivenUp"])
            left = f"devices on {named}"
            messages = [event["message"] for event in stage.objects.list("events")]
            self.assertIn(f"still there after 15 minutes: {left}; clean up by hand", messages)
            given_up = [e["left"] for e in events if e.get("log_text") == "gave up cleaning up"]
            self.assertEqual(given_up, [left])

    def test_goes_on(self) -> None:
        """An operator that takes over does not give it its time again."""
        for annotations in ({}, {"a": "b"}):
            stage = running(**CLEAN)
            stage.edit({"metadata": {"annotations": annotations}})
            stage.node("n1", kvm=3)
            stage.objects.delete("deviceplugins", "gpus")
            self._end_pods(stage)
            stage.settle(PATIENCE - 100)
            stage.restart()
            stage.settle(20)
            self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"))
            stage.settle(100)
            self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_begins_late(self) -> None:
        """An operator that comes long after the deletion gives kubelets their time."""
        stage = running(**CLEAN)
        stage.node("n1", kvm=3)
        stage.settle()
        stage.kill()
        stage.objects.delete("deviceplugins", "gpus")
        stage.settle(2 * PATIENCE)
        stage.operate()
        stage.start()
        self._end_pods(stage)
        stage.settle(PATIENCE - 100)
        self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"))
        stage.node("n1", kvm=0)
        stage.settle()
        self.assertEqual(_lists(stage, "n1"), [["cpu"], ["cpu"]])

    def test_odd_beginning(self) -> None:
        """A beginning that is no time is written again; one to come counts as now."""
        for odd in ("yesterday", "2199-01-01T00:00:00Z"):
            stage = running(**CLEAN)
            stage.edit({"metadata": {"annotations": {CLEANING_SINCE: odd}}})
            stage.node("n1", kvm=3)
            stage.settle()
            stage.objects.delete("deviceplugins", "gpus")
            self._end_pods(stage)
            stage.settle(PATIENCE - 100)
            self.assertIsNotNone(stage.objects.find("deviceplugins", "gpus"), odd)
            stage.settle(200)
            self.assertIsNone(stage.objects.find("deviceplugins", "gpus"), odd)

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

    def test_passing_trouble(self) -> None:
        """A change of a node that is refused for a while is made soon after that."""
        for code in (409, 500):
            stage = self._deleted()
            self._end_pods(stage)
            stage.forget()
            stage.server.fail(code, kind="nodes", times=2)
            stage.node("n2", kvm=0)
            stage.node("n1", kvm=0)
            stage.settle(30)
            self.assertEqual(_lists(stage, "n1"), [["cpu"], ["cpu"]], code)
            self.assertIsNone(stage.objects.find("deviceplugins", "gpus"), code)

    def test_gone_unseen(self) -> None:
        """Somebody who takes the finalizer off at the end leaves nothing to be done."""
        stage = self._deleted()
        self._end_pods(stage)
        stage.forget()
        stage.feed.cut([DEVICE_PLUGIN])
        stage.edit({"metadata": {"finalizers": None}})
        stage.node("n1", kvm=0)
        stage.node("n2", kvm=0)
        stage.settle()
        self.assertIn(RELEASE, stage.requests())
        stage.forget()
        stage.settle(60)
        self.assertEqual(stage.requests(), [])

    def test_other_finalizer_unseen(self) -> None:
        """One that somebody takes off moves ours, which goes all the same."""
        stage = running(**CLEAN)
        stage.edit({"metadata": {"finalizers": ["a/b", FINALIZER]}})
        stage.node("n1", kvm=3)
        stage.settle()
        stage.objects.delete("deviceplugins", "gpus")
        self._end_pods(stage)
        stage.feed.cut([DEVICE_PLUGIN])
        stage.edit({"metadata": {"finalizers": [FINALIZER]}})
        stage.node("n1", kvm=0)
        stage.settle(30)
        self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))

    def test_no_longer_wanted(self) -> None:
        """A deleted object that wants no clean-up any more goes at once."""
        for before in (True, False):
            stage = running(**CLEAN)
            if before:
                stage.objects.delete("deviceplugins", "gpus")
                stage.settle()
            stage.forget()
            stage.feed.cut([DEVICE_PLUGIN])
            stage.edit({"spec": {"cleanUp": None}})
            if not before:
                stage.objects.delete("deviceplugins", "gpus")
            stage.feed.begin([DEVICE_PLUGIN])
            stage.settle()
            self.assertIsNone(stage.objects.find("deviceplugins", "gpus"))
            self.assertEqual(stage.requests(), [RELEASE])

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

    def _deleted(self, other: bool = False, nodes: int = 2, lag: float = 0.0) -> Stage:
        stage = running(lag=lag, **CLEAN)
        if other:
            stage.plugin("others", **KVM)
        for number in range(1, nodes + 1):
            stage.node(f"n{number}", kvm=3)
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


def _warnings(stage: Stage) -> list[str]:
    """The reasons of the events that warn."""
    return [one["reason"] for one in stage.objects.list("events") if one["type"] == "Warning"]


def _lists(stage: Stage, node: str) -> list[list[str]]:
    status = stage.objects.get("nodes", node)["status"]
    return [sorted(status["capacity"]), sorted(status["allocatable"])]
