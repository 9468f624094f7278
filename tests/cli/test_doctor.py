"""Tests for ``twistdp doctor``."""

import json
import os
import sys
from io import StringIO

import attrs

from tests.cli.test_terminal import ESCAPE
from tests.doctor.hosts import PLUGINS, HostCase
from tests.support.helpers import temporary_directory
from twistdp.cli import doctor, main
from twistdp.doctor import CHECKS, Host


class DoctorTests(HostCase):
    """The command, on a host in a directory."""

    def doctor(self, *options: str) -> tuple[int, str]:
        """Its status and what it prints."""
        out = StringIO()
        self.patch(sys, "stdout", out)
        self.patch(doctor, "Host", self.made)
        return main(["doctor", f"--root={self.root}", *options]), out.getvalue()

    def made(self, root: str, **arguments: object) -> Host:
        """The host that the command makes, with our clock and owners."""
        self.assertEqual([*arguments], ["ask"])
        return attrs.evolve(self.host, root=root)

    def test_well(self) -> None:
        """The status is 0, and each check has a line."""
        status, out = self.doctor()
        self.assertEqual(status, 0)
        lines = out.splitlines()
        self.assertEqual(lines[-1], "nothing is wrong")
        self.assertEqual({line.split()[0] for line in lines[:-2]}, {"ok"})
        self.assertLessEqual({line.split()[1] for line in lines[:-2]}, {*CHECKS})

    def test_notes(self) -> None:
        """A note does not change the status."""
        self.write("/etc/containerd/config.toml", "version = 3\n")
        status, out = self.doctor()
        self.assertEqual(status, 0)
        self.assertRegex(out, r"(?m)^info +runtime +containerd 2.1.4 has device_ownership")

    def test_warning(self) -> None:
        """The status is 1, and it says what that means and what to do."""
        self.leave(f"{PLUGINS}/a.sock")
        status, out = self.doctor()
        self.assertEqual(status, 1)
        self.assertRegex(
            out,
            r"(?m)^warning +plugin-sockets +nobody listens on .*a.sock\n"
            r" +this means: .*\n +to do: .*remove the file$",
        )
        self.assertTrue(out.endswith("\n1 warning\n"))

    def test_error(self) -> None:
        """The status is 3."""
        self.leave(f"{PLUGINS}/a.sock")
        self.leave(f"{PLUGINS}/b.sock")
        self.write("/etc/cdi/a.json", "{")
        self.remove(f"{PLUGINS}/kubelet.sock")
        status, out = self.doctor()
        self.assertEqual(status, 3)
        self.assertTrue(out.endswith("\n1 error and 2 warnings\n"), out)

    def test_json(self) -> None:
        """The JSON output has the same findings."""
        self.leave(f"{PLUGINS}/a.sock")
        status, out = self.doctor("--json")
        found = json.loads(out)
        self.assertEqual((status, found["root"], found["worst"]), (1, self.root, "warning"))
        (one,) = (each for each in found["findings"] if each["severity"] == "warning")
        self.assertEqual([*one], ["check", "severity", "found", "meaning", "remedy"])
        self.assertEqual(one["check"], "plugin-sockets")

    def test_hostile_names(self) -> None:
        """A name that would control the terminal is escaped."""
        self.leave(f"{PLUGINS}/a\x1b[31m.sock")
        self.assertIn(r"a\x1b[31m.sock", self.doctor()[1])

    def test_terminal(self) -> None:
        """A terminal has colours."""
        from twistdp.cli import drawing

        class Screen(StringIO):
            def isatty(self) -> bool:
                return True

        self.patch(os, "environ", {**os.environ, "TERM": "xterm", "COLUMNS": "60"})
        self.write("/etc/cdi/a.json", "{")
        out = Screen()
        self.patch(doctor, "console", lambda: drawing.Terminal(out))
        self.doctor()
        text = out.getvalue()
        self.assertIn("\x1b[33mwarning", text)
        plain = ESCAPE.sub("", text)
        self.assertIn("this means: runtimes leave this file out", " ".join(plain.split()))

    def test_no_root(self) -> None:
        """A root that is not there."""
        err = StringIO()
        self.patch(sys, "stderr", err)
        path = os.path.join(temporary_directory(self), "none")
        self.assertEqual(main(["doctor", f"--root={path}"]), 1)
        self.assertEqual(
            err.getvalue(), f"twistdp doctor: --root {path}: there is no such directory\n"
        )


class ThisHostTests(HostCase):
    """The command on the machine that runs the tests."""

    def test_here(self) -> None:
        """The command ends with one of its statuses on any machine."""
        out = StringIO()
        self.patch(sys, "stdout", out)
        self.assertIn(main(["doctor", "--json"]), doctor.STATUSES.values())
        found = json.loads(out.getvalue())["findings"]
        self.assertIn("packages", {each["check"] for each in found})
        for each in found:
            self.assertNotRegex(each["found"], r"checked: \w+(Error|Exception)")
