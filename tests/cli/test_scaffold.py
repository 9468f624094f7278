"""``twistdp new`` and ``twistdp check`` as commands."""

import os
import re
import signal
import sys
from io import StringIO
from pathlib import Path
from typing import NoReturn
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp import cli
from twistdp.cli import check
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
        """A project is made in the directory of that name, and the next commands are printed."""
        status, output, errors = self.main("new", "lab_thermo")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn("cd lab-thermo\n", output)
        page = Path(__file__).parents[2] / "docs" / "scaffold.md"
        for text in (output, page.read_text("utf-8")):
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
        """A bad name, or a directory with files, is refused in one line, and nothing is made."""
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

    def test_new_in_directories_of_others(self) -> None:
        """Root makes nothing where somebody else could change it."""
        if os.geteuid() != 0:
            raise SkipTest("needs root, whose projects are checked most")
        os.mkdir("shared")
        os.chmod("shared", 0o777)
        os.mkdir("theirs")
        os.chown("theirs", 12345, -1)
        for place, words in (
            ("shared", "others may write in"),
            ("shared/p", "others may write in"),
            ("theirs", "belongs to user 12345"),
            ("theirs/p", "belongs to user 12345"),
        ):
            status, output, errors = self.main("new", "thermo", f"--directory={place}")
            self.assertEqual((status, output, errors.count("\n")), (1, "", 1))
            self.assertIn(words, errors)
            self.assertIn("; run this as the owner", errors)
        self.assertEqual(os.listdir("shared") + os.listdir("theirs"), [])

    def test_new_follows_no_link(self) -> None:
        """A link that appears while the files are written is not followed."""
        os.mkdir("victim")
        listdir = os.listdir

        def plant(path: str) -> list[str]:
            found = listdir(path)
            os.symlink("../victim", os.path.join(path, "thermo"))
            return found

        self.patch(os, "listdir", plant)
        status, _, errors = self.main("new", "thermo", "--directory=p")
        self.assertEqual((status, errors.count("\n")), (1, 1))
        self.assertIn("File exists", errors)
        self.assertEqual(listdir("victim"), [])

    def test_check_escapes(self) -> None:
        """Control characters in a project's files are printed as escapes."""
        os.makedirs("p/\x1b[2J\u202e")
        for path, text in {
            "README.md": "# Demo\n\n    make \x9b\n\n--scanner=a.\u5b57:X\n",
            "\x1b[2J\u202e/test_x\x9b.py": "def test_x\n",
            "kustomization.yaml": "resources:\n- \x1b[2J\u202e\n",
        }.items():
            with open(os.path.join("p", path), "w", encoding="utf-8") as file:
                file.write(text)
        for directory in ("p", "\x1b[2J"):
            _, output, errors = self.main("check", directory)
            for line in (output + errors).split("\n"):
                self.assertTrue(line.isprintable(), ascii(line))

    def test_check_ends(self) -> None:
        """A project that takes too long to look at is refused while it is looked at."""
        os.mkdir("p")
        with open("p/README.md", "w", encoding="ascii") as file:
            file.write("x")
        before = signal.getsignal(signal.SIGALRM)

        def slow(tree: object) -> NoReturn:
            re.search("(a+)+b", "a" * 100)
            raise AssertionError("that expression takes years")

        self.patch(check, "findings", slow)
        self.patch(check, "SECONDS", 0.05)
        status, output, errors = self.main("check", "p")
        self.assertEqual((status, output), (1, ""))
        self.assertRegex(errors, "^twistdp check: p: looking at its files takes more than 0.05 s")
        self.assertIs(signal.getsignal(signal.SIGALRM), before)

    def test_check(self) -> None:
        """There is a line for each item; the status is 0, or 1 if one is missing."""
        self.main("new", "thermo")
        status, output, errors = self.main("check", "thermo")
        self.assertEqual((status, errors), (0, ""))
        words = [line.split()[:2] for line in output.splitlines()[: len(ITEMS)]]
        self.assertEqual(words, [["ok", item.name] for item in ITEMS])
        os.unlink("thermo/Dockerfile")
        status, output, errors = self.main("check", "thermo")
        self.assertEqual((status, errors), (1, ""))
        self.assertIn("\nmissing  image ", output)
        self.assertIn("\n1 of the items above needs a fix", output)

    def test_check_run(self) -> None:
        """--run also runs the targets, and a failure counts."""
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
        """A missing directory is one line."""
        self.assertEqual(
            self.main("check", "nix"), (1, "", "twistdp check: nix: no such directory\n")
        )
