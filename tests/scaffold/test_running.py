"""Tests for `twistdp.scaffold.running`: what `twistdp check --run` runs."""

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.scaffold.running import TARGETS, command_for, outcome
from twistdp.scaffold.tree import Tree, read

PASSES = "TOTAL  5  1  0  0  80%"


class CommandTests(SynchronousTestCase):
    """`command_for`"""

    def test_targets(self) -> None:
        """A target of the Makefile is run with make; a variable of that name is no target."""
        tree = Tree("/x", {"Makefile": "test: a\n\tb\nlint := c\nx/types:\n"})
        self.assertEqual(command_for(tree, "test"), ["make", "test"])
        self.assertEqual(command_for(tree, "lint"), [sys.executable, "-m", "ruff", "check", "."])
        self.assertEqual(command_for(tree, "types"), [sys.executable, "-m", "mypy", "."])

    def test_makefile_below(self) -> None:
        """The Makefile of another directory does not count."""
        self.assertNotIn("make", command_for(Tree("/x", {"docs/Makefile": "test:\n"}), "test"))

    def test_tests(self) -> None:
        """Without a Makefile the tests are run with branch coverage."""
        line = command_for(Tree("/x", {}), "test")[2]
        self.assertIn("coverage run --branch", line)
        self.assertIn("twisted.trial --reactor=asyncio", line)

    def test_own_environment(self) -> None:
        """The project's .venv is used when it has one."""
        directory = temporary_directory(self)
        os.makedirs(os.path.join(directory, ".venv", "bin"))
        python = os.path.join(directory, ".venv", "bin", "python")
        with open(python, "w", encoding="ascii"):
            pass
        self.assertEqual(command_for(read(directory), "lint")[0], python)

    def test_conformance(self) -> None:
        """The conformance suite runs on the project's scanner, if there is one."""
        self.assertEqual(command_for(Tree("/x", {}), "conformance"), [])
        texts = {"README.md": "--scanner=a.b:C", "a/b.py": "class C:"}
        words = command_for(Tree("/x", texts), "conformance")
        self.assertIn("--scanner=a.b:C", words)
        self.assertIn("--plugin-dir={plugin_dir}", words)


class OutcomeTests(SynchronousTestCase):
    """`outcome`"""

    def outcome(self, target: str, *recipe: str) -> tuple[str, bool, str]:
        """The outcome of a target with this recipe."""
        directory = temporary_directory(self)
        with open(os.path.join(directory, "Makefile"), "w", encoding="ascii") as file:
            file.write(f"{target}:\n" + "".join(f"\t@{line}\n" for line in recipe))
        finding = outcome(read(directory), target)
        return finding.name, finding.good, finding.line

    def test_success(self) -> None:
        """A success is reported with its time."""
        name, good, line = self.outcome("lint", "true")
        self.assertEqual((name, good), ("make lint", True))
        self.assertRegex(line, r"^\d+\.\d s$")

    def test_failure(self) -> None:
        """A failure is reported with the status and the end of the output."""
        _, good, line = self.outcome("types", "for i in `seq 40`; do echo line $$i; done", "false")
        self.assertFalse(good)
        self.assertIn("make types ended with 2:", line)
        self.assertIn("\n    line 40", line)
        self.assertNotIn("line 20\n", line)

    def test_tool_missing(self) -> None:
        """A tool that is not installed is reported with the command that installs it."""
        name, good, line = self.outcome(
            "lint", "echo '/b c/python3: No module named ruff'", "false"
        )
        self.assertEqual((name, good), ("make lint", False))
        self.assertEqual(
            line, "ruff is not installed for /b c/python3: '/b c/python3' -m pip install ruff"
        )
        texts = {"README.md": "--scanner=a:B", "a.py": "class B:"}
        self.patch(sys, "executable", "/no/such/python")
        finding = outcome(Tree(temporary_directory(self), texts), "conformance")
        self.assertIn("install /no/such/twistdp", finding.line)

    def test_coverage(self) -> None:
        """Tests must cover enough, and report it."""
        _, good, line = self.outcome("test", f"echo '{PASSES}'")
        self.assertTrue(good)
        self.assertIn("the tests cover 80 %", line)
        _, good, line = self.outcome("test", f"echo '{PASSES.replace('80', '79.9')}'")
        self.assertEqual((good, line), (False, "the tests cover 79.9 %; write tests for 80 %"))
        _, good, line = self.outcome("test", "true")
        self.assertFalse(good)
        self.assertIn("report no coverage", line)

    def test_conformance_without_target(self) -> None:
        """If the suite fails with the usual command, the advice is a target in a Makefile."""
        directory = temporary_directory(self)
        bin_directory = os.path.join(directory, ".venv", "bin")
        os.makedirs(bin_directory)
        for name in ("python", "twistdp"):
            os.symlink("/bin/false", os.path.join(bin_directory, name))
        texts = {"README.md": "--scanner=a:B", "a.py": "class B:"}
        finding = outcome(Tree(directory, texts), "conformance")
        self.assertFalse(finding.good)
        self.assertIn("write a target conformance into a Makefile", finding.line)

    def test_make_in_make(self) -> None:
        """The settings of a parent make are not passed on."""
        self.patch(os, "environ", {**os.environ, "MAKEFLAGS": "n"})
        self.assertFalse(self.outcome("lint", "false")[1])

    def test_nothing_to_run(self) -> None:
        """Without a command, or with a missing one, it fails in one line."""
        self.assertFalse(outcome(Tree("/x", {}), "conformance").good)
        finding = outcome(Tree("/no/such", {}), "lint")
        self.assertFalse(finding.good)
        self.assertIn("cannot be run: No such file", finding.line)

    def test_targets(self) -> None:
        """Tests, lint, types and conformance."""
        self.assertEqual(TARGETS, ("test", "lint", "types", "conformance"))
