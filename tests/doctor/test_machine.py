"""Tests for `twistdp.doctor`: the machine and its kernel, one fault each."""

import os
from importlib import metadata

from tests.doctor.hosts import PLUGINS, HostCase
from twistdp.doctor import Severity
from twistdp.doctor.timex import Timex, kernel_clock
from twistdp.doctor.versions import check_packages, parsed


class LimitTests(HostCase):
    """Inotify and open files."""

    def test_instances(self) -> None:
        """A user has nearly all instances."""
        self.process(20, "/usr/bin/tail", "-f", uid=1000, inotify=110)
        self.process(21, "/usr/bin/tail", "-f", uid=1001, inotify=100)
        found = self.assert_finds(
            Severity.WARNING, r"user 1000 has 110 of 128 inotify instances \(tail 110\)"
        )
        self.assertIn("fs.inotify.max_user_instances=512", found.remedy)

    def test_watches(self) -> None:
        """A user has nearly all watches."""
        self.process(20, "/usr/bin/node", uid=0, inotify=1, marks=60_000)
        self.assert_finds(Severity.WARNING, r"user 0 has 60000 of 65536 inotify watches \(node 60")

    def test_forks(self) -> None:
        """A child that has its parent's instances takes no place."""
        for pid in range(20, 29):
            self.process(pid, "/usr/bin/server", inotify=20, marks=9, parent=pid - 1)
        self.assert_well()

    def test_no_inotify(self) -> None:
        """A kernel without it."""
        self.remove("/proc/sys/fs/inotify/max_user_instances")
        self.assert_finds(Severity.INFO, "there is no /proc/sys/fs/inotify")

    def test_files(self) -> None:
        """The host has no file left."""
        self.write("/proc/sys/fs/file-nr", "9000\t0\t10000\n")
        self.assert_finds(Severity.WARNING, "the host has 9000 of 10000 files open")


class SecurityTests(HostCase):
    """SELinux."""

    def labelled(self, label: str) -> None:
        """Give the directory of plugins a label."""
        try:
            os.setxattr(self.at(PLUGINS), "security.selinux", label.encode() + b"\0")
        except OSError as error:
            self.skipTest(f"it sets labels: {error.strerror}; run it as root")

    def test_label(self) -> None:
        """Somebody has changed the label of the directory."""
        self.write("/sys/fs/selinux/enforce", "1")
        self.labelled("system_u:object_r:container_var_lib_t:s0")
        found = self.assert_finds(Severity.WARNING, "has the SELinux type container_var_lib_t, and")
        self.assertIn(f"chcon -t container_file_t {PLUGINS}", found.remedy)
        self.write("/sys/fs/selinux/enforce", "0")
        self.assert_well()

    def test_right_label(self) -> None:
        """A kubelet has labelled it."""
        self.write("/sys/fs/selinux/enforce", "1")
        self.labelled("system_u:object_r:container_file_t:s0")
        self.assert_well()

    def test_boolean(self) -> None:
        """Containers may not open nodes with the host's labels."""
        self.write("/sys/fs/selinux/enforce", "1")
        self.write("/sys/fs/selinux/booleans/container_use_devices", "0 0")
        self.assert_finds(Severity.INFO, "container_use_devices is off")
        self.write("/sys/fs/selinux/booleans/container_use_devices", "1 1")
        self.assert_well()


class CgroupTests(HostCase):
    """Versions of cgroups."""

    def test_version_1(self) -> None:
        """The meaning of cgroup v1 depends on the kubelet."""
        self.remove("/sys/fs/cgroup/cgroup.controllers")
        self.write("/sys/fs/cgroup/devices/devices.list", "")
        found = self.assert_finds(Severity.WARNING, "^cgroup v1$")
        self.assertIn("only if its configuration has 'failCgroupV1", found.meaning)
        words = "--config=/var/lib/kubelet/config.yaml", "--fail-cgroupv1=false"
        self.process(900, "/usr/bin/kubelet", *words)
        self.assertIn("'failCgroupV1: false' is set", self.findings()[0].meaning)

    def test_no_controller(self) -> None:
        """Nothing keeps a container from a device, or lets it have one."""
        self.remove("/sys/fs/cgroup/cgroup.controllers")
        self.write("/sys/fs/cgroup/memory/tasks", "")
        self.assert_finds(Severity.ERROR, "cgroup v1 without the controller 'devices'")

    def test_not_mounted(self) -> None:
        """A host without visible cgroups is a note."""
        self.remove("/sys/fs/cgroup/cgroup.controllers")
        self.assert_finds(Severity.INFO, "/sys/fs/cgroup is empty or missing")


class ClockTests(HostCase):
    """The clock."""

    def test_nothing_keeps_it(self) -> None:
        """No service runs."""
        self.clock = Timex(False, 16.0)
        self.process(700, "/usr/bin/sleep")
        self.assert_finds(Severity.WARNING, "nothing keeps the clock right")
        self.clock = None
        self.assert_well()

    def test_not_yet(self) -> None:
        """A service runs, and has not synchronised the clock."""
        self.clock = Timex(False, 16.0)
        self.assert_finds(Severity.INFO, "chronyd runs, and the kernel does not count")

    def test_two(self) -> None:
        """Two services set the clock."""
        self.process(701, "/usr/sbin/ntpd")
        self.assert_finds(Severity.WARNING, "chronyd and ntpd set the clock at the same time")

    def test_set_back(self) -> None:
        """The kubelet has written a file in the future."""
        path = self.at(f"{PLUGINS}/kubelet_internal_checkpoint")
        later = os.stat(path).st_mtime + 4000.0
        os.utime(path, (later, later))
        found = self.assert_finds(
            Severity.ERROR, r"checkpoint was written (39\d\d|4000) s from now"
        )
        self.assertIn("set back", found.meaning)

    def test_set_forward(self) -> None:
        """The kubelet lives, and seems older than its host."""
        made = os.stat(self.at(f"{PLUGINS}/kubelet.sock")).st_mtime
        self.write("/proc/stat", f"cpu 1\nbtime {made + 7200:.0f}\n")
        self.assert_finds(Severity.WARNING, r"set forward by (7199|7200|7201) s or more")
        self.leave(f"{PLUGINS}/kubelet.sock")
        os.utime(self.at(f"{PLUGINS}/kubelet.sock"), (1.0, 1.0))
        self.assert_well("clock-steps")

    def test_of_this_machine(self) -> None:
        """The kernel is asked in its own terms."""
        state = kernel_clock()
        if state is None:
            self.skipTest("this kernel does not say how its clock is kept")
        self.assertGreaterEqual(state.largest_error, 0.0)


class VersionTests(HostCase):
    """Versions of what we need."""

    def test_kernel(self) -> None:
        """A kernel whose cgroup v2 Kubernetes does not support."""
        self.write("/proc/sys/kernel/osrelease", "5.4.0-1-amd64")
        self.assert_finds(Severity.WARNING, "Linux 5.4.0-1-amd64 with cgroup v2")

    def test_packages(self) -> None:
        """A package that is too old, or missing; those of extras and other Pythons are not."""
        needs = [
            "attrs>=23.2",
            "grpcio>=999.1",
            "nothing-of-that-name>=2",
            'pyasyncore>=99; python_version >= "99.0"',
            'hypothesis>=999; extra == "test"',
        ]
        self.patch(metadata, "requires", lambda _: needs)
        found = [each for each in check_packages(self.host) if each.severity != Severity.OK]
        self.assertEqual([each.severity for each in found], [Severity.ERROR] * 2)
        self.assertIn("pip install 'grpcio>=999.1'", found[0].remedy)
        self.assertEqual(found[1].found, "the package nothing-of-that-name is missing")

    def test_no_package(self) -> None:
        """A tree that is not installed."""
        (found,) = check_packages(self.host, "nothing-of-that-name")
        self.assertEqual(found.severity, Severity.INFO)
        self.assertIn("install it from a checkout", found.remedy)

    def test_parsed(self) -> None:
        """Versions as programs print them."""
        for text, expected in (
            ("Kubernetes v1.36.2-rc.1", (1, 36, 2)),
            ("containerd github.com/containerd/containerd/v2 v2.1.9 3a4", (2, 1, 9)),
            ("k3s version v1.30.4+k3s1 (98262b5d)", (1, 30, 4)),
            ("6.18.44-fc", (6, 18, 44)),
            ("", None),
        ):
            self.assertEqual(parsed(text), expected)
