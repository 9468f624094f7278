"""deploy/systemd/twistdp@.service on a machine with systemd and the emulated kubelet."""

import json
import os
import re
import socket
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.deployments import MOST_EXPOSED
from tests.support.uevents import a_block_device, make_event
from tests.systemd.machine import Machine, booted
from twistdp.deployment.probing import probes
from twistdp.scaffold.project import Project

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = "twistdp@lab.service"
OPTIONS = "--scanner=samples:Nodes --removal-grace=0"
KUBELET = r"""
[Service]
ExecStart=/opt/twistdp/bin/twistdp kubelet --force --dir /var/lib/kubelet/device-plugins \
    --pod-resources /var/lib/kubelet/pod-resources/kubelet.sock
ExecStartPre=/bin/mkdir -p /var/lib/kubelet/pod-resources
KillSignal=SIGKILL
"""
PLUGINS = "/var/lib/kubelet/device-plugins"
REGISTERED = "1 resource, 1 device, registered"
WAITING = f"1 resource, 1 device, waiting for a kubelet in {PLUGINS}"
DROP_IN = f"/run/systemd/system/{UNIT}.d/more.conf"
NEEDS = {
    "the node's network": "network",
    "devices to open, by their driver's name in `/proc/devices` or a path": "/dev/tdp-misc",
    "something in `/run`, such as D-Bus": "/run/dbus/system_bus_socket",
    "information about the machine in `/proc`": "/proc/meminfo",
    "device nodes that do not belong to root": "/dev/tdp-user",
    "the users and groups that files of others belong to": "users",
    "another capability, such as the one for raw commands to disks": "rawio",
    "a system call that needs a capability, such as `chroot`": "chroot",
    "code that is generated at run time (a JIT)": "code",
    "home directories": "/root/.config",
}
"""What `samples.Tries` tries for a need, in the words of the documentation."""


def text_of(path: str) -> str:
    """A file of the project."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def drop_ins() -> dict[str, list[str]]:
    """The settings that docs/operations.md has for each need."""
    _, table = text_of("docs/operations.md").split("| need | drop-in |\n|---|---|\n")
    rows = re.findall(r"(?m)^\| (.+?) \| (.+) \|$", table.split("\n\n")[0])
    return {need: re.findall(r"`(\w+=[^`]+)`", settings) for need, settings in rows}


class UnitTests(SynchronousTestCase):
    """A fresh node for each test."""

    machine: Machine

    def setUp(self) -> None:
        """Nothing of a kubelet is there, and one device."""
        self.machine = booted()
        self.run_("systemctl", "stop", "twistdp@*", "kubelet.service", check=False)
        self.run_(
            "sh", "-c",
            "rm -rf /var/lib/kubelet /etc/kubernetes /run/cdi /dev/tdp* /run/systemd/system/*",
        )  # fmt: skip
        self.write("/etc/systemd/system/kubelet.service", KUBELET)
        self.write(
            "/etc/systemd/system/twistdp@.service", text_of("deploy/systemd/twistdp@.service")
        )
        self.write("/etc/twistdp/samples.py", text_of("tests/systemd/samples.py"))
        self.options(OPTIONS)
        self.run_("systemctl", "daemon-reload")
        self.plug("tdp0")
        self.fresh_journal()

    def run_(self, *command: str, check: bool = True) -> str:
        """See `Machine.run`."""
        return self.machine.run(*command, check=check)

    def fresh_journal(self) -> None:
        """Forget what was logged."""
        self.run_("journalctl", "--rotate")
        self.run_("journalctl", "--vacuum-time=1us")

    def write(self, path: str, text: str) -> None:
        """See `Machine.write`."""
        self.machine.write(path, text)

    def options(self, options: str, instance: str = "lab") -> None:
        """Give the instance these options."""
        self.write(
            f"/etc/twistdp/{instance}.env",
            f"PYTHONPATH=/etc/twistdp\nTWISTDP_OPTIONS={options}\n",
        )

    def drop_in(self, *settings: str) -> None:
        """Change the instance's unit."""
        self.write(DROP_IN, "\n".join(("[Service]", *settings, "")))
        self.run_("systemctl", "daemon-reload")

    def plug(self, name: str) -> None:
        """Make a device."""
        self.run_("mknod", f"/dev/{name}", "c", "1", "3")

    def start(self, *units: str) -> None:
        """Start, and wait until systemd calls it started."""
        self.run_("systemctl", "start", *units)

    def restart(self) -> None:
        """Start with an empty journal, and do not wait: a scan that fails delays the start."""
        self.run_("systemctl", "stop", UNIT)
        self.fresh_journal()
        self.run_("systemctl", "start", "--no-block", UNIT)

    def show(self, name: str, unit: str = UNIT) -> str:
        """A property of a unit."""
        return self.run_("systemctl", "show", "--value", "--property", name, unit)

    def becomes(self, name: str, wanted: str, seconds: float = 20.0, unit: str = UNIT) -> None:
        """Wait until a property is as wanted."""
        self.machine.until(lambda: self.show(name, unit), lambda found: found == wanted, seconds)

    def signal(self, name: str) -> None:
        """Send the plugin a signal."""
        self.run_("systemctl", "kill", "--kill-who=main", f"--signal={name}", UNIT)

    def journal(self, unit: str = UNIT) -> list[dict[str, Any]]:
        """What it has logged."""
        lines = self.run_("journalctl", "--output=json", "--unit", unit).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def says(self, words: str, times: int = 1) -> None:
        """Wait until it has logged this so often."""
        self.machine.until(lambda: str(self.journal()).count(words), lambda n: n >= times, 10)

    def test_verify(self) -> None:
        """systemd has nothing to say against it."""
        path = "/etc/systemd/system/twistdp@.service"
        self.assertEqual(self.run_("systemd-analyze", "verify", path), "")

    def test_security(self) -> None:
        """It is exposed no more than it must be."""
        said = self.run_("systemd-analyze", "security", "--no-pager", UNIT)
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert found, said
        self.assertLessEqual(float(found[1]), MOST_EXPOSED)

    def test_without_a_kubelet(self) -> None:
        """On a fresh node it is started when it waits; the kubelet that comes gets the devices."""
        self.start(UNIT)
        self.assertEqual(self.show("ActiveState"), "active")
        self.becomes("StatusText", WAITING, 3)
        self.start("kubelet.service")
        self.becomes("StatusText", REGISTERED)
        self.run_("systemctl", "kill", "--signal=KILL", "kubelet.service")
        self.becomes("StatusText", WAITING)
        self.start("kubelet.service")
        self.becomes("StatusText", REGISTERED)
        self.assertEqual(self.show("NRestarts"), "0")

    def test_order(self) -> None:
        """Started together, the kubelet comes when the plugin waits for it."""
        self.start(UNIT, "kubelet.service")
        ready = int(self.show("ActiveEnterTimestampMonotonic"))
        kubelet = self.show("ExecMainStartTimestampMonotonic", "kubelet.service")
        self.assertLessEqual(ready, int(kubelet))
        self.becomes("StatusText", REGISTERED)

    def test_hotplug_and_cdi(self) -> None:
        """In the sandbox devices come and go, with their CDI spec."""
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        self.plug("tdp1")
        self.becomes("StatusText", "1 resource, 2 devices, registered", 5)
        specs = self.run_("sh", "-c", "stat -c '%a %n' /run/cdi/*; cat /run/cdi/*")
        self.assertIn("/dev/tdp1", specs)
        self.assertIn("644 /run/cdi/twistdp.", specs)
        self.run_("rm", "/dev/tdp0")
        self.becomes("StatusText", REGISTERED, 5)

    def test_socket(self) -> None:
        """Root asks the plugin at its socket, which is outside of the sandbox too."""
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        command = probes(None)["readinessProbe"]["exec"]["command"]
        self.assertEqual(self.run_(*command).strip(), "ok")
        self.run_("systemctl", "restart", UNIT)
        self.becomes("StatusText", REGISTERED)
        self.assertEqual(self.run_(*command).strip(), "ok")

    def test_port(self) -> None:
        """It answers at a port that systemd has opened, in a sandbox without a network."""
        unit = "twistdp@lab.socket"
        self.write("/etc/systemd/system/twistdp@.socket", text_of("deploy/systemd/twistdp@.socket"))
        self.options(f"{OPTIONS} --http=systemd:domain=INET:name=http")
        self.run_("systemctl", "daemon-reload")
        path = "/etc/systemd/system/twistdp@.socket"
        self.assertEqual(self.run_("systemd-analyze", "verify", path), "")
        self.addCleanup(self.run_, "systemctl", "stop", unit, UNIT)
        self.start(unit)
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        ask = "from urllib.request import urlopen; print(urlopen({!r}).read().decode())"
        said = self.run_("python3", "-c", ask.format("http://127.0.0.1:9102/readyz"))
        self.assertEqual(said.strip(), "ok")
        self.assertEqual(self.show("PrivateNetwork"), "yes")

    def test_project(self) -> None:
        """The unit of a new project, with its scanner, is started and serves."""
        unit = "thermo.service"
        texts = dict(Project("thermo", resource="tdp").files())
        packages = self.run_("sh", "-c", "echo /opt/twistdp/lib/python3*/site-packages")
        self.addCleanup(self.run_, "rm", "-r", f"{packages}/thermo")
        self.addCleanup(self.run_, "systemctl", "stop", unit)
        self.write(f"{packages}/thermo/scanner.py", texts["thermo/scanner.py"])
        self.write(
            f"/run/systemd/system/{unit}",
            texts[f"deploy/{unit}"].replace("/opt/thermo", "/opt/twistdp"),
        )
        self.run_("systemctl", "daemon-reload")
        self.start(unit, "kubelet.service")
        self.assertEqual(self.show("Description", unit), "Kubernetes device plugin thermo")
        self.becomes("StatusText", REGISTERED, unit=unit)
        self.plug("tdp1")
        self.becomes("StatusText", "1 resource, 2 devices, registered", 5, unit)
        self.assertNotIn("cache", str(self.journal(unit)))

    def test_cdi_is_tidied(self) -> None:
        """In the sandbox names that are not used any more go, and so do files."""
        self.start(UNIT, "kubelet.service")
        self.plug("tdp1")
        self.becomes("StatusText", "1 resource, 2 devices, registered", 5)
        self.run_("rm", "/dev/tdp1")
        specs = self.machine.until(
            lambda: self.run_("sh", "-c", "cat /run/cdi/*.json"),
            lambda specs: "/dev/tdp1" not in specs,
            10,
        )
        self.assertIn("/dev/tdp0", specs)
        self.run_("rm", "/dev/tdp0")
        self.run_("systemctl", "restart", UNIT)
        self.machine.until(
            lambda: self.run_("find", "/run/cdi", "-type", "f"), lambda files: files == "", 10
        )

    def test_drop_ins(self) -> None:
        """What is documented for a need is needed, and enough."""
        settings = drop_ins()
        self.assertEqual(set(settings) - set(NEEDS), {"other directories to write in"})
        self.plug("tdp-user")
        self.run_("sh", "-c", "chown 1 /dev/tdp-user; chmod 600 /dev/tdp-user")
        self.write("/root/.config", "x")
        # Which anybody may open, unless the unit's devices are closed to it.
        self.run_("mknod", "/dev/tdp-misc", "c", "10", "237")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.write("/etc/twistdp/port", str(listener.getsockname()[1]))
        for need, what in NEEDS.items():
            self.options(f"--scanner=samples:Tries --set=what={what}")
            for left_out in settings[need]:
                with self.subTest(need=need, left_out=left_out):
                    self.drop_in(*(setting for setting in settings[need] if setting != left_out))
                    self.restart()
                    self.says("the scan failed")
            with self.subTest(need=need):
                self.drop_in(*settings[need])
                self.restart()
                self.becomes("StatusText", WAITING)

    def test_events_of_the_kernel(self) -> None:
        """In the sandbox, which has a network of its own, the kernel's events are received."""
        path = a_block_device()
        self.options("--scanner=samples:Hears")
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        make_event(path)
        self.becomes("StatusText", "1 resource, 2 devices, registered", 5)

    def test_secrets(self) -> None:
        """The cluster's secrets are hidden, also those that come when the plugin runs."""
        self.write("/etc/kubernetes/admin.conf", "secret")
        for path in (
            "/etc/kubernetes/admin.conf",
            "/var/lib/kubelet/pki/kubelet.key",
            "/var/lib/kubelet/pods/1/volumes/token",
        ):
            with self.subTest(path=path):
                self.run_("rm", "-rf", "/var/lib/kubelet")
                self.options(f"--scanner=samples:Tries --set=what={path}")
                self.restart()
                self.says("PermissionError")
                self.write(path, "secret")
                self.plug(f"tdp-{os.path.basename(path)}")
                self.says("PermissionError", 2)

    def test_out_of_reach(self) -> None:
        """What else obeys root, or is secret, is neither seen nor changed; what is needed is."""
        socket_, disk, misc = "/run/containerd/containerd.sock", "/dev/tdp-disk", "/dev/tdp-misc"
        other = "/var/lib/lxd/unix.socket"
        # As a pod has it that runs as root and drops all capabilities.
        bare = "--property=CapabilityBoundingSet="
        self.run_("systemd-run", "--unit=other", bare, "/bin/sleep", "infinity")
        self.addCleanup(self.run_, "systemctl", "stop", "other.service")
        process = f"/proc/{self.show('MainPID', 'other.service')}"
        hidden = [
            *("/etc/shadow", "/etc/ssh", "/etc/kubernetes", "/var/lib/etcd", "/var/backups"),
            *(f"/var/lib/kubelet/{name}" for name in ("kubeconfig", "plugins", "checkpoints")),
            *("+/var/lib/kubelet/config.yaml", "+/var/lib/kubelet/seccomp/profile.json"),
            *("/run/dbus/system_bus_socket", "/run/systemd/private", "/run/crio", socket_, other),
            *(f"{process}/environ", f"{process}/root/etc/shadow"),
            *("+/dev/text", "+/dev/shm/text", "/dev/ptmx"),
            *("/proc/meminfo", disk, misc, "ring"),
        ]  # fmt: skip
        seen = [
            "/sys/devices/system/cpu/online",
            "/proc/self/mounts",
            "/var/lib/kubelet/config.yaml",
            "semaphore",
        ]
        for path in ("kubeconfig", "config.yaml", "plugins/csi/token", "seccomp/profile.json"):
            self.write(f"/var/lib/kubelet/{path}", "secret")
        for path in (
            "/etc/ssh/key",
            "/etc/kubernetes/admin.conf",
            "/var/lib/etcd/data",
            "/var/backups/shadow.bak",
        ):
            self.write(path, "secret")
            self.addCleanup(self.run_, "rm", "-r", os.path.dirname(path))
        for path in ("/dev/text", "/dev/shm/text"):
            self.write(path, "secret")
            self.addCleanup(self.run_, "rm", path)
        self.run_("mknod", disk, "b", "7", "0")
        self.run_("mknod", misc, "c", "10", "237")
        self.options(f"--scanner=samples:Uses {' '.join(f'--set=what={p}' for p in hidden + seen)}")
        listen = f"--socket-property=ListenStream={other}"
        self.run_("systemd-run", "--unit=other-runtime", listen, "/bin/cat")
        self.addCleanup(self.run_, "systemctl", "stop", "other-runtime.socket")
        self.start(UNIT)
        self.says(f"with 3: {seen}")
        # A container's memory, and a runtime, that come later than the plugin.
        self.write("/var/lib/kubelet/checkpoints/pod.tar", "secret")
        listen_too = [
            f"--socket-property=ListenStream={path}" for path in (socket_, "/run/crio/crio.sock")
        ]
        self.run_("systemd-run", "--unit=runtime", *listen_too, "/bin/cat")
        self.addCleanup(self.run_, "systemctl", "stop", "runtime.socket")
        self.plug("tdp1")
        self.says(f"with 4: {seen}")

    def test_signals(self) -> None:
        """With the drop-in of the page no signal reaches other processes; all else works."""
        if int(self.run_("systemctl", "--version").split()[1]) < 257:
            raise SkipTest("systemd has no PrivatePIDs=, which came with 257")
        _, block = text_of("docs/operations.md").split("```ini\n[Service]\n", 1)
        self.write("/etc/twistdp/process", self.show("MainPID", "systemd-journald"))
        self.options("--scanner=samples:Uses --set=what=signal")
        self.start(UNIT)
        self.says("with 1: ['signal']")
        self.drop_in(*block.split("\n```")[0].splitlines(), "WatchdogSec=2")
        self.restart()
        self.says("with 1: []")
        self.options(OPTIONS)
        self.run_("systemctl", "restart", UNIT)
        fed = self.show("WatchdogTimestampMonotonic")
        for _ in range(2):
            fed = self.machine.until(lambda: self.show("WatchdogTimestampMonotonic"), fed.__ne__, 3)
        self.start("kubelet.service")
        self.becomes("StatusText", REGISTERED)
        self.assertEqual(self.show("NRestarts"), "0")
        self.run_("systemctl", "stop", UNIT)
        self.assertEqual((self.show("ActiveState"), self.show("Result")), ("inactive", "success"))

    def test_watcher(self) -> None:
        """In the sandbox a plugin is found by the kubelet's watcher, too."""
        registry = "/var/lib/kubelet/plugins_registry"
        self.write(
            "/etc/systemd/system/kubelet.service",
            KUBELET.replace("--force", f"--force --registry-dir {registry}"),
        )
        self.options(f"{OPTIONS} --registration=watcher")
        self.run_("systemctl", "daemon-reload")
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        self.assertIn("lab.example.com_thing.sock", self.run_("ls", registry))

    def test_allocation(self) -> None:
        """A node is looked at before it is handed out, though it could not be opened."""
        self.run_("mknod", "/dev/tdp-disk", "b", "7", "0")
        self.options(f"{OPTIONS} --removal-grace=60")
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", "1 resource, 2 devices, registered")
        allocate = [
            *("env", "PYTHONPATH=/etc/twistdp", "/opt/twistdp/bin/python"),
            *("/etc/twistdp/samples.py", f"{PLUGINS}/lab.example.com_thing.sock", "tdp-disk"),
        ]
        self.assertIn("lab.example.com/thing=", self.run_(*allocate))
        self.run_("rm", "/dev/tdp-disk")
        self.assertIn("FAILED_PRECONDITION", self.run_(*allocate, check=False))

    def test_several(self) -> None:
        """Two instances with scanners of their own do not touch each other."""
        other = "twistdp@other.service"
        self.options(
            "--scanner=twistdp.scanners:GlobScanner --namespace=other.example.com "
            "--set=resource=null --set=pattern=/dev/null",
            "other",
        )
        self.start(UNIT, other, "kubelet.service")
        for unit in (UNIT, other):
            self.becomes("StatusText", REGISTERED, unit=unit)
        process = self.show("MainPID", other)
        self.signal("KILL")
        self.becomes("NRestarts", "1")
        self.becomes("StatusText", REGISTERED)
        self.run_("systemctl", "stop", UNIT)
        names = self.run_("ls", PLUGINS)
        self.assertIn("other.example.com_null.sock", names)
        self.assertNotIn("lab.example.com", names)
        self.assertEqual(self.show("StatusText", other), REGISTERED)
        self.assertEqual(self.show("MainPID", other), process)

    def test_boot(self) -> None:
        """Enabled, it is registered after a boot, before the kubelet or after it."""
        enabled = "/etc/systemd/system/multi-user.target.wants"
        self.addCleanup(
            self.run_, "sh", "-c",
            f"rm -rf /etc/systemd/system/tdp0.service {enabled}/twistdp@* {enabled}/*kube* "
            f"{enabled}/tdp0.service",
        )  # fmt: skip
        install = "\n[Install]\nWantedBy=multi-user.target\n"
        self.write(
            "/etc/systemd/system/tdp0.service",
            f"[Unit]\nBefore={UNIT}\n[Service]\nType=oneshot\n"
            f"ExecStart=/bin/mknod /dev/tdp0 c 1 3\n{install}",
        )
        self.write("/etc/systemd/system/kubelet.service", KUBELET + install)
        self.write(
            "/etc/systemd/system/otherkube.service", f"[Unit]\nBefore={UNIT}\n{KUBELET}{install}"
        )
        self.run_("systemctl", "enable", UNIT, "tdp0")
        for kubelet, other, fresh in (
            ("kubelet.service", "otherkube.service", True),
            ("kubelet.service", "otherkube.service", False),
            ("otherkube.service", "kubelet.service", False),
            ("otherkube.service", "kubelet.service", True),
        ):
            with self.subTest(kubelet=kubelet, fresh=fresh):
                self.run_("systemctl", "disable", other)
                self.run_("systemctl", "enable", kubelet)
                if fresh:
                    self.run_("systemctl", "stop", UNIT, other)
                    self.run_("rm", "-rf", "/var/lib/kubelet")
                self.machine.reboot()
                self.becomes("StatusText", REGISTERED)
                self.assertEqual(self.show("NRestarts"), "0")
                began = {
                    unit: int(self.show("ExecMainStartTimestampMonotonic", unit))
                    for unit in (UNIT, kubelet)
                }
                self.assertEqual(began[UNIT] < began[kubelet], kubelet == "kubelet.service")

    def test_crash(self) -> None:
        """A killed plugin is started again, and registered."""
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        for times in range(1, 4):
            self.signal("KILL")
            self.becomes("NRestarts", str(times))
            self.becomes("StatusText", REGISTERED)

    def test_watchdog(self) -> None:
        """A process that does nothing any more is replaced; one that waits for a kubelet lives."""
        self.drop_in("WatchdogSec=2", "TimeoutStopSec=1")
        self.start(UNIT)
        fed = self.show("WatchdogTimestampMonotonic")
        for _ in range(4):  # each is a second later, without a kubelet
            fed = self.machine.until(
                lambda: self.show("WatchdogTimestampMonotonic"),
                fed.__ne__,
                3,
            )
        self.assertEqual(self.show("NRestarts"), "0")
        self.signal("STOP")
        self.becomes("NRestarts", "1")
        self.assertIn("Watchdog timeout", str(self.journal()))
        self.becomes("StatusText", WAITING)

    def test_changed_options(self) -> None:
        """A restart takes what the environment file says by then."""
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        self.options(f"{OPTIONS} --namespace=other.example.com")
        self.run_("systemctl", "restart", UNIT)
        self.becomes("StatusText", REGISTERED)
        names = self.run_("ls", PLUGINS)
        self.assertIn("other.example.com_thing.sock", names)
        self.assertNotIn("lab.example.com_thing.sock", names)

    def test_hangup_and_stop(self) -> None:
        """SIGHUP ends nothing; a stop leaves no socket, at once and without a failure."""
        self.start(UNIT, "kubelet.service")
        self.becomes("StatusText", REGISTERED)
        process = self.show("MainPID")
        self.signal("HUP")
        self.says("SIGHUP changes nothing")
        self.assertEqual(self.show("MainPID"), process)
        self.run_("systemctl", "stop", UNIT)
        self.assertEqual((self.show("ActiveState"), self.show("Result")), ("inactive", "success"))
        self.assertNotIn("lab.example", self.run_("ls", "-A", PLUGINS))

    def test_priorities(self) -> None:
        """In the journal each line has its event's priority, those of a stack too."""
        self.start(UNIT)
        self.plug("tdp-bad")
        self.says("RuntimeError: this one is bad")
        priorities: dict[str, set[str]] = {}
        for entry in self.journal():
            if entry.get("_COMM") == "twistd":
                self.assertFalse(entry["MESSAGE"].startswith("<"), entry["MESSAGE"])
                priorities.setdefault(entry["MESSAGE"][0], set()).add(entry["PRIORITY"])
        self.assertEqual(priorities, {"I": {"6"}, "W": {"4"}, "E": {"3"}, "\t": {"3"}})
