"""Tests of a plugin, as a process, that far too many peers ask, while devices come and go."""

import os
import re
import resource
import select
import socket
from collections.abc import Sequence

from tests.integration.test_process import FOLDER, ProcessTestCase
from tests.support.helpers import until
from tests.support.http import ask
from twistdp.testing.process import ChildProcess
from twistdp.web.door import MOST_CONNECTIONS
from twistdp.web.stream import MOST_STREAMS

MANY = 4000
"""Devices: their state has 1 MB."""

GET = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


class LoadTests(ProcessTestCase):
    """One that answers on a port."""

    timeout = 300

    async def start(self, *names: str) -> ChildProcess:
        """A plugin with these devices, that has answered once."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 4096:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        await self.kubelet.start()
        for name in names:
            self.make(name)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        child = self.plugin(
            "--scanner=twistdp.scanners:GlobScanner",
            *("--set", "resource=file", "--set", f"pattern={self.devices}/*"),
            *("--set", "nodes_only=false", "--namespace=folder.example.com"),
            f"--http=tcp:{self.port}:interface=127.0.0.1",
        )
        await self.kubelet.listed(FOLDER, names, 60)
        self.assertEqual((await self.ask("/readyz")), (200, b"ok"))
        await self.ask("/metrics")
        return child

    async def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        reply = await ask(f"tcp:127.0.0.1:{self.port}", path)
        return reply.status, reply.body

    async def peers(self, requests: Sequence[str]) -> list[socket.socket]:
        """Connections that have asked, and that nobody reads; an empty request is none."""
        found = [socket.socket() for _ in requests]
        waiting = select.poll()
        for peer in found:
            self.addCleanup(peer.close)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", self.port))
            waiting.register(peer, select.POLLOUT)
        # The backlog has some places only, so others are tried again by the kernel.
        await until(lambda: len(waiting.poll(0)) == len(found))
        for peer, request in zip(found, requests, strict=True):
            try:
                peer.send((GET % request).encode() if request else b"")
            except OSError:
                continue  # it was one too many
        return found

    async def hot_plug(self, *names: str) -> None:
        """Devices come and go, and the kubelet learns of it."""
        for number in range(3):
            self.make(f"new-{number}")
            await self.kubelet.listed(FOLDER, [*names, f"new-{number}"], 30)
            os.unlink(os.path.join(self.devices, f"new-{number}"))
            await self.kubelet.listed(FOLDER, names, 30)

    async def test_thousand(self) -> None:
        """A thousand connections, of which each is idle, half a request, or much to do."""
        child = await self.start("a", "b")
        before = descriptors(child)
        kinds = ("", "/api/v1/state", "/api/v1/events?after=0", "/metrics", "/readyz?verbose")
        peers = await self.peers([kinds[number % 5] for number in range(1000)])
        # One that is closed for another has its descriptor for a turn more.
        await until(lambda: descriptors(child) - before <= MOST_CONNECTIONS)
        await self.hot_plug("a", "b")
        for path in ("/livez", "/readyz"):
            self.assertEqual(await self.ask(path), (200, b"ok"))
        for peer in peers:
            peer.close()
        await until(lambda: descriptors(child) <= before)
        self.assertEqual((await self.ask("/api/v1/state"))[0], 200)
        self.assertNotIn("Traceback", child.output)
        self.assertNotRegex(child.output, r"(?m)^[EF]\d{4} ")

    async def test_slow_readers(self) -> None:
        """Of large states and event streams that are not read, little is kept in memory."""
        names = [f"device-{number:05}" for number in range(MANY)]
        child = await self.start(*names)
        self.assertGreater(len((await self.ask("/api/v1/state"))[1]), 1_000_000)
        before = memory(child)
        streams = ["/api/v1/events?after=0"] * MOST_STREAMS
        states = ["/api/v1/state"] * (MOST_CONNECTIONS - MOST_STREAMS - 10)
        await self.peers(streams + states)
        await self.hot_plug(*names)
        self.assertEqual(await self.ask("/livez"), (200, b"ok"))
        self.assertLess(memory(child) - before, 60_000)
        self.assertNotIn("Traceback", child.output)


def descriptors(child: ChildProcess) -> int:
    """How many a process has open."""
    return len(os.listdir(f"/proc/{child.pid}/fd"))


def memory(child: ChildProcess) -> int:
    """The resident memory of a process, in kB."""
    with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
        found = re.search(r"VmRSS:\s+(\d+)", file.read())
    assert found is not None
    return int(found[1])
