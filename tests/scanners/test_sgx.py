"""Tests for `twistdp.scanners.sgx`."""

import os

from tests.catalog.test_entries import TREES, laid_out, listed, root
from tests.support.logs import LogTestCase
from twistdp.recording.root import read_recording
from twistdp.scanners.sgx import SgxScanner

ENCLAVE, PROVISION = "/dev/sgx_enclave", "/dev/sgx_provision"


def both(enclave: int, provision: int) -> dict[str, dict[str, list[str]]]:
    """What is listed with these limits."""
    return {
        "enclave": {f"sgx-enclave x {enclave}": [ENCLAVE]},
        "provision": {f"sgx-provision x {provision}": [PROVISION]},
    }


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
        """While one of the nodes is not there, neither is listed."""
        tree = laid_out(read_recording(os.path.join(TREES, "intel-sgx.umockdev")))
        scanner = SgxScanner(root=tree)
        self.assertEqual(scanner.paths, [f"{tree}/dev"])
        self.assertEqual(len(scanner.discover()), 2)
        node = tree + PROVISION
        os.rename(node, f"{node}-away")
        self.assertEqual(len(scanner.follow([node])), 0)
        self.assertEqual(scanner.paths, [f"{tree}/dev"])
        self.assertEqual(
            [(each.resource, each.absent) for each in scanner.explain()],
            [(kind, f"no path {PROVISION}; both nodes are needed")
             for kind in ("enclave", "provision")],
        )  # fmt: skip
        os.rename(f"{node}-away", node)
        self.assertEqual(listed(scanner.follow([node])), both(110, 110))
        self.assertEqual({each.absent for each in scanner.explain()}, {""})
