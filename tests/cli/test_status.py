"""Tests for ``twistdp status``, with an emulated kubelet and the command as a process."""

import json
import os
import socket
import sys
import threading
import time
from contextlib import ExitStack
from io import StringIO
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.test_terminal import ESCAPE
from tests.integration.test_life import YELLOW, ToldScanner, tree_of
from tests.support.helpers import soon, temporary_directory, until
from tests.web.test_routes import RoutesCase
from twistdp import UNHEALTHY
from twistdp.cli import asking, main, overview, status
from twistdp.cli.asking import Denied
from twistdp.cli.status import Plugin
from twistdp.cli.watching import News
from twistdp.testing import ChildProcess

TWISTDP = os.path.join(os.path.dirname(sys.executable), "twistdp")


class StatusCase(RoutesCase):
    """Runs the command beside a plugin."""

    def status(self, *options: str, usePTY: bool = False) -> ChildProcess:
        """Start the command."""
        path = self.endpoint.removeprefix("unix:")
        command = [TWISTDP, "status", f"--socket={path}", *options]
        return ChildProcess(command, reactor=reactor, env={"TERM": "xterm"}, usePTY=usePTY)

    async def shown(self, *options: str, expected: int = 0, usePTY: bool = False) -> str:
        """What the command prints."""
        child = self.status(*options, usePTY=usePTY)
        ended: Deferred[int] = child.ended
        self.assertEqual(await soon(ended), expected, child.output)
        return child.output

    async def registered(self, *ids: str) -> ToldScanner:
        """Serve devices to a kubelet."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of(*ids))
        await self.serve(scanner)
        await self.kubelet.listed(YELLOW, ids)
        await until(self.is_registered)
        return scanner


class ShowingTests(StatusCase):
    """What it shows once."""

    async def test_well(self) -> None:
        """The numbers, the session and the holders of a plugin that is well."""
        await self.registered("a", "b")
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="painter", container="brush")
        for usePTY in (False, True):
            text = await self.shown(usePTY=usePTY)
            self.assertEqual("\x1b[" in text, usePTY)
            text = ESCAPE.sub("", text)
            self.assertRegex(text, rf"(?m)^ *{YELLOW} +registered +[\d:]+ +2 +2 +1\s*$")
            self.assertIn(f"free: {YELLOW} a", text)
            self.assertIn("default/painter brush", text)
            self.assertNotIn("problem", text)

    async def test_ill(self) -> None:
        """An unhealthy device has its reason and its holder, and the status is 1."""
        scanner = await self.registered("a", "b")
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="painter")
        scanner.tell(tree_of("a", "b", state=UNHEALTHY))
        await self.kubelet.until(lambda: self.kubelet.resources[YELLOW].allocatable == 0)
        for usePTY in (False, True):
            text = ESCAPE.sub("", await self.shown(expected=1, usePTY=usePTY))
            text = " ".join(text.split())
            self.assertIn(f"problem: {YELLOW} a: Unhealthy (worn out)", text)
            self.assertIn("(worn out), and in use by default/painter main", text)

    async def test_not_registered(self) -> None:
        """A resource that the kubelet refuses is a problem, with its words."""
        self.kubelet.refusal = "no thanks"
        await self.kubelet.start()
        await self.serve(ToldScanner(tree_of("a")))

        def failing() -> bool:
            (resource,) = self.observatory.state(devices=False).resources
            return resource.session.standing == "failing"

        await until(failing)
        text = await self.shown(expected=1)
        self.assertRegex(text, rf"problem: {YELLOW}: failing: the kubelet refused: no thanks")

    async def test_many(self) -> None:
        """Long lists are cut, unless all is asked for."""
        scanner = await self.registered("a")
        scanner.tell(tree_of(*map(str, range(50)), state=UNHEALTHY))
        await self.kubelet.until(lambda: len(self.kubelet.resources[YELLOW].devices) == 50)
        text = await self.shown(expected=1)
        self.assertEqual(text.count("Unhealthy"), 20)
        self.assertIn("30 more; --all shows them", text)
        self.assertEqual((await self.shown("--all", expected=1)).count("Unhealthy"), 50)

    async def test_json(self) -> None:
        """JSON has the whole state for each socket."""
        await self.registered("a")
        (plugin,) = json.loads(await self.shown("--json"))["plugins"]
        self.assertEqual(plugin["socket"], self.endpoint.removeprefix("unix:"))
        self.assertEqual(plugin["state"]["resources"][0]["name"], YELLOW)


class WatchTests(StatusCase):
    """``--watch``"""

    async def test_changes(self) -> None:
        """It shows changes as they happen, until it is interrupted."""
        scanner = await self.registered("a")
        child = self.status("--watch")
        await until(lambda: f"{YELLOW}  registered" in child.output)
        self.assertNotIn("worn out", child.output)
        scanner.tell(tree_of("a", state=UNHEALTHY))
        await until(lambda: "a: Unhealthy (worn out)" in child.output)
        await soon(self.web.stopService())
        await until(lambda: "there is no such socket" in child.output)
        self.web.startService()
        known = len(child.output)
        await until(lambda: "a: Unhealthy (worn out)" in child.output[known:])
        child.signal("INT")
        self.assertEqual(await soon(child.ended), 130)

    async def test_json(self) -> None:
        """Each change is a line of JSON."""
        await self.registered("a")
        child = self.status("--watch", "--json")
        await until(lambda: child.output.count("\n") >= 1)
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="painter")
        await until(lambda: '"pod": "painter"' in child.output)
        child.signal("INT")
        await soon(child.ended)
        self.assertNotIn("Traceback", child.output)
        for line in child.output.splitlines():
            self.assertEqual([*json.loads(line)], ["plugins"])

    async def test_terminal(self) -> None:
        """A terminal has the newest in place of what was there."""
        scanner = await self.registered("a")
        child = self.status("--watch", usePTY=True)
        await until(lambda: "registered" in child.output)
        scanner.tell(tree_of("a", state=UNHEALTHY))
        await until(lambda: "worn out" in child.output)
        self.assertIn("\x1b[1A", child.output)
        child.signal("INT")
        await soon(child.ended)


class NobodyTests(SynchronousTestCase):
    """No plugin answers."""

    def run_status(self, *options: str) -> tuple[int, str, str]:
        """Its status and what it prints."""
        out, err = StringIO(), StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        return main(["status", *options]), out.getvalue(), err.getvalue()

    def test_none(self) -> None:
        """Without a directory, or with what is left over in it, it says how to start a plugin."""
        directory = temporary_directory(self)
        for path in (os.path.join(directory, "none"), directory):
            self.patch(status, "sockets", lambda path=path: asking.sockets(path))
            result, out, err = self.run_status()
            self.assertEqual((result, out), (3, ""))
            self.assertIn("start one as root with 'twistd deviceplugin'", err)
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(os.path.join(directory, f"{os.path.basename(path)}.sock"))
        self.assertEqual(self.run_status("--json")[1], '{\n  "plugins": []\n}\n')

    def test_named(self) -> None:
        """A socket that was named is reported with why it does not answer."""
        path = os.path.join(temporary_directory(self), "x.sock")
        result, out, err = self.run_status(f"--socket={path}")
        self.assertEqual((result, err), (3, ""))
        self.assertEqual(
            out,
            f"{path}: there is no such socket; a plugin makes its --status-socket at its start\n",
        )
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        _, out, _ = self.run_status(f"--socket={path}")
        self.assertIn("nobody listens there: the plugin that made it has ended; start it", out)

    def test_denied(self) -> None:
        """Another user than root gets one line, however many plugins there are."""
        denied = [Plugin(f"/{name}.sock", error=str(Denied()), denied=True) for name in "ab"]
        self.patch(status, "sockets", lambda: ["/a.sock", "/b.sock"])
        self.patch(status, "_ask", lambda *_: denied)
        result, out, err = self.run_status()
        self.assertEqual((result, out, err.count("\n")), (3, "", 1))
        self.assertIn("only root may ask the plugins in /run/twistdp; run this as root", err)
        self.assertEqual(len(json.loads(self.run_status("--json")[1])["plugins"]), 2)

    def test_watch_shows_changes(self) -> None:
        """An event that changes nothing visible does not print the state again."""
        answers = [self.answer(capacity=1), self.answer(capacity=1), self.answer(capacity=2)]
        self.patch(status, "_ask", lambda *_: [answers.pop(0)])
        self.patch(News, "look", lambda _: ["/x.sock"])

        def wait(_news: News, _seconds: float) -> None:
            if not answers:
                raise KeyboardInterrupt

        self.patch(News, "wait", wait)
        result, out, _ = self.run_status("--watch", "--json")
        shown = [json.loads(line)["plugins"][0]["state"]["capacity"] for line in out.splitlines()]
        self.assertEqual((result, shown), (130, [1, 2]))

    def answer(self, capacity: int) -> Plugin:
        """Return the answer of a plugin."""
        return Plugin("/x.sock", {"time": time.time(), "capacity": capacity})

    def test_slow(self) -> None:
        """One that takes a connection and says nothing is given up."""
        self.patch(status, "PATIENCE", 0.05)
        path = os.path.join(temporary_directory(self), "x.sock")
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(path)
            deaf.listen()
            result, out, _ = self.run_status(f"--socket={path}", "--json")
        (plugin,) = json.loads(out)["plugins"]
        self.assertEqual(
            (result, plugin), (3, {"socket": path, "error": "no answer within 0.05 s"})
        )

    def test_together(self) -> None:
        """A plugin that hangs, or sends a byte now and then, does not delay the others."""
        self.patch(status, "PATIENCE", 0.3)
        directory = temporary_directory(self)
        paths = [os.path.join(directory, f"{name}.sock") for name in range(20)]
        asked: list[float] = []
        with ExitStack() as stack:
            for path in paths:
                Trickling(path, stack, asked)
            result, out, _ = self.run_status(*(f"--socket={path}" for path in paths))
        self.assertEqual((result, out.count("no answer within 0.3 s")), (3, 20))
        self.assertLess(max(asked) - min(asked), 0.3)

    def test_silent(self) -> None:
        """A plugin that did not answer before delays the others for a shorter time."""
        self.patch(status, "IMPATIENCE", 0.05)
        directory = temporary_directory(self)
        paths = [os.path.join(directory, f"{name}.sock") for name in "ab"]
        with ExitStack() as stack:
            for path in paths:
                Trickling(
                    path, stack, [], b"HTTP/1.1 200 OK\r\n\r\n7" if path == paths[1] else None
                )
            found = status._ask(paths, named=True, silent=paths[:1])
        self.assertEqual(found[0].error, "no answer within 0.05 s")
        self.assertIn("not answer as a plugin", found[1].error)

    def test_rubbish(self) -> None:
        """Any answer, however odd, is a line of text."""
        path = os.path.join(temporary_directory(self), "x.sock")
        state: dict[str, Any] = {"resources": [], "configurations": [], "scanners": []}
        answers = (
            b">>> ",
            b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
            b"HTTP/1.1 200 OK\r\n\r\n7",
            b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(state).encode(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
            b"HTTP/1.1 500 \xff\r\n\r\n",
        )
        for answer in answers:
            with ExitStack() as stack:
                Trickling(path, stack, [], answer)
                result, out, err = self.run_status(f"--socket={path}")
            self.assertEqual((result, out.count("\n")), (3, 1), out + err)
            self.assertTrue(out.startswith(f"{path}: "))
            self.assertIn("it answers 500" if b" 500 " in answer else "not answer as a plugin", out)
            os.unlink(path)

    def test_ending(self) -> None:
        """A plugin that ends while it is asked is not taken for another program."""
        path = os.path.join(temporary_directory(self), "x.sock")
        with ExitStack() as stack:
            Trickling(path, stack, [], b"")
            result, out, _ = self.run_status(f"--socket={path}")
        self.assertEqual(result, 3)
        self.assertIn("closed the connection without an answer; a plugin that ends does", out)

    def test_loops(self) -> None:
        """A link that leads to itself is no socket."""
        directory = temporary_directory(self)
        os.symlink("x.sock", os.path.join(directory, "x.sock"))
        self.assertEqual(asking.sockets(directory), [])


class Trickling:
    """Listens on a socket, and answers each who connects with a byte now and then, or at once."""

    def __init__(
        self, path: str, stack: ExitStack, asked: list[float], answer: bytes | None = None
    ) -> None:
        self.answer = answer
        self.asked = asked
        self.over = threading.Event()
        self.socket = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.socket.bind(path)
        self.socket.listen()
        thread = threading.Thread(target=self.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(self.over.set)

    def run(self) -> None:
        """Answer one."""
        peer, _ = self.socket.accept()
        self.asked.append(time.monotonic())
        with peer:
            if self.answer is not None:
                peer.recv(1000)
                peer.sendall(self.answer)
                return
            peer.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not self.over.wait(0.02):
                try:
                    peer.sendall(b"y")
                except OSError:
                    return  # the client has closed the connection


class LinesTests(SynchronousTestCase):
    """The line of each problem."""

    def state(self, **changes: Any) -> dict[str, Any]:
        """A state of a plugin that is well, but for these members."""
        scanner = {"name": "x:Y", "namespace": "x.example", "scanned": True, "failing": None}
        session = {"standing": "registered", "since": 1e9, "reason": "", "problem": ""}
        numbers = {"capacity": 1, "allocatable": 1, "held": 0, "notListed": 0}
        resource = {"name": "x.example/y", "session": session, **numbers, "devices": []}
        found = {
            "version": "1.0",
            "node": "n",
            "startTime": 1e9,
            "time": 1e9 + 1,
            "scanners": [{**scanner, "hung": False}],
            "configurations": [{"file": "/x.yaml", "problems": []}],
            "podResources": {"available": True, "reason": ""},
            "resources": [resource],
        }
        for path, value in changes.items():
            place: Any = found
            *way, last = path.split("__")
            for step in way:
                place = place[step]
                place = place[0] if isinstance(place, list) else place
            place[last] = value
        return found

    def test_well(self) -> None:
        """A plugin that is well has no problem."""
        self.assertEqual(list(overview.problems(self.state())), [])

    def test_problems(self) -> None:
        """Each kind of problem has a line that names its subject."""
        session, scanners = "resources__session__", "scanners__"
        for changes, line in (
            (
                {"configurations__problems": ["/x.yaml:1:2: no"]},
                "/x.yaml is refused, and the previous one stays in force: /x.yaml:1:2: no",
            ),
            ({f"{scanners}failing": "OSError: no bus"}, "x:Y: its scans fail: OSError: no bus"),
            ({f"{scanners}hung": True}, "x:Y: its scan hangs"),
            ({f"{scanners}hung": True, f"{scanners}scanned": False}, "x:Y: its scan hangs"),
            ({f"{scanners}scanned": False}, "x:Y: no scan has ended yet"),
            ({f"{session}problem": "no kubelet yet"}, "x.example/y: no kubelet yet"),
            ({"resources__notListed": 3}, "x.example/y: 3 devices have no room in the list"),
            ({"resources__notListed": 1}, "x.example/y: 1 device has no room in the list"),
        ):
            state = self.state(**changes)
            self.assertEqual(list(overview.problems(state)), [line])
            self.assertIn(f"  problem: {line}", list(overview.lines(state)))

    def test_standing_by(self) -> None:
        """Waiting until another plugin ends is worth a note, and no problem."""
        session = {
            "resources__session__standing": "standing by",
            "resources__session__reason": "process 7 serves it",
        }
        state = self.state(**session)
        self.assertEqual(list(overview.problems(state)), [])
        self.assertIn(
            "  note: x.example/y: standing by: process 7 serves it", list(overview.lines(state))
        )

    def test_devices(self) -> None:
        """Healthy devices that nobody has are named, at most twenty of a resource."""
        device: dict[str, Any] = {"health": "Healthy", "reason": "", "holder": None, "listed": True}
        holder = {"namespace": "default", "pod": "p", "container": "c"}
        devices = [{**device, "id": f"d-{number}"} for number in range(22)]
        devices += [
            {**device, "id": "had", "holder": holder},
            {**device, "id": "ill", "health": "Unhealthy"},
        ]
        devices.append({**device, "id": "late", "listed": False})
        ids = [f"d-{number}" for number in range(22)]
        state = self.state(resources__devices=devices)
        self.assertIn(
            f"  free: x.example/y {', '.join(ids[:20])} and 2 more", overview.lines(state)
        )
        self.assertIn(
            f"  free: x.example/y {', '.join(ids)}", overview.lines(state, everything=True)
        )
        state = self.state(resources__devices=devices[:1], resources__held=None)
        self.assertIn("  healthy: x.example/y d-0", overview.lines(state))

    def test_notes(self) -> None:
        """Notes, which are no problems."""
        state = self.state(podResources__available=False, resources=[])
        self.assertEqual(
            list(overview.lines(state))[1:],
            [
                "  note: the kubelet does not say who holds devices: it has not answered yet",
                "  note: there are no resources; twistdp scan shows what is left out, and why",
            ],
        )
