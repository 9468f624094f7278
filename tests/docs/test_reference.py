"""docs/reference.md has every option, command, exit status and environment variable."""

import ast
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

import twistdp
from tests.docs.pages import page
from twistdp.cli import COMMANDS
from twistdp.operator.tap import Options as OperatorOptions
from twistdp.tap import Options


def section(title: str) -> str:
    """A section of the reference, by its heading."""
    return page("docs/reference.md").split(f"\n## {title}\n")[1].split("\n## ")[0]


class OptionTests(SynchronousTestCase):
    """The options of the commands."""

    def test_twistd(self) -> None:
        """Every option of `twistd deviceplugin` has a row, and no other; so has each default."""
        self.check_twistd("deviceplugin", Options())

    def test_operator(self) -> None:
        """So it is with the operator's."""
        self.check_twistd("deviceplugin-operator", OperatorOptions())

    def check_twistd(self, command: str, options: Options | OperatorOptions) -> None:
        """Compare a command's table with its options."""
        text = section(f"`twistd {command}`").replace("\\|", "/")
        table = re.findall(r"^\| (.*?) \|(.*)\|$", text, re.MULTILINE)
        told = {option for cell, _ in table for option in re.findall(r"(--?[a-z][a-z-]*)", cell)}
        self.assertEqual(
            told,
            {"--" + name.rstrip("=") for name in options.longOpt} | {"-v", "-h"},
        )
        rows = "\n".join(meaning for _, meaning in table)
        for name, _, default, _ in options.optParameters:
            text = default or ""  # some have none
            self.assertIn(f"`{text}`" if text.startswith("/") else text, rows + str(table), name)

    def test_twistdp(self) -> None:
        """Every option of every command of `twistdp` is in its synopsis, and no other."""
        text = re.sub(r"\n +", " ", section("`twistdp`"))
        for name in COMMANDS:
            known = set(options_of(import_module(f"twistdp.cli.{name.replace('-', '_')}").command))
            lines = re.findall(rf"(?m)^twistdp {name} .*$", text)
            told = {
                option
                for line in lines
                for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)
            }
            self.assertEqual(told, known, name)
            self.assertIn(f"| `{name}` |", text)


def options_of(command: click.Command) -> Iterator[str]:
    """The options of a command and of its own commands."""
    for param in command.params:
        if isinstance(param, click.Option):
            yield from param.opts
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from options_of(inner)


class EnvironmentTests(SynchronousTestCase):
    """The environment variables."""

    def test_all(self) -> None:
        """The page lists those that the code reads, and no others."""
        told = re.findall(
            r"`([A-Z_]+)`",
            "".join(
                line.split("|")[1]
                for line in section("Environment variables").splitlines()
                if line[:2] == "| "
            ),
        )
        self.assertEqual(set(told), set(variables()))


def variables() -> set[str]:
    """The names that are looked up in, or put into, an environment anywhere in the code."""
    found = set()
    for path in Path(twistdp.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            ast.unparse(each.targets[0]): each.value
            for each in tree.body
            if isinstance(each, ast.Assign)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                of, name = node.func.value, node.args[0]
            elif isinstance(node, ast.Subscript):
                of, name = node.value, node.slice
            elif isinstance(node, ast.Compare):
                of, name = node.comparators[0], node.left
            else:
                continue
            if isinstance(name, ast.Name):
                name = constants.get(name.id, name)
            if ast.unparse(of) in ("os.environ", "environ") and isinstance(name, ast.Constant):
                found.add(str(name.value))
    return found


class ExitStatusTests(SynchronousTestCase):
    """The exit statuses, each caused."""

    def status(self, *command: str) -> int:
        """How a command of ours ends."""
        program = os.path.join(os.path.dirname(sys.executable), command[0])
        return subprocess.run(
            [program, *command[1:]],
            check=False,
            capture_output=True,
            timeout=60,
            cwd=self.mktemp_directory(),
        ).returncode

    def mktemp_directory(self) -> str:
        """An empty directory."""
        directory = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, directory)
        return directory

    def test_twistd(self) -> None:
        """The status for wrong options is 1."""
        plugin = "twistd", "-n", "--pidfile=", "deviceplugin"
        self.assertEqual(self.status(*plugin), 1)
        self.assertEqual(self.status(*plugin, "--version"), 0)

    def test_signals(self) -> None:
        """A plugin dies by the signal that ends it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            directory = self.mktemp_directory()
            child = subprocess.Popen(
                [
                    os.path.join(os.path.dirname(sys.executable), "twistd"),
                    *("-n", "--pidfile=", "deviceplugin", f"--plugin-dir={directory}"),
                    *("--scanner=twistdp.scanners:GlobScanner", "--set=resource=x"),
                    *("--set=pattern=/dev/nul[l]", "--namespace=x.example"),
                ],
                stdout=subprocess.PIPE,
                # In a background job of a shell it is ignored.
                preexec_fn=partial(signal.signal, number, signal.SIG_DFL),
            )
            with child:
                watchdog = threading.Timer(30, child.kill)
                watchdog.start()
                assert child.stdout is not None
                # Found in the reactor's turn: it runs, and has its handlers.
                began = any(b"x.example/x: 1 device" in line for line in child.stdout)
                child.send_signal(number)
                status = child.wait()
                watchdog.cancel()
            self.assertEqual((began, status), (True, -number))

    def test_twistdp(self) -> None:
        """The status is 1 for what cannot be done, and 2 for a wrong command line."""
        self.assertEqual(self.status("twistdp", "--version"), 0)
        self.assertEqual(self.status("twistdp", "check", "/nowhere"), 1)
        self.assertEqual(self.status("twistdp", "new", "Bad-Name"), 1)
        self.assertEqual(self.status("twistdp"), 2)
        self.assertEqual(self.status("twistdp", "conformance"), 2)
