"""Hosts for the doctor's tests: healthy ones, laid out in a directory, which a test then breaks."""

import json
import os
import shutil
import socket
from contextlib import suppress
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp._version import __version__
from twistdp.doctor import CHECKS, Finding, Host, Severity, examine
from twistdp.doctor.host import unknown
from twistdp.doctor.timex import Timex

PLUGINS = "/var/lib/kubelet/device-plugins"
CAMERA = f"{PLUGINS}/lab.example.com_camera.sock"
KUBELET_CONFIG = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
topologyManagerPolicy: single-numa-node
cpuManagerPolicy: static
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
"""
CONTAINERD = """
version = 3
imports = ["/etc/containerd/conf.d/*.toml"]
[plugins."io.containerd.cri.v1.runtime"]
  enable_cdi = true
  cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi"]
  device_ownership_from_security_context = true
"""
CRIO = """
[crio.runtime]
selinux = true
cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi"]
device_ownership_from_security_context = true
"""
SPEC: dict[str, Any] = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.com/card",
    "devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/card0"}]}}],
}


class HostCase(SynchronousTestCase):
    """A host in a directory, with live sockets.  It is healthy until a test breaks it."""

    def setUp(self) -> None:
        """Lay out a node with containerd 2 and a kubelet that aligns devices."""
        self.root = temporary_directory(self)
        self.versions: dict[int, str] = {}
        self.clock: Timex | None = Timex(True, 0.01)
        self.uid = 0
        self.states: dict[str, Any] = {}
        self.listening: list[socket.socket] = []
        self.node()

    def node(self) -> None:
        """Write the files of every node, and of containerd."""
        self.write(
            "/proc/1/mountinfo",
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:20 / /run rw - tmpfs tmpfs rw\n",
        )
        self.write("/proc/stat", "cpu 1\nbtime 1000000000\n")
        self.write("/proc/sys/kernel/osrelease", "6.12.9-amd64\n")
        self.write("/proc/sys/fs/file-nr", "2000\t0\t9223372036854775807\n")
        self.write("/proc/sys/fs/inotify/max_user_instances", "128\n")
        self.write("/proc/sys/fs/inotify/max_user_watches", "65536\n")
        self.write("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
        for number in range(2):
            self.write(f"/sys/devices/system/node/node{number}/cpulist", "0\n")
        os.makedirs(self.at("/run"))
        os.makedirs(self.at("/var"))
        os.symlink("../run", self.at("/var/run"))
        os.makedirs(self.at("/run/cdi"))
        os.makedirs(self.at("/etc/cdi"))
        self.process(900, "/usr/bin/kubelet", "--config=/var/lib/kubelet/config.yaml")
        self.write("/var/lib/kubelet/config.yaml", KUBELET_CONFIG)
        self.process(800, "/usr/bin/containerd")
        self.write("/etc/containerd/config.toml", CONTAINERD)
        self.process(700, "/usr/sbin/chronyd", "-F", "1", uid=997)
        self.versions |= {900: "Kubernetes v1.34.2", 800: "containerd github.com/x v2.1.4 abc"}
        self.listen("/run/containerd/containerd.sock")
        self.listen(f"{PLUGINS}/kubelet.sock")
        self.listen("/var/lib/kubelet/pod-resources/kubelet.sock")
        os.makedirs(self.at("/var/lib/kubelet/plugins_registry"))
        self.listen(CAMERA)
        self.write("/dev/card0")
        self.spec("/etc/cdi/vendor.json", SPEC)
        self.checkpoint({"lab.example.com/camera": ["cam-1"]})

    def at(self, path: str) -> str:
        """Where a path of the host is."""
        return self.root + path

    def write(self, path: str, content: str = "") -> None:
        """Write a file, and make the directories above it."""
        os.makedirs(os.path.dirname(self.at(path)), mode=0o755, exist_ok=True)
        with open(self.at(path), "w", encoding="utf-8") as file:
            file.write(content)

    def remove(self, path: str) -> None:
        """Remove a file."""
        os.unlink(self.at(path))

    def spec(self, path: str, content: Any) -> None:
        """Write a CDI spec."""
        self.write(path, json.dumps(content))

    def checkpoint(self, registered: dict[str, list[str]]) -> None:
        """Write what the kubelet keeps of its plugins."""
        content = {"Data": {"PodDeviceEntries": None, "RegisteredDevices": registered}}
        self.write(f"{PLUGINS}/kubelet_internal_checkpoint", json.dumps(content))

    def process(
        self, pid: int, *words: str, uid: int = 0, inotify: int = 0, marks: int = 0, parent: int = 1
    ) -> None:
        """Let a process run, with inotify instances of which the first has marks."""
        self.write(f"/proc/{pid}/cmdline", "\0".join(words) + "\0")
        self.write(
            f"/proc/{pid}/status", f"Name:\tx\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
        )
        os.makedirs(self.at(f"/proc/{pid}/fd"), exist_ok=True)
        for number in range(inotify):
            os.symlink("anon_inode:inotify", self.at(f"/proc/{pid}/fd/{number}"))
            lines = "inotify wd:1 ino:1 sdev:1 mask:1\n" * (0 if number else marks)
            self.write(f"/proc/{pid}/fdinfo/{number}", f"pos:\t0\n{lines}")

    def listen(self, path: str) -> socket.socket:
        """Listen on a socket of mode 0600."""
        os.makedirs(os.path.dirname(self.at(path)), mode=0o755, exist_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(self.at(path))
        os.chmod(self.at(path), 0o600)
        listening.listen(64)
        listening.setblocking(False)
        self.listening.append(listening)
        return listening

    def drain(self) -> None:
        """Take all connections, before a queue is full."""
        for each in self.listening:
            with suppress(BlockingIOError):
                while each.fileno() >= 0:
                    each.accept()[0].close()

    def leave(self, path: str) -> None:
        """Leave a socket on which nobody listens, in place of what was there."""
        if os.path.lexists(self.at(path)):
            self.remove(path)
        self.listen(path).close()

    def end(self) -> None:
        """End the kubelet, which leaves its socket."""
        shutil.rmtree(self.at("/proc/900"))
        self.leave(f"{PLUGINS}/kubelet.sock")

    def ask(self, path: str) -> Any:
        """Return the answer of the plugin of twistdp on a socket."""
        state = self.states.get(os.path.basename(path))
        return unknown(path) if state is None else state

    def serve(self, name: str, resource: str, *ids: str, **session: Any) -> None:
        """Let a plugin of twistdp serve a resource, and answer on a socket of this name."""
        self.listen(f"/run/twistdp/{name}")
        standing = {"standing": "registered", "streams": 1, **session}
        devices = [{"id": each} for each in ids]
        served = {"name": resource, "endpoint": CAMERA, "devices": devices, "session": standing}
        self.states[name] = {"version": __version__.public(), "resources": [served]}

    def version(self, pid: int) -> str:
        """Return the output of a program for its version."""
        return self.versions.get(pid) or unknown(pid)

    @property
    def host(self) -> Host:
        """The host; what belongs to us is root's."""
        return Host(
            self.root,
            ask=self.ask,
            version=self.version,
            clock=lambda: self.clock,
            owners=frozenset({0, os.geteuid()}),
            uid=self.uid,
        )

    def findings(self, *names: str) -> list[Finding]:
        """Return what some checks, or all, find beyond plain facts."""
        checks = {name: CHECKS[name] for name in names or CHECKS}
        found = [each for each in examine(self.host, checks) if each.severity != Severity.OK]
        self.drain()
        return found

    def assert_well(self, *names: str) -> None:
        """Nothing is found."""
        self.assertEqual(self.findings(*names), [])

    def assert_finds(self, severity: Severity, text: str, *names: str) -> Finding:
        """Some checks find this alone, and say what it means and what to do."""
        found = self.findings(*names)
        self.assertEqual(len(found), 1, found)
        self.assertEqual(found[0].severity, severity, found)
        self.assertRegex(found[0].found, text)
        self.assertTrue(found[0].meaning)
        self.assertTrue(found[0].remedy)
        return found[0]
