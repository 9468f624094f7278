"""Somebody changes or deletes what the operator has made."""

from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import (
    CONFIG,
    FOUND,
    NAMESPACE,
    SET,
    STATUS,
    Stage,
    daemon_set,
    made,
    pod_spec,
    running,
)
from twistdp.operator.gone import KEPT, Gone
from twistdp.operator.kinds import CONFIG_MAP, DAEMON_SET, DEVICE_PLUGIN, NODE, POD_MONITOR

CHILDREN = {
    "daemonsets": ("gpus", {"spec": {"minReadySeconds": 77}}),
    "configmaps": ("gpus-config", {"data": {"config.yaml": "mine"}}),
    "serviceaccounts": ("gpus", {"metadata": {"labels": {"twistdp.io/deviceplugin": "other"}}}),
}
"""A change of each child in a field that is the operator's."""

REPAIRED = "repaired what somebody has changed"
MONITORED: dict[str, Any] = {
    "catalog": [{"name": "kvm"}],
    "domain": "lab.example.com",
    "http": {"port": 9100},
}
MONITOR = "podmonitors", "gpus", NAMESPACE


class RepairTests(SynchronousTestCase):
    """What is ours is made as it was."""

    def test_changed(self) -> None:
        """A changed object is applied once, which is an event, and then nothing is asked."""
        for kind, (name, patch) in CHILDREN.items():
            stage = running(config=CONFIG)
            before = _content(stage, kind, name)
            stage.objects.patch(kind, name, patch, NAMESPACE)
            self.assertNotEqual(_content(stage, kind, name), before)
            with capturedLogs() as events:
                stage.settle(300)
            repaired = [e["object"] for e in events if e.get("log_text") == REPAIRED]
            self.assertEqual([one.rpartition(" ")[2] for one in repaired], [f"{NAMESPACE}/{name}"])
            self.assertEqual(_content(stage, kind, name), before, kind)
            self.assertEqual(stage.requests().count(f"apply {kind}/{name}"), 1, kind)
            self.assertEqual(set(stage.requests()) - {STATUS}, {f"apply {kind}/{name}"})
            self.assertEqual(stage.events(), ["RolledOut", "DriftRepaired"], kind)

    def test_deleted(self) -> None:
        """A deleted object is made again, once."""
        for kind, (name, _) in CHILDREN.items():
            stage = running(config=CONFIG)
            before = _content(stage, kind, name)
            stage.objects.delete(kind, name, NAMESPACE)
            stage.settle(300)
            self.assertEqual(_content(stage, kind, name), before, kind)
            request = SET if kind == "daemonsets" else f"create {kind}"
            self.assertEqual(stage.requests().count(request), 1, kind)
            self.assertIn("DriftRepaired", stage.events(), kind)

    def test_marks(self) -> None:
        """Labels and owners that were taken off a DaemonSet are put on again."""
        for key in ("labels", "ownerReferences", "annotations"):
            stage = running()
            before = daemon_set(stage)["metadata"][key]
            stage.objects.patch("daemonsets", "gpus", {"metadata": {key: None}}, NAMESPACE)
            stage.settle(60)
            self.assertEqual(daemon_set(stage)["metadata"][key], before)
            self.assertEqual(stage.requests().count(SET), 1, key)

    def test_message(self) -> None:
        """The event names the object and what was done to it."""
        stage = running()
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        stage.settle()
        event = next(e for e in stage.objects.list("events") if e["reason"] == "DriftRepaired")
        self.assertEqual(
            event["message"],
            f"somebody has deleted DaemonSet {NAMESPACE}/gpus; it is as the object asks for again",
        )
        self.assertEqual(event["involvedObject"]["name"], "gpus")
        self.assertEqual(event["type"], "Warning")

    def test_while_it_is_applied(self) -> None:
        """A change that comes in between request and answer is repaired as well."""
        stage = running()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle(0.1)
        stage.objects.patch("daemonsets", "gpus", {"spec": {"minReadySeconds": 77}}, NAMESPACE)
        stage.settle(60)
        self.assertNotEqual(daemon_set(stage)["spec"]["minReadySeconds"], 77)
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")


class LeftAloneTests(SynchronousTestCase):
    """What is not ours is left as it is."""

    def test_other_fields(self) -> None:
        """Fields that others add stay; it takes one request to see that nothing of ours is hit."""
        stage = running()
        restarted = {"template": {"metadata": {"annotations": {"restartedAt": "now"}}}}
        stage.objects.patch(
            "daemonsets",
            "gpus",
            {"metadata": {"labels": {"team": "a"}, "annotations": {"b": "c"}}, "spec": restarted},
            NAMESPACE,
        )
        stage.settle(300)
        self.assertEqual(stage.requests().count(SET), 1)
        found = daemon_set(stage)
        self.assertEqual(found["metadata"]["labels"]["team"], "a")
        template = found["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(template["restartedAt"], "now")
        self.assertNotIn("DriftRepaired", stage.events())

    def test_status(self) -> None:
        """A DaemonSet's new status is no reason to apply it."""
        stage = running()
        stage.count("gpus", 7, generation=1)
        stage.settle(60)
        self.assertEqual(set(stage.requests()), {STATUS})

    def test_objects_of_others(self) -> None:
        """An object of the same name that somebody else has made is not taken over."""
        stage = Stage()
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        mine = {"name": "gpus", "namespace": NAMESPACE, "labels": {"mine": "yes"}}
        stage.objects.create({**account, "metadata": mine})
        stage.start()
        stage.plugin()
        stage.settle(60)
        self.assertEqual(stage.requests(), [STATUS])
        status, reason, message = stage.condition("Degraded")
        self.assertEqual((status, reason), ("True", "InvalidSpec"))
        self.assertIn("there is ServiceAccount twistdp-system/gpus already", message)
        stage.objects.delete("serviceaccounts", "gpus", NAMESPACE)
        stage.settle(60)
        self.assertEqual(stage.condition("Degraded")[0], "False")

    def test_labels_alone(self) -> None:
        """One of the labels that the operator gives does not make an object the operator's."""
        for labels in (
            {"twistdp.io/deviceplugin": "gpus"},
            {"app.kubernetes.io/managed-by": "twistdp-operator"},
            {
                "app.kubernetes.io/managed-by": "twistdp-operator",
                "twistdp.io/deviceplugin": "another",
            },
        ):
            stage = Stage()
            mine = {"name": "gpus", "namespace": NAMESPACE, "labels": labels}
            stage.objects.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": mine})
            stage.start()
            stage.plugin()
            stage.settle(60)
            self.assertEqual(stage.requests(), [STATUS])
            self.assertIn("there is ServiceAccount", stage.condition("Degraded")[2])

    def test_owned_by_a_plugin(self) -> None:
        """What a user has made for a plugin, and that goes with it, is no leftover of the plugin's.

        A DaemonSet among that is not taken for the plugin's own.
        """
        stage = running()
        owner = {"apiVersion": "twistdp.io/v1alpha1", "kind": "DevicePlugin", "name": "gpus"}
        uid = stage.objects.get("deviceplugins", "gpus")["metadata"]["uid"]
        for kind, version in (("ConfigMap", "v1"), ("DaemonSet", "apps/v1")):
            stage.objects.create(
                {
                    "apiVersion": version,
                    "kind": kind,
                    "metadata": {
                        "name": "files",
                        "namespace": NAMESPACE,
                        "ownerReferences": [{**owner, "uid": uid}],
                    },
                    **({"spec": daemon_set(stage)["spec"]} if kind == "DaemonSet" else {}),
                }
            )
        before = stage.status()
        stage.settle(60)
        stage.edit({"metadata": {"annotations": {"a": "b"}}})
        stage.settle(60)
        self.assertEqual(stage.requests(), [])
        self.assertEqual(stage.status(), before)

    def test_owned_by_another_too(self) -> None:
        """One of ours stays ours when something else owns it as well, and does not control it."""
        stage = running()
        other = {"apiVersion": "a.b/v1", "kind": "C", "name": "c", "uid": "u"}
        owners = [*daemon_set(stage)["metadata"]["ownerReferences"], other]
        stage.objects.patch(
            "daemonsets", "gpus", {"metadata": {"ownerReferences": owners}}, NAMESPACE
        )
        stage.settle(60)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")
        self.assertIn(other, daemon_set(stage)["metadata"]["ownerReferences"])

    def test_controlled_by_another(self) -> None:
        """So is one that has our labels, and that another kind of object controls."""
        stage = Stage()
        other = {"apiVersion": "a.b/v1", "kind": "C", "name": "c", "uid": "u", "controller": True}
        labels = {
            "twistdp.io/deviceplugin": "gpus",
            "app.kubernetes.io/managed-by": "twistdp-operator",
        }
        mine = {"name": "gpus", "namespace": NAMESPACE, "labels": labels}
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        stage.objects.create({**account, "metadata": {**mine, "ownerReferences": [other]}})
        stage.start()
        stage.plugin()
        stage.settle(60)
        self.assertEqual(stage.requests(), [STATUS])
        self.assertEqual(stage.condition("Degraded")[1], "InvalidSpec")

    def test_orphans(self) -> None:
        """What an object of the same name has left behind is adopted."""
        stage = running()
        stage.kill()
        for kind in ("daemonsets", "serviceaccounts"):
            stage.objects.patch(kind, "gpus", {"metadata": {"ownerReferences": None}}, NAMESPACE)
        stage.objects.delete("deviceplugins", "gpus")
        uid = stage.plugin()["metadata"]["uid"]
        stage.restart()
        owners = daemon_set(stage)["metadata"]["ownerReferences"]
        self.assertEqual([owner["uid"] for owner in owners], [uid])


class FightTests(SynchronousTestCase):
    """Another controller does not want what we want."""

    def test_less_and_less(self) -> None:
        """It is repaired less and less often, and is not an event each time."""
        stage = running()
        changes: list[float] = []

        def other(kind: Any, change: str | None, document: Any) -> None:
            observe(kind, change, document)
            if kind == DAEMON_SET and document["spec"]["minReadySeconds"] != 77:
                changes.append(stage.clock.seconds())
                stage.clock.callLater(0.1, change_it)

        def change_it() -> None:
            stage.objects.patch("daemonsets", "gpus", {"spec": {"minReadySeconds": 77}}, NAMESPACE)

        observe = stage.reconciler.observe
        stage.feed.observe = other
        change_it()
        stage.settle(1800)
        self.assertLess(len(changes), 20)
        self.assertGreater(len(changes), 5)
        self.assertGreater(changes[-1] - changes[-2], 200)
        self.assertLess(stage.events().count("DriftRepaired"), 5)

    def test_calm(self) -> None:
        """After a while without a change the next ones are repaired soon again."""
        stage = running()
        for _ in range(7):
            _disturb(stage)
            stage.settle(40)
        _disturb(stage)
        stage.settle(5)
        self.assertEqual(daemon_set(stage)["spec"]["minReadySeconds"], 77)
        stage.settle(900)
        for _ in range(2):
            _disturb(stage)
            stage.settle(5)
            self.assertNotEqual(daemon_set(stage)["spec"]["minReadySeconds"], 77)


class LateTests(SynchronousTestCase):
    """Watches that lag behind."""

    def test_old_news(self) -> None:
        """What a watch shows of the time before our own request is no drift."""
        stage = running()
        old = daemon_set(stage)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.forget()
        stage.reconciler.observe(DAEMON_SET, "MODIFIED", old)
        stage.settle(60)
        self.assertEqual(stage.requests(), [])

    def test_old_list(self) -> None:
        """A list may be older than the operator's request; that is no drift that is reported."""
        stage = running()
        old = daemon_set(stage)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.forget()
        stage.reconciler.observe(DAEMON_SET, None, old)
        stage.settle(60)
        self.assertEqual(stage.requests().count(SET), 1)
        self.assertNotIn("DriftRepaired", stage.events())
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")

    def test_old_object(self) -> None:
        """Nor is the DevicePlugin as it was before its newest change."""
        stage = running()
        old = stage.objects.get("deviceplugins", "gpus")
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.forget()
        stage.reconciler.observe(DEVICE_PLUGIN, "MODIFIED", old)
        stage.settle(60)
        self.assertEqual(stage.requests(), [])

    def test_restored(self) -> None:
        """What a list has counts, however old: the API server may be restored from a backup."""
        stage = running()
        old = stage.objects.get("deviceplugins", "gpus")
        image = pod_spec(stage)["containers"][0]["image"]
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.feed.cut()
        stage.server.fail(500, kind="deviceplugins", times=float("inf"))
        stage.reconciler.observe(DEVICE_PLUGIN, None, old)
        stage.settle()
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], image)

    def test_node_between(self) -> None:
        """A node that has gone while nobody watched counts no more."""
        stage = running()
        stage.node("n1", kvm=3)
        stage.settle()
        stage.feed.cut()
        stage.objects.delete("nodes", "n1")
        stage.feed.begin([NODE])
        stage.settle()
        self.assertEqual(stage.status()["devices"], 0)

    def test_deletion_of_another(self) -> None:
        """The late end of an object that was there before is not the end of the one now."""
        stage = running()
        old = daemon_set(stage)
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        stage.settle()
        stage.forget()
        stage.reconciler.observe(DAEMON_SET, "DELETED", old)
        stage.settle(60)
        self.assertEqual(stage.requests(), [])

    def test_vanished_between(self) -> None:
        """What was deleted while nobody watched is missing in the next list, and made again."""
        stage = running(config=CONFIG)
        stage.feed.cut()
        stage.objects.delete("configmaps", "gpus-config", NAMESPACE)
        stage.settle(60)
        self.assertEqual(stage.requests(), [])
        stage.feed.begin([CONFIG_MAP])
        stage.settle(60)
        self.assertEqual(stage.requests(), [FOUND, *made("configmaps", "gpus-config")])

    def test_owner_gone(self) -> None:
        """What went with the DevicePlugin is not made again before a list shows that it went."""
        stage = running()
        stage.feed.cut([DEVICE_PLUGIN])
        stage.objects.delete("deviceplugins", "gpus")
        stage.forget()
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        stage.settle()
        self.assertEqual(set(stage.requests()), {FOUND, STATUS})
        stage.forget()
        stage.feed.begin([DEVICE_PLUGIN])
        stage.settle(60)
        self.assertEqual(stage.requests(), [])

    def test_owner_replaced(self) -> None:
        """Nor is it while there is another DevicePlugin of that name, which nobody has seen."""
        stage = running()
        stage.feed.cut([DEVICE_PLUGIN])
        stage.objects.delete("deviceplugins", "gpus")
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        made = stage.plugin()
        stage.forget()
        stage.settle(60)
        self.assertEqual(set(stage.requests()), {FOUND, STATUS})
        stage.feed.begin([DEVICE_PLUGIN])
        stage.settle()
        owner = daemon_set(stage)["metadata"]["ownerReferences"][0]
        self.assertEqual(owner["uid"], made["metadata"]["uid"])

    def test_list_that_broke_off(self) -> None:
        """What a list had that broke off is missing if the next one does not have it."""
        stage = running(config=CONFIG)
        stage.feed.cut()
        found = stage.objects.get("configmaps", "gpus-config", NAMESPACE)
        stage.reconciler.listing(CONFIG_MAP)
        stage.reconciler.observe(CONFIG_MAP, None, found)
        stage.objects.delete("configmaps", "gpus-config", NAMESPACE)
        stage.reconciler.listing(CONFIG_MAP)
        stage.reconciler.listed(CONFIG_MAP)
        stage.settle()
        self.assertIsNotNone(stage.find("configmaps", "gpus-config"))

    def test_changed_between(self) -> None:
        """What was changed while nobody watched is repaired after the next list."""
        stage = running()
        stage.feed.cut()
        stage.objects.patch("daemonsets", "gpus", {"spec": {"minReadySeconds": 77}}, NAMESPACE)
        stage.feed.begin()
        stage.settle(60)
        self.assertEqual(stage.requests().count(SET), 1)
        self.assertNotEqual(daemon_set(stage)["spec"]["minReadySeconds"], 77)

    def test_list_without_change(self) -> None:
        """A list that shows what is known leads to no request."""
        stage = running(config=CONFIG)
        for _ in range(5):
            stage.feed.begin()
            stage.settle(60)
        self.assertEqual(stage.requests(), [])


class LagTests(SynchronousTestCase):
    """Answers come before the watches show what they did."""

    def test_finalizer(self) -> None:
        """The object's own change by the operator does not end the work on it."""
        stage = Stage(lag=1.0)
        stage.start()
        stage.plugin(config=CONFIG, cleanUp={"extendedResources": True})
        stage.settle()
        self.assertIsNotNone(stage.find("daemonsets"))
        self.assertEqual(stage.requests().count(SET), 1)

    def test_edit_in_an_answer(self) -> None:
        """An edit that the answer to a status shows first is obeyed."""
        stage = running(lag=1.0)
        stage.api.latency = 0.2
        stage.node("n1", kvm=3)
        stage.settle(1.1)
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        self.assertEqual(stage.requests()[0], STATUS)
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")

    def test_deleted_before_the_answer(self) -> None:
        """What is deleted while the answer of its making is under way is made again."""
        stage = Stage()
        stage.start()
        stage.plugin(config=CONFIG)
        for kind, name in (("configmaps", "gpus-config"), ("daemonsets", "gpus")):
            while stage.objects.find(kind, name, NAMESPACE) is None:
                stage.clock.advance(0.001)
            stage.objects.delete(kind, name, NAMESPACE)
        stage.settle(60)
        for kind, name in (("configmaps", "gpus-config"), ("daemonsets", "gpus")):
            self.assertIsNotNone(stage.objects.find(kind, name, NAMESPACE), kind)

    def test_owner_deleted_before_the_answer(self) -> None:
        """A DevicePlugin that goes while its status is being written is forgotten."""
        for shown in (True, False):
            stage = Stage()
            stage.start()
            stage.plugin(config=CONFIG)
            while STATUS not in stage.requests():
                stage.clock.advance(0.001)
            if not shown:
                stage.feed.cut()
            stage.objects.delete("deviceplugins", "gpus")
            if not shown:
                stage.feed.begin()
            stage.settle(60)
            self.assertEqual(stage.reconciler.cache.plugins, {})
            stage.forget()
            stage.settle(600)
            self.assertEqual(stage.requests(), [])

    def test_gone_and_there(self) -> None:
        """A list has the last word on what exists, as after a backup has been restored."""
        stage = running()
        stage.reconciler.observe(
            DEVICE_PLUGIN, "DELETED", stage.objects.get("deviceplugins", "gpus")
        )
        stage.feed.begin()
        stage.settle()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        self.assertEqual(pod_spec(stage)["containers"][0]["image"], "x:2")

    def test_remembered(self) -> None:
        """So many objects that are gone are remembered, the last ones."""
        gone = Gone()
        for number in range(KEPT + 1):
            gone.add(str(number))
        self.assertNotIn("0", gone)
        self.assertIn("1", gone)
        self.assertIn(str(KEPT), gone)

    def test_own_status(self) -> None:
        """A status is not written again before a watch shows it."""
        stage = running(lag=8.0)
        stage.settle(60)
        stage.forget()
        stage.node("n1", kvm=3)
        stage.settle(6)
        stage.edit({"metadata": {"annotations": {"a": "b"}}})
        stage.settle(60)
        self.assertEqual(stage.requests(), [STATUS])

    def test_own_changes(self) -> None:
        """What the operator has done itself is no drift when a watch shows it later."""
        for lag in (0.0, 0.05, 3.0):
            stage = running(lag=lag)
            stage.edit({"spec": {"image": "x:2"}})
            stage.settle(60)
            self.assertEqual(stage.requests(), [SET, STATUS])


class MonitorTests(SynchronousTestCase):
    """Kinds that the cluster may not have."""

    def test_offered_later(self) -> None:
        """A monitor is left out until its kind is there."""
        stage = running(
            catalog=[{"name": "kvm"}],
            domain="lab.example.com",
            http={"port": 9100},
            monitoring={"kind": "PodMonitor"},
        )
        self.assertEqual(stage.condition("Degraded")[0], "False")
        stage.forget()
        stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
        stage.feed.begin([POD_MONITOR])
        stage.settle()
        self.assertIn("create podmonitors", stage.requests())
        self.assertNotIn(SET, stage.requests())
        stage.forget()
        stage.edit({"spec": {"monitoring": None}})
        stage.settle()
        self.assertIn("delete podmonitors/gpus", stage.requests())

    def test_missing(self) -> None:
        """While the kind is missing the status says so, and it is looked for at times."""
        stage = running(**MONITORED, monitoring={"kind": "PodMonitor"})
        self.assertEqual(stage.condition("Degraded")[:2], ("False", "AsExpected"))
        self.assertIn("waits for the kind PodMonitor", stage.condition("Degraded")[2])
        stage.looks.clear()
        stage.settle(1000)
        self.assertEqual(len(stage.looks), 3)
        self.assertEqual(stage.requests(), [])
        stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
        stage.feed.begin([POD_MONITOR])
        stage.settle()
        self.assertEqual(stage.condition("Degraded"), ("False", "AsExpected", ""))
        stage.looks.clear()
        stage.settle(1000)
        self.assertEqual(stage.looks, [])

    def test_not_wanted(self) -> None:
        """Nothing is looked for that nobody wants."""
        stage = running()
        stage.settle(1000)
        self.assertEqual(stage.looks, [])

    def test_restart(self) -> None:
        """A new operator leaves a monitor alone until it has listed them."""
        stage = Stage()
        stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
        stage.start()
        stage.feed.begin([POD_MONITOR])
        stage.plugin(**MONITORED, monitoring={"kind": "PodMonitor"})
        stage.settle()
        stage.roll_out()
        stage.settle()
        stage.kill()
        stage.forget()
        stage.operate()
        stage.reconciler.offer([POD_MONITOR])
        stage.start()
        self.assertNotIn(STATUS, stage.requests())
        stage.forget()
        stage.reconciler.observe(POD_MONITOR, None, stage.objects.get(*MONITOR))
        stage.settle()
        self.assertEqual(stage.requests(), [])
        stage.reconciler.listed(POD_MONITOR)
        stage.settle()
        self.assertEqual(stage.requests(), ["apply podmonitors/gpus"])
        stage.reconciler.offer([])
        stage.settle()
        self.assertEqual(stage.requests(), ["apply podmonitors/gpus", STATUS])
        self.assertIn("waits for the kind PodMonitor", stage.condition("Degraded")[2])

    def test_objects_of_others(self) -> None:
        """A Service or a monitor of the same name that is somebody else's is not taken over."""
        stage = Stage()
        stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
        mine = {"name": "gpus", "namespace": NAMESPACE}
        service = {"ports": [{"port": 80}], "selector": {"app": "mine"}}
        stage.objects.create(
            {"apiVersion": "v1", "kind": "Service", "metadata": mine, "spec": service}
        )
        stage.objects.create(
            {"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": mine}
        )
        stage.start()
        stage.plugin(**MONITORED, monitoring={"kind": "PodMonitor"})
        stage.settle()
        stage.feed.begin([POD_MONITOR])
        stage.settle()
        self.assertIn(f"there is PodMonitor {NAMESPACE}/gpus", stage.condition("Degraded")[2])
        stage.edit({"spec": {"monitoring": {"kind": "ServiceMonitor"}}})
        stage.settle()
        self.assertIn(f"there is Service {NAMESPACE}/gpus", stage.condition("Degraded")[2])
        found = stage.objects.get("services", "gpus", NAMESPACE)
        self.assertEqual(found["spec"]["selector"], {"app": "mine"})
        self.assertNotIn("spec", stage.objects.get(*MONITOR))


def _disturb(stage: Stage) -> None:
    """Change a field of the DaemonSet that is the operator's."""
    stage.objects.patch("daemonsets", "gpus", {"spec": {"minReadySeconds": 77}}, NAMESPACE)


def _content(stage: Stage, kind: str, name: str) -> Any:
    """What an object has that is not its version."""
    found = stage.find(kind, name)
    assert found is not None
    labels = found["metadata"]["labels"]
    return labels, found.get("data"), found.get("spec")


class RefusedMonitorTests(SynchronousTestCase):
    """Monitoring is not what the plugin needs."""

    def test_forbidden(self) -> None:
        """A monitor that is refused is in the status, and the DaemonSet is made all the same."""
        stage = Stage()
        stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
        stage.server.fail(403, kind="podmonitors", times=float("inf"))
        stage.start()
        stage.feed.begin([POD_MONITOR])
        stage.plugin(**MONITORED, monitoring={"kind": "PodMonitor"})
        stage.settle()
        self.assertIsNotNone(stage.find("daemonsets"))
        self.assertIn('cannot create resource "podmonitors"', stage.condition("Degraded")[2])

    def test_not_now(self) -> None:
        """A refusal of each request, whatever it asks, is no reason to ask for the next one."""
        for code in (401, 429):
            stage = Stage()
            stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
            stage.server.fail(code, kind="podmonitors")
            stage.start()
            stage.feed.begin([POD_MONITOR])
            stage.plugin(**MONITORED, monitoring={"kind": "PodMonitor"})
            stage.settle(0.5)
            self.assertNotIn(SET, stage.requests(), code)
            stage.settle(10)
            self.assertIn(SET, stage.requests())
            self.assertIsNotNone(stage.objects.find(*MONITOR))


class EndingTests(SynchronousTestCase):
    """Objects that are being deleted."""

    def test_waits(self) -> None:
        """Nothing is applied to an object that is about to go; it is made again after that."""
        stage = running()
        stage.objects.patch("daemonsets", "gpus", {"metadata": {"finalizers": ["a/b"]}}, NAMESPACE)
        stage.settle()
        stage.forget()
        stage.objects.delete("daemonsets", "gpus", NAMESPACE)
        stage.settle(60)
        self.assertNotIn(SET, stage.requests())
        stage.objects.patch("daemonsets", "gpus", {"metadata": {"finalizers": None}}, NAMESPACE)
        stage.settle()
        self.assertEqual(stage.requests().count(SET), 1)
        self.assertNotIn("deletionTimestamp", daemon_set(stage)["metadata"])

    def test_new_operator(self) -> None:
        """So it is by an operator that has not applied it before, and with what comes after it."""
        stage = running()
        hold = {"metadata": {"finalizers": ["a/b"]}}
        for kind in ("daemonsets", "serviceaccounts"):
            stage.objects.patch(kind, "gpus", hold, NAMESPACE)
            stage.objects.delete(kind, "gpus", NAMESPACE)
        stage.forget()
        stage.restart()
        self.assertEqual(set(stage.requests()) - {STATUS}, set())
        for kind in ("serviceaccounts", "daemonsets"):
            stage.objects.patch(kind, "gpus", {"metadata": {"finalizers": None}}, NAMESPACE)
            stage.settle()
            found = stage.find(kind)
            assert found is not None
            self.assertNotIn("deletionTimestamp", found["metadata"])
