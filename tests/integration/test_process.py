"""``twistd deviceplugin`` as a real process, with real device nodes where root may make them."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from tests.support.helpers import killed, soon
from tests.support.kubelets import PatientKubelet
from twistdp.kubelet.api import ALLOCATE
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
)
from twistdp.rpc.channel import Channel
from twistdp.testing import loopdevices
from twistdp.testing.process import ChildProcess, twistd_command

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GLOB = "--scanner=twistdp.scanners:GlobScanner"


class ProcessTestCase(TestCase):
    """A kubelet in this process, plugins as children."""

    timeout = 300

    def setUp(self) -> None:
        """An empty directory with a short path, where the plugins' files may lie too."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.plugins = os.path.join(self.directory, "plugins")
        self.devices = os.path.join(self.directory, "devices")
        os.mkdir(self.plugins)
        os.mkdir(self.devices)
        self.kubelet = PatientKubelet(self.plugins)
        self.addCleanup(lambda: self.kubelet.running and self.kubelet.stop())

    def plugin(
        self,
        *options: str,
        twistd: tuple[str, ...] = ("-n", "--pidfile="),
        env: Mapping[str, str] | None = None,
        within: tuple[str, ...] = (),
    ) -> ChildProcess:
        """Start a plugin, which is ended with the test; it has no socket for its status.

        `within` is a command that runs the one that follows it.
        """
        command = [*within, *twistd_command(), *twistd, "deviceplugin", "--status-socket="]
        command += options
        child = ChildProcess(
            [*command, f"--plugin-dir={self.plugins}"], reactor=reactor, path=ROOT, env=env
        )
        self.addCleanup(killed, child)
        return child

    def folder_plugin(self, *more: str, **options: Any) -> ChildProcess:
        """A plugin for the plain files of a folder, with more options."""
        return self.plugin(
            GLOB,
            *("--set", "resource=file", "--set", f"pattern={self.devices}/*"),
            *("--set", "nodes_only=false", "--namespace=folder.example.com"),
            *more,
            **options,
        )

    def make(self, name: str) -> None:
        """A device in the folder."""
        with open(os.path.join(self.devices, name), "w", encoding="ascii"):
            pass

    def printed(self, child: ChildProcess, text: str) -> Deferred[None]:
        """Fires when a child has written a text."""
        done: Deferred[None] = Deferred()
        received = child.childDataReceived

        def look(descriptor: int, data: bytes) -> None:
            received(descriptor, data)
            if text in child.output and not done.called:
                done.callback(None)

        child.childDataReceived = look  # type: ignore[assignment]
        if text in child.output:
            done.callback(None)
        return soon(done)

    def sockets(self) -> list[str]:
        """The names that plugins have left in the directory, hidden ones too."""
        return [name for name in os.listdir(self.plugins) if "kubelet" not in name]


FOLDER = "folder.example.com/file"


class EndingTests(ProcessTestCase):
    """How a process ends, and what the next one finds."""

    async def test_terminates_within_a_second(self) -> None:
        """SIGTERM: the process is gone within a second, and so are its sockets."""
        await self.kubelet.start()
        self.make("a")
        times: list[float] = []
        while min(times, default=1.0) >= 1.0 and len(times) < 5:  # this machine may be busy
            child = self.folder_plugin()
            await self.kubelet.listed(FOLDER, ["a"])
            begin = reactor.seconds()
            child.signal("TERM")
            self.assertEqual(await child.ended, -signal.SIGTERM)
            times.append(reactor.seconds() - begin)
            await self.kubelet.until(lambda: self.kubelet.allocatable(FOLDER) == 0)
        self.assertLess(min(times), 1.0)
        await self.kubelet.stop()
        self.assertEqual(self.sockets(), [])

    async def test_terminates_while_a_scan_hangs(self) -> None:
        """SIGTERM is obeyed also while discover() hangs for ever."""
        await self.kubelet.start()
        child = self.plugin(
            "--scanner=tests.support.process_samples:HangsSecondTime", "--scan-timeout=0.2"
        )
        await self.kubelet.listed("hang.example.com/thing", ["thing-0"])
        # The first scan may take as long on a busy machine.
        await self.printed(child, "threading.Event().wait()")
        self.assertIn("the scan has not returned", child.output)
        child.signal("TERM")
        await soon(child.ended)

    async def test_interrupted_in_a_log_line(self) -> None:
        """SIGINT and SIGTERM end it in the middle of a log line, also before the reactor runs."""
        scanner = "--scanner=tests.support.process_samples:InterruptedStart"
        for number in (signal.SIGINT, signal.SIGTERM):
            for parsing in ("true", "false"):
                arguments = f"number={int(number)}", f"parsing={parsing}"
                child = self.plugin(scanner, *(word for a in arguments for word in ("--set", a)))
                self.assertEqual(await self.end_of(child), -number, child.output)

    async def test_interrupted_twice(self) -> None:
        """A second signal changes nothing, and the log has no stack of it."""
        child = self.plugin("--scanner=tests.support.process_samples:InterruptedTwice")
        self.assertEqual(await self.end_of(child), -signal.SIGINT, child.output)
        self.assertIn("the work is interrupted\n", child.output)
        self.assertEqual(child.output.count("shutting down"), 1, child.output)
        self.assertNotIn("Traceback", child.output)

    def end_of(self, child: ChildProcess) -> Deferred[int]:
        """Fires with the status of a child that ends by itself."""
        return soon(child.ended)

    async def test_replaces_what_a_crash_left(self) -> None:
        """The dead socket of a killed process is replaced."""
        await self.kubelet.start()
        self.make("a")
        child = self.folder_plugin()
        await self.kubelet.listed(FOLDER, ["a"])
        child.signal("KILL")
        await child.ended
        await self.kubelet.until(lambda: self.kubelet.allocatable(FOLDER) == 0)
        self.assertIn("folder.example.com_file.sock", self.sockets())
        self.folder_plugin()
        await self.kubelet.listed(FOLDER, ["a"])

    async def test_waits_for_a_rival(self) -> None:
        """A live plugin's socket is not taken; its pid is logged once; it is taken over later."""
        await self.kubelet.start()
        self.make("a")
        first = self.folder_plugin()
        await self.kubelet.listed(FOLDER, ["a"])
        second = self.folder_plugin()
        await self.printed(second, f"process {first.pid} serves this resource already")
        self.assertEqual(self.kubelet.allocatable(FOLDER), 1)
        self.assertEqual(len(self.kubelet.registrations), 1)
        first.signal("KILL")
        await first.ended
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 2)
        await self.kubelet.listed(FOLDER, ["a"])
        self.assertEqual(second.output.count("serves this resource already"), 1)


class HotPlugTests(ProcessTestCase):
    """Loop devices: real nodes that come and go."""

    def setUp(self) -> None:
        """Only root may make them."""
        super().setUp()
        if not loopdevices.usable():
            raise SkipTest("needs root and /dev/loop-control to make device nodes")
        self.number = loopdevices.free_number()
        # Its own only, and one that is always there: other programs have loop devices too.
        self.options = (
            GLOB,
            *("--set", "resource=loop", "--set", f"pattern=/dev/null,/dev/loop{self.number}"),
            "--namespace=block.example.com",
        )

    async def follow(self) -> None:
        """Plug and unplug until it was listed quickly three times, as polling would not."""
        resource = "block.example.com/loop"
        await self.kubelet.until(lambda: self.kubelet.allocatable(resource) > 0)
        before = set(self.kubelet.devices(resource))
        times: list[float] = []
        while sum(time < 0.2 for time in times) < 3:
            self.assertLess(len(times), 20, times)
            begin = reactor.seconds()
            path = loopdevices.add(self.number)
            try:
                await self.kubelet.listed(resource, {*before, os.path.basename(path)})
                times.append(reactor.seconds() - begin)
            finally:
                # In a thread, for the kernel takes 40 ms.
                removed = deferToThread(loopdevices.remove, self.number)
            await self.kubelet.listed(resource, before)
            await removed

    async def test_in_the_foreground(self) -> None:
        """A device node that appears or vanishes is listed at once."""
        await self.kubelet.start()
        self.plugin(*self.options)
        await self.follow()

    async def test_daemonized(self) -> None:
        """Without -n the same: reactor, gRPC and inotify live in the daemon."""
        await self.kubelet.start()
        pidfile = os.path.join(self.directory, "twistd.pid")
        log = os.path.join(self.directory, "twistd.log")
        child = self.plugin(*self.options, twistd=(f"--pidfile={pidfile}", f"--logfile={log}"))
        self.assertEqual(await child.ended, 0)
        await self.kubelet.until(lambda: os.path.exists(pidfile))
        with open(pidfile, encoding="ascii") as file:
            pid = int(file.read())
        self.addCleanup(_kill, pid)
        await self.follow()
        channel = Channel(
            os.path.join(self.plugins, "block.example.com_loop.sock"), reactor=reactor
        )
        request = AllocateRequest(
            container_requests=[ContainerAllocateRequest(devices_ids=["null"])]
        )
        answer = await channel.unary(ALLOCATE, request, AllocateResponse, 30.0)
        self.assertEqual(answer.container_responses[0].devices[0].host_path, "/dev/null")
        await channel.close()
        os.kill(pid, signal.SIGTERM)
        await self.kubelet.until(
            lambda: not self.kubelet.resources["block.example.com/loop"].connected
        )


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
