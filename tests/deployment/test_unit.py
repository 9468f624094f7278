"""Tests for `twistdp.deployment.unit`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.deployment.unit import quote, render_unit
from twistdp.errors import BadSetting
from twistdp.settings import Settings


def lines(**settings: Any) -> list[str]:
    """The unit for settings."""
    return render_unit("/bin/twistd", ["--scanner=a:b"], Settings(**settings)).splitlines()


class UnitTests(SynchronousTestCase):
    """`unit`"""

    def test_directories(self) -> None:
        """Directories of the settings are made and writable."""
        for settings, made in (
            ({}, "/var/lib/kubelet /var/run/cdi"),
            ({"plugin_dir": "/a/b", "cdi_dir": "/c d"}, '/a "/c d"'),
            ({"state_dir": "/srv/x"}, "/var/lib/kubelet /var/run/cdi /srv/x"),
            ({"registration": "watcher", "plugin_dir": "/a/b"}, "/var/lib/kubelet /var/run/cdi"),
            ({"registration": "watcher", "registry_dir": "/r$/s"}, "/r$$ /var/run/cdi"),
        ):
            self.assertIn(f"ExecStartPre=+/bin/mkdir -p -m 0755 {made}", lines(**settings))
        self.assertIn("RequiresMountsFor=/a", lines(plugin_dir="/a/b"))
        self.assertIn(
            "ReadWritePaths=-/r$ -/var/run/cdi -/run/twistdp",
            lines(registration="watcher", registry_dir="/r$/s"),
        )
        self.assertIn(
            "ReadWritePaths=-/var/lib/kubelet -/var/run/cdi -/srv/x -/run/twistdp",
            lines(state_dir="/srv/x"),
        )
        self.assertIn("RuntimeDirectory=cdi mine twistdp", lines(state_dir="/run/mine"))

    def test_secrets(self) -> None:
        """A kubelet's secrets are hidden, and their directories are made only in a kubelet's."""
        directories = ("checkpoints", "pki", "plugins", "pods")
        names = (
            *directories,
            *("bootstrap-kubeconfig", "kubeconfig", "kubeconfig-bootstrap", "kubeconfig-real"),
            *(".docker", ".dockercfg", "config.json"),
        )
        usual = " ".join(f"-/var/lib/kubelet/{name}" for name in names)
        made_usually = " ".join(f"/var/lib/kubelet/{name}" for name in directories)
        for settings, made, hidden in (
            ({}, made_usually, usual),
            (
                {"plugin_dir": "/var/lib/kubelet/mine"},
                made_usually,
                usual,
            ),
            (
                {"plugin_dir": "/r $/device-plugins"},
                '"/r $$/checkpoints" "/r $$/pki" "/r $$/plugins" "/r $$/pods"',
                " ".join([*(f'"-/r $/{name}"' for name in names), usual]),
            ),
            (
                {"registration": "watcher", "registry_dir": "/r/plugins_registry"},
                "/r/checkpoints /r/pki /r/plugins /r/pods",
                " ".join([*(f"-/r/{name}" for name in names), usual]),
            ),
            ({"plugin_dir": "/r/mine"}, None, usual),
            ({"registration": "watcher", "registry_dir": "/r/mine"}, None, usual),
        ):
            text = lines(**settings)
            self.assertEqual(
                [line for line in text if "mkdir -p -m 0750" in line],
                [f"ExecStartPre=+/bin/mkdir -p -m 0750 {made}"] if made else [],
            )
            self.assertIn(f"InaccessiblePaths={hidden}", text)

    def test_hidden_that_is_used(self) -> None:
        """A directory that the plugin uses is not hidden with the one that it is in."""
        watcher = {"registration": "watcher", "registry_dir": "/var/lib/k0s/kubelet/registry"}
        for settings, kept in (
            (watcher, "-/var/lib/k0s"),
            ({"cdi_dir": "/etc/cni/cdi"}, "-/etc/cni"),
        ):
            # The keys beside the kubelet's directory are hidden all the same.
            self.assertIn(" -/var/lib/k0s/pki ", "\n".join(lines(**settings)))
            for shown, text in ((False, lines()), (True, lines(**settings))):
                hidden = " ".join(line for line in text if line.startswith("InaccessiblePaths="))
                self.assertEqual(kept not in hidden.split(), shown)

    def test_configuration(self) -> None:
        """Kubelets' configuration is read-only."""
        (line,) = (
            line
            for line in lines(plugin_dir="/r/device-plugins")
            if line.startswith("ReadOnlyPaths=")
        )
        for kubelet in ("/r", "/var/lib/kubelet"):
            self.assertIn(f"-{kubelet}/config.yaml", line.split("=")[1].split())

    def test_run(self) -> None:
        """Of /run the sandbox has the paths that are always needed, and the named ones."""
        usual = "-/run/systemd/notify -/run/systemd/journal/dev-log -/run/udev/data"
        cases: tuple[tuple[dict[str, Any], str | None, str, str], ...] = (
            ({}, None, "-/run/cdi ", ""),
            ({"cdi_dir": "/etc/cdi"}, None, "", ""),
            ({"cdi_dir": "/var/run/c", "plugin_dir": "/run/x/y"}, None, "-/run/x -/run/c ", ""),
            ({"pod_resources_socket": "/run/p/q.sock"}, None, "-/run/cdi ", " -/run/p"),
            ({}, "/runner:/var/run/mine", "-/run/cdi ", " -/run/mine"),
        )
        for settings, python_path, written, read in cases:
            text = render_unit(
                "/t", ["--scanner=a:b"], Settings(**settings), python_path
            ).splitlines()
            self.assertIn("TemporaryFileSystem=/run:ro", text)
            self.assertIn(f"BindReadOnlyPaths={usual}{read}", text)
            bound = [line.split("=")[1] for line in text if line.startswith("BindPaths=")]
            written += "-/run/twistdp"  # of the plugin's own socket
            self.assertEqual(bound, [written])
            # Where ExecStartPre= could make nothing, systemd does.
            made = [line for line in text if line.startswith("RuntimeDirectory=")]
            self.assertEqual(made, [f"RuntimeDirectory={written.replace('-/run/', '')}"])
            # Another plugin's socket is there, too.
            self.assertIn("RuntimeDirectoryPreserve=yes", text)

    def test_sandbox_that_would_be_open(self) -> None:
        """A path that would make a directory of the system writable is refused, with its option."""
        for settings, option, opened in (
            ({"plugin_dir": "/foo"}, "--plugin-dir /foo", "/"),
            ({"plugin_dir": "/var/lib/kubelet"}, "--plugin-dir /var/lib/kubelet", "/var/lib"),
            ({"plugin_dir": "/etc/foo"}, "--plugin-dir /etc/foo", "/etc"),
            ({"plugin_dir": "/run/foo"}, "--plugin-dir /run/foo", "/run"),
            ({"registration": "watcher", "registry_dir": "/foo"}, "--registry-dir /foo", "/"),
            ({"cdi_dir": "/"}, "--cdi-dir /", "/"),
            ({"cdi_dir": "/var/run"}, "--cdi-dir /var/run", "/var/run"),
            ({"state_dir": "/run"}, "--state-dir /run", "/run"),
        ):
            error = self.assertRaises(BadSetting, lines, **settings)
            self.assertIn(f"{option}: all of {opened} would be writable", str(error))
        lines(plugin_dir="/foo", registration="watcher")  # it is not used
        lines(cdi_dir="/etc/cdi", plugin_dir="/var/lib/mine/plugins")

    def test_hidden(self) -> None:
        """A path that the sandbox hides is refused, with its option; a similar one is not."""
        for settings, expected in (
            ({"plugin_dir": "/tmp/x/y"}, "--plugin-dir /tmp/x/y: the unit's sandbox hides"),
            ({"cdi_dir": "/root"}, "--cdi-dir /root: "),
            ({"state_dir": "/tmp/x"}, "--state-dir /tmp/x: "),
            ({"pod_resources_socket": "/run/user/0/s"}, "--pod-resources-socket /run/user/0/s: "),
            ({"registration": "watcher", "registry_dir": "/home/a/b"}, "--registry-dir /home/a/b"),
        ):
            self.assertIn(expected, str(self.assertRaises(BadSetting, lines, **settings)))
        lines(plugin_dir="/homes/a/b", registry_dir="/tmp/x/y")

    def test_python_path(self) -> None:
        """The directory of scanners is in PYTHONPATH, also in the template, as one word."""
        for options in (["--scanner=a:b"], []):
            text = render_unit("/t", options, python_path="/opt/my $x%:/srv").splitlines()
            self.assertIn('Environment="PYTHONPATH=/opt/my $x%%:/srv"', text)
            self.assertIn("'--python-path=/opt/my $x%:/srv'", text[0])
        for path, expected in (
            ("mine", "--python-path 'mine': give an absolute path"),
            ("/a::/b", "--python-path '': give an absolute path"),
            ("/srv:/home/me", "--python-path /home/me: the unit's sandbox hides"),
            ("/a/../root/x", "--python-path /root/x: the unit's sandbox hides"),
        ):
            error = self.assertRaises(BadSetting, render_unit, "/t", python_path=path)
            self.assertIn(expected, str(error))

    def test_what_systemd_does_not_load(self) -> None:
        """Control characters, and bytes that are not UTF-8, are refused; other text is not."""
        for word, told in (
            ("k=a\udcffb", "k=a\\xffb: "),
            ("k=\x01", "k=\\x01: "),
            ("k=a\n[Unit]", "k=a\\n[Unit]: "),
            ("k=\x85", "k=\\u0085: "),
        ):
            error = self.assertRaises(
                BadSetting, render_unit, "/t", ["--scanner=a:b", "--set", word]
            )
            self.assertTrue(str(error).startswith(told), error)
            self.assertRaises(BadSetting, render_unit, f"/{word}")
            self.assertRaises(BadSetting, render_unit, "/t", python_path=f"/{word}")
        self.assertIn("k=é\u2028", render_unit("/t", ["--scanner=a:b", "--set=k=é\u2028"]))

    def test_template(self) -> None:
        """Without options it is one of instances, which have theirs in a file."""
        text = render_unit("/bin/twistd")
        self.assertIn("EnvironmentFile=/etc/twistdp/%i.env\n", text)
        self.assertIn(" deviceplugin $TWISTDP_OPTIONS\n", text)

    def test_printed_by(self) -> None:
        """The command that prints it is one line, whatever is in the options."""
        first, second, *_ = render_unit(
            "/t", ["--scanner=a:b", "--set=x=a b\u2028[Unit]"]
        ).splitlines()
        self.assertEqual(
            first,
            "# Printed by: twistdp systemd-unit --twistd=/t -- --scanner=a:b "
            "'--set=x=a b\\u2028[Unit]'",
        )
        self.assertEqual(second, "[Unit]")

    def test_quote(self) -> None:
        """A word that systemd would split is quoted."""
        for word, expected in (
            ("a=b", "a=b"),
            ("", '""'),
            ("a b", '"a b"'),
            ("a%n", "a%%n"),
            ('a"\\', '"a\\"\\\\"'),
            (";", '";"'),
        ):
            self.assertEqual(quote(word), expected)
