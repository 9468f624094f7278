"""Tests for `twistdp.scanners.sgx`."""

import os

from tests.catalog.test_entries import TREES, laid_out, listed, root
from tests.support.logs import LogTestCase
from twistdp.catalog.loading import load
from twistdp.recording.root import read_recording
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.sgx import SgxScanner

ENCLAVE, PROVISION = "/dev/sgx_enclave", "/dev/sgx_provision"


def both(enclave: int, provision: int) -> dict[str, dict[str, list[str]]]:
    """What is listed with these limits."""
    return {
        "enclave": {f"sgx-enclave x {enclave}": [ENCLAVE]},
        "provision": {f"sgx-provision x {provision}": [PROVISION]},
    }


def of_file(where: str) -> DeclaredScanner:
    """The scanner of a configuration file that uses both resources of the entry."""
    kinds = ("enclave", "provision")
    text = "".join(f"  {kind}: {{use: intel-sgx/{kind}}}\n" for kind in kinds)
    config = load(f"domain: sgx.intel.com\nresources:\n{text}")
    return DeclaredScanner(config.resources, where)


class SgxTests(LogTestCase):
    """`SgxScanner`"""

    def environment(self, value: str) -> None:
        """Set PODS_PER_CORE for this test."""
        self.addCleanup(os.environ.pop, "PODS_PER_CORE", None)
        os.environ["PODS_PER_CORE"] = value

    def test_limits(self) -> None:
        """Both nodes are for 110 pods, or as many as is given; none means that there is none."""
        where = root("intel-sgx")
        self.assertEqual(listed(SgxScanner(root=where).discover()), both(110, 110))
        self.assertEqual(listed(SgxScanner(2, 3, root=where).discover()), both(2, 3))
        self.assertEqual([*SgxScanner(0, 3, root=where).discover()], ["provision"])

    def test_pods_per_core(self) -> None:
        """The kubelet's limit for each processor counts, from an argument or the environment."""
        cores, where = len(os.sched_getaffinity(0)), root("intel-sgx")
        found = SgxScanner(provision_limit=3, pods_per_core=5, root=where).discover()
        self.assertEqual(listed(found), both(5 * cores, 3))
        self.environment("7")
        self.assertEqual(listed(SgxScanner(root=where).discover()), both(7 * cores, 7 * cores))
        self.environment("many")
        self.assertEqual(listed(SgxScanner(root=where).discover()), both(110, 110))
        self.assertIn("PODS_PER_CORE=many is no whole number; 110 pods", self.said())

    def test_both_or_none(self) -> None:
        """Neither node is listed while one is missing; the resources of a file do likewise."""
        tree = laid_out(read_recording(os.path.join(TREES, "intel-sgx.umockdev")))
        for scanner in (SgxScanner(root=tree), of_file(tree)):
            for missing in (PROVISION, ENCLAVE):
                self.assertEqual(listed(scanner.discover()), both(110, 110))
                node = tree + missing
                os.rename(node, f"{node}-away")
                self.assertEqual(len(scanner.follow([node])), 0)
                reasons = [step.reason for each in scanner.explain() for step in each.steps]
                self.assertEqual(
                    [each for each in reasons if "requires" in each],
                    [f"{missing} is not there, and the resource requires it"],
                )
                os.rename(f"{node}-away", node)
                self.assertEqual(listed(scanner.follow([node])), both(110, 110))

    def test_in_a_file(self) -> None:
        """A file's resources are those of the scanner; it says itself for how many pods."""
        self.environment("7")
        where = root("intel-sgx")
        self.assertEqual(listed(of_file(where).discover()), both(110, 110))
        config = load("domain: x.example.com\nresources: {e: {use: intel-sgx, replicas: 2}}\n")
        found = DeclaredScanner(config.resources, where).discover()
        self.assertEqual(listed(found), {"e": {"sgx-enclave x 2": [ENCLAVE]}})
        mine = SgxScanner(2, root=where).discover()["enclave"]
        self.assertEqual(dict(found["e"]), dict(mine))
