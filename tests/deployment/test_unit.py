"""Tests for `twistdp.deployment.unit`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.deployment.unit import quote, unit
from twistdp.settings import Settings


def lines(**settings: str) -> list[str]:
    """The unit for settings."""
    return unit("/bin/twistd", ["--scanner=a:b"], Settings(**settings)).splitlines()


class UnitTests(SynchronousTestCase):
    """`unit`"""

    def test_directories(self) -> None:
        """Directories of the settings are made and writable."""
        for settings, made in (
            ({}, "/var/lib/kubelet /var/run/cdi"),
            ({"plugin_dir": "/a/b", "cdi_dir": "/c d"}, '/a "/c d"'),
            ({"registration": "watcher", "plugin_dir": "/a/b"}, "/var/lib/kubelet /var/run/cdi"),
            ({"registration": "watcher", "registry_dir": "/r$/s"}, "/r$$ /var/run/cdi"),
        ):
            self.assertIn(f"ExecStartPre=+/bin/mkdir -p -m 0755 {made}", lines(**settings))
        self.assertIn("RequiresMountsFor=/a", lines(plugin_dir="/a/b"))
        hiding = lines(plugin_dir="/r $/b")
        self.assertIn('ExecStartPre=+/bin/mkdir -p -m 0750 "/r $$/pki" "/r $$/pods"', hiding)
        self.assertIn('InaccessiblePaths="-/r $/pki" "-/r $/pods" -/etc/kubernetes', hiding)
        self.assertIn(
            "ReadWritePaths=-/r$ -/var/run/cdi",
            lines(registration="watcher", registry_dir="/r$/s"),
        )

    def test_template(self) -> None:
        """Without options it is one of instances, which have theirs in a file."""
        text = unit("/bin/twistd")
        self.assertIn("EnvironmentFile=/etc/twistdp/%i.env\n", text)
        self.assertIn(" deviceplugin $TWISTDP_OPTIONS\n", text)

    def test_printed_by(self) -> None:
        """The command that prints it is one line, whatever is in the options."""
        first, second, *_ = unit("/t", ["--scanner=a:b", "--set=x=a b\n[Unit]"]).splitlines()
        self.assertEqual(
            first,
            "# Printed by: twistdp systemd-unit --twistd=/t -- --scanner=a:b "
            "'--set=x=a b\\n[Unit]'",
        )
        self.assertEqual(second, "[Unit]")

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
