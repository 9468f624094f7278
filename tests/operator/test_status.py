"""Tests for `twistdp.operator.status` and its conditions."""

import json
import time
from collections.abc import Mapping
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.operator.conditions import LONGEST, shortened
from twistdp.operator.known import Known
from twistdp.operator.observed import Count, DaemonSetSeen, PodSeen
from twistdp.operator.status import MOST_NODES, MOST_OF_A_NODE, MOST_RESOURCES, status

LARGEST = 32 * 1024
"""Bytes that a status may have as JSON."""

THEN, LATER = 1_800_000_000.0, 1_800_000_060.0

DAEMON_SET = DaemonSetSeen(
    namespace="twistdp-system",
    name="gpus",
    uid="7",
    generation=2,
    observed_generation=2,
    desired=3,
    ready=3,
    updated=3,
    available=3,
    image="plugin:1",
)

NOT_PULLED = PodSeen("gpus-b", "n2", "Pending", False, reason="ImagePullBackOff", message="no key")
CRASHING = PodSeen(
    *("gpus-c", "n3", "Running", False),
    reason="CrashLoopBackOff",
    message="back-off 40s restarting",
    exit_code=1,
    exit_reason="Error",
)
STARTING = PodSeen("gpus-d", "n4", "Pending", False)
UNSCHEDULED = PodSeen("gpus-e", "", "Pending", False, reason="Unschedulable", message="no memory")


def known(*pods: PodSeen, ds: Mapping[str, Any] | None = None, **more: Any) -> Known:
    """What is known, with these pods and this of the DaemonSet."""
    seen = attrs.evolve(DAEMON_SET, **(ds or {}))
    return Known(**{"generation": 5, "daemon_set": seen, "pods": pods, **more})


def by_type(made: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The conditions of a status."""
    return {one["type"]: one for one in made["conditions"]}


class ConditionTests(SynchronousTestCase):
    """Which conditions a situation has."""

    def check(
        self, situation: Known, wanted: Mapping[str, str], previous: Mapping[str, Any] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Compare conditions as ``True AllReady``; return them."""
        found = by_type(status(situation, previous or {}, THEN))
        short = {name: f"{found[name]['status']} {found[name]['reason']}" for name in wanted}
        self.assertEqual(short, wanted)
        return found

    def test_good(self) -> None:
        """All pods are ready."""
        self.check(
            known(),
            {
                "Available": "True AllReady",
                "Progressing": "False Done",
                "Degraded": "False AsExpected",
                "Paused": "False NotPaused",
            },
        )

    def test_nothing_yet(self) -> None:
        """There is no DaemonSet, or nobody has counted its pods."""
        self.check(
            known(daemon_set=None),
            {"Available": "False NotReady", "Progressing": "True RollingOut"},
        )
        self.check(
            known(ds={"observed_generation": 0, "desired": 0, "ready": 0}),
            {"Available": "Unknown NotReady", "Progressing": "True RollingOut"},
        )

    def test_no_nodes(self) -> None:
        """No node is selected: the fields to look at are named."""
        counts = dict.fromkeys(("desired", "ready", "updated", "available"), 0)
        found = self.check(known(ds=counts), {"Available": "False NoNodes"})
        self.assertIn("spec.nodeSelector", found["Available"]["message"])

    def test_rolling_out(self) -> None:
        """Pods that start are no fault."""
        for counts in (
            {"ready": 2, "available": 2},
            {"updated": 1},
            {"observed_generation": 1},
            {"available": 2},
        ):
            self.check(
                known(STARTING, UNSCHEDULED, ds=counts),
                {"Progressing": "True RollingOut", "Degraded": "False AsExpected"},
            )

    def test_pods(self) -> None:
        """Faults of pods are named with their nodes; the worst is the reason."""
        few = {"ready": 0, "available": 0}
        for pods, reason, texts in (
            ([NOT_PULLED], "ImageNotPulled", ["gpus-b on n2 (ImagePullBackOff: no key)"]),
            ([CRASHING], "CrashLooping", ["gpus-c on n3 (CrashLoopBackOff: exit code 1, Error)"]),
            ([CRASHING, NOT_PULLED], "ImageNotPulled", ["1 pod is without"]),
            (
                [attrs.evolve(STARTING, reason="CreateContainerError", message="no mount")],
                "PodsNotReady",
                ["gpus-d on n4 (CreateContainerError: no mount)"],
            ),
        ):
            found = self.check(known(*pods, ds=few), {"Degraded": f"True {reason}"})
            for text in texts:
                self.assertIn(text, found["Degraded"]["message"])

    def test_no_faults(self) -> None:
        """Pods that end, or are ready again after a crash, are none."""
        for pod in (
            attrs.evolve(CRASHING, deleting=True),
            attrs.evolve(CRASHING, ready=True, restarts=9),
        ):
            self.check(known(pod), {"Degraded": "False AsExpected"})

    def test_named(self) -> None:
        """Three pods are named, in the order of the nodes, and the others counted."""
        pods = [attrs.evolve(NOT_PULLED, node=f"n{number}") for number in (5, 4, 3, 2, 1)]
        message = by_type(status(known(*pods), {}, THEN))["Degraded"]["message"]
        places = [message.find(f"on n{number} ") for number in (1, 2, 3)]
        self.assertEqual(places, sorted(places))
        self.assertIn(" and 2 more", message)
        self.assertNotIn("on n4", message)
        message = by_type(status(known(*pods[:3]), {}, THEN))["Degraded"]["message"]
        self.assertNotIn("more", message)

    def test_exit_code(self) -> None:
        """A pod that says nothing is named with the way in which its container ended."""
        ended = PodSeen("gpus-c", "n3", "Running", False, exit_code=137, exit_reason="OOMKilled")
        good = status(known(), {}, THEN)
        few = {"ready": 2, "available": 2}
        found = self.check(known(ended, ds=few), {"Degraded": "True PodsNotReady"}, good)
        self.assertIn("gpus-c on n3 (exit code 137, OOMKilled)", found["Degraded"]["message"])

    def test_after_roll_out(self) -> None:
        """A pod that fails after a roll-out is a fault, and no roll-out."""
        good = status(known(), {}, THEN)
        few = {"ready": 2, "available": 2}
        wanted = {
            "Available": "False NotReady",
            "Progressing": "False Done",
            "Degraded": "True PodsNotReady",
        }
        self.check(known(STARTING, ds=few), wanted, good)
        # A pod on a new node, or of another spec, starts.
        starting = {"Progressing": "True RollingOut", "Degraded": "False AsExpected"}
        more = {"desired": 4, "updated": 4}
        self.check(known(STARTING, ds=more), starting, good)
        self.check(known(STARTING, ds=few, generation=6), starting, good)
        self.check(known(STARTING, ds=few, replacing=True), starting, good)
        # Nor is it over before it was complete, or for a DaemonSet that the counts are not of.
        rolling = status(known(STARTING, ds=few), {}, THEN)
        self.check(known(STARTING, ds=few), {"Progressing": "True RollingOut"}, rolling)
        for counts in ({"updated": 2}, {"generation": 9}):
            situation = known(STARTING, ds={**few, **counts})
            self.check(situation, {"Progressing": "True RollingOut"}, good)

    def test_late_news_of_pods(self) -> None:
        """A pod that the DaemonSet counts as ready, and that is not seen to be yet, is no fault."""
        self.check(known(STARTING), {"Progressing": "False Done", "Degraded": "False AsExpected"})

    def test_stalled(self) -> None:
        """A roll-out that stands still names the pods that hold it up."""
        few = {"updated": 1, "available": 2, "ready": 2}
        others = (PodSeen("fine", "n1", "Running", True), attrs.evolve(CRASHING, deleting=True))
        found = self.check(
            known(STARTING, UNSCHEDULED, *others, ds=few, stalled=True),
            {"Progressing": "False RolloutStalled", "Degraded": "True RolloutStalled"},
        )
        for name in ("Progressing", "Degraded"):
            message = found[name]["message"]
            pods = "gpus-e on no node (Unschedulable: no memory), gpus-d on n4"
            why = "nothing has got on for spec.updateStrategy.progressDeadlineSeconds"
            self.assertTrue(message.endswith(f"; not ready: {pods}; {why}"), message)
        self.check(known(stalled=True), {"Progressing": "False Done"})

    def test_halted(self) -> None:
        """A surge that the operator has halted is stalled at once, and says what ends that."""
        few = {"updated": 1, "available": 2, "ready": 2}
        found = self.check(
            known(STARTING, ds=few, halted=True), {"Degraded": "True RolloutStalled"}
        )
        message = found["Degraded"]["message"]
        self.assertIn("gpus-d on n4", message)
        self.assertIn("no other node is updated until they are ready", message)
        self.assertNotIn("progressDeadlineSeconds", message)

    def test_no_pods(self) -> None:
        """Pods that nobody could make are counted, with the place where the reason stands."""
        few = {"updated": 1, "available": 1, "ready": 1}
        for pods, text in (
            ([], "3 nodes have no pod: see kubectl -n twistdp-system describe daemonset gpus"),
            ([STARTING, attrs.evolve(STARTING, node="n5")], "; 1 node has no pod: see kubectl"),
        ):
            found = self.check(
                known(*pods, ds=few, stalled=True), {"Degraded": "True RolloutStalled"}
            )
            self.assertIn(text, found["Degraded"]["message"])

    def test_bad_spec(self) -> None:
        """Problems of the spec come before those of pods; the last good plugin goes on."""
        found = self.check(
            known(NOT_PULLED, problems=["spec.a: no", "spec.b: no"]),
            {"Available": "True AllReady", "Degraded": "True InvalidSpec"},
        )
        self.assertEqual(found["Degraded"]["message"], "spec.a: no; spec.b: no")
        many = self.check(
            known(problems=[f"spec.{number}: {'x' * 90}" for number in range(50)]),
            {"Degraded": "True InvalidSpec"},
        )["Degraded"]["message"]
        self.assertLessEqual(len(many), LONGEST)
        shown = many.count("spec.")
        self.assertTrue(many.endswith(f"; and {50 - shown} more"), many[-40:])

    def test_refused(self) -> None:
        """The API server's words are in the message."""
        found = self.check(known(refusal="no such class"), {"Degraded": "True Refused"})
        self.assertIn("no such class", found["Degraded"]["message"])

    def test_paused(self) -> None:
        """The annotation is in force."""
        self.check(known(paused=True), {"Paused": "True Annotated"})

    def test_times(self) -> None:
        """A time changes with the status of its condition, not with reason or message."""
        first = status(known(), {}, THEN)
        same = status(known(), first, LATER)
        self.assertEqual(same, first)
        other = by_type(status(known(refusal="x"), first, LATER))
        self.assertEqual(other["Degraded"]["lastTransitionTime"], "2027-01-15T08:01:00Z")
        self.assertEqual(other["Available"]["lastTransitionTime"], "2027-01-15T08:00:00Z")
        reason = by_type(status(known(ds={"desired": 0}), {}, THEN))["Available"]
        later = by_type(status(known(daemon_set=None), {"conditions": [reason]}, LATER))
        self.assertEqual(later["Available"]["lastTransitionTime"], "2027-01-15T08:00:00Z")

    def test_shortened(self) -> None:
        """Texts of others are one line of so many bytes."""
        for text, wanted in (
            ("a\n b\t c", "a b c"),
            ("abcdef", "ab..."),
            ("éééé", "é..."),
            ("\ud800", "?"),
        ):
            self.assertEqual(shortened(text, 5), wanted)


class CountTests(SynchronousTestCase):
    """Which counts it has."""

    def test_sums(self) -> None:
        """Each resource has its sums, also one that no node has; a node with 0 has none."""
        nodes = {
            "b": {"x.io/a": Count(4, 3), "x.io/b": Count(2, 2)},
            "a": {"x.io/a": Count(4, 4)},
            "c": {"x.io/a": Count(0, 0)},
        }
        made = status(known(nodes=nodes, resources=["x.io/c"]), {}, THEN)
        self.assertEqual(
            made["resources"],
            [
                {"name": "x.io/a", "devices": 8, "healthy": 7, "unhealthy": 1, "nodes": 2},
                {"name": "x.io/b", "devices": 2, "healthy": 2, "unhealthy": 0, "nodes": 1},
                {"name": "x.io/c", "devices": 0, "healthy": 0, "unhealthy": 0, "nodes": 0},
            ],
        )
        self.assertEqual((made["devices"], made["unhealthy"]), (10, 1))
        self.assertEqual([one["name"] for one in made["nodes"]], ["b", "a"])
        self.assertEqual(
            made["nodes"][0]["resources"],
            [
                {"name": "x.io/a", "healthy": 3, "unhealthy": 1},
                {"name": "x.io/b", "healthy": 2, "unhealthy": 0},
            ],
        )
        self.assertEqual((made["nodesOmitted"], made["resourcesOmitted"]), (0, 0))

    def test_none_of_a_node(self) -> None:
        """A resource of which a node has no devices is not among the node's."""
        made = status(known(nodes={"a": {"x.io/a": Count(1, 1), "x.io/b": Count(0, 0)}}), {}, THEN)
        (node,) = made["nodes"]
        self.assertEqual([one["name"] for one in node["resources"]], ["x.io/a"])
        self.assertEqual(node["resourcesOmitted"], 0)

    def test_more_healthy(self) -> None:
        """A node that has more healthy devices than devices, for a moment, has no other sums."""
        made = status(known(nodes={"a": {"x.io/a": Count(2, 5)}}), {}, THEN)
        (one,) = made["resources"]
        self.assertEqual((one["devices"], one["healthy"], one["unhealthy"]), (2, 2, 0))

    def test_bounds(self) -> None:
        """Nodes and resources with unhealthy devices come first, and the others are counted."""
        nodes = {f"n{number:03}": {"x.io/a": Count(1, 1)} for number in range(100)}
        nodes["z"] = {"x.io/a": Count(1, 0)}
        many = {f"x.io/{number:03}": Count(1, 1) for number in range(40)} | {"x.io/z": Count(1, 0)}
        made = status(known(nodes={**nodes, "zz": many}), {}, THEN)
        self.assertEqual([one["name"] for one in made["nodes"][:3]], ["z", "zz", "n000"])
        self.assertEqual((len(made["nodes"]), made["nodesOmitted"]), (MOST_NODES, 38))
        crowded = made["nodes"][1]
        self.assertEqual(crowded["resources"][0]["name"], "x.io/z")
        self.assertEqual(
            (len(crowded["resources"]), crowded["resourcesOmitted"]), (MOST_OF_A_NODE, 33)
        )
        self.assertEqual((len(made["resources"]), made["resourcesOmitted"]), (MOST_RESOURCES, 10))
        self.assertEqual(made["resources"][-1]["name"], "x.io/z")

    def test_large(self) -> None:
        """5 000 nodes with 200 resources make a small status, in a time linear in them."""
        resources = [f"devices.lab.example.com/resource-{number:03}" for number in range(200)]
        counts = {name: Count(8, 7) for name in resources}
        nodes = {f"node-{number:04}.rack.example.com": counts for number in range(5000)}
        pods = [attrs.evolve(NOT_PULLED, node=node) for node in nodes]
        start = time.process_time()
        made = status(known(*pods, nodes=nodes, resources=resources), {}, THEN)
        self.assertLess(time.process_time() - start, 20)
        self.assertLess(len(json.dumps(made)), LARGEST)
        self.assertEqual(made["devices"], 5000 * 200 * 8)
        self.assertEqual(made["unhealthy"], 5000 * 200)
        self.assertEqual(made["nodesOmitted"] + len(made["nodes"]), 5000)

    def test_longest(self) -> None:
        """The longest names and texts that Kubernetes has do not make it large."""
        names = [f"{'d' * 253}/{number:063}" for number in range(200)]
        nodes = {f"{number:0253}": {name: Count(9, 1) for name in names} for number in range(70)}
        pods = [
            PodSeen("p" * 253, "n" * 253, "Pending", False, reason="Bad", message="é" * 300)
            for _ in range(9)
        ]
        situation = known(
            *pods, nodes=nodes, resources=names, problems=["é" * 5000] * 90, stalled=True
        )
        made = json.dumps(status(situation, {}, THEN), ensure_ascii=False)
        self.assertLess(len(made.encode()), LARGEST)


names = st.sampled_from(["x.io/a", "x.io/b", "x.io/c"])
counts = st.builds(Count, st.integers(0, 9), st.integers(0, 9))
pods = st.builds(
    PodSeen,
    st.text(max_size=9),
    st.text(max_size=9),
    st.sampled_from(["Pending", "Running", "Failed"]),
    st.booleans(),
    deleting=st.booleans(),
    reason=st.sampled_from(["", "CrashLoopBackOff", "ErrImagePull", "Odd"]),
    message=st.text(),
    exit_code=st.none() | st.integers(),
)
numbers = st.integers(0, 5)
daemon_sets = st.builds(
    DaemonSetSeen,
    *(st.text(max_size=5) for _ in range(3)),
    *(numbers for _ in range(6)),
    image=st.text(max_size=5),
)
situations = st.builds(
    Known,
    generation=numbers,
    problems=st.lists(st.text()),
    refusal=st.text(),
    paused=st.booleans(),
    stalled=st.booleans(),
    resources=st.lists(names),
    daemon_set=st.none() | daemon_sets,
    pods=st.lists(pods),
    nodes=st.dictionaries(st.text(max_size=5), st.dictionaries(names, counts)),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
statuses = st.fixed_dictionaries(
    {},
    optional={
        "conditions": anything
        | st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["Progressing", "Degraded", 7])},
                optional={
                    "status": anything,
                    "reason": st.sampled_from(["Done", "RolloutStalled", None]),
                    "observedGeneration": anything,
                    "lastTransitionTime": anything,
                },
            )
        ),
        "desired": anything,
    },
)


class PropertyTests(SynchronousTestCase):
    """What holds for all."""

    @given(situations, statuses)
    def test_any(self, situation: Known, previous: Mapping[str, Any]) -> None:
        """Nothing raises, whatever the last status was; the sums agree; the next is the same."""
        made = status(situation, previous, THEN)
        json.dumps(made)
        self.assertEqual(
            made["devices"],
            sum(one.devices for node in situation.nodes.values() for one in node.values()),
        )
        for one in made["resources"]:
            self.assertEqual(one["devices"], one["healthy"] + one["unhealthy"])
        self.assertEqual(made["unhealthy"], sum(one["unhealthy"] for one in made["resources"]))
        for condition in made["conditions"]:
            self.assertRegex(condition["reason"], "^[A-Za-z]+$")
            self.assertLessEqual(len(condition["message"]), LONGEST)
        shuffled = attrs.evolve(
            situation,
            pods=situation.pods[::-1],
            nodes=dict(reversed(list(situation.nodes.items()))),
        )
        self.assertEqual(status(shuffled, previous, THEN), made)
        twice = status(situation, made, LATER)
        self.assertEqual(status(situation, twice, LATER), twice)
