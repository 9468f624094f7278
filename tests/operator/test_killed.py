"""The operator is killed at any of its requests: the next one gets to the same end."""

import itertools
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import CONFIG, NAMESPACE, Stage

CLEAN: dict[str, Any] = {"cleanUp": {"extendedResources": True}}
KINDS = ("daemonsets", "configmaps", "serviceaccounts", "deviceplugins", "nodes")

Story = Callable[[Stage], object]


def create(stage: Stage) -> None:
    """An object appears."""
    stage.plugin(config=CONFIG, **CLEAN)


def edit(stage: Stage) -> None:
    """Its configuration, its image and its selector change."""
    changes = {
        "config": {"resources": {"kvm": "/dev/kvm*"}},
        "image": "x:2",
        "nodeSelector": {"a": "b"},
    }
    stage.edit({"spec": changes})


def change_source(stage: Stage) -> None:
    """It uses the catalogue instead of a configuration."""
    stage.edit({"spec": {"config": None, "catalog": [{"name": "intel-gpu"}]}})


def drift(stage: Stage) -> None:
    """Somebody deletes and changes what belongs to it."""
    stage.objects.delete("configmaps", "gpus-config", NAMESPACE)
    stage.objects.patch("daemonsets", "gpus", {"spec": {"minReadySeconds": 77}}, NAMESPACE)


def spoil(stage: Stage) -> None:
    """Its configuration becomes a bad one."""
    stage.edit({"spec": {"config": {"resources": {"kvm": {"nonsense": 1}}}}})


def delete(stage: Stage) -> None:
    """It is deleted, its pods end, and the kubelet has no devices any more."""
    stage.objects.delete("deviceplugins", "gpus")
    stage.settle(1)
    if stage.find("pods", "gpus-n1") is not None:
        stage.objects.delete("pods", "gpus-n1", NAMESPACE, gracePeriodSeconds=0)
    stage.node("n1", kvm=0)


STORIES: dict[Story, bool] = {
    create: False,
    edit: True,
    change_source: True,
    drift: True,
    spoil: True,
    delete: True,
}
"""What happens, and whether the object is there already and rolled out."""


class KillTests(SynchronousTestCase):
    """For each story and each request of it: killed before the request is obeyed, and after."""

    def test_all(self) -> None:
        """The end is the same as without, and nothing is there twice."""
        for (story, runs), lag in itertools.product(STORIES.items(), (0.0, 0.5)):
            whole = _stage(runs, lag)
            before = whole.api.made
            story(whole)
            whole.settle(60)
            _play(whole)
            made, end = whole.api.made - before, _end(whole)
            self.assertGreater(made, 0, story.__name__)
            for request in range(1, made + 1):
                for obeyed in (False, True):
                    stage = _stage(runs, lag)
                    stage.api.fatal, stage.api.obeyed = stage.api.made + request, obeyed
                    story(stage)
                    stage.settle(60)
                    _play(stage)
                    where = f"{story.__name__}, request {request}, obeyed: {obeyed}, lag: {lag}"
                    self.assertTrue(stage.api.killed, where)
                    stage.restart()
                    _play(stage)
                    self.assertEqual(_end(stage), end, where)
                    stage.forget()
                    stage.settle(600)
                    self.assertEqual(stage.requests(), [], where)

    def test_again_and_again(self) -> None:
        """However many operators are killed one after the other, the end is the same."""
        whole = _stage(False)
        create(whole)
        whole.settle(60)
        _play(whole)
        stage = _stage(False)
        create(stage)
        for _ in range(20):
            stage.kill()
            stage.operate()
            stage.api.fatal = 4
            stage.start()
        stage.restart()
        _play(stage)
        self.assertEqual(_end(stage), _end(whole))


def _stage(runs: bool, lag: float = 0.0) -> Stage:
    stage = Stage(lag=lag)
    stage.server.garbage = True
    stage.node("n1", kvm=3)
    stage.start()
    if runs:
        create(stage)
        stage.settle()
        stage.roll_out()
        stage.settle()
    return stage


def _play(stage: Stage) -> None:
    """Let the DaemonSet's controller be done, as it is without the operator."""
    found = stage.find("daemonsets")
    if found is not None and "deletionTimestamp" not in found["metadata"]:
        stage.count("gpus", 1, generation=found["metadata"]["generation"])
    stage.settle(60)


def _end(stage: Stage) -> dict[str, Any]:
    """All objects without what differs between two clusters: uids, times and versions."""
    found = {}
    for kind in KINDS:
        for one in stage.objects.list(kind):
            metadata = one["metadata"]
            owners = [owner["name"] for owner in metadata.get("ownerReferences", ())]
            status = one.get("status", {})
            for condition in status.get("conditions", ()):
                condition.pop("lastTransitionTime", None)
            marks = metadata.get("labels"), metadata.get("finalizers"), owners
            data = one.get("data"), one.get("spec"), status
            found[f"{kind}/{metadata['name']}"] = (*marks, *data)
    return found
