"""The first request for an object takes nothing over, and what is created counts as applied."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import CONFIG, NAMESPACE, Stage, applying, made, running
from twistdp.operator.kinds import CONFIG_MAP, DAEMON_SET, POD_MONITOR, SERVICE_ACCOUNT, Kind

LABEL = {"team": "a"}
FOREIGN: dict[Kind, dict[str, Any]] = {
    SERVICE_ACCOUNT: {"metadata": {"name": "gpus"}},
    CONFIG_MAP: {"metadata": {"name": "gpus-config"}, "data": {"key": "1"}},
    DAEMON_SET: {
        "metadata": {"name": "gpus"},
        "spec": {
            "selector": {"matchLabels": LABEL},
            "template": {
                "metadata": {"labels": LABEL},
                "spec": {"containers": [{"name": "c", "image": "theirs:1"}]},
            },
        },
    },
}
"""Objects of somebody else, of the names that the operator wants."""


def foreign(stage: Stage, kind: Kind) -> dict[str, Any]:
    """Make one of them."""
    document = FOREIGN[kind]
    metadata = {**document["metadata"], "namespace": NAMESPACE}
    head = {"apiVersion": kind.api_version, "kind": kind.name}
    return stage.objects.create({**document, **head, "metadata": metadata})


def managers(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Who has set an object's fields, and how."""
    return [
        (entry["manager"], entry["operation"])
        for entry in document["metadata"]["managedFields"]
        if "subresource" not in entry
    ]


def monitored(fatal: int = 0) -> Stage:
    """A plugin with a PodMonitor, which has a label that only the object asks for.

    The operator is killed by the request `fatal`, if that is not 0.
    """
    stage = Stage()
    stage.define("monitoring.coreos.com", "v1", "PodMonitor", "podmonitors")
    stage.api.fatal = fatal
    stage.start()
    stage.feed.begin([POD_MONITOR])
    monitoring = {"kind": "PodMonitor", "labels": {"team": "a"}}
    stage.plugin(config=CONFIG, http={"port": 9100}, monitoring=monitoring)
    stage.settle()
    return stage


def labels_of_monitor(stage: Stage) -> dict[str, str]:
    """The labels of its PodMonitor."""
    found = stage.find("podmonitors")
    assert found is not None
    labels: dict[str, str] = found["metadata"]["labels"]
    return labels


class TakeOverTests(SynchronousTestCase):
    """Somebody has made an object of the name, and no watch has shown it yet."""

    def test_left_alone(self) -> None:
        """It stays as it is; the status says so once a watch shows it, and before that too."""
        for kind, document in FOREIGN.items():
            stage = Stage()
            stage.start()
            stage.feed.cut([kind])
            before = foreign(stage, kind)
            stage.plugin(config=CONFIG)
            stage.settle(60)
            name = document["metadata"]["name"]
            self.assertEqual(stage.find(kind.plural, name), before)
            self.assertEqual(stage.condition("Degraded")[1], "Refused")
            why = "selector" if kind == DAEMON_SET else f'"{name}" already exists'
            self.assertIn(why, stage.condition("Degraded")[2])
            stage.feed.begin([kind])
            stage.settle(120)
            self.assertEqual(stage.find(kind.plural, name), before)
            self.assertEqual(stage.condition("Degraded")[1], "InvalidSpec")
            message = f"there is {kind.name} {NAMESPACE}/{name} already"
            self.assertIn(message, stage.condition("Degraded")[2])

    def test_at_that_moment(self) -> None:
        """A watch that is only a little late shows the reason at once."""
        for kind in (SERVICE_ACCOUNT, CONFIG_MAP):
            stage = Stage()
            stage.start()
            stage.feed.cut([kind])
            before = foreign(stage, kind)
            stage.plugin(config=CONFIG)
            stage.settle(0.5)
            stage.feed.begin([kind])
            stage.settle(60)
            self.assertEqual(stage.condition("Degraded")[1], "InvalidSpec", kind)
            self.assertNotIn("Refused", stage.events())
            name = before["metadata"]["name"]
            self.assertEqual(stage.find(kind.plural, name), before)

    def test_our_own(self) -> None:
        """One of an operator before this one, which no watch has shown, is applied in the end."""
        stage = running(config=CONFIG)
        stage.kill()
        stage.operate()
        stage.reconciler.start()
        account = stage.objects.get("serviceaccounts", "gpus", NAMESPACE)
        stage.feed.begin()
        stage.reconciler.observe(SERVICE_ACCOUNT, "DELETED", account)
        stage.settle(2)
        self.assertIn("create serviceaccounts", stage.requests())
        stage.feed.begin([SERVICE_ACCOUNT])
        stage.settle(60)
        self.assertIn("apply serviceaccounts/gpus", stage.requests())
        self.assertEqual(stage.condition("Degraded")[1], "AsExpected")


class OwnerTests(SynchronousTestCase):
    """What was created is the operator's to remove."""

    def test_counts_as_applied(self) -> None:
        """Each object has one owner of what the operator says, by apply."""
        stage = running(config=CONFIG)
        for kind, document in FOREIGN.items():
            found = stage.find(kind.plural, document["metadata"]["name"])
            assert found is not None
            self.assertEqual(managers(found), [("twistdp-operator", "Apply")], kind)

    def test_removed(self) -> None:
        """A field that is no longer asked for goes, also if it was there from the beginning."""
        stage = monitored()
        self.assertEqual(labels_of_monitor(stage)["team"], "a")
        stage.edit({"spec": {"monitoring": {"labels": None}}})
        stage.settle()
        self.assertNotIn("team", labels_of_monitor(stage))

    def test_killed_after(self) -> None:
        """So it is if the operator that has created it was killed before it could say that."""
        stage = monitored(fatal=5)  # it creates the PodMonitor
        found = stage.find("podmonitors")
        assert found is not None
        self.assertEqual(managers(found), [("twistdp-operator", "Update")])
        stage.restart()
        stage.feed.begin([POD_MONITOR])
        stage.edit({"spec": {"monitoring": {"labels": None}}})
        stage.settle()
        self.assertNotIn("team", labels_of_monitor(stage))

    def test_changed_at_that_moment(self) -> None:
        """Somebody who changes it before that has other owners come first; it is tried again."""
        stage = applying(0.25, latency=0.1, lag=0.05, config=CONFIG)
        labels = {"metadata": {"labels": {"a": "b"}}}
        stage.objects.patch("serviceaccounts", "gpus", labels, NAMESPACE)
        stage.settle()
        found = stage.objects.get("serviceaccounts", "gpus", NAMESPACE)
        self.assertEqual(
            sorted(managers(found)), [("test", "Update"), ("twistdp-operator", "Apply")]
        )
        self.assertEqual(found["metadata"]["labels"]["a"], "b")
        self.assertNotIn("Refused", stage.events())
        self.assertEqual(stage.requests().count("patch serviceaccounts/gpus"), 2)

    def test_gone_at_that_moment(self) -> None:
        """One that is deleted before that is made again."""
        stage = applying(0.25, latency=0.1, lag=0.05, config=CONFIG)
        stage.objects.delete("serviceaccounts", "gpus", NAMESPACE)
        stage.settle()
        self.assertIsNotNone(stage.find("serviceaccounts"))
        requests = [each for each in stage.requests() if "serviceaccounts" in each]
        self.assertEqual(requests[-2:], made("serviceaccounts", "gpus"))
        self.assertNotIn("Refused", stage.events())
