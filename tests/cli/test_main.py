"""Tests for `twistdp.cli`: the ``twistdp`` command."""

import os
import shutil
import signal
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from io import StringIO
from typing import Any

import click
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp import cli

LAZY = """
import sys
from twistdp.cli import main
try:
    main()
except SystemExit:
    pass
for name in sorted(sys.modules):
    if name in ("click", "grpc", "rich", "twisted") or name.startswith("twistdp.cli"):
        print(name, file=sys.stderr)
"""


class MainTests(SynchronousTestCase):
    """`cli.main`"""

    def run_main(self, *arguments: str) -> tuple[str, str, object]:
        """Output, errors and exit status of a command line that runs no command."""
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        error = self.assertRaises(SystemExit, cli.main, arguments)
        return output.getvalue(), errors.getvalue(), error.code

    def test_no_command(self) -> None:
        """Without a command there is the usage, and status 2."""
        output, errors, status = self.run_main()
        self.assertEqual((output, status), ("", 2))
        self.assertEqual(
            errors,
            "Usage: twistdp [OPTIONS] COMMAND [ARGS]...\n"
            "twistdp: missing command; see 'twistdp --help'\n",
        )

    def test_unknown_command(self) -> None:
        """An unknown command is named, with the existing ones."""
        output, errors, status = self.run_main("dance")
        self.assertEqual((output, status), ("", 2))
        usage, error = errors.splitlines()
        self.assertTrue(usage.startswith("Usage: twistdp "), usage)
        self.assertEqual(
            error, f"twistdp: dance: there is no such command; there are {', '.join(cli.COMMANDS)}"
        )

    def test_misspelt_command(self) -> None:
        """For a misspelt command the similar one is suggested, also for a command's own."""
        _, errors, _ = self.run_main("kubelte")
        self.assertIn("twistdp: kubelte: there is no such command; did you mean kubelet?", errors)
        _, errors, _ = self.run_main("config", "shwo")
        self.assertIn("twistdp config: shwo: there is no such command; did you mean show?", errors)

    def test_help(self) -> None:
        """--help lists every command with a summary, and names the service's command."""
        output, errors, status = self.run_main("--help")
        self.assertEqual((errors, status), ("", 0))
        self.assertIn("'twistd deviceplugin'", " ".join(output.split()))
        for name in cli.COMMANDS:
            self.assertRegex(output, rf"(?m)^ +{name}\s+\S")

    def test_order(self) -> None:
        """Commands are listed in alphabetical order."""
        self.assertEqual([*cli.COMMANDS], sorted(cli.COMMANDS))

    def test_help_of_a_command(self) -> None:
        """Each command explains itself and its options."""
        for name in cli.COMMANDS:
            output, errors, status = self.run_main(name, "--help")
            self.assertEqual((errors, status), ("", 0))
            self.assertTrue(output.startswith(f"Usage: twistdp {name} "), output)
            self.assertRegex(output, r"\n\n  [A-Z][^.]+\.\n")
            self.assertEqual(self.run_main(name, "-h"), (output, "", 0))

    def test_version(self) -> None:
        """--version prints the version."""
        self.assertEqual(self.run_main("--version"), (f"twistdp {version('twistdp')}\n", "", 0))

    def test_unknown_option(self) -> None:
        """A command's unknown option is named."""
        output, errors, status = self.run_main("kubelet", "--dir=/x", "--colour")
        self.assertEqual((output, status), ("", 2))
        self.assertEqual(
            errors,
            "Usage: twistdp kubelet [OPTIONS] [ctl ...]\n"
            "twistdp kubelet: --colour: there is no such option; --help lists all\n",
        )

    def test_misspelt_option(self) -> None:
        """For a misspelt option the similar one is suggested."""
        _, errors, _ = self.run_main("new", "lamp", "--namspace=x.example")
        self.assertIn(
            "twistdp new: --namspace: there is no such option; did you mean --namespace?\n", errors
        )

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
            option = arguments[-1].partition("=")[0] if "=" in arguments[-1] else "--name"
            self.assertIn(f"twistdp {arguments[0]}: {option}: there is no such option; ", errors)
            self.assertEqual(
                "the plugin's own options go after --" in errors,
                arguments[0] in ("manifests", "systemd-unit"),
            )

    def test_missing_option(self) -> None:
        """A missing option is named."""
        output, errors, status = self.run_main("kubelet")
        self.assertEqual((output, status), ("", 2))
        self.assertIn(
            "twistdp kubelet: missing option '--dir'; see 'twistdp kubelet --help'", errors
        )

    def test_wrong_values(self) -> None:
        """A wrong or missing value is one line after the usage, which controls no terminal."""
        for words, expected in (
            (["kubelet", "--dir"], "twistdp kubelet: option '--dir' requires an argument; see "),
            (["kubelet", "--dir=x", "--numa-nodes=y"], "'y' is not a valid integer; see "),
            (["kubelet", "--dir=x", "--topology-policy=\x1bc"], "'\\x1bc' is not one of 'none', "),
            (["scan", "--json=x"], "twistdp scan: option '--json' does not take a value; see "),
            (["demo", "\x1b[2J"], "twistdp demo: got unexpected extra argument (\\x1b[2J); see "),
            (["fake", "a", "b", "--plug=c", "--unplug=d"], "twistdp fake: --unplug and --plug ex"),
        ):
            output, errors, status = self.run_main(*words)
            self.assertEqual((output, status), ("", 2))
            self.assertIn(expected, errors)
            self.assertEqual(errors.count("\n"), 2, errors)
            self.assertTrue(errors.startswith("Usage: twistdp "), errors)
            self.assertNotIn("\x1b", errors)

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
        """Every command is a module with a click command, and all its words have a help."""
        for name in cli.COMMANDS:
            command = import_module(f"twistdp.cli.{name.replace('-', '_')}").command
            self.assertIsInstance(command, click.Command)
            parts = command.commands.values() if isinstance(command, click.Group) else [command]
            for param in (param for part in parts for param in part.params):
                self.assertRegex(param.help or "", r"^[A-Z].*\.$|^[a-z, -]+\.$", (name, param.name))

    def test_interrupted(self) -> None:
        """Ctrl-C ends any command without a stack, with the status of a process that it ends."""
        from twistdp.cli import doctor

        def command(**_: Any) -> int:
            raise KeyboardInterrupt

        self.patch(doctor.command, "callback", command)
        self.assertEqual(cli.main(["doctor"]), 130)

    def test_status(self) -> None:
        """A command's result is the exit status, and its options are what it gets."""
        from twistdp.cli import kubelet

        seen: list[dict[str, Any]] = []

        def command(**given: Any) -> int:
            seen.append(given)
            return 7

        self.patch(kubelet.command, "callback", command)
        self.assertEqual(cli.main(["kubelet", "--dir=/x", "--force"]), 7)
        (given,) = seen
        self.assertEqual(
            (given["directory"], given["force"], given["pod_resources"]), ("/x", True, None)
        )

    def test_lazy(self) -> None:
        """The list of commands, and the completion of their names, need none, and no Twisted."""
        asked = {"_TWISTDP_COMPLETE": "bash_complete", "COMP_WORDS": "twistdp", "COMP_CWORD": "1"}
        for words, environment, more in (
            (["--help"], {}, []),
            ([], asked, ["twistdp.cli.completion"]),
        ):
            done = subprocess.run(
                [sys.executable, "-c", LAZY, *words],
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            self.assertIn("kubelet", done.stdout)
            self.assertEqual(done.stderr.split(), ["click", "twistdp.cli", *more])
