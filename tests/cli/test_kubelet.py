"""``twistdp kubelet`` as a process."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of
from twistdp.errors import CallFailed
from twistdp.kubelet.api import KUBELET_SOCKET, REGISTER
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Empty, RegisterRequest
from twistdp.rpc.channel import Channel
from twistdp.testing.kubeletdirectory import write_checkpoint
from twistdp.testing.process import ChildProcess

TWISTDP = os.path.join(os.path.dirname(sys.executable), "twistdp")
TIMEOUT = 100.0


class Watched(ChildProcess):
    """A child whose output can be waited for."""

    def __init__(self, *arguments: str, program: str = TWISTDP, **options: Any) -> None:
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        super().__init__([program, *arguments], reactor=reactor, **options)

    def write(self, data: bytes) -> None:
        """Type something."""
        self._transport.write(data)

    def close_input(self) -> None:
        """End the standard input."""
        self._transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Fire the Deferreds that wait for this output."""
        super().childDataReceived(childFD, data)
        for entry in list(self._waiting):
            condition, waiting = entry
            if condition():
                self._waiting.remove(entry)
                waiting.callback(None)

    def printed(self, text: str, times: int = 1) -> Deferred[None]:
        """Fires when `text` has been printed so many times."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((lambda: self.output.count(text) >= times, waiting))
        waiting.addTimeout(TIMEOUT, reactor)
        self.childDataReceived(1, b"")
        return waiting


class KubeletTests(TestCase):
    """The emulated kubelet, started by hand."""

    timeout = 300

    def setUp(self) -> None:
        """Make a directory for it."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SkipTest("needs trial --reactor=asyncio")
        if not os.path.exists(TWISTDP):
            raise SkipTest("twistdp is not installed beside this Python")
        self.root = tempfile.mkdtemp(prefix="ck-")
        self.addCleanup(shutil.rmtree, self.root)
        self.directory = os.path.join(self.root, "p")
        self.socket = os.path.join(self.directory, KUBELET_SOCKET)

    async def start(self, *arguments: str) -> Watched:
        """A kubelet that serves."""
        child = Watched("kubelet", f"--dir={self.directory}", *arguments)
        self.addCleanup(self.end, child)
        await child.printed("kubelet started")
        await self.refused(child)
        return child

    async def refused(self, child: Watched, resource: str = "a.example/x") -> str:
        """The kubelet's refusal of a registration with a bad version.

        It answers, so everything that it does after its start is done, too.
        """
        channel = Channel(self.socket, reactor=reactor)
        request = RegisterRequest(version="v0", endpoint="x.sock", resource_name=resource)
        call = channel.unary(REGISTER, request, Empty, TIMEOUT)
        refusal = await failure_of(call, CallFailed)
        await channel.close()
        return refusal.details

    async def end(self, child: Watched) -> None:
        """Kill the child if it still runs."""
        if not child.ended.called:
            child.signal("KILL")
            await child.ended

    async def run_kubelet(self, *arguments: str) -> tuple[str, str, int]:
        """Output, errors and exit status of a kubelet that ends by itself."""
        output, errors, status = await getProcessOutputAndValue(
            TWISTDP, ["kubelet", *arguments], env=os.environ
        )
        return output.decode(), errors.decode(), status

    def leave_socket(self, name: str) -> str:
        """A socket in the directory that nobody serves."""
        os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, name)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path)
        return path

    async def test_starts(self) -> None:
        """It makes the directory and its socket, says so with the time, and is a kubelet."""
        child = await self.start()
        self.assertTrue(stat.S_ISSOCK(os.stat(self.socket).st_mode))
        self.assertRegex(
            child.output.splitlines()[0],
            rf"^\d\d:\d\d:\d\d\.\d\d\d  kubelet started in {self.directory}$",
        )
        self.assertIn("v1beta1", await self.refused(child))
        refused = "a.example/x (x.sock) refused"
        await child.printed(refused, 2)
        self.assertEqual(child.output.count(refused), 2)

    async def test_directory_that_cannot_be(self) -> None:
        """A file in the way is named in one line, with the remedy."""
        path = os.path.join(self.root, "file")
        with open(path, "w", encoding="ascii"):
            pass
        self.assertEqual(
            await self.run_kubelet(f"--dir={path}"),
            (
                "",
                f"twistdp kubelet: it cannot start: {path}: File exists; give directories that "
                "exist or can be made\n",
                1,
            ),
        )

    async def test_terminated(self) -> None:
        """SIGTERM ends it with status 0."""
        child = await self.start()
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        self.assertTrue(child.output.endswith("kubelet stopped\n"), child.output)

    async def test_interrupted(self) -> None:
        """Ctrl-C ends it with status 0, too."""
        child = await self.start()
        child.signal("INT")
        self.assertEqual(await child.ended, 0)
        self.assertNotIn("Traceback", child.output)

    async def test_reader_that_has_gone(self) -> None:
        """Without a reader it ends, and says so by its status alone; no call fails for that."""
        read, write = os.pipe()
        process = subprocess.Popen(
            [TWISTDP, "kubelet", f"--dir={self.directory}"], stdout=write, stderr=subprocess.PIPE
        )
        self.addCleanup(process.kill)
        os.close(write)
        with open(read, encoding="utf-8") as output:
            self.assertIn("kubelet started", await deferToThread(output.readline))
            self.assertIn("type help", await deferToThread(output.readline))
        channel = Channel(self.socket, reactor=reactor)
        request = RegisterRequest(version="v0", endpoint="x.sock", resource_name="a.example/x")
        refusal = await failure_of(channel.unary(REGISTER, request, Empty, TIMEOUT), CallFailed)
        await channel.close()
        self.assertIn("v1beta1", refusal.details)
        _, errors = await deferToThread(process.communicate, timeout=TIMEOUT)
        self.assertEqual((process.returncode, errors), (128 + signal.SIGPIPE, b""))

    async def test_restart(self) -> None:
        """SIGHUP restarts it: it deletes all sockets and serves again."""
        child = await self.start()
        left = self.leave_socket("left.sock")
        child.signal("HUP")
        await child.printed("kubelet started", times=2)
        self.assertFalse(os.path.exists(left))
        await self.refused(child)
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        self.assertNotIn("Traceback", child.output)

    async def test_hint(self) -> None:
        """At its start it says how it takes commands, and the command that it names works."""
        child = await self.start()
        (line,) = (each for each in child.output.splitlines() if "type help" in each)
        command = line.partition("elsewhere: ")[2]
        output, errors, status = await getProcessOutputAndValue(
            TWISTDP, command.split()[1:], env=os.environ
        )
        self.assertEqual((errors, status), (b"", 0))
        self.assertIn(b"replace-socket", output)

    async def test_typed_commands(self) -> None:
        """Commands on standard input are performed in their order, and its end ends nothing.

        A command waits until the one before it is done.
        """
        child = await self.start()
        child.write(b"list\n\n# nothing\nlst\nrefuse 'a\nwait x/y --timeout 0.01\nrestart\nli")
        await child.printed("kubelet started", times=2)
        child.write(b"st")
        child.close_input()
        await child.printed("no plugin has registered", times=2)
        answers = [line for line in child.output.splitlines()[2:] if ".example" not in line]
        self.assertEqual(answers[0], "no plugin has registered")
        self.assertIn("did you mean list", answers[1])
        self.assertEqual(answers[2], "refuse 'a: no closing quotation; close it")
        self.assertEqual(answers[3], "x/y: 0 allocatable after 0.01 s, not 1")
        self.assertEqual(answers[-2:], ["the kubelet has restarted", "no plugin has registered"])
        await self.refused(child)
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)

    async def test_no_input(self) -> None:
        """It serves without a standard input, too."""
        child = await self.start_by(f"exec {TWISTDP} kubelet --dir={self.directory} <&-")
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)

    async def start_by(self, script: str, **options: Any) -> Watched:
        """A kubelet that a shell's script starts."""
        child = Watched("-c", script, program="/bin/sh", **options)
        self.addCleanup(self.end, child)
        await child.printed("kubelet started")
        return child

    async def test_terminal(self) -> None:
        """On a terminal it takes what is typed, but never in the background, where it goes on."""
        script = f"set -m; {TWISTDP} kubelet --dir={self.directory} & read line; kill $!; wait"
        child = await self.start_by(script, usePTY=True)
        output, _, status = await self.run_kubelet("ctl", f"--dir={self.directory}", "list")
        self.assertEqual((output, status), ("no plugin has registered\n", 0))
        child.write(b"help\n")
        await child.printed("kubelet stopped")
        await child.ended
        self.assertNotIn("replace-socket", child.output)
        self.assertNotIn("Traceback", child.output)

    async def test_foreground_terminal(self) -> None:
        """In the foreground a typed command is performed."""
        child = await self.start_by(f"exec {TWISTDP} kubelet --dir={self.directory}", usePTY=True)
        child.write(b"help\n")
        await child.printed("replace-socket")

    async def test_commands_from_elsewhere(self) -> None:
        """``ctl`` prints the answer, and fails in one line for what cannot be done."""
        child = await self.start()
        place = f"--dir={self.directory}"
        for arguments in (("ctl", place), (place, "ctl")):
            output, errors, status = await self.run_kubelet(*arguments, "list", "--json")
            self.assertEqual((output, errors, status), ('{"resources": []}\n', "", 0))
        output, errors, status = await self.run_kubelet("ctl", place, "allocate", "a.example/x")
        self.assertEqual(
            (output, errors, status),
            ("", "twistdp kubelet ctl: a.example/x: no such resource on this node\n", 1),
        )
        output, errors, status = await self.run_kubelet("ctl", place, "alocate", "--id", "x")
        self.assertIn("did you mean allocate", errors)
        self.assertEqual((output, status), ("", 1))
        output, errors, status = await self.run_kubelet("ctl", "list")
        self.assertIn("missing option '--dir'", errors)
        self.assertEqual((output, status), ("", 2))
        child.signal("TERM")
        self.assertEqual(await child.ended, 0)
        self.assertNotIn("ctl.sock", os.listdir(self.directory))

    async def test_hostile_names(self) -> None:
        """Text that a plugin sends neither controls a terminal nor fills it."""
        child = await self.start()
        await self.refused(child, resource="a.example/\x1b[2J\u202e" + "x" * 5000)
        await child.printed(r"a.example/\x1b[2J\u202exxx")
        self.assertTrue(child.output.replace("\n", "").isprintable())

    async def test_answers_of_others(self) -> None:
        """``ctl`` shows what anybody else answers as text, or says that it is no kubelet."""

        class Answering(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(answers[-1].encode())
                self.transport.loseConnection()

        answers: list[str] = []
        os.mkdir(self.directory)
        endpoint = UNIXServerEndpoint(reactor, os.path.join(self.directory, "ctl.sock"))
        port = await endpoint.listen(Factory.forProtocol(Answering))
        for answer, shown, status in (
            (json.dumps({"ok": True, "text": "a\x1b[2J\n\u202eb"}), "a\\x1b[2J\n\\u202eb\n", 0),
            (json.dumps({"ok": True, "text": "x" * 5000}), "x" * 5000 + "\n", 0),  # as JSON may be
            ("[1]", "no emulated kubelet", 1),
            ('{"a": 1}', "no emulated kubelet", 1),
            ("[" * 100_000, "has ended", 1),
        ):
            answers.append(answer)
            output, errors, found = await self.run_kubelet("ctl", f"--dir={self.directory}", "list")
            self.assertIn(shown, output + errors)
            self.assertNotIn("Traceback", errors)
            self.assertEqual(found, status)
        await port.stopListening()

    async def test_help_from_elsewhere(self) -> None:
        """``ctl help``, and ``ctl`` alone, need no kubelet."""
        for arguments in ((), ("help",)):
            output, errors, status = await self.run_kubelet("ctl", *arguments)
            self.assertEqual((errors, status), ("", 0))
            self.assertIn("allocate RESOURCE", output)

    async def test_pod_resources(self) -> None:
        """With --pod-resources that socket is served as well."""
        path = os.path.join(self.root, "pods.sock")
        await self.start(f"--pod-resources={path}")
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))

    async def test_used_directory(self) -> None:
        """A directory that holds a socket is refused in one line; the socket is kept."""
        path = self.leave_socket("other.sock")
        output, errors, status = await self.run_kubelet(f"--dir={self.directory}")
        self.assertEqual((output, status), ("", 1))
        (line,) = errors.splitlines()
        self.assertTrue(line.startswith(f"twistdp kubelet: {self.directory}: "), line)
        self.assertIn("other.sock", line)
        self.assertEqual(os.listdir(self.directory), ["other.sock"])
        self.assertTrue(os.path.exists(path))

    async def test_forced(self) -> None:
        """With --force the sockets are deleted; other files are not."""
        path = self.leave_socket("other.sock")
        with open(os.path.join(self.directory, "file"), "w", encoding="ascii"):
            pass
        await self.start("--force")
        self.assertFalse(os.path.exists(path))
        self.assertIn("file", os.listdir(self.directory))

    async def test_foreign_checkpoint(self) -> None:
        """The directory of a real kubelet is refused in one line, also with --force."""
        path = os.path.join(self.directory, "kubelet_internal_checkpoint")
        os.mkdir(self.directory)
        with open(path, "w", encoding="ascii") as file:
            file.write('{"Data":{"PodDeviceEntries":null},"Checksum":1}')
        _, errors, status = await self.run_kubelet(f"--dir={self.directory}", "--force")
        self.assertEqual((len(errors.splitlines()), status), (1, 1), errors)
        self.assertIn("kubelet_internal_checkpoint of another kubelet", errors)

    async def test_own_checkpoint(self) -> None:
        """Files of an earlier emulated kubelet are no obstacle."""
        os.mkdir(self.directory)
        write_checkpoint(self.directory)
        await self.start()

    async def test_directories_of_others(self) -> None:
        """Nothing is made where somebody else may write, and the line gives the reason."""
        os.chmod(self.root, 0o777)
        for arguments in (
            [f"--dir={self.directory}"],
            [f"--dir={self.root}"],
            [f"--dir={self.directory}/a/b"],
        ):
            _, errors, status = await self.run_kubelet(*arguments)
            self.assertEqual((len(errors.splitlines()), status), (1, 1), errors)
            self.assertIn(f"others may write in {self.root} ", errors)
        self.assertEqual(os.listdir(self.root), [])
        other = tempfile.mkdtemp(prefix="ck-")
        self.addCleanup(shutil.rmtree, other)
        _, errors, status = await self.run_kubelet(
            f"--dir={other}/p", f"--registry-dir={self.root}/registry"
        )
        self.assertIn(f"others may write in {self.root} ", errors)
        self.assertEqual(os.listdir(self.root), [])

    async def test_topology(self) -> None:
        """NUMA nodes with which no kubelet starts, and unknown policies, are refused."""
        place = f"--dir={self.directory}"
        _, errors, status = await self.run_kubelet(
            place, "--topology-policy=restricted", "--numa-nodes=9"
        )
        self.assertEqual((len(errors.splitlines()), status), (1, 1), errors)
        self.assertIn("9 NUMA nodes", errors)
        _, errors, status = await self.run_kubelet(place, "--topology-policy=strict")
        self.assertNotEqual(status, 0)
        self.assertIn("single-numa-node", errors)
        await self.start("--topology-policy=restricted", "--numa-nodes=1")

    async def test_second_kubelet(self) -> None:
        """A directory in which a kubelet runs is refused, with its process id."""
        child = await self.start()
        output, errors, status = await self.run_kubelet(f"--dir={self.directory}")
        self.assertEqual((output, status), ("", 1))
        (line,) = errors.splitlines()
        self.assertIn(f"process {child.pid}", line)
        await self.refused(child)

    async def test_directory_is_a_file(self) -> None:
        """A file in the place of the directory is refused in one line."""
        with open(self.directory, "w", encoding="ascii"):
            pass
        output, errors, status = await self.run_kubelet(f"--dir={self.directory}")
        self.assertEqual((output, status), ("", 1))
        (line,) = errors.splitlines()
        self.assertIn(self.directory, line)

    async def test_path_too_long(self) -> None:
        """A directory whose path is too long for a socket is refused in one line."""
        output, errors, status = await self.run_kubelet(f"--dir={self.directory}{'x' * 110}")
        self.assertEqual((output, status), ("", 1))
        (line,) = errors.splitlines()
        self.assertTrue(line.startswith("twistdp kubelet: "), line)
