"""``twistdp systemd-unit`` as a command."""

import shlex
import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.deployments import content, printed
from twistdp import cli
from twistdp.deployment import unit as sandboxed


class CommandTests(SynchronousTestCase):
    """What is printed, and what is refused."""

    def test_shipped(self) -> None:
        """The file that is shipped is what the command in its first line prints."""
        text = content("deploy", "systemd", "twistdp@.service")
        command = text.splitlines()[0].removeprefix("# Printed by: twistdp ")
        self.assertEqual(printed(*shlex.split(command)), text)

    def test_command_line(self) -> None:
        """The unit runs the options after ``--`` word for word, without an environment file."""
        options = ["--scanner=a:b", "--set", "x=a $b%c", "--plugin-dir=/a/b"]
        text = printed("systemd-unit", "--twistd=/t", "--", *options)
        self.assertIn(
            'ExecStart=/t -n --pidfile= deviceplugin --scanner=a:b --set "x=a $$b%%c" '
            "--plugin-dir=/a/b\n",
            text,
        )
        self.assertIn("ReadWritePaths=-/a -/var/run/cdi -/run/twistdp\n", text)
        self.assertNotIn("EnvironmentFile", text)
        self.assertNotIn("%i", text)

    def test_python_path(self) -> None:
        """The directory of a scanner is in the unit."""
        text = printed(
            "systemd-unit", "--twistd=/t", "--python-path=/srv/mine", "--", "--scanner=a:b"
        )
        self.assertIn("Environment=PYTHONPATH=/srv/mine\n", text)

    def test_twistd_that_is_hidden(self) -> None:
        """A warning follows the unit if the sandbox hides its twistd."""
        for twistd, place in (
            ("/home/me/bin/twistd", "/home"),
            ("/opt/../tmp/t", "/tmp"),
            ("/opt/home/twistd", None),
        ):
            errors = StringIO()
            self.patch(sys, "stderr", errors)
            text = printed("systemd-unit", f"--twistd={twistd}", "--", "--scanner=a:b")
            self.assertIn(f"ExecStart={twistd} ", text)
            told = f"twistdp systemd-unit: warning: --twistd {twistd}: the unit's sandbox hides"
            self.assertEqual(errors.getvalue().startswith(told), place is not None)
            self.assertIn(f"hides {place}, " if place else "", errors.getvalue())

    def test_python_that_is_hidden(self) -> None:
        """So does one if the sandbox hides the Python of a virtual environment elsewhere."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        twistd, python = directory / "twistd", directory / "python"
        self.patch(sandboxed, "HIDDEN", ("/root", str(directory / "home")))
        python.symlink_to(directory / "home" / "python3.11")
        for first, is_hidden in (
            (f"#!{python}", True),
            ("#!/usr/bin/env python", False),
            ("#!", False),
            ("", False),
        ):
            with self.subTest(first):
                twistd.write_text(f"{first}\nimport twisted\n")
                errors = StringIO()
                self.patch(sys, "stderr", errors)
                printed("systemd-unit", f"--twistd={twistd}", "--", "--scanner=a:b")
                told = f"--twistd {twistd}: its Python is {directory}/home/python3.11, and"
                self.assertEqual(told in errors.getvalue(), is_hidden)
                self.assertEqual(errors.getvalue() != "", is_hidden)

    def test_out_of_reach(self) -> None:
        """A warning names each port and socket that nobody reaches in the sandbox."""
        for option, expected in (
            ("--http=tcp:9102", "--http tcp:9102: the unit's sandbox has no network; let systemd"),
            (
                "--http=haproxy:tcp:1",
                "--http haproxy:tcp:1: the unit's sandbox has no network; let",
            ),
            ("--http=haproxy:systemd:domain=INET:name=http", ""),
            ("--manhole=/srv/x", "--manhole /srv/x: nobody sees it outside the unit's sandbox"),
            ("--status-socket=/run/twistdp/../x.sock", "--status-socket /run/x.sock: nobody sees"),
            ("--http=systemd:domain=INET:name=http", ""),
            ("--http=unix:/run/twistdp/x.sock", ""),
            ("--manhole=/run/twistdp/x", ""),
            ("--status-socket=", ""),
        ):
            errors = StringIO()
            self.patch(sys, "stderr", errors)
            text = printed("systemd-unit", "--twistd=/t", "--", "--scanner=a:b", option)
            self.assertIn(option, text)
            told = f"twistdp systemd-unit: warning: {expected}" if expected else ""
            self.assertTrue(errors.getvalue().startswith(told), errors.getvalue())
            self.assertEqual(errors.getvalue().count("\n"), 1 if expected else 0)

    def test_refusals(self) -> None:
        """Units that would not load or start are refused in one line, with status 1."""
        scanner = "--scanner=a:b"
        for arguments, expected in (
            (["--twistd=bin/twistd"], "--twistd 'bin/twistd': give the absolute path"),
            (["--twistd="], "--twistd '': give the absolute path"),
            (["--python-path=mine"], "--python-path 'mine': give an absolute path"),
            (["--", "--set=x=y"], "--set x=y: put it after the --scanner"),
            (["--", scanner, "--wrong"], "--wrong: there is no such option"),
            (["--", scanner, "--help"], "--help: the plugin would only print its help"),
            (["--", "-h"], "--help: the plugin would only print its help"),
            (["--", scanner, "--version"], "--version: the plugin would only print its version"),
            (["--", "--scanner=nocolon"], "--scanner nocolon: write it as module:Class"),
            (["--", "--scanner=a b:C"], "--scanner a b:C: write it as module:Class"),
            (["--", "--scanner=a:C d"], "--scanner a:C d: write it as module:Class"),
            (["--", scanner, "--preferred=x"], "--preferred 'x': use one of"),
            (["--", "--preferred=x", scanner], "--preferred 'x': use one of"),
            (["--", scanner, "--scan-timeout=-1"], "--scan-timeout -1: it must be"),
            (["--", scanner, "--namespace=a/b"], "--namespace 'a/b': give only"),
            (["--", scanner, "--plugin-dir=rel/dir"], "--plugin-dir 'rel/dir': give an absolute"),
            (["--", scanner, "--registry-dir=x"], "--registry-dir 'x': give an absolute"),
            (["--", scanner, "--cdi-dir="], "--cdi-dir '': give an absolute"),
            (["--", scanner, "--pod-resources-socket=s"], "--pod-resources-socket 's': give an"),
            (["--", scanner, "--plugin-dir=//x/y"], "--plugin-dir '//x/y': give an absolute"),
            (["--", scanner, "--plugin-dir=/foo"], "--plugin-dir /foo: all of / would be writable"),
            (["--", "--config=a.yaml"], "--config 'a.yaml': give an absolute path"),
            (
                ["--", "--config=/root/a"],
                "--config /root/a: the unit's sandbox hides /root; give a file",
            ),
            (["--", scanner, "--set=k=\udcff"], "--set=k=\\xff: control characters, and bytes"),
        ):
            errors = StringIO()
            self.patch(sys, "stderr", errors)
            output = StringIO()
            self.patch(sys, "stdout", output)
            self.assertEqual(cli.main(["systemd-unit", "--twistd=/t", *arguments]), 1, arguments)
            self.assertTrue(
                errors.getvalue().startswith(f"twistdp systemd-unit: {expected}"),
                errors.getvalue(),
            )
            self.assertEqual((output.getvalue(), errors.getvalue().count("\n")), ("", 1))

    def test_config(self) -> None:
        """A configuration file is visible in the sandbox, wherever it is."""
        text = printed("systemd-unit", "--twistd=/t", "--", "--config=/etc/kubernetes/devices.yaml")
        self.assertIn("deviceplugin --config=/etc/kubernetes/devices.yaml\n", text)
        self.assertNotIn("-/etc/kubernetes ", text)
        text = printed("systemd-unit", "--twistd=/t", "--", "--config=/run/lab/devices.yaml")
        (bound,) = (line for line in text.splitlines() if line.startswith("BindReadOnlyPaths=-"))
        self.assertIn("-/run/lab", bound)

    def test_scanners_that_are_not_here(self) -> None:
        """A scanner's name is checked without importing it."""
        for name in ("my-module:C", "a.b:C.D", "a:Ünde_1"):
            self.assertIn(name, printed("systemd-unit", "--twistd=/t", "--", f"--scanner={name}"))
