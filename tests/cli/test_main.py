"""Tests for `twistdp.cli`: the ``twistdp`` command."""

import os
import shutil
import signal
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from importlib.metadata import version
from io import StringIO
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp import cli


class MainTests(SynchronousTestCase):
    """`cli.main`"""

    def run_main(self, *arguments: str) -> tuple[str, str, object]:
        """Output, errors and exit status of a command line that argparse answers."""
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        error = self.assertRaises(SystemExit, cli.main, arguments)
        return output.getvalue(), errors.getvalue(), error.code

    def test_no_command(self) -> None:
        """Without a command there is the usage, and status 2."""
        output, errors, status = self.run_main()
        self.assertEqual((output, status), ("", 2))
        self.assertTrue(errors.startswith("usage: twistdp "), errors)
        self.assertIn("COMMAND", errors)

    def test_unknown_command(self) -> None:
        """An unknown command is named, with the existing ones."""
        output, errors, status = self.run_main("dance")
        self.assertEqual((output, status), ("", 2))
        self.assertIn("dance", errors)
        for name in cli.COMMANDS:
            self.assertIn(name, errors)

    def test_help(self) -> None:
        """--help lists every command with a summary, and names the service's command."""
        output, errors, status = self.run_main("--help")
        self.assertEqual((errors, status), ("", 0))
        self.assertIn("'twistd deviceplugin'", " ".join(output.split()))
        for name in cli.COMMANDS:
            self.assertRegex(output, rf"(?m)^ +{name}\s+\S")

    def test_help_of_a_command(self) -> None:
        """Each command explains itself and its options."""
        for name in cli.COMMANDS:
            output, errors, status = self.run_main(name, "--help")
            self.assertEqual((errors, status), ("", 0))
            self.assertTrue(output.startswith(f"usage: twistdp {name} "), output)

    def test_version(self) -> None:
        """--version prints the version."""
        self.assertEqual(self.run_main("--version"), (f"twistdp {version('twistdp')}\n", "", 0))

    def test_unknown_option(self) -> None:
        """A command's unknown option is named."""
        output, errors, status = self.run_main("kubelet", "--dir=/x", "--colour")
        self.assertEqual((output, status), ("", 2))
        self.assertIn("--colour", errors)
        self.assertNotIn("did you mean", errors)

    def test_misspelt_option(self) -> None:
        """For a misspelt option the similar one is suggested."""
        _, errors, _ = self.run_main("new", "lamp", "--namspace=x.example")
        self.assertIn("--namspace=x.example; did you mean --namespace?", errors)

    def test_no_abbreviations(self) -> None:
        """An option that only begins like one of ours is unknown, with a hint where it may go."""
        for arguments in (
            ["manifests", "--scanner=a:B"],
            ["systemd-unit", "--twist=/t"],
            ["new", "pkgx", "--name", "x"],
            ["kubelet", "--dir=/x", "--registry=/y"],
        ):
            output, errors, status = self.run_main(*arguments)
            self.assertEqual((output, status), ("", 2))
            self.assertIn(f"twistdp {arguments[0]}: error: unrecognized arguments: --", errors)
            self.assertEqual(
                "the plugin's own options go after --" in errors,
                arguments[0] in ("manifests", "systemd-unit"),
            )

    def test_missing_option(self) -> None:
        """A missing option is named."""
        output, errors, status = self.run_main("kubelet")
        self.assertEqual((output, status), ("", 2))
        self.assertIn("--dir", errors)

    def test_output_that_cannot_be_written(self) -> None:
        """A full disk costs one line and status 1; a reader that is gone, only the status."""
        read, closed = os.pipe()
        os.close(read)
        self.addCleanup(os.close, closed)
        full = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, full)
        directory = temporary_directory(self)
        commands = (
            ("1", ["systemd-unit", "--twistd=/t"]),
            ("", ["systemd-unit", "--twistd=/t"]),
            ("", ["new", "sample", "--directory", os.path.join(directory, "sample")]),
            ("1", ["check", directory]),
            ("", ["check", directory]),
            ("", ["--help"]),
        )
        for output, status, expected in (
            (closed, 128 + signal.SIGPIPE, ""),
            (
                full,
                1,
                "twistdp: writing to standard output: No space left on device: the output is "
                "incomplete; send it to a place with room\n",
            ),
        ):
            for unbuffered, words in commands:
                done = subprocess.run(
                    [os.path.join(os.path.dirname(sys.executable), "twistdp"), *words],
                    stdout=output,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                    text=True,
                    check=False,
                    timeout=60,
                )
                self.assertEqual((done.returncode, done.stderr), (status, expected), words)
            shutil.rmtree(os.path.join(directory, "sample"))

    def test_commands(self) -> None:
        """Every command is a module with the two functions that make a command."""
        for name in cli.COMMANDS:
            module = import_module(f"twistdp.cli.{name.replace('-', '_')}")
            module.add_arguments(ArgumentParser())
            self.assertTrue(callable(module.run))

    def test_status(self) -> None:
        """A command's result is the exit status, and its options are what it gets."""
        from twistdp.cli import kubelet

        seen: list[Any] = []

        def run(arguments: object) -> int:
            seen.append(arguments)
            return 7

        self.patch(kubelet, "run", run)
        self.assertEqual(cli.main(["kubelet", "--dir=/x", "--force"]), 7)
        (arguments,) = seen
        self.assertEqual(
            (arguments.dir, arguments.force, arguments.pod_resources), ("/x", True, None)
        )
