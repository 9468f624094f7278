"""Something runs out or is forbidden for a while: the service logs it and recovers by itself."""

import contextlib
import fcntl
import os
import resource
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

from benchmarks.kill.watching import SpecWatch
from tests.integration.test_process import FOLDER, GLOB, ROOT, ProcessTestCase
from tests.support.helpers import PATIENCE, killed, quickly, until
from tests.support.limits import tmpfs
from twistdp.rpc.needs import THREADS
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.process import ChildProcess, twistd_command

HEALING = PATIENCE
"""Seconds after which all is as it should be when the cause has gone, on a busy machine too."""


class ExhaustionTestCase(ProcessTestCase):
    """A plugin for a folder, and what may be taken from it."""

    def setUp(self) -> None:
        """Know the plugin's socket."""
        super().setUp()
        self.socket = f"{self.plugins}/folder.example.com_file.sock"

    def folder_plugin(  # type: ignore[override]
        self,
        *options: str,
        through: Iterable[str] = (),
        twistd: tuple[str, ...] = ("-n", "--pidfile="),
    ) -> ChildProcess:
        """A plugin for the plain files of a folder, started by the command `through`."""
        scanner = [
            "--status-socket=",  # each descriptor counts
            *(GLOB, "--set", "resource=file", "--set", f"pattern={self.devices}/*"),
            *("--set", "nodes_only=false", "--namespace=folder.example.com"),
        ]
        command = [*through, *twistd_command(), *twistd, "deviceplugin", *scanner, *options]
        child = ChildProcess([*command, f"--plugin-dir={self.plugins}"], reactor=reactor, path=ROOT)
        self.addCleanup(killed, child)
        return child

    async def running(self, **options: Any) -> ChildProcess:
        """A plugin that is registered and has listed the device a."""
        await self.kubelet.start()
        self.make("a")
        child = self.folder_plugin(**options)
        await self.kubelet.listed(FOLDER, ["a"])
        # On a busy machine the stream may be so late that it registers once more.
        await until(
            lambda: child.output.count("registering again") < child.output.count("registered ")
        )
        return child

    def says(self, child: ChildProcess, text: str) -> Deferred[None]:
        """Fires when the child has written a text."""
        return until(lambda: text in child.output)

    async def healed(self, *ids: str) -> None:
        """All is as it should be, soon."""
        await self.kubelet.listed(FOLDER, ids, HEALING)

    async def said_once(self, child: ChildProcess, *texts: str) -> None:
        """The child has written each text once, and no stack."""
        for text in texts:
            await self.says(child, text)
            self.assertEqual(child.output.count(text), 1, f"{text!r} in:\n{child.output}")
        self.assertNotIn("Traceback", child.output)

    def needs_root(self) -> None:
        """Skip for others."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to mount, or to set limits of other processes")


class DescriptorTests(ExhaustionTestCase):
    """No file descriptor is left."""

    def leave(self, child: ChildProcess, count: int) -> None:
        """Let the child open that many more files."""
        used = {int(number) for number in os.listdir(f"/proc/{child.pid}/fd")}
        free = (number for number in range(1 << 20) if number not in used)
        *_, limit = (next(free) for _ in range(count + 1))
        hard = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (limit, hard))

    def give_back(self, child: ChildProcess) -> None:
        """Raise the limit again."""
        hard = resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (hard, hard))

    async def test_none(self) -> None:
        """Devices stay; a kubelet's restart and a new device are caught up with afterwards."""
        child = await self.running()

        async def says_without_any(text: str) -> None:
            def look() -> bool:
                self.leave(child, 0)  # what a connection has given back meanwhile, too
                return text in child.output

            await until(look)

        def looked_at_in_vain() -> bool:
            self.leave(child, 0)
            os.chmod(self.devices, 0o711)
            return "the scan failed" in child.output

        # All devices are looked at again: this must not make them vanish.
        await until(looked_at_in_vain)
        await says_without_any("no file can be opened")
        self.assertEqual(self.kubelet.allocatable(FOLDER), 1)
        await self.kubelet.allocate(FOLDER)
        await self.kubelet.restart()
        await says_without_any("cannot register")
        self.make("b")
        self.assertEqual(self.kubelet.allocatable(FOLDER), 0)
        self.give_back(child)
        await self.healed("a", "b")
        await self.says(child, "files can be opened again")
        await self.said_once(
            child,
            "no file can be opened and no connection made: Too many open files; raise the "
            "process's limit of open files (systemd: LimitNOFILE=",
            f"cannot register from {self.plugins}: Too many open files; raise",
            "the scan failed, the devices stay as they were; trying again every second: "
            f"[Errno 24] Too many open files: '{self.devices}'; raise",
        )
        self.assertNotIn("no kubelet answers", child.output)

    async def test_too_few_to_be_called(self) -> None:
        """Enough to call the kubelet, and hardly one to be called back by it.

        With the one that the old kubelet's connection gives back it may just be enough.
        """
        child = await self.running()
        self.leave(child, 1)
        await self.kubelet.restart()
        told = "cannot register", "no file can be opened", "trying again"
        await until(
            lambda: (
                self.kubelet.allocatable(FOLDER) == 1 or any(text in child.output for text in told)
            )
        )
        self.give_back(child)
        await self.healed("a")

    async def test_too_few_for_grpc(self) -> None:
        """gRPC, which crashes with too few, is not used before there can be enough."""
        await self.kubelet.start()
        child = self.folder_plugin()
        await self.says(child, " serves ")
        await until(lambda: "anon_inode:inotify" in self.open_files(child))
        self.leave(child, 4)
        self.make("a")
        await self.says(child, "cannot register")
        self.give_back(child)
        await self.healed("a")
        await self.said_once(child, f"cannot register from {self.plugins}: Too many open files")

    def open_files(self, child: ChildProcess) -> list[str]:
        """The files that the child has open."""
        found = []
        for number in os.listdir(f"/proc/{child.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/{child.pid}/fd/{number}"))
        return found


class DiskTests(ExhaustionTestCase):
    """A directory's file system is full or may only be read."""

    def setUp(self) -> None:
        """Only root may mount."""
        super().setUp()
        self.needs_root()

    def mounted(self, path: str, options: str) -> None:
        """Mount a file system until the test ends."""
        mount = tmpfs(path, options)
        mount.__enter__()
        self.addCleanup(mount.__exit__, None, None, None)

    def fill(self, directory: str) -> None:
        """Use up the inodes."""
        os.mkdir(f"{directory}/filler")
        with contextlib.suppress(OSError):
            for number in range(1000):
                os.mknod(f"{directory}/filler/{number}")

    async def test_full(self) -> None:
        """A plugin directory without an inode left."""
        self.mounted(self.plugins, "nr_inodes=40")
        await self.kubelet.start()
        self.make("a")
        self.fill(self.plugins)
        child = self.folder_plugin()
        await self.says(child, "cannot register")
        self.assertEqual(self.kubelet.registrations, [])
        shutil.rmtree(f"{self.plugins}/filler")
        await self.healed("a")
        await self.said_once(
            child,
            f"cannot register from {self.plugins}: No space left on device; free space or inodes",
        )

    async def test_read_only(self) -> None:
        """The plugin directory is read-only when a socket's name must be made again."""
        self.mounted(self.plugins, "")
        child = await self.running()
        await self.kubelet.stop()
        os.kill(child.pid, signal.SIGSTOP)
        os.unlink(self.socket)
        self.remount("ro")
        os.kill(child.pid, signal.SIGCONT)
        await self.says(child, "cannot register")
        self.remount("rw")
        await until(lambda: os.path.exists(self.socket), HEALING)
        await self.kubelet.start()
        await self.healed("a")
        await self.said_once(
            child, f"cannot register from {self.plugins}: Read-only file system; make its file"
        )

    async def test_read_only_at_the_start(self) -> None:
        """A plugin directory that may only be read yet when the process starts."""
        self.mounted(self.plugins, "")
        await self.kubelet.start()
        self.make("a")
        self.remount("ro")
        child = self.folder_plugin()
        await self.says(child, "cannot register")
        self.assertEqual(self.kubelet.registrations, [])
        self.remount("rw")
        await self.healed("a")
        await self.said_once(
            child,
            f"cannot register from {self.plugins}: Read-only file system; make its file system "
            "writable; trying again",
        )

    def remount(self, mode: str) -> None:
        """Change how the plugin directory may be used."""
        mount = ["mount", "-o", f"remount,{mode}", self.plugins]
        subprocess.run(mount, check=True)

    async def test_cdi(self) -> None:
        """Without its CDI spec, no device is given to a pod; it is written when it can be."""
        cdi = f"{self.directory}/cdi"
        os.mkdir(cdi)
        self.mounted(cdi, "nr_inodes=5")
        self.fill(cdi)
        await self.kubelet.start()
        child = self.plugin("--scanner=tests.support.process_samples:Described", f"--cdi-dir={cdi}")
        resource_name = "cdi.example.com/thing"
        await self.kubelet.listed(resource_name, ["thing-0"])
        refused = await self.assertFailure(self.kubelet.allocate(resource_name), AdmissionRefused)
        self.assertIn(f"{cdi}/twistdp.cdi.example.com_thing.json", str(refused))
        self.assertIn("free space or inodes", str(refused))
        self.assertEqual(os.listdir(cdi), ["filler"])
        shutil.rmtree(f"{cdi}/filler")
        await until(lambda: os.listdir(cdi) == ["twistdp.cdi.example.com_thing.json"], HEALING)
        answer = await self.kubelet.allocate(resource_name)
        self.assertEqual(len(answer.cdi_devices), 1)
        await self.said_once(
            child, f"] CDI spec {cdi}/twistdp.cdi.example.com_thing.json cannot be"
        )

    async def test_cdi_half_written(self) -> None:
        """Only half of a new CDI spec finds room: nobody sees that half, and the old one stays."""
        cdi, resource_name = f"{self.directory}/cdi", "verbose.example.com/thing"
        os.mkdir(cdi)
        self.mounted(cdi, "size=12k")
        with open(f"{cdi}/filler", "wb") as file:
            file.write(4096 * b"x")
        self.make("a")
        await self.kubelet.start()
        with SpecWatch(cdi) as specs:
            child = self.plugin(
                *(
                    "--scanner=tests.support.process_samples:Verbose",
                    f"--set=directory={self.devices}",
                ),
                f"--cdi-dir={cdi}",
            )
            await self.kubelet.listed(resource_name, ["a"])
            old = specs.names()
            # So of a spec for two devices the first write takes 4096 bytes and the next one none.
            self.assertEqual((len(old), os.statvfs(cdi).f_bavail), (1, 1))
            self.make("b")
            await self.kubelet.listed(resource_name, ["a", "b"])
            refused = await self.assertFailure(
                self.kubelet.allocate(resource_name, ids=["b"]), AdmissionRefused
            )
            self.assertIn("No space left on device; free space or inodes", str(refused))
            answer = await self.kubelet.allocate(resource_name, ids=["a"])
            self.assertEqual({device.name for device in answer.cdi_devices}, old)
            self.assertEqual(specs.names(), old)
            os.unlink(f"{cdi}/filler")
            await until(lambda: len(specs.names()) == 2, HEALING)
            await self.kubelet.allocate(resource_name, ids=["b"])
        self.assertEqual(specs.problems, [])
        (name,) = os.listdir(cdi)
        self.assertGreater(os.path.getsize(f"{cdi}/{name}"), 4096)
        await self.said_once(
            child, f"] CDI spec {cdi}/{name} cannot be written: No space left on device; free space"
        )

    async def test_log(self) -> None:
        """A log's disk is full: the devices are served, and the log later counts lost lines."""
        logs = f"{self.directory}/logs"
        os.mkdir(logs)
        self.mounted(logs, "size=8k")
        with open(f"{logs}/filler", "wb") as file, contextlib.suppress(OSError):
            file.write(b"x" * 4096)
            file.flush()
        path = f"{logs}/log"
        with open(path, "wb") as file:
            file.write(b"x" * 4095 + b"\n")
        await self.kubelet.start()
        self.make("a")
        self.folder_plugin(twistd=("-n", "--pidfile=", f"--logfile={path}"))
        await self.kubelet.listed(FOLDER, ["a"])
        os.unlink(f"{logs}/filler")
        self.make("b")
        await self.healed("a", "b")

        def lines() -> list[str]:
            with open(path, encoding="ascii") as file:
                return file.read().splitlines()[1:]

        await until(lambda: "2 devices (+b)" in "".join(lines()))
        self.assertIn("could not be written: No space left on device", lines()[0])


class PlaceTests(ExhaustionTestCase):
    """A directory may not be used, or its file system goes away."""

    def setUp(self) -> None:
        """Only root may mount."""
        super().setUp()
        self.needs_root()

    async def test_permission(self) -> None:
        """Directories that the process may not use for a while; devices do not vanish."""
        unprivileged = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        child = await self.running(through=unprivileged)
        os.chmod(self.devices, 0)
        await self.says(child, f"cannot look at {self.devices!r}")
        self.make("b")
        os.chmod(self.plugins, 0o500)
        await self.kubelet.restart()
        await self.says(child, "Permission denied: '")
        os.chmod(self.plugins, 0o700)
        os.chmod(self.devices, 0o700)
        await self.healed("a", "b")
        self.assertNotIn("(-a)", child.output)

    async def test_unmounted(self) -> None:
        """The plugin directory's file system is replaced by another."""
        with tmpfs(self.plugins):
            await self.running()
        await self.kubelet.stop()
        with tmpfs(self.plugins):
            await self.kubelet.start()
            await self.healed("a")
            await self.kubelet.stop()

    async def test_devices_unmounted(self) -> None:
        """The devices' file system goes away, and comes back."""
        with tmpfs(self.devices):
            await self.running()
        await self.healed()
        with tmpfs(self.devices):
            self.make("b")
            await self.healed("b")


class InotifyTests(ExhaustionTestCase):
    """inotify's limits, of a user namespace that the plugin is in."""

    def setUp(self) -> None:
        """Namespaces may be forbidden."""
        super().setUp()
        self.needs_root()
        if subprocess.run(["unshare", "-Ur", "true"], check=False).returncode:
            raise SkipTest("needs user namespaces, which have inotify limits of their own")

    def set(self, limit: str) -> str:
        """The command that sets a limit."""
        name, _, value = limit.partition("=")
        return f"echo {value} > /proc/sys/user/max_inotify_{name}"

    def limited(self, limit: str) -> list[str]:
        """The command that starts a process in a namespace with a limit."""
        return ["unshare", "-Ur", "sh", "-c", f'{self.set(limit)}; exec "$@"', "sh"]

    def limit(self, child: ChildProcess, limit: str) -> None:
        """Set a limit of a child's namespace."""
        enter = ["nsenter", "-t", str(child.pid), "-U", "--preserve-credentials", "sh", "-c"]
        subprocess.run([*enter, self.set(limit)], check=True)

    async def polled(self, child: ChildProcess, sysctl: str) -> None:
        """All is noticed, though not at once, and the sysctl is named."""
        self.make("b")
        await self.healed("a", "b")
        before = len(self.kubelet.registrations)
        # No stream ends by this.
        await self.kubelet.replace_socket()
        await self.kubelet.until(lambda: len(self.kubelet.registrations) > before, HEALING)
        os.unlink(self.socket)
        await until(lambda: os.path.exists(self.socket), HEALING)
        await self.said_once(child, f"raise the sysctl fs.inotify.{sysctl}")

    async def watched(self, child: ChildProcess) -> None:
        """Events have taken over again."""
        await until(lambda: "inotify watches everything again" in child.output, HEALING)
        names = iter("cdefghijklmn")

        async def listed() -> None:
            name = next(names)
            self.make(name)
            await self.kubelet.until(lambda: name in self.kubelet.devices(FOLDER))

        await listed()  # right after it was polled; each next one would take a second
        await quickly(listed, 0.5)

    async def test_instances(self) -> None:
        """No instance is left at the start."""
        child = await self.running(through=self.limited("instances=0"))
        await self.polled(child, "max_user_instances")
        self.limit(child, "instances=10")
        await self.watched(child)

    async def test_watches(self) -> None:
        """No watch is left when directories are made again."""
        child = await self.running(through=self.limited("watches=100"))
        self.limit(child, "watches=0")
        shutil.rmtree(self.devices)
        await self.healed()
        os.mkdir(self.devices)
        self.make("a")
        await self.healed("a")
        shutil.move(self.plugins, f"{self.directory}/away")
        os.mkdir(self.plugins)
        await self.kubelet.restart()
        await self.healed("a")
        await self.said_once(child, "raise the sysctl fs.inotify.max_user_watches")
        self.limit(child, "watches=100")
        await self.watched(child)


class ReaderTests(ExhaustionTestCase):
    """Nobody reads the log."""

    async def test_full_pipe(self) -> None:
        """The log's pipe is full: the plugin works as ever, and later counts lost lines."""
        child = await self.running(twistd=("-n", "--pidfile="))
        reader = child._transport.pipes[1]
        fcntl.fcntl(reader.fileno(), fcntl.F_SETPIPE_SZ, 4096)
        child._transport.pauseProducing()
        for number in range(60):
            self.make(f"b{number}")
            await self.kubelet.until(lambda: f"b{number}" in self.kubelet.devices(FOLDER))  # noqa: B023
        await self.kubelet.restart()
        await self.healed("a", *(f"b{number}" for number in range(60)))
        child._transport.resumeProducing()
        self.make("c")
        await self.says(child, "of this log could not be written: nobody reads it")


class ThreadTests(ExhaustionTestCase):
    """Threads cannot be started."""

    def setUp(self) -> None:
        """Make a control group."""
        super().setUp()
        if not os.access("/sys/fs/cgroup/pids", os.W_OK):
            raise SkipTest("needs root and the cgroup (version 1) of pids")
        self.group = f"/sys/fs/cgroup/pids/twistdp-{os.getpid()}"
        os.mkdir(self.group)
        self.addCleanup(os.rmdir, self.group)

    async def starved(self, threads: int, said: str) -> None:
        """With so few threads something is said, and all is well when there may be enough.

        Those are the main one, the scanner's, and what gRPC needs.
        """
        self.set(str(threads))
        await self.kubelet.start()
        self.make("a")
        join = f"echo $$ > {shlex.quote(self.group)}/cgroup.procs"
        child = self.folder_plugin(through=["sh", "-c", f'{join}; exec "$@"', "sh"])
        await self.says(child, said)
        self.set(str(2 + THREADS))
        await self.healed("a")
        await self.said_once(child, said, "raise the limit of threads")

    async def test_none(self) -> None:
        """The scan is tried again until there can be a thread for it."""
        await self.starved(1, "can't start new thread")

    async def test_too_few_for_grpc(self) -> None:
        """gRPC, which crashes or hangs with too few, is not used before there can be enough."""
        await self.starved(1 + THREADS, f"cannot register from {self.plugins}: cannot start")

    def set(self, limit: str) -> None:
        """Set the number of threads that there can be."""
        with open(f"{self.group}/pids.max", "w", encoding="ascii") as file:
            file.write(limit)
