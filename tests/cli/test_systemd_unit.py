"""``twistdp systemd-unit`` as a command."""

import shlex
import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from tests.deployments import content, printed
from twistdp import cli


class CommandTests(SynchronousTestCase):
    """What is printed, and what is refused."""

    def test_shipped(self) -> None:
        """The file that is shipped is what the command in its first line prints."""
        text = content("deploy", "systemd", "twistdp@.service")
        command = text.splitlines()[0].removeprefix("# Printed by: twistdp ")
        self.assertEqual(printed(*shlex.split(command)), text)

    def test_command_line(self) -> None:
        """What follows ``--`` is run, word for word, and no environment file is needed."""
        options = ["--scanner=a:b", "--set", "x=a $b%c", "--plugin-dir=/a/b"]
        text = printed("systemd-unit", "--twistd=/t", "--", *options)
        self.assertIn(
            'ExecStart=/t -n --pidfile= deviceplugin --scanner=a:b --set "x=a $$b%%c" '
            "--plugin-dir=/a/b\n",
            text,
        )
        self.assertIn("ReadWritePaths=-/a -/var/run/cdi\n", text)
        self.assertNotIn("EnvironmentFile", text)
        self.assertNotIn("%i", text)

    def test_refusals(self) -> None:
        """What would not start is said in one line, with status 1."""
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        self.assertEqual(cli.main(["systemd-unit", "--twistd=bin/twistd"]), 1)
        self.assertEqual(
            errors.getvalue(),
            "twistdp systemd-unit: --twistd bin/twistd: give an absolute path\n",
        )
        for options, expected in (
            (["--set=x=y"], "--set x=y: put it after the --scanner"),
            (["--scanner=a:b", "--wrong"], "--wrong"),
        ):
            error = self.assertRaises(SystemExit, cli.main, ["systemd-unit", "--", *options])
            self.assertIn(expected, str(error))
