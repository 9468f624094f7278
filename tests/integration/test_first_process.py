"""A plugin that is process 1 of a container: here, of a pid namespace."""

import contextlib
import os
import shutil
import signal

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.test_children import RESOURCE, descendants
from tests.integration.test_process import ROOT, ProcessTestCase
from tests.support.helpers import until
from twistdp.testing.process import ChildProcess, twistd_command

ORPHANS = 20


def zombies(parent: int) -> int:
    """How many children of a process have ended, and nobody has waited for them."""
    found = 0
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", errors="replace") as file:
            state, of = file.read().rpartition(")")[2].split()[:2]
            found += state == "Z" and int(of) == parent
    return found


class FirstProcessTests(ProcessTestCase):
    """`twistdp.launch.first_process`, by unshare(1)."""

    if os.geteuid() != 0 or shutil.which("unshare") is None:
        skip = "needs root and unshare(1) for a pid namespace"

    def start(self, scanner: str, *options: str) -> ChildProcess:
        """A plugin as process 1."""
        command = [
            *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child"),
            *(*twistd_command(), "-n", "--pidfile=", "deviceplugin", "--status-socket="),
            *(f"--scanner=tests.support.forking_samples:{scanner}", f"--plugin-dir={self.plugins}"),
        ]
        child = ChildProcess([*command, *options], reactor=reactor, path=ROOT)
        self.addCleanup(lambda: child.ended if child.ended.called else self.end(child))
        return child

    async def end(self, child: ChildProcess) -> None:
        """Kill it."""
        child.signal("KILL")
        await child.ended

    def first(self, plugin: ChildProcess) -> int:
        """Process 1, by its number here."""
        return descendants(plugin.pid)[0]

    async def test_orphans(self) -> None:
        """They are reaped, and each who waits for a process gets its result."""
        told = os.path.join(self.directory, "told")
        await self.kubelet.start()
        plugin = self.start("Orphans", f"--set=told={told}")
        await self.kubelet.listed(RESOURCE, ["a"])
        while os.path.getsize(told) < ORPHANS:
            await deferLater(reactor, 0.05)
        await until(lambda: zombies(self.first(plugin)) < ORPHANS / 2)
        self.assertEqual(self.kubelet.allocatable(RESOURCE), 1)

    async def test_signals(self) -> None:
        """They are passed on; the end is the service's, and its status."""
        await self.kubelet.start()
        self.make("a")
        plugin = self.start("Files", f"--set=directory={self.devices}")
        await self.kubelet.listed(RESOURCE, ["a"])
        first = self.first(plugin)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            os.kill(first, number)
        while plugin.output.count(" nothing: ") < 2 or "state of a resource" not in plugin.output:
            await deferLater(reactor, 0.01)
        self.make("b")
        await self.kubelet.listed(RESOURCE, ["a", "b"])
        os.kill(first, signal.SIGTERM)
        self.assertEqual(await plugin.ended, 128 + signal.SIGTERM)

    async def test_usage(self) -> None:
        """Wrong options give one line and status 1."""
        plugin = self.start("Files", "--nonsense")
        self.assertEqual(await plugin.ended, 1)
        self.assertEqual(plugin.output.count("\n"), 1, plugin.output)
