"""The reconciler against the fake API server: what it asks, and what comes of it."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import (
    CONFIG,
    DOMAIN,
    FOUND,
    IMAGE,
    NAMESPACE,
    SET,
    STATUS,
    Stage,
    applying,
    daemon_set,
    made,
    pod_spec,
    running,
)
from twistdp.operator.reconciler import WATCHED
from twistdp.testing.apiserver import Kind

PAUSE = {"metadata": {"annotations": {"twistdp.io/paused": "true"}}}
RESUME = {"metadata": {"annotations": {"twistdp.io/paused": None}}}


class CreateTests(SynchronousTestCase):
    """An object appears."""

    def test_all(self) -> None:
        """Its objects are applied, the DaemonSet last, and the status is written."""
        stage = Stage()
        stage.start()
        stage.forget()
        stage.plugin(config=CONFIG)
        stage.settle()
        self.assertEqual(
            stage.requests(),
            [*made("serviceaccounts", "gpus"), *made("configmaps", "gpus-config"), SET, STATUS],
        )
        self.assertEqual(stage.condition("Available")[:2], ("Unknown", "NotReady"))

    def test_rolled_out(self) -> None:
        """The status follows the pods and the nodes; then there is no request any more."""
        stage = Stage()
        stage.start()
        stage.plugin()
        stage.settle()
        stage.roll_out(nodes=["n1", "n2"])
        stage.node("n1", kvm=10)
        stage.node("n2", kvm=(10, 7))
        stage.settle()
        status = stage.status()
        self.assertEqual(
            status["resources"],
            [
                {
                    "name": f"{DOMAIN}/kvm",
                    "devices": 20,
                    "healthy": 17,
                    "unhealthy": 3,
                    "nodes": 2,
                }
            ],
        )
        self.assertEqual((status["desired"], status["ready"]), (2, 2))
        self.assertEqual(stage.condition("Available"), ("True", "AllReady", "2 pods are ready"))
        self.assertEqual(status["image"], IMAGE)

    def test_before_the_start(self) -> None:
        """What was there before an operator starts is reconciled once all kinds are listed."""
        stage = Stage()
        stage.plugin()
        stage.reconciler.start()
        stage.settle()
        stage.feed.begin(WATCHED[:-1])
        stage.settle()
        self.assertEqual(stage.requests(), [])
        stage.feed.begin(WATCHED[-1:])
        stage.settle()
        self.assertEqual(stage.requests(), [*made("serviceaccounts", "gpus"), SET, STATUS])

    def test_not_started(self) -> None:
        """An operator that has not been started, or was stopped, makes no request."""
        stage = Stage()
        stage.plugin("before")
        stage.feed.begin()
        stage.plugin()
        stage.settle()
        self.assertEqual((stage.requests(), len(stage.reconciler.queue)), ([], 0))
        stage.reconciler.start()
        stage.settle()
        stage.reconciler.stop()
        stage.forget()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        self.assertEqual((stage.requests(), len(stage.reconciler.queue)), ([], 0))
        stage.reconciler.start()
        stage.settle()
        self.assertIn(SET, stage.requests())

    def test_started_again(self) -> None:
        """An operator that was stopped applies all once again: another one may have worked."""
        stage = running()
        stage.reconciler.stop()
        stage.reconciler.start()
        stage.settle()
        self.assertEqual(stage.requests(), ["apply serviceaccounts/gpus", SET])

    def test_stopped_under_way(self) -> None:
        """A stop ends what is under way, at once, and that is no fault."""
        stage = running()
        stage.api.latency = 1.0
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(0.5)
        stage.results.clear()
        self.successResultOf(stage.reconciler.stop())
        stage.settle(600)
        self.assertEqual((stage.requests(), stage.results), ([], []))

    def test_results(self) -> None:
        """Each reconcile has a result, and the time that its requests took."""
        stage = Stage()
        stage.start()
        stage.api.latency = 0.5
        stage.plugin()
        stage.settle()
        self.assertEqual(set(stage.results), {"done"})
        self.assertTrue(4.0 <= stage.took[0] < 4.5, stage.took)
        for code, kind, result in (
            (500, "daemonsets", "failed"),
            (403, "daemonsets", "failed"),
            (500, "deviceplugins", "failed"),
            (0, "", "unreachable"),
        ):
            stage.results.clear()
            if code:
                stage.server.fail(code, kind=kind)
            else:
                stage.api.away = True
            stage.edit({"spec": {"image": f"x:{code}-{kind}"}})
            stage.settle(4)
            self.assertEqual(stage.results[0], result, (code, kind))
            stage.api.away = False
            stage.settle(60)
            self.assertEqual(stage.results[-1], "done")


class SteadyTests(SynchronousTestCase):
    """Nothing happens."""

    def test_no_request(self) -> None:
        """In two hours with heartbeats of nodes and no change, nothing is asked."""
        stage = running()
        stage.node("n1", kvm=3)
        stage.settle()
        stage.forget()
        for _ in range(24):
            stage.heartbeat("n1")
            stage.settle(300)
        self.assertEqual(stage.requests(), [])
        self.assertEqual(stage.events(), ["RolledOut"])

    def test_status_that_is_kept_in_another_form(self) -> None:
        """A status that the API server keeps only in part is not written again and again."""
        stage = Stage()

        def prune(_: str, kind: Kind, new: Any, __: Any) -> Any:
            if kind.kind == "DevicePlugin" and new.get("status"):
                new["status"].pop("updated", None)
            return new

        stage.server.admission.append(prune)
        stage.start()
        stage.plugin()
        stage.settle()
        self.assertNotIn("updated", stage.status())
        stage.forget()
        for number in range(3):
            stage.edit({"metadata": {"annotations": {"a": f"{number}"}}})
            stage.settle(600)
        self.assertEqual(stage.requests(), [])


class EditTests(SynchronousTestCase):
    """Somebody edits the object."""

    def test_image(self) -> None:
        """Another image is one request for the DaemonSet, and a status."""
        stage = running()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        self.assertEqual(stage.requests(), [SET, STATUS])
        self.assertEqual(stage.condition("Progressing")[:2], ("True", "RollingOut"))

    def test_config(self) -> None:
        """Another configuration changes the ConfigMap alone: the plugin reads it again."""
        stage = running(config=CONFIG)
        generation = daemon_set(stage)["metadata"]["generation"]
        stage.edit({"spec": {"config": {"resources": {"kvm": "/dev/kv[m]"}}}})
        stage.settle()
        self.assertEqual(stage.requests(), ["apply configmaps/gpus-config", STATUS])
        self.assertEqual(daemon_set(stage)["metadata"]["generation"], generation)

    def test_selector(self) -> None:
        """A selector that is taken away again is gone from the DaemonSet."""
        stage = running()
        stage.edit({"spec": {"nodeSelector": {"a": "b"}}})
        stage.settle()
        self.assertEqual(pod_spec(stage)["nodeSelector"]["a"], "b")
        stage.edit({"spec": {"nodeSelector": None}})
        stage.settle()
        self.assertNotIn("a", pod_spec(stage).get("nodeSelector", {}))

    def test_source(self) -> None:
        """From config to catalog: the ConfigMap goes when no pod of before is left."""
        stage = running(config=CONFIG)
        stage.edit({"spec": {"config": None, "catalog": [{"name": "intel-gpu"}]}})
        stage.settle()
        self.assertEqual(stage.requests(), [SET, STATUS])
        self.assertIsNotNone(stage.find("configmaps", "gpus-config"))
        stage.forget()
        stage.roll_out()
        stage.settle()
        self.assertIn("delete configmaps/gpus-config", stage.requests())
        self.assertIsNone(stage.find("configmaps", "gpus-config"))

    def test_burst(self) -> None:
        """Many edits at once lead to the last one, in one or two requests."""
        stage = running()
        for number in range(50):
            stage.edit({"spec": {"image": f"x:{number}"}})
        stage.settle()
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:49")
        self.assertLessEqual(stage.requests().count(SET), 2)

    def test_between_requests(self) -> None:
        """After an edit while the objects are applied, none is made as it was before."""
        stage = applying()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(60)
        self.assertEqual(stage.requests().count(SET), 1)
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")


class PauseTests(SynchronousTestCase):
    """The annotation that pauses."""

    def test_pause(self) -> None:
        """A paused object's objects stay as they are, and its status goes on."""
        stage = running()
        stage.edit(PAUSE)
        stage.edit({"spec": {"image": "x:2"}})
        stage.objects.delete("serviceaccounts", "gpus", NAMESPACE)
        stage.node("n1", kvm=3)
        stage.settle()
        self.assertEqual(set(stage.requests()), {STATUS})
        self.assertEqual(stage.condition("Paused")[0], "True")
        self.assertEqual(stage.status()["devices"], 3)
        stage.forget()
        stage.edit(RESUME)
        stage.settle()
        self.assertEqual(stage.requests(), [FOUND, *made("serviceaccounts", "gpus"), SET, STATUS])
        self.assertEqual(stage.condition("Paused")[0], "False")
        self.assertEqual(stage.events(), ["RolledOut", "Paused", "DriftRepaired", "Resumed"])
        warning = [e["reason"] for e in stage.objects.list("events") if e["type"] == "Warning"]
        self.assertEqual(warning, ["DriftRepaired"])

    def test_of_another(self) -> None:
        """The DaemonSet of an earlier object of the name is not counted as a paused one's."""
        stage = running()
        stage.kill()
        stage.objects.delete("deviceplugins", "gpus")
        stage.plugin()
        stage.edit(PAUSE)
        stage.restart()
        self.assertNotIn("daemonSet", stage.status())
        self.assertEqual(stage.condition("Available")[2], "there is no DaemonSet yet")

    def test_between_requests(self) -> None:
        """A pause that begins while the objects are applied counts for those that are left."""
        stage = applying()
        stage.edit(PAUSE)
        stage.settle(60)
        self.assertNotIn(SET, stage.requests())
        self.assertEqual(stage.condition("Paused")[0], "True")
        stage.edit(RESUME)
        stage.settle()
        self.assertIn(SET, stage.requests())
