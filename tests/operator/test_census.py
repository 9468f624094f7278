"""Which objects there are, and which DevicePlugins a change of one is about."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.operator.census import Census
from twistdp.operator.claims import Claims
from twistdp.operator.kinds import NODE, POD
from twistdp.operator.lists import Lists
from twistdp.operator.observed import NAME_LABEL, Count
from twistdp.operator.pods import Pods

GPU, NIC, OTHER = "lab.example/gpu", "lab.example/nic", "other.example/gpu"
THREE = Count(3, 3)


def names(*found: str) -> frozenset[str]:
    """A set of names."""
    return frozenset(found)


class CensusTests(SynchronousTestCase):
    """Resources by name and by domain."""

    def test_named(self) -> None:
        """A change of a node is about those that name what has changed."""
        census = Census()
        census.name("a", names(GPU))
        census.name("b", names(GPU, NIC))
        self.assertEqual(census.take("n1", {GPU: THREE, OTHER: THREE}), {"a", "b"})
        self.assertEqual(census.take("n1", {GPU: THREE, OTHER: THREE}), set())
        self.assertEqual(census.take("n1", {GPU: THREE, NIC: THREE}), {"b"})
        self.assertEqual(census.drop("n1"), {"a", "b"})
        self.assertEqual(census.drop("n1"), set())

    def test_domain(self) -> None:
        """What nobody names is of those that are open for its domain."""
        census = Census()
        census.name("scan", names(), names("lab.example"))
        self.assertEqual(census.take("n1", {GPU: THREE, NIC: THREE, OTHER: THREE}), {"scan"})
        self.assertEqual(census.resources_of("scan"), {GPU, NIC})
        self.assertEqual(census.name("a", names(GPU)), {"scan"})
        self.assertEqual(census.resources_of("scan"), {NIC})
        self.assertEqual(census.take("n1", {GPU: Count(3, 2), NIC: THREE}), {"a"})
        self.assertEqual(census.forget("a"), {"scan"})
        self.assertEqual(census.resources_of("scan"), {GPU, NIC})

    def test_same_names(self) -> None:
        """Names that are given again are about nobody."""
        census = Census()
        census.name("scan", names(), names("lab.example"))
        census.name("a", names(GPU))
        self.assertEqual(census.name("a", names(GPU)), set())
        self.assertEqual(census.name("a", names(NIC)), {"scan"})

    def test_alone(self) -> None:
        """What no other has as well, also where the count is 0."""
        census = Census()
        census.take("n1", {GPU: Count(0, 0), NIC: Count(0, 0)})
        census.name("scan", names(), names("lab.example"))
        self.assertEqual(census.only_of("scan"), {GPU, NIC})
        census.name("a", names(GPU))
        self.assertEqual(census.only_of("scan"), {NIC})
        self.assertEqual(census.only_of("a"), {GPU})
        census.name("b", names(GPU), names("lab.example"))
        self.assertEqual((census.only_of("a"), census.only_of("scan")), (set(), set()))
        self.assertEqual(census.only_of("nobody"), set())
        census.forget("a")
        census.forget("b")
        self.assertEqual(census.only_of("scan"), {GPU, NIC})

    def test_counts(self) -> None:
        """Nodes have the resources that are asked for, and no others."""
        census = Census()
        census.take("n1", {GPU: THREE, NIC: THREE})
        census.take("n2", {NIC: THREE})
        self.assertEqual(census.counts([GPU]), {"n1": {GPU: THREE}})


class ListsTests(SynchronousTestCase):
    """Which objects a new list does not have."""

    def test_gone(self) -> None:
        """What was known and is not in the list is gone; what a watch brings meanwhile stays."""
        lists = Lists()
        for key in "abc":
            lists.put(POD, key, of_list=False)
        lists.put(POD, "a", of_list=True)
        lists.put(POD, "d", of_list=False)
        lists.put(NODE, "n", of_list=False)
        self.assertEqual(lists.listed(POD), {"b", "c"})
        self.assertEqual(lists.listed(POD), {"a", "d"})
        self.assertEqual(lists.listed(POD), set())

    def test_deleted_meanwhile(self) -> None:
        """What ends while a list comes in is not there after it."""
        lists = Lists()
        lists.put(POD, "a", of_list=True)
        lists.drop(POD, "a")
        self.assertEqual(lists.listed(POD), set())
        self.assertEqual(lists.listed(POD), set())

    def test_broken_off(self) -> None:
        """What only a list had that broke off is gone."""
        lists = Lists()
        lists.begin(POD)
        lists.put(POD, "a", of_list=True)
        lists.begin(POD)
        lists.put(POD, "b", of_list=True)
        self.assertEqual(lists.listed(POD), {"a"})

    def test_all(self) -> None:
        """All kinds have been listed once each has."""
        lists = Lists()
        lists.listed(POD)
        self.assertFalse(lists.all_listed([POD, NODE]))
        lists.listed(NODE)
        self.assertTrue(lists.all_listed([POD, NODE]))


class PodsTests(SynchronousTestCase):
    """Which pods a plugin has."""

    def test_label(self) -> None:
        """A pod whose label changes leaves the plugin that it had."""
        pods = Pods(Claims())
        self.assertEqual(pods.take("p", labelled("a")), {"a"})
        self.assertEqual(pods.take("p", labelled("a")), set())
        self.assertEqual(pods.take("p", labelled("b")), {"a", "b"})
        self.assertEqual(pods.of("a"), [])
        self.assertEqual(pods.take("p", labelled("")), {"b"})
        self.assertEqual(pods.of("b"), [])
        self.assertEqual(pods.drop("p"), set())

    def test_gone(self) -> None:
        """One that is gone leaves the others."""
        pods = Pods(Claims())
        pods.take("p", labelled("a"))
        pods.take("q", labelled("a"))
        self.assertEqual(pods.drop("p"), {"a"})
        self.assertEqual(len(pods.of("a")), 1)


def labelled(plugin: str) -> dict[str, Any]:
    """A pod of a plugin."""
    return {"metadata": {"name": "q", "labels": {NAME_LABEL: plugin}}}
