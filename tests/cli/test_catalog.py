"""Tests for `twistdp.cli.catalog`: ``twistdp catalog``."""

import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from twistdp import cli
from twistdp.catalog.entry import Entry
from twistdp.catalog.shelf import Shelf
from twistdp.config.loading import load_as


class CatalogCommandTests(SynchronousTestCase):
    """What the command prints, and its exit status."""

    def run_command(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        return cli.main(["catalog", *words]), output.getvalue(), errors.getvalue()

    def test_list(self) -> None:
        """Each entry is a line with its name and title."""
        status, output, _ = self.run_command()
        self.assertEqual(status, 0)
        self.assertEqual([line.split()[0] for line in output.splitlines()], list(Shelf().entries))
        self.assertRegex(output, r"(?m)^kvm +Hardware virtualization$")

    def test_entry(self) -> None:
        """An entry is printed as it is in its file."""
        status, output, _ = self.run_command("kvm")
        self.assertEqual(status, 0)
        self.assertEqual(load_as(Entry, output), Shelf().entry("kvm"))

    def test_unknown(self) -> None:
        """An unknown entry is refused, and nothing is printed."""
        status, output, errors = self.run_command("kvm", "kwm")
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(
            errors,
            "twistdp catalog: the catalogue has no entry 'kwm'; did you mean kvm?\n",
        )
