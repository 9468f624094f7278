"""A Python prompt in a process that serves."""

import os
import re
import socket
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.support.helpers import soon, temporary_directory, until
from tests.support.kubelets import PatientKubelet
from twistdp.host import children
from twistdp.launch.manhole import Manhole, ManholeOptions
from twistdp.rpc.unixlistener import UnixListener
from twistdp.testing.process import ChildProcess, twistd_command

RESOURCE = "x.example/x"


class Client(Protocol):
    """Types, and keeps what it sees."""

    def __init__(self) -> None:
        self._received = b""
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self._received += data

    @property
    def seen(self) -> str:
        """All that it has seen, without a terminal's escapes."""
        text = self._received.decode(errors="replace").replace("\x1bE", "\n")
        return re.sub(r"\x1b(\[[?\d;]*[A-Za-z]|.)", "", text.replace("\r\n", "\n"))

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The prompt has ended."""
        self.ended.callback(None)

    async def type(self, line: str, answer: str) -> None:
        """Type a line, and wait for its answer."""
        before = len(self.seen)
        assert self.transport is not None
        self.transport.write(line.encode() + b"\r")
        await until(lambda: answer in self.seen[before:].replace(line, "", 1))


class ManholeTests(TestCase):
    """A plugin with a manhole, as a process."""

    timeout = 300

    async def start(self, manhole: str | None = None, *options: str) -> None:
        """Let it serve."""
        self.directory = temporary_directory(self)
        self.path = os.path.join(self.directory, "m", "manhole")
        plugins = os.path.join(self.directory, "p")
        os.mkdir(plugins)
        self.kubelet = PatientKubelet(plugins)
        self.addCleanup(self.kubelet.stop)
        await self.kubelet.start()
        self.child = ChildProcess(
            [
                *(*twistd_command(), "-n", "--pidfile=", "deviceplugin"),
                *("--scanner=twistdp.scanners:GlobScanner", "--set=resource=x"),
                *("--set=pattern=/dev/nul[l]", "--namespace=x.example", "--status-socket="),
                *(f"--plugin-dir={plugins}", f"--manhole={manhole or self.path}", *options),
            ],
            reactor=reactor,
        )
        self.addCleanup(self.end)
        await self.kubelet.listed(RESOURCE, ["null"])

    async def end(self) -> None:
        """End the plugin."""
        if not self.child.ended.called:
            self.child.signal("KILL")
            await self.child.ended

    async def connect(self) -> Client:
        """Somebody at the prompt."""
        client = Client()
        await soon(connectProtocol(UNIXClientEndpoint(reactor, self.path), client))
        await until(lambda: ">>> " in client.seen)
        assert client.transport is not None
        self.addCleanup(client.transport.loseConnection)
        return client

    async def test_prompt(self) -> None:
        """Root gets at the managers, the events and the reactor, and nothing typed ends it."""
        await self.start()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        client = await self.connect()
        await client.type("sorted(resources)", f"['{RESOURCE}']")
        await client.type("managers[0].namespace", "'x.example'")
        await client.type("len(events.kept) > 0, reactor.running", "(True, True)")
        await client.type("print('a' + 'b')", "ab")
        await client.type("1 / 0", "ZeroDivisionError")
        await client.type("raise KeyboardInterrupt", "KeyboardInterrupt\n")
        another = await self.connect()
        await another.type("'sorted' in globals(), 'managers' in globals()", "(False, True)")
        for line, who in (("exit()", client), ("raise SystemExit(3)", another)):
            assert who.transport is not None
            who.transport.write(line.encode() + b"\r")
            await soon(who.ended)
        await until(lambda: f"a manhole is open on {self.path}: " in self.child.output)
        entered = f"process {os.getpid()} of user {os.getuid()} is in"
        await until(lambda: self.child.output.count(entered) == 2)
        self.assertNotIn("starting on", self.child.output)
        self.assertEqual(self.kubelet.allocatable(RESOURCE), 1)

    async def test_bytes(self) -> None:
        """What is no text is dropped; Ctrl-D ends the prompt."""
        await self.start()
        client = await self.connect()
        await client.type("1 + 1", "2")
        assert client.transport is not None
        client.transport.write(b"'\xff\xfea'\r")
        await until(lambda: client.seen.count("'a'") == 2)
        await client.type("40 + 2", "42")
        client.transport.write(b"\x04")
        await soon(client.ended)
        self.assertNotIn("Traceback", self.child.output)

    async def test_end(self) -> None:
        """The plugin ends though somebody is at the prompt, and nothing is left."""
        await self.start()
        client = await self.connect()
        self.child.signal("TERM")
        await soon(self.child.ended)
        await soon(client.ended)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])

    async def test_cannot_listen(self) -> None:
        """The reason is logged, and the plugin serves."""
        await self.start("/proc/manhole")
        await until(lambda: "no manhole on /proc/manhole: " in self.child.output)
        self.assertIn("give another --manhole", self.child.output)


class OptionTests(SynchronousTestCase):
    """The option."""

    def test_path(self) -> None:
        """Without it there is no manhole; a relative path is refused."""
        options = ManholeOptions()
        options.parseOptions([])
        self.assertIsNone(options.manhole)
        options.parseOptions(["--manhole=/run//m"])
        self.assertEqual(options.manhole, "/run/m")
        error = self.assertRaises(usage.UsageError, options.parseOptions, ["--manhole=m"])
        self.assertIn("--manhole m: give an absolute path", str(error))
        taken = ["--manhole=/run/twistdp/m.sock"]
        error = self.assertRaises(usage.UsageError, options.parseOptions, taken)
        self.assertIn("leave .sock out", str(error))
        options.parseOptions(["--manhole=/run/twistdp/m"])


class ChildrenTests(TestCase):
    """Sockets that a child that a scanner forks must not have."""

    async def test_descriptors(self) -> None:
        """The port, and the connections."""
        directory = temporary_directory(self)
        path = os.path.join(directory, "manhole")
        manhole = Manhole(path, dict, reactor)
        manhole.startService()
        self.addCleanup(manhole.stopService)
        client = Client()
        await soon(connectProtocol(UNIXClientEndpoint(reactor, path), client))
        await until(lambda: ">>> " in client.seen)
        owners = [each for each in children._owners if type(each) in (Manhole, UnixListener)]
        kept = {fd for each in owners for fd in each.descriptors() if fd >= 0}
        ours = {fd for fd in map(int, os.listdir("/proc/self/fd")) if directory in local_name(fd)}
        self.assertEqual((len(ours), ours - kept), (2, set()))
        assert client.transport is not None
        client.transport.loseConnection()
        await soon(client.ended)


def local_name(fd: int) -> str:
    """The path that a socket was bound to; empty for anything else."""
    try:
        with socket.socket(fileno=os.dup(fd)) as found:
            return str(found.getsockname())
    except OSError:
        return ""
