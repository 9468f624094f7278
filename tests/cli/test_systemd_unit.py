"""Tests for ``twistdp systemd-unit``."""

import os
import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from twistdp import cli
from twistdp.cli.systemd_unit import SHIPPED_TWISTD, quote, unit

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def lines(*options: str) -> list[str]:
    """The unit for a command line."""
    return unit("/bin/twistd", options).splitlines()


class UnitTests(SynchronousTestCase):
    """`unit`"""

    def test_shipped(self) -> None:
        """The file that is shipped is what the command prints."""
        output = StringIO()
        self.patch(sys, "stdout", output)
        self.assertEqual(cli.main(["systemd-unit", "--twistd", SHIPPED_TWISTD]), 0)
        with open(os.path.join(ROOT, "deploy/systemd/twistdp@.service"), encoding="ascii") as file:
            self.assertEqual(output.getvalue(), file.read())

    def test_command_line(self) -> None:
        """What follows ``--`` is run, word for word, and no environment file is needed."""
        output = StringIO()
        self.patch(sys, "stdout", output)
        options = ["--scanner=a:b", "--set", "x=a $b%c"]
        self.assertEqual(cli.main(["systemd-unit", "--twistd=/t", "--", *options]), 0)
        self.assertIn(
            'ExecStart=/t -n --pidfile= deviceplugin --scanner=a:b --set "x=a $$b%%c"\n',
            output.getvalue(),
        )
        self.assertNotIn("EnvironmentFile", output.getvalue())
        self.assertNotIn("%i", output.getvalue())

    def test_directories(self) -> None:
        """Directories of the command line are made and writable."""
        for options, made in (
            ([], "/var/lib/kubelet /var/run/cdi"),
            (["--plugin-dir=/a/b", "--cdi-dir", "/c d"], '/a "/c d"'),
            (["--registration=watcher", "--plugin-dir=/a/b"], "/var/lib/kubelet /var/run/cdi"),
            (["--registration", "watcher", "--registry-dir=/r$/s"], "/r$$ /var/run/cdi"),
            (["--cdi-dir"], "/var/lib/kubelet /var/run/cdi"),
        ):
            self.assertIn(f"ExecStartPre=+/bin/mkdir -p -m 0755 {made}", lines(*options))
        self.assertIn("RequiresMountsFor=/a", lines("--plugin-dir=/a/b"))
        hiding = lines("--plugin-dir=/r $/b")
        self.assertIn('ExecStartPre=+/bin/mkdir -p -m 0750 "/r $$/pki" "/r $$/pods"', hiding)
        self.assertIn('InaccessiblePaths="-/r $/pki" "-/r $/pods" -/etc/kubernetes', hiding)
        self.assertIn(
            "ReadWritePaths=-/r$ -/var/run/cdi",
            lines("--registration=watcher", "--registry-dir=/r$/s"),
        )

    def test_quote(self) -> None:
        """A word that a unit would take apart is quoted, and cannot begin a line of its own."""
        for word, expected in (
            ("a=b", "a=b"),
            ("", '""'),
            ("a b", '"a b"'),
            ("a%n", "a%%n"),
            ('a"\\', '"a\\"\\\\"'),
            ("a\nUser=x", '"a\\nUser=x"'),
            (";", '";"'),
        ):
            self.assertEqual(quote(word), expected)
