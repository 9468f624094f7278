"""What a DevicePlugin needed before, and no longer needs, is deleted."""

from collections.abc import Sequence
from typing import Any

from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import CONFIG, DOMAIN, NAMESPACE, Stage, running
from twistdp.operator.kinds import CONFIG_MAP

DELETE = "delete configmaps/gpus-config"
FOREVER = float("inf")
OTHER: dict[str, Any] = {"spec": {"config": None, "catalog": [{"name": "intel-gpu"}]}}
"""A change after which there is no ConfigMap."""


class LeftoverTests(SynchronousTestCase):
    """The ConfigMap of a plugin that has no configuration any more."""

    def changed(self) -> Stage:
        """A stage with a plugin that had a configuration, up to its roll-out."""
        stage = running(config=CONFIG)
        stage.edit(OTHER)
        stage.settle()
        stage.forget()
        return stage

    def test_deleted(self) -> None:
        """It is deleted once, which is logged."""
        stage = self.changed()
        with capturedLogs() as events:
            stage.roll_out()
            stage.settle(60)
        self.assertEqual(stage.requests().count(DELETE), 1)
        self.assertEqual(_deleted(events), [f"ConfigMap {NAMESPACE}/gpus-config"])

    def test_gone_unseen(self) -> None:
        """One that is gone, or another one by now, is no trouble, and is not logged."""
        for again in (False, True):
            stage = self.changed()
            stage.feed.cut([CONFIG_MAP])
            stage.objects.delete("configmaps", "gpus-config", NAMESPACE)
            if again:
                metadata = {"name": "gpus-config", "namespace": NAMESPACE}
                mine = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
                stage.objects.create({**mine, "metadata": metadata})
            with capturedLogs() as events:
                stage.roll_out()
                stage.settle(60)
            self.assertEqual(stage.requests().count(DELETE), 1)
            self.assertEqual(stage.condition("Degraded")[1], "AsExpected")
            self.assertEqual(_deleted(events), [])
            self.assertEqual(stage.find("configmaps", "gpus-config") is not None, again)

    def test_refused(self) -> None:
        """While it may not be deleted the status says so; it is deleted once it may be."""
        stage = self.changed()
        fault = stage.server.fail(403, "delete", "configmaps", times=FOREVER)
        stage.roll_out()
        stage.settle(30)
        self.assertEqual(stage.condition("Degraded")[1], "Refused")
        self.assertIn('cannot delete resource "configmaps"', stage.condition("Degraded")[2])
        fault.end()
        stage.settle(120)
        self.assertIsNone(stage.find("configmaps", "gpus-config"))
        self.assertEqual(stage.condition("Degraded")[1], "AsExpected")

    def test_deleting(self) -> None:
        """One that is being deleted already is not deleted again."""
        stage = self.changed()
        hold = {"metadata": {"finalizers": ["a/b"]}}
        stage.objects.patch("configmaps", "gpus-config", hold, NAMESPACE)
        stage.objects.delete("configmaps", "gpus-config", NAMESPACE)
        stage.roll_out()
        stage.settle(60)
        self.assertNotIn(DELETE, stage.requests())

    def test_of_another(self) -> None:
        """An object of an earlier DevicePlugin of the name, or of a user, is left alone."""
        stage = running(catalog=[{"name": "kvm"}], domain=DOMAIN)
        labels = {
            "twistdp.io/deviceplugin": "gpus",
            "app.kubernetes.io/managed-by": "twistdp-operator",
        }
        owner = {"apiVersion": "twistdp.io/v1alpha1", "kind": "DevicePlugin", "name": "gpus"}
        for name, owners in (("before", [{**owner, "uid": "other"}]), ("mine", [])):
            metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
            stage.objects.create(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {**metadata, "ownerReferences": owners},
                }
            )
        stage.settle()
        stage.edit({"spec": {"image": "x:2"}})
        stage.settle()
        stage.roll_out()
        stage.settle(60)
        self.assertIsNotNone(stage.find("configmaps", "before"))
        self.assertIsNotNone(stage.find("configmaps", "mine"))


def _deleted(events: Sequence[LogEvent]) -> list[str]:
    """The objects that are logged as deleted."""
    text = "deleted what a device plugin no longer needs"
    return [event["object"] for event in events if event.get("log_text") == text]
