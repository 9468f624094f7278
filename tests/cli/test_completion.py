"""Tests for `twistdp.cli.completion`: what a shell completes."""

import os
import subprocess
import sys
from io import BytesIO, StringIO, TextIOWrapper

from twisted.trial.unittest import SynchronousTestCase

from twistdp import cli
from twistdp.catalog.shelf import Shelf
from twistdp.cli.completion import SHELLS
from twistdp.conformance.catalog import CHECKS

BASH = """
source <(twistdp completion bash)
complete() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _twistdp_completion twistdp
    echo "${COMPREPLY[*]}"
}
complete twistdp kub
complete twistdp scan --cat
complete twistdp scan --catalog = kvm,zigb
"""


class CompletionTests(SynchronousTestCase):
    """Scripts, and what they ask for."""

    def completed(self, *words: str, shell: str = "bash") -> list[str]:
        """The completions of the last word, each with its kind."""
        output = TextIOWrapper(BytesIO())
        self.patch(sys, "stdout", output)
        for name, value in (
            ("_TWISTDP_COMPLETE", f"{shell}_complete"),
            ("COMP_WORDS", " ".join(("twistdp", *words))),
            ("COMP_CWORD", str(len(words))),
        ):
            self.patch(os, "environ", {**os.environ, name: value})
        self.assertEqual(cli.main([]), 0)
        output.seek(0)
        return output.read().splitlines()

    def test_commands(self) -> None:
        """Commands, and the commands of a command, are completed."""
        self.assertEqual(self.completed(""), [f"plain,{name}" for name in cli.COMMANDS])
        self.assertEqual(self.completed("kub"), ["plain,kubelet"])
        self.assertEqual(self.completed("config", "sch"), ["plain,schema"])

    def test_options(self) -> None:
        """Options are completed, and their values."""
        self.assertEqual(self.completed("scan", "--cat"), ["plain,--catalog"])
        self.assertEqual(self.completed("kubelet", "--topology-policy", "b"), ["plain,best-effort"])
        self.assertEqual(self.completed("scan", "--config", "d"), ["file,d"])
        self.assertEqual(self.completed("doctor", "--root", "d"), ["dir,d"])
        self.assertEqual(self.completed("new", "x", "--directory", "d"), ["dir,d"])

    def test_entries(self) -> None:
        """Entries of the catalogue are completed, also the second of a list."""
        self.assertEqual(self.completed("catalog", "kv"), ["plain,kvm"])
        self.assertEqual(self.completed("catalog", "kvm", "zigb"), ["plain,zigbee"])
        self.assertEqual(
            self.completed("explain", "--catalog", ""),
            [f"plain,{name}" for name in Shelf().entries],
        )
        self.assertEqual(self.completed("scan", "--catalog", "kvm,zigb"), ["plain,kvm,zigbee"])

    def test_checks(self) -> None:
        """Checks of the conformance suite are completed, and their groups."""
        found = self.completed("conformance", "--only", "list")
        ids = [f"plain,{check.id}" for check in CHECKS if check.id.startswith("list.")]
        self.assertEqual(found, ["plain,list", *ids])

    def test_equals_sign(self) -> None:
        """Bash makes words of their own of ``=``; other shells do not."""
        self.assertEqual(self.completed("scan", "--catalog", "=", "kv"), ["plain,kvm"])
        self.assertIn("plain,kvm", self.completed("scan", "--catalog", "="))
        self.assertIn("kvm", self.completed("scan", "--catalog=kv", shell="zsh"))

    def test_scripts(self) -> None:
        """There is a script for each shell, which calls the command."""
        for shell in SHELLS:
            output = StringIO()
            self.patch(sys, "stdout", output)
            self.assertEqual(cli.main(["completion", shell]), 0)
            self.assertIn(f"_TWISTDP_COMPLETE={shell}_complete", output.getvalue())

    def test_bash(self) -> None:
        """The script works in bash, which every machine of this project has."""
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "--norc", "-c", BASH],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual(
            (done.stdout.splitlines(), done.stderr), (["kubelet", "--catalog", "kvm,zigbee"], "")
        )
