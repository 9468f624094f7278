"""DevicePlugins that serve the same resources on the same nodes."""

import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import CONFIG, DOMAIN, NAMESPACE, Stage
from twistdp.crds import claims, read
from twistdp.operator.claims import Claims, Rival
from twistdp.operator.conditions import LONGEST
from twistdp.operator.known import Known
from twistdp.operator.observed import NAME_LABEL
from twistdp.operator.pods import Pods
from twistdp.operator.status import status

FINE = ("False", "AsExpected", "")
SCANNER = {"class": "ports:PortScanner", "arguments": {"prefix": ["ttyS"]}, "configMap": "ports"}


def both(**nodes: list[str]) -> Stage:
    """A stage with plugins of the same configuration, each with pods on nodes."""
    stage = Stage()
    stage.start()
    for name, places in nodes.items():
        stage.plugin(name, config=CONFIG)
        stage.settle()
        stage.roll_out(name, nodes=places)
    stage.settle()
    return stage


def claims_of(**spec: Any) -> frozenset[str]:
    """What an object claims."""
    return claims(read({"metadata": {"name": "a", "uid": "u"}, "spec": spec}))


class ConflictTests(SynchronousTestCase):
    """What the objects show."""

    def test_both(self) -> None:
        """Both objects name the other one, the resources and how many nodes both have."""
        stage = both(one=["n1", "n2", "n3"], two=["n2", "n3", "n4"])
        for name, other in (("one", "two"), ("two", "one")):
            status_, reason, message = stage.condition("Degraded", name)
            self.assertEqual((status_, reason), ("True", "ResourceConflict"))
            self.assertIn(f"DevicePlugin {other} on 2 nodes ({DOMAIN}/kvm);", message)
            self.assertEqual(stage.condition("Available", name)[1], "AllReady")
        self.assertEqual(stage.events().count("ResourceConflict"), 2)

    def test_shared_alone(self) -> None:
        """Of several resources only those are named that both have."""
        stage = Stage()
        stage.start()
        for name, more in (("one", "fuse"), ("two", "tun")):
            devices = {"kvm": "/dev/kvm", more: f"/dev/{more}"}
            stage.plugin(name, config={"domain": DOMAIN, "resources": devices})
            stage.settle()
            stage.roll_out(name)
        stage.settle()
        for name in ("one", "two"):
            self.assertIn(f"on 1 node ({DOMAIN}/kvm);", stage.condition("Degraded", name)[2])

    def test_steady(self) -> None:
        """A conflict that lasts makes no request."""
        stage = both(one=["n1"], two=["n1"])
        stage.forget()
        stage.settle(120)
        self.assertEqual(stage.requests(), [])

    def test_ends_by_an_edit(self) -> None:
        """It is gone from both once they have different resources; an event says so."""
        stage = both(one=["n1"], two=["n1"])
        stage.edit({"spec": {"config": {"resources": {"kvm": None, "tun": "/dev/tun"}}}}, "two")
        stage.settle()
        self.assertEqual(stage.condition("Degraded", "one"), FINE)
        self.assertEqual(stage.condition("Degraded", "two"), FINE)
        self.assertEqual(stage.events().count("Recovered"), 2)

    def test_ends_by_other_nodes(self) -> None:
        """It is gone from both once no node has pods of both."""
        stage = both(one=["n1"], two=["n1"])
        stage.objects.delete("pods", "two-n1", NAMESPACE, gracePeriodSeconds=0)
        stage.settle()
        self.assertEqual(stage.condition("Degraded", "one"), FINE)
        self.assertEqual(stage.condition("Degraded", "two"), FINE)

    def test_ends_by_deletion(self) -> None:
        """It is gone once the other object is."""
        stage = both(one=["n1"], two=["n1"])
        stage.objects.delete("deviceplugins", "two")
        stage.settle()
        self.assertEqual(stage.condition("Degraded", "one"), FINE)

    def test_apart(self) -> None:
        """The same resources on other nodes are none."""
        stage = both(one=["n1"], two=["n2"])
        self.assertEqual(stage.condition("Degraded", "one"), FINE)
        self.assertEqual(stage.condition("Degraded", "two"), FINE)

    def test_found_at_start(self) -> None:
        """An operator that starts sees it, whatever is listed first."""
        stage = both(one=["n1"], two=["n2"])
        stage.kill()
        stage.roll_out("two", nodes=["n1"])
        stage.operate()
        stage.start()
        self.assertEqual(stage.condition("Degraded", "one")[1], "ResourceConflict")

    def test_worse(self) -> None:
        """A spec that cannot be used comes first."""
        rival = Rival("two", 1, (f"{DOMAIN}/kvm",))
        made = status(Known(generation=1, problems=["spec: no"], rivals=[rival]), {}, 0)
        degraded = {one["type"]: one for one in made["conditions"]}["Degraded"]
        self.assertEqual(degraded["reason"], "InvalidSpec")

    def test_bounded(self) -> None:
        """Three are named, with three resources each, however many and long they are."""
        resources = tuple(f"{'d' * 240}/{number:063}" for number in range(200))
        rivals = [Rival(f"p{number}" + "x" * 38, 5000, resources) for number in range(3)]
        made = status(Known(generation=1, rivals=rivals, rivals_omitted=97), {}, 0)
        message = {one["type"]: one for one in made["conditions"]}["Degraded"]["message"]
        self.assertLessEqual(len(message.encode()), LONGEST)
        self.assertIn("DevicePlugin p2x", message)
        self.assertIn(", and 97 more; a kubelet takes them from one", message)
        self.assertTrue(message.endswith("spec.nodeSelector"), message[-60:])
        for count, more in ((5, " and 2 more"), (3, "")):
            few = Rival("b", 1, tuple(f"x.io/{number}" for number in range(count)))
            made = status(Known(generation=1, rivals=[few]), {}, 0)
            message = {one["type"]: one for one in made["conditions"]}["Degraded"]["message"]
            self.assertIn(f"DevicePlugin b on 1 node (x.io/0, x.io/1, x.io/2{more});", message)


class ClaimTests(SynchronousTestCase):
    """What objects claim."""

    def test_names(self) -> None:
        """A configuration and a catalogue claim names."""
        self.assertEqual(claims_of(config=CONFIG), {f"{DOMAIN}/kvm"})
        self.assertEqual(
            claims_of(domain=DOMAIN, catalog=[{"name": "kvm"}, {"name": "fuse"}]),
            {f"{DOMAIN}/kvm", f"{DOMAIN}/fuse"},
        )

    def test_domain(self) -> None:
        """A scanner of the catalogue lists others in another domain."""
        found = claims_of(catalog=[{"name": "intel-fpga"}])
        self.assertFalse(found & claims_of(catalog=[{"name": "intel-fpga"}], domain=DOMAIN))

    def test_scanners(self) -> None:
        """The same scanner in the same domain with the same arguments claims the same."""
        found = claims_of(domain=DOMAIN, scanner=SCANNER)
        self.assertEqual(found, {f"{DOMAIN}/* of ports:PortScanner in ports with prefix=ttyS"})
        for other in (
            {"domain": "other.example.com", "scanner": SCANNER},
            {"domain": DOMAIN, "scanner": {**SCANNER, "arguments": {"prefix": ["ttyU"]}}},
            {"domain": DOMAIN, "scanner": {**SCANNER, "class": "ports:Other"}},
            {"domain": DOMAIN, "scanner": {**SCANNER, "configMap": "others"}},
            {"domain": DOMAIN, "catalog": [{"name": "fuse"}]},
        ):
            self.assertFalse(found & claims_of(**other), other)

    def test_versions(self) -> None:
        """A scanner in another version of its image claims the same, in another image not."""
        scanner = {"class": "main:Scanner"}

        def one(image: str) -> frozenset[str]:
            return claims_of(domain=DOMAIN, scanner=scanner, image=image)

        self.assertEqual(one("r.io:5000/a/b:1"), one("r.io:5000/a/b:2@sha256:" + "0" * 64))
        self.assertNotEqual(one("r.io:5000/a/b:1"), one("r.io:5000/a/c:1"))

    def test_entries_with_scanners(self) -> None:
        """So it is with an entry of the catalogue that a scanner serves."""
        found = claims_of(catalog=[{"name": "intel-fpga", "arguments": {"mode": ["region"]}}])
        self.assertEqual(found, {"fpga.intel.com/* of intel-fpga with mode=region"})
        self.assertFalse(found & claims_of(catalog=[{"name": "intel-fpga"}]))


def pod(owner: str, node: str, phase: str = "Running") -> dict[str, Any]:
    """A pod of a plugin."""
    return {
        "metadata": {"name": f"{owner}-{node}", "labels": {NAME_LABEL: owner}},
        "spec": {"nodeName": node},
        "status": {"phase": phase},
    }


class MeetingTests(SynchronousTestCase):
    """Which plugins meet on nodes."""

    def setUp(self) -> None:
        self.claims = Claims()
        self.pods = Pods(self.claims)

    def test_touched(self) -> None:
        """A pod that comes or goes is about the rivals on its node, and no others."""
        for name in ("a", "b", "c"):
            self.claims.put(name, frozenset({"x.io/1"}))
        self.claims.put("d", frozenset({"x.io/2"}))
        self.pods.take("b-n1", pod("b", "n1"))
        self.pods.take("c-n2", pod("c", "n2"))
        self.pods.take("d-n1", pod("d", "n1"))
        self.assertEqual(self.pods.take("a-n1", pod("a", "n1")), {"a", "b"})
        self.assertEqual(self.pods.take("a-n1", pod("a", "n1", "Pending")), {"a"})
        self.assertEqual(self.pods.meetings("a"), {"b": 1})
        self.assertEqual(self.pods.take("a-n1", pod("a", "n1", "Failed")), {"a", "b"})
        self.assertEqual(self.pods.meetings("a"), {})
        self.assertEqual(self.pods.take("a-n1", pod("a", "n1")), {"a", "b"})
        self.assertEqual(self.pods.drop("a-n1"), {"a", "b"})
        self.assertEqual(self.pods.meetings("b"), {})

    def test_forgotten(self) -> None:
        """Nothing is kept of plugins and nodes that are gone."""
        self.claims.put("a", frozenset({"x.io/1"}))
        self.claims.put("b", frozenset({"x.io/1", "x.io/2"}))
        self.assertEqual(self.claims.sharing("a"), {"b"})
        self.claims.put("b", frozenset({"x.io/2"}))
        self.assertEqual(self.claims.sharing("a"), set())
        self.pods.take("a-n1", pod("a", "n1"))
        self.pods.drop("a-n1")
        self.claims.put("a", frozenset())
        self.claims.put("b", frozenset())
        for kept in (self.claims._claims, self.claims._claiming, self.pods._on, self.pods._pods):
            self.assertEqual(kept, {})

    def test_many(self) -> None:
        """A thousand plugins of one resource that do not meet cost little."""
        start = time.process_time()
        for number in range(1000):
            self.claims.put(f"p{number}", frozenset({"x.io/1"}))
            for each in range(5):
                self.pods.take(f"{number}-{each}", pod(f"p{number}", f"n{5 * number + each}"))
        for number in range(1000):
            self.assertEqual(self.pods.meetings(f"p{number}"), {})
        self.assertLess(time.process_time() - start, 5)
