"""Tests for `twistdp.doctor`: odd files and slow hosts; no check ever raises."""

import os
import shutil
import socket
import subprocess
import time
from threading import Event

from tests.doctor.hosts import CRIO, PLUGINS, SPEC, HostCase
from twistdp.doctor import CHECKS, Host, Severity, examine, version_text
from twistdp.doctor.examining import Check
from twistdp.doctor.findings import Findings, ok
from twistdp.doctor.host import MOST, Unreadable
from twistdp.doctor.mounts import filesystem
from twistdp.doctor.processes import flags
from twistdp.doctor.programs import run
from twistdp.doctor.timex import Timex


class ReadTests(HostCase):
    """Files are read below the root, in bounds, and without waiting."""

    def test_links(self) -> None:
        """A link leads to a place below the root, also an absolute one, and one that climbs."""
        self.write("/etc/real", "inside")
        for number, target in enumerate(("/etc/real", "../../../../etc/real", "//etc/./real")):
            os.symlink(target, self.at(f"/etc/{number}"))
            self.assertEqual(self.host.read(f"/etc/{number}"), b"inside")
        os.symlink("/etc", self.at("/deep"))
        self.assertEqual(self.host.read("/deep/0"), b"inside")
        os.symlink("/etc/passwd-of-nobody", self.at("/etc/none"))
        self.assertIsNone(self.host.read("/etc/none"))

    def test_loop(self) -> None:
        """A link to itself is refused."""
        os.symlink("/etc/loop", self.at("/etc/loop"))
        with self.assertRaises(Unreadable):
            self.host.read("/etc/loop")

    def test_odd_files(self) -> None:
        """A pipe is not waited for, and a file that is too long is not read."""
        os.mkfifo(self.at("/etc/pipe"))
        os.truncate(os.open(self.at("/etc/long"), os.O_CREAT | os.O_WRONLY), MOST + 1)
        for name, reason in (("pipe", "no regular file"), ("long", "more than"), ("cdi", "")):
            with self.assertRaises(Unreadable) as caught:
                self.host.read(f"/etc/{name}")
            self.assertIn(reason, str(caught.exception))

    def test_no_numbers(self) -> None:
        """Texts of the kernel that are no numbers."""
        for text in ("", "many", "-1", "\u0661"):
            self.write("/proc/sys/x", text)
            self.assertIsNone(self.host.number("/proc/sys/x"))

    def test_long_path(self) -> None:
        """A socket whose path is too long below another root is found all the same."""
        self.root += "/" + "x" * 120
        os.makedirs(self.at("/run"))
        here = os.getcwd()
        os.chdir(self.at("/run"))
        try:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind("a.sock")
                listening.listen()
                self.assertEqual(self.host.peer("/run/a.sock").pid, os.getpid())
        finally:
            os.chdir(here)

    def test_flags(self) -> None:
        """Options in the spellings of Go's programs."""
        words = ["--a=1", "-b", "2", "--c", "--d", "x", "y", "--e"]
        self.assertEqual(flags(words), {"a": "1", "b": "2", "c": "true", "d": "x", "e": "true"})

    def test_this_host(self) -> None:
        """The host itself is looked at where it is."""
        self.assertEqual(Host().where("/etc/x"), "/etc/x")
        self.assertIsNotNone(filesystem(Host(), "/proc/self"))


class OddHostTests(HostCase):
    """An odd file is a finding, or nothing."""

    def test_every_file(self) -> None:
        """Each file in turn is a pipe, a directory, too long, empty, or random bytes."""
        self.process(801, "/usr/bin/crio")
        self.write("/etc/crio/crio.conf", CRIO)
        self.write("/etc/crio/crio.conf.d/10-x", CRIO)
        self.write("/sys/fs/selinux/enforce", "1")
        self.spec("/run/cdi/twistdp.x.example_card.json", {**SPEC, "kind": "x.example/card"})
        kinds = {
            "fifo": lambda path: os.mkfifo(path),
            "directory": lambda path: os.mkdir(path),
            "long": lambda path: _write(path, b"\n" * (MOST + 1)),
            "empty": lambda path: _write(path, b""),
            "random": lambda path: _write(path, os.urandom(999)),
            "nested": lambda path: _write(path, b"[" * 100_000),
            "loop": lambda path: os.symlink(path, path),
        }
        paths = [
            os.path.join(directory, name)
            for directory, _, names in os.walk(self.root)
            for name in names
            if os.path.isfile(os.path.join(directory, name))
        ]
        self.assertGreater(len(paths), 25)
        for path in paths:
            with open(path, "rb") as file:
                before = file.read()
            for kind, make in kinds.items():
                os.unlink(path)
                make(path)
                found = list(examine(self.host, self._but_packages()))
                self.drain()
                text = " ".join(each.found for each in found)
                self.assertNotRegex(text, r"checked: \w+(Error|Exception)", f"{kind} {path}")
                (os.rmdir if os.path.isdir(path) else os.unlink)(path)
                _write(path, before)
        self.assert_well()

    def _but_packages(self) -> dict[str, Check]:
        return {name: check for name, check in CHECKS.items() if name != "packages"}

    def test_empty(self) -> None:
        """An empty directory is no node, and no error."""
        host = Host(os.path.join(self.root, "run"), clock=lambda: None)
        self.assertLessEqual(max(each.severity for each in examine(host)), Severity.WARNING)

    def test_closed(self) -> None:
        """A file that may not be read is a finding with a remedy."""
        if os.geteuid() != 0:
            self.skipTest("it becomes another user: run it as root")
        os.chmod(self.root, 0o755)
        os.chmod(self.at(PLUGINS), 0o700)
        os.seteuid(12345)
        try:
            found = self.findings("kubelet", "plugins", "plugin-sockets")
        finally:
            os.seteuid(0)
        self.assertTrue(found)
        for each in found:
            self.assertIn("Permission denied; run this as root", each.found)


class ViewTests(HostCase):
    """How much of a host is visible."""

    def test_not_root(self) -> None:
        """A warning names a user other than root."""
        self.uid = 1000
        self.assert_finds(Severity.WARNING, "this runs as user 1000")

    def test_not_mounted(self) -> None:
        """Without /proc and /sys, no check claims to know what they show."""
        for path in ("/proc", "/sys"):
            shutil.rmtree(self.at(path))
        self.assert_finds(Severity.WARNING, "^/proc and /sys of this host cannot be seen$")
        seen = {each.check for each in examine(self.host)}
        self.assertEqual(seen & {"selinux", "apparmor", "cgroups", "inotify", "kernel"}, set())

    def test_pod(self) -> None:
        """In a pod the kubelet answers, and no process of the node is seen."""
        for pid in (700, 800, 900):
            shutil.rmtree(self.at(f"/proc/{pid}"))
        for path in ("/etc/containerd", "/run/containerd"):
            shutil.rmtree(self.at(path))
        self.remove("/var/lib/kubelet/config.yaml")
        self.clock = Timex(False, 16.0)
        self.assert_finds(Severity.INFO, "the kubelet answers, and its process is not seen")


class ExamineTests(HostCase):
    """One check after another."""

    def test_failing(self) -> None:
        """A check that raises is a finding, after what it had found."""

        def check(_: Host) -> Findings:
            yield ok("so far")
            raise RuntimeError("no more")

        found = list(examine(self.host, {"a": check, "b": check}))
        self.assertEqual([each.check for each in found], ["a", "a", "b", "b"])
        self.assertIn("could not be checked: RuntimeError: no more", found[1].found)

    def test_hanging(self) -> None:
        """A check that hangs is left behind."""
        end = Event()
        self.addCleanup(end.set)

        def check(_: Host) -> Findings:
            end.wait()
            yield ok("too late")

        (found,) = examine(self.host, {"a": check}, patience=0.01)
        self.assertEqual(
            (found.severity, found.found), (Severity.WARNING, "no answer within 0.01 s")
        )


class ProgramTests(HostCase):
    """Programs are run without a shell and with a time limit."""

    def test_output(self) -> None:
        """The beginning of the output is returned; the program does not get our environment."""
        self.assertEqual(run("/bin/echo", "$HOME", ";", "id"), "$HOME ; id\n")
        self.assertNotIn("COMP", run("/usr/bin/env"))

    def test_failing(self) -> None:
        """A program that fails, is missing, or takes too long raises OSError."""
        from twistdp.doctor import programs

        self.patch(programs, "PATIENCE", 0.05)
        begun = time.monotonic()
        for words in (["/bin/false"], ["/nothing/there"], ["/bin/sleep", "60"]):
            with self.assertRaises(OSError):
                run(*words)
        self.assertLess(time.monotonic() - begun, 30)

    def test_version(self) -> None:
        """A process that has ended cannot be asked."""
        with self.assertRaises(OSError):
            version_text(2**22 + 1)

    def test_untrusted(self) -> None:
        """A program that others could have replaced is not run, and neither is one that is gone."""
        program = os.path.join(self.root, "kubelet")
        shutil.copy("/bin/sleep", program)
        with subprocess.Popen([program, "60"]) as process:
            try:
                self.assertIn("sleep", version_text(process.pid))
                os.chmod(self.root, 0o777)
                with self.assertRaises(PermissionError):
                    version_text(process.pid)
                os.unlink(program)
                with self.assertRaises(FileNotFoundError):
                    version_text(process.pid)
            finally:
                process.kill()


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
