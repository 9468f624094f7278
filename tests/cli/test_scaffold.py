"""``twistdp new`` and ``twistdp check`` as commands."""

import os
import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import temporary_directory
from twistdp import cli
from twistdp.cli.new import WHEEL
from twistdp.scaffold.checklist import ITEMS


class CommandTests(SynchronousTestCase):
    """What is printed, and the exit status."""

    def setUp(self) -> None:
        """A directory to work in."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(temporary_directory(self))

    def main(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors of a command line."""
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        return cli.main(arguments), output.getvalue(), errors.getvalue()

    def test_new(self) -> None:
        """A project is made where it is wanted, and the next commands are told."""
        status, output, errors = self.main("new", "lab_thermo")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("cd lab-thermo\n", output)
        root = Path(__file__).parents[2]
        pages = [(root / name).read_text("utf-8") for name in ("README.md", "docs/scaffold.md")]
        for text in (output, *pages):
            self.assertIn(f"    {WHEEL}\n", text)
        self.assertIn("lab-thermo.example.com/device", output)
        options = ("--namespace=a.b", "--resource=c", "--directory=x y/z")
        status, output, errors = self.main("new", "thermo", *options)
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("A plugin for a.b/c.", output)
        self.assertIn("cd 'x y/z'\n", output)
        self.assertIn("x y/z/thermo/scanner.py\n", output)
        self.assertTrue(os.path.isfile("x y/z/thermo/scanner.py"))

    def test_new_refuses(self) -> None:
        """A bad name, or a directory that is used, is one line, and nothing is made."""
        os.mkdir("used")
        with open("used/file", "w", encoding="ascii"):
            pass
        for arguments, words in (
            (["json"], "name 'json'"),
            (["thermo", "--namespace=x.kubernetes.io"], "reserved"),
            (["thermo", "--resource="], "resource"),
            (["thermo", "--directory=used"], "used: it is not empty"),
        ):
            status, output, errors = self.main("new", *arguments)
            self.assertEqual((status, output), (1, ""))
            self.assertTrue(errors.startswith("twistdp new: "), errors)
            self.assertIn(words, errors)
            self.assertEqual(errors.count("\n"), 1)
        self.assertEqual(os.listdir(), ["used"])

    def test_check(self) -> None:
        """A line an item; status 0 with all of them, and 1 when one is missing."""
        self.main("new", "thermo")
        status, output, errors = self.main("check", "thermo")
        self.assertEqual((status, errors), (0, ""))
        words = [line.split()[:2] for line in output.splitlines()[: len(ITEMS)]]
        self.assertEqual(words, [["ok", item.name] for item in ITEMS])
        os.unlink("thermo/Dockerfile")
        status, output, errors = self.main("check", "thermo")
        self.assertEqual((status, errors), (1, ""))
        self.assertIn("\nmissing  image ", output)
        self.assertIn("\n1 of the items above wants mending", output)

    def test_check_run(self) -> None:
        """--run makes the targets too, and a failure counts."""
        self.main("new", "thermo")
        with open("thermo/Makefile", "w", encoding="ascii") as file:
            file.write(
                "test:\n\t@echo 'TOTAL 1 99%'\nlint types:\n\t@true\nconformance:\n\t@false\n"
            )
            file.write("types:\n")
        status, output, _ = self.main("check", "--run", "thermo")
        self.assertEqual(status, 1)
        self.assertIn("\nok       make test ", output)
        self.assertIn("\nfailed   make conformance ", output)

    def test_check_refuses(self) -> None:
        """No directory is one line."""
        self.assertEqual(
            self.main("check", "nix"), (1, "", "twistdp check: nix: no such directory\n")
        )
