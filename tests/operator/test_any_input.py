"""Whatever is observed, and whatever a spec has in it: the operator does not raise."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import CONFIG, DOMAIN, NAMESPACE, Stage
from twistdp.operator.kinds import KINDS
from twistdp.operator.observed import number

KEYS = st.sampled_from(
    (
        *("metadata", "name", "namespace", "uid", "resourceVersion", "generation", "labels"),
        *("annotations", "ownerReferences", "finalizers", "deletionTimestamp", "spec", "status"),
        *("capacity", "allocatable", "conditions", "containerStatuses", "state", "waiting"),
        *("reason", "message", "type", "template", "containers", "image", "data", "kind"),
        *("catalog", "config", "scanner", "domain", "resources", "cleanUp", "updateStrategy"),
        *("twistdp.io/deviceplugin", "twistdp.io/paused", f"{DOMAIN}/kvm", "nodes"),
    )
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ("gpus", "1", "2k", "True", NAMESPACE, "x", DOMAIN, "\ud800", "DevicePlugin")
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)
CHANGES = st.sampled_from((None, "ADDED", "MODIFIED", "DELETED"))
PLACED = st.builds(
    lambda found, metadata: {
        **found,
        "metadata": {"name": "gpus", "namespace": NAMESPACE, **metadata},
    },
    OBJECTS,
    OBJECTS.filter(lambda metadata: "name" not in metadata),
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "config": VALUES | st.just(CONFIG),
        "catalog": VALUES | st.just([{"name": "kvm"}]),
        "scanner": VALUES | st.just({"class": "a:B", "configMap": "c"}),
        "domain": VALUES | st.just(DOMAIN),
        "image": VALUES,
        "updateStrategy": VALUES | st.just({"type": "Surge", "maxSurge": "10%"}),
        "nodeSelector": VALUES,
        "tolerations": VALUES,
        "http": VALUES | st.just({"port": 9100}),
        "monitoring": VALUES | st.just({"kind": "PodMonitor"}),
        "security": VALUES,
        "cleanUp": VALUES | st.just({"extendedResources": True}),
    },
)


class ObservedTests(SynchronousTestCase):
    """Objects of any form."""

    @settings(max_examples=60)
    @given(
        st.lists(st.tuples(st.sampled_from(sorted(KINDS)), CHANGES, OBJECTS | PLACED), max_size=12)
    )
    def test_any(self, observed: list[tuple[str, str | None, dict[str, Any]]]) -> None:
        """Nothing is raised, nothing is logged as a fault, and a good object is served after."""
        stage = _stage()
        for name, change, document in observed:
            stage.reconciler.observe(KINDS[name], change, document)
        stage.settle(1)
        for kind in KINDS.values():
            stage.reconciler.listed(kind)
        stage.feed.begin()
        stage.settle(700)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertIsNotNone(stage.find("daemonsets", "good"))

    @given(VALUES)
    def test_number(self, value: Any) -> None:
        """A number is one from 0, whatever the value is."""
        self.assertGreaterEqual(number(value), 0)


class SpecTests(SynchronousTestCase):
    """Specs of any form, which an API server without our schema would let in."""

    @settings(max_examples=80)
    @given(SPECS)
    def test_any(self, spec: dict[str, Any]) -> None:
        """The object gets its DaemonSet, or a status that says why not."""
        stage = _stage()
        stage.reconciler.observe(
            KINDS["DevicePlugin"], "ADDED", {"metadata": {"name": "odd", "uid": "u"}, "spec": spec}
        )
        stage.settle(30)
        self.assertEqual(self.flushLoggedErrors(), [])
        problems = stage.reconciler.cache.plugins["odd"].problems
        made = stage.find("daemonsets", "odd")
        missing = "spec" in str(stage.reconciler._works["odd"].problems)
        self.assertTrue(problems or made or missing)


def _stage() -> Stage:
    """A stage with a good object that is not reconciled yet."""
    stage = Stage()
    stage.start()
    stage.plugin("good")
    return stage
