"""Processes that a scanner starts: how they take signals, and what they have of the plugin."""

import contextlib
import json
import os
import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.test_process import ProcessTestCase
from twistdp.testing.process import ChildProcess

RESOURCE = "forking.example.com/thing"


def descendants(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    found = []
    with contextlib.suppress(FileNotFoundError):  # it has ended
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    found += [child, *descendants(child)]
    return found


class ChildrenTests(ProcessTestCase):
    """A scanner that forks, spawns and executes."""

    def setUp(self) -> None:
        """Choose the file into which the scanner's process reports."""
        super().setUp()
        self.told = os.path.join(self.directory, "told")

    def forking(self, scanner: str, *options: str) -> ChildProcess:
        """A plugin with such a scanner."""
        plugin = self.plugin(
            f"--scanner=tests.support.forking_samples:{scanner}",
            f"--set=directory={self.devices}",
            *options,
        )
        self.addCleanup(lambda: self.end_all(descendants(plugin.pid)))
        return plugin

    async def started(self, how: str) -> tuple[ChildProcess, dict[str, Any]]:
        """A plugin, and the report of the process that its scanner has started."""
        await self.kubelet.start()
        self.make("a")
        plugin = self.forking("Starts", f"--set=told={self.told}", f"--set=how={how}")
        await self.kubelet.listed(RESOURCE, ["a"])
        self.make("b")
        await self.kubelet.listed(RESOURCE, ["a", "b"])
        while not os.path.exists(self.told):
            await deferLater(reactor, 0.01)
        with open(self.told, encoding="ascii") as file:
            said = json.load(file)
        self.descendants = descendants(plugin.pid)
        self.addCleanup(self.end_all, self.descendants)
        return plugin, said

    def end_all(self, pids: list[int]) -> None:
        """Kill what a scanner has started: it holds the plugin's output open."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def assert_clean(self, plugin: ChildProcess, said: dict[str, Any]) -> None:
        """It has nothing of the plugin's, and takes signals as any Python program."""
        theirs = set()
        for name in os.listdir(f"/proc/{plugin.pid}/fd"):
            theirs.add(os.readlink(f"/proc/{plugin.pid}/fd/{name}"))
        private = {
            what
            for what in theirs
            if what.startswith(("socket:", "anon_inode:")) or "/.tdp-" in what
        }
        self.assertGreater(len(private), 8)
        self.assertEqual(private & {*said["opened"].values()} - {"anon_inode:[eventpoll]"}, set())
        self.assertEqual(set(said["handlers"].values()), {str(signal.SIG_DFL)})
        self.assertTrue(said["interrupt"])
        self.assertEqual((said["wakes"], said["masked"]), (-1, []))

    async def test_fork(self) -> None:
        """By multiprocessing."""
        plugin, said = await self.started("fork")
        self.assert_clean(plugin, said)
        self.assertNotIn("anon_inode:[eventpoll]", said["opened"].values())

    async def test_plain_fork(self) -> None:
        """By os.fork."""
        plugin, said = await self.started("os")
        self.assert_clean(plugin, said)
        self.assertNotIn("anon_inode:[eventpoll]", said["opened"].values())

    async def test_spawn(self) -> None:
        """By multiprocessing, with an exec."""
        self.assert_clean(*await self.started("spawn"))

    async def test_forkserver(self) -> None:
        """By a server of multiprocessing's."""
        self.assert_clean(*await self.started("forkserver"))

    async def test_program(self) -> None:
        """By subprocess, with all that can be inherited."""
        self.assert_clean(*await self.started("exec"))

    async def test_pool(self) -> None:
        """A pool's processes end when the pool does, so the scan returns, again and again."""
        await self.kubelet.start()
        self.forking("Pooled")
        for number in range(1, 4):
            self.make(f"{number}")
            await self.kubelet.listed(RESOURCE, [str(n + 1) for n in range(number)])

    async def test_ended_at_once(self) -> None:
        """A child ends by a signal that comes before it runs."""
        await self.kubelet.start()
        self.make("a")
        self.forking("Ends")
        await self.kubelet.listed(RESOURCE, ["a"])

    async def test_successor(self) -> None:
        """When the plugin is killed its kubelet sees that, and the next one registers at once."""
        for how in ("fork", "os"):
            plugin, _ = await self.started(how)
            plugin.signal("KILL")
            await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 0)
            successor = self.forking("Files")
            await self.kubelet.listed(RESOURCE, ["a", "b"])
            self.assertNotIn("serves this resource already", successor.output)
            successor.signal("TERM")
            await successor.ended
            self.end_all(self.descendants)
            await plugin.ended
            os.unlink(self.told)
            await self.kubelet.stop()
            os.unlink(f"{self.devices}/b")
