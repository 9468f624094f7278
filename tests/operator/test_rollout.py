"""Tests for `twistdp.operator.rollout`."""

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.operator.test_status import DAEMON_SET
from twistdp.operator.observed import DaemonSetSeen, PodSeen
from twistdp.operator.rollout import Progress, follow, is_complete, is_halted, rolling_update


def seen(**counts: Any) -> DaemonSetSeen:
    """A DaemonSet of three nodes that is complete, but for these counts."""
    return attrs.evolve(DAEMON_SET, **counts)


class StrategyTests(SynchronousTestCase):
    """The strategy of the DaemonSet."""

    def test_fields(self) -> None:
        """Kubernetes accepts one of the two, and the other as 0."""
        for arguments, wanted in (
            (("InTurn",), {"maxUnavailable": 1}),
            (("InTurn", "10%"), {"maxUnavailable": "10%"}),
            (("Surge",), {"maxSurge": 1, "maxUnavailable": 0}),
            (("Surge", None, "25%"), {"maxSurge": "25%", "maxUnavailable": 0}),
        ):
            self.assertEqual(rolling_update(*arguments), wanted)


NEW, OLD = "new", "old"


def pod(node: str, template: str, ready: bool, **more: Any) -> PodSeen:
    """A pod on a node."""
    name = f"{node}-{template}"
    return PodSeen(name, node, "Running", ready, template=template, **more)


class HaltTests(SynchronousTestCase):
    """Whether a surge has to stop."""

    def is_halted(self, *pods: PodSeen, surge: int | str | None = None, **counts: Any) -> bool:
        """Whether it is, with three nodes, one with its new pod."""
        found = seen(**{"updated": 1, "available": 2, "template": NEW, **counts})
        return is_halted("Surge", surge, found, pods)

    def test_failed(self) -> None:
        """A new pod that is not ready halts it once the old one is gone, and not before."""
        rest = pod("n2", OLD, True)
        self.assertTrue(self.is_halted(pod("n1", NEW, False), rest))
        ending = pod("n1", OLD, True, deleting=True)
        self.assertTrue(self.is_halted(pod("n1", NEW, False), ending, rest))
        self.assertFalse(self.is_halted(pod("n1", NEW, False), pod("n1", OLD, True), rest))
        self.assertFalse(self.is_halted(pod("n1", NEW, True), rest))

    def test_others(self) -> None:
        """Old pods that fail, and lost nodes, keep nobody from an update."""
        for pods in (
            [pod("n1", OLD, False), pod("n2", OLD, False)],
            [pod("n1", NEW, False, reason="NodeLost"), pod("n2", OLD, True)],
            [pod("n1", NEW, False), pod("n2", NEW, True)],  # there is nothing left to update
            [],
        ):
            self.assertFalse(self.is_halted(*pods), pods)
        pods = [pod("n1", NEW, False), pod("n2", OLD, True)]
        self.assertFalse(self.is_halted(*pods, template=""))
        self.assertFalse(is_halted("InTurn", None, seen(updated=1, template=NEW), pods))

    def test_many(self) -> None:
        """As many may fail as are updated at once."""
        for surge, desired, failed, wanted in (
            (2, 10, 1, False),
            (2, 10, 2, True),
            ("10%", 30, 2, False),
            ("10%", 30, 3, True),
            ("10%", 3, 1, True),
            ("0%", 3, 1, True),
        ):
            pods = [pod(f"n{number}", NEW, False) for number in range(failed)]
            halted = self.is_halted(*pods, pod("z", OLD, True), surge=surge, desired=desired)
            self.assertIs(halted, wanted, (surge, desired, failed))


class ProgressTests(SynchronousTestCase):
    """Whether a roll-out gets on."""

    def run_through(self, *steps: tuple[float, dict[str, int]]) -> Progress:
        """The progress after some counts, each with its time."""
        progress = None
        for now, counts in steps:
            progress = follow(progress, seen(**counts), now)
        assert progress is not None
        return progress

    def test_complete(self) -> None:
        """All pods are new and available, and the controller has seen the newest DaemonSet."""
        self.assertTrue(is_complete(seen()))
        for counts in ({"observed_generation": 1}, {"updated": 2}, {"available": 2}):
            self.assertFalse(is_complete(seen(**counts)), counts)

    def test_stalled(self) -> None:
        """It has stalled when nothing was gained for so long, to the second."""
        progress = self.run_through((10, {"updated": 1, "available": 2}))
        self.assertFalse(progress.is_stalled(600, 609.9))
        self.assertTrue(progress.is_stalled(600, 610))
        self.assertEqual(progress.due(600), 610)

    def test_steps(self) -> None:
        """A new pod, an available one, another generation or number of nodes is a step."""
        first = (0, {"updated": 1, "available": 1})
        for counts in (
            {"updated": 2, "available": 1},
            {"updated": 1, "available": 2},
            {"updated": 1, "available": 1, "generation": 3},
            {"updated": 1, "available": 1, "desired": 4},
        ):
            self.assertEqual(self.run_through(first, (50, counts)).since, 50, counts)

    def test_no_step(self) -> None:
        """A pod that comes and goes gains nothing."""
        progress = self.run_through(
            (0, {"updated": 2, "available": 2}),
            (50, {"updated": 2, "available": 1}),
            (90, {"updated": 2, "available": 2}),
        )
        self.assertEqual(progress.since, 0)

    def test_new(self) -> None:
        """A DaemonSet is new until each node has had a pod of it; a pod that fails is not."""
        complete = (0, {"generation": 2, "observed_generation": 2})
        written = (1, {"generation": 3, "observed_generation": 2})
        begun = (2, {"generation": 3, "observed_generation": 3, "updated": 3, "available": 2})
        ended = (3, {"generation": 3, "observed_generation": 3})
        for steps, wanted in (
            ((begun,), False),
            ((complete,), False),
            ((complete, written), True),
            ((complete, written, begun), True),
            ((complete, written, begun, ended), False),
            ((complete, written, ended), False),
            ((complete, written, begun, ended, begun), False),
        ):
            self.assertIs(self.run_through(*steps).is_new, wanted, steps)

    def test_never(self) -> None:
        """A complete one does not stall; a pod lost then starts the time."""
        complete = self.run_through((0, {}))
        self.assertFalse(complete.is_stalled(600, 1e9))
        self.assertIsNone(complete.due(600))
        self.assertEqual(self.run_through((0, {}), (5000, {"available": 2})).due(600), 5600)
        again = self.run_through((0, {}), (10, {"available": 2}), (20, {}), (900, {"available": 2}))
        self.assertEqual(again.since, 900)

    def test_another_operator(self) -> None:
        """A roll-out that had stalled is not given the time again by a restart, without a step."""
        condition = {"type": "Progressing", "reason": "RolloutStalled"}
        before = {"conditions": [condition], "desired": 3, "updated": 1, "ready": 2}
        few = {"updated": 1, "available": 2, "ready": 2}
        self.assertTrue(follow(None, seen(**few), 0, before).is_stalled(600, 0))
        for counts, status in (
            ({**few, "updated": 2}, before),
            (few, {**before, "conditions": [{**condition, "reason": "RollingOut"}]}),
            (few, {"conditions": 7}),
            (few, {}),
        ):
            self.assertFalse(follow(None, seen(**counts), 0, status).is_stalled(600, 0))
