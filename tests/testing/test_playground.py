"""Commands to an emulated kubelet, and its answers."""

import json
import os
import socket
import stat
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.support.helpers import failure_of, soon, temporary_directory
from tests.support.kubelets import PatientKubelet
from tests.support.plugins import ThrowAwayPlugin, device_list
from twistdp.errors import CallFailed
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateResponse,
    CDIDevice,
    ContainerAllocateResponse,
    DeviceSpec,
    Mount,
    NUMANode,
)
from twistdp.testing import kubelet as kubelet_module
from twistdp.testing import pods
from twistdp.testing.control import LONGEST, Control, ask
from twistdp.testing.kubeletdirectory import CONTROL
from twistdp.testing.playground import Answer, Playground

X = "lab.example.com/x"

GIVEN = ContainerAllocateResponse(
    devices=[DeviceSpec(host_path="/dev/h", container_path="/dev/c", permissions="rw")],
    mounts=[
        Mount(host_path="/a", container_path="/b", read_only=True),
        Mount(host_path="/c", container_path="/d"),
    ],
    envs={"B": "2", "A": "1\n2"},
    annotations={"k": "v"},
    cdi_devices=[CDIDevice(name="lab.example.com/x=a")],
)


class PlaygroundTests(TestCase):
    """A kubelet with a plugin of three devices, one of them ill."""

    async def start(self) -> None:
        """Let the plugin register."""
        directory = temporary_directory(self)
        self.kubelet = PatientKubelet(directory)
        self.addCleanup(self.kubelet.stop)
        await self.kubelet.start()
        self.plugin = ThrowAwayPlugin(directory, X, "x.sock", reactor)
        self.addCleanup(self.plugin.stop)
        devices = device_list("a", "b")
        devices.devices[0].topology.nodes.extend([NUMANode(ID=0), NUMANode(ID=1)])
        devices.MergeFrom(device_list("c", health="Unhealthy"))
        self.plugin.latest.publish(devices)
        self.plugin.answer = AllocateResponse(container_responses=[GIVEN])
        self.playground = Playground(self.kubelet)
        await self.plugin.serve()
        await self.plugin.register()
        await self.right("wait", X, "2")

    async def right(self, *words: str) -> list[str]:
        """The lines of an answer to a command that is performed."""
        answer = await self.playground.answer(words)
        self.assertTrue(answer.ok, answer)
        return answer.text.split("\n")

    async def value(self, *words: str) -> Any:
        """The answer for programs."""
        (line,) = await self.right(*words, "--json")
        return json.loads(line)

    async def wrong(self, *words: str) -> str:
        """The reason why a command is not performed."""
        answer = await self.playground.answer(words)
        self.assertFalse(answer.ok, answer)
        return answer.text

    async def test_list(self) -> None:
        """Resources have their numbers, and whether their plugin is there."""
        await self.start()
        await self.right("allocate", X)
        self.assertEqual(
            await self.right("list"),
            [
                "RESOURCE           CAPACITY  ALLOCATABLE  HELD  PLUGIN",
                "lab.example.com/x  3         2            1     connected",
            ],
        )
        value = {"name": X, "capacity": 3, "allocatable": 2, "held": 1, "connected": True}
        self.assertEqual(await self.value("list"), {"resources": [value]})

    async def test_show(self) -> None:
        """Devices have ids, health, NUMA nodes and holders."""
        await self.start()
        await self.right("allocate", X, "--id", "b", "--pod", "n/web", "--container", "side")
        self.assertEqual(
            await self.right("show"),
            [
                "lab.example.com/x: capacity 3, allocatable 2, held 1",
                "  ID  HEALTH     NUMA  POD",
                "  a   Healthy    0,1   -",
                "  b   Healthy    -     n/web (side)",
                "  c   Unhealthy  -     -",
            ],
        )
        (found,) = (await self.value("show", X))["resources"]
        self.assertEqual(
            found["devices"],
            [
                {"id": "a", "health": "Healthy", "numaNodes": [0, 1], "holder": None},
                {
                    "id": "b",
                    "health": "Healthy",
                    "numaNodes": [],
                    "holder": {"namespace": "n", "pod": "web", "container": "side"},
                },
                {"id": "c", "health": "Unhealthy", "numaNodes": [], "holder": None},
            ],
        )

    async def test_show_what_vanished_in_use(self) -> None:
        """A device that a pod holds is shown when the plugin does not list it any more."""
        await self.start()
        await self.right("allocate", X, "--id", "b")
        self.plugin.latest.publish(device_list("a"))
        await self.kubelet.until(lambda: self.kubelet.capacity(X) == 1)
        self.assertEqual(
            (await self.right("show"))[-1], "  b   not listed  -     default/pod (main)"
        )

    async def test_nothing_there(self) -> None:
        """Without plugins both say so, and a resource is missed by its name."""
        self.playground = Playground(PatientKubelet(temporary_directory(self)))
        for command in ("list", "show"):
            self.assertEqual(await self.right(command), ["no plugin has registered"])
            self.assertEqual(await self.value(command), {"resources": []})
        self.assertEqual(await self.wrong("show", X), f"{X}: no plugin has registered it")
        self.assertEqual(await self.wrong("kill-streams"), "no resource: no plugin is connected")

    async def test_other_resource(self) -> None:
        """A name that is not there gets those that are."""
        await self.start()
        for command in ("show", "kill-streams"):
            self.assertEqual(
                await self.wrong(command, "a/b"),
                f"a/b: no plugin has registered it; there is {X}",
            )

    async def test_allocate(self) -> None:
        """The answer has all that the container gets, each in a line."""
        await self.start()
        self.assertEqual(
            await self.right("allocate", X, "--id", "a"),
            [
                "default/pod (main) has lab.example.com/x a and gets:",
                "  node /dev/h as /dev/c (rw)",
                "  mount /a as /b (read only)",
                "  mount /c as /d (writable)",
                r"  variable A=1\n2",
                "  variable B=2",
                "  annotation k=v",
                "  CDI device lab.example.com/x=a",
            ],
        )
        self.plugin.answer = AllocateResponse(container_responses=[ContainerAllocateResponse()])
        self.assertEqual(
            await self.right("allocate", X, "1", "--pod", "n/two"),
            ["n/two (main) has lab.example.com/x b and gets nothing else"],
        )
        (request, _) = self.plugin.requests
        self.assertEqual(list(request.container_requests[0].devices_ids), ["a"])

    async def test_allocate_for_programs(self) -> None:
        """The answer is the plugin's, as protobuf's JSON."""
        await self.start()
        value = await self.value("allocate", X, "2")
        self.assertEqual((value["resource"], value["ids"]), (X, ["a", "b"]))
        self.assertEqual(value["answer"]["devices"][0]["containerPath"], "/dev/c")

    async def test_refused(self) -> None:
        """A pod that is not admitted gets the kubelet's text."""
        await self.start()
        self.assertEqual(
            await self.wrong("allocate", X, "3"),
            f"requested number of devices unavailable for {X}. Requested: 3, Available: 2",
        )

    async def test_release(self) -> None:
        """A pod that ends frees its devices; one that is not there is missed by its name."""
        await self.start()
        self.assertEqual(await self.wrong("release", "web"), "default/web: no such pod runs")
        await self.right("allocate", X, "2", "--pod", "n/web")
        self.assertEqual(
            await self.wrong("release", "web"),
            "default/web: no such pod runs; there is n/web",
        )
        self.assertEqual(await self.right("release", "n/web"), ["n/web has ended"])
        self.assertEqual((await self.value("list"))["resources"][0]["held"], 0)
        await self.right("allocate", X, "2")
        self.patch(pods, "LEAVING", (1000.0, 1000.0))
        self.assertEqual(await self.right("release", "pod", "--force"), ["default/pod has ended"])
        await self.right("allocate", X, "1")
        later = self.answer("release", "pod")
        self.assertNoResult(later)
        self.assertEqual((await self.value("list"))["resources"][0]["held"], 1)
        self.assertEqual(await self.wrong("release", "pod"), "default/pod: no such pod runs")
        later.cancel()
        await failure_of(later, CancelledError)

    async def test_run(self) -> None:
        """Pods without devices run as well, and end."""
        await self.start()
        self.assertEqual(await self.right("run", "n/web"), ["n/web (main) runs without devices"])
        await self.right("run", "proxy-node", "--static")
        self.assertEqual(
            [(pod.name, pod.static) for pod in self.kubelet.pods.all()],
            [("web", False), ("proxy-node", True)],
        )
        self.assertEqual(await self.right("release", "n/web"), ["n/web has ended"])

    async def test_init_container(self) -> None:
        """Its device is free for the next container of its pod alone."""
        await self.start()
        (line, *_) = await self.right("allocate", X, "--init", "--container", "setup")
        _, _, id_ = line.partition(f"{X} ")
        await self.wrong("allocate", X, "2", "--pod", "other")
        self.assertEqual((await self.right("allocate", X))[0].partition(f"{X} ")[2], id_)

    async def test_api_server(self) -> None:
        """A kubelet that starts without it knows no pods."""
        await self.start()
        self.patch(kubelet_module, "KNOWS_AFTER", 0.0)
        self.assertTrue(self.kubelet.knows_pods)
        self.assertEqual(await self.right("api-server", "down"), ["the API server does not answer"])
        self.assertTrue(self.kubelet.knows_pods)
        await self.right("restart")
        self.assertFalse(self.kubelet.knows_pods)
        self.assertEqual(await self.right("api-server", "up"), ["the API server answers"])
        self.assertTrue(self.kubelet.knows_pods)

    async def test_wait(self) -> None:
        """It ends as soon as there are enough devices, or with the number that there are."""
        await self.start()
        self.assertEqual(
            await self.wrong("wait", X, "3", "--timeout", "0"),
            f"{X}: 2 allocatable after 0 s, not 3",
        )
        later = soon(self.answer("wait", X, "3"))
        self.assertNoResult(later)
        self.plugin.latest.publish(device_list("a", "b", "c"))
        self.assertEqual(await later, Answer(True, f"{X}: 3 allocatable"))

    def answer(self, *words: str) -> Deferred[Answer]:
        """An answer that may take its time."""
        return Deferred.fromCoroutine(self.playground.answer(words))

    async def test_restart(self) -> None:
        """The kubelet restarts and deletes the plugin's socket."""
        await self.start()
        self.assertEqual(await self.right("restart"), ["the kubelet has restarted"])
        self.assertFalse(os.path.exists(os.path.join(self.kubelet.directory, "x.sock")))
        self.assertEqual(await self.right("list"), ["no plugin has registered"])

    async def test_replace_socket(self) -> None:
        """Another kubelet.sock is there, and all else stays."""
        await self.start()
        before = os.stat(self.kubelet.socket).st_ctime_ns
        self.assertEqual(await self.right("replace-socket"), ["kubelet.sock is another one now"])
        self.assertNotEqual(os.stat(self.kubelet.socket).st_ctime_ns, before)
        self.assertEqual(self.kubelet.allocatable(X), 2)

    async def test_refuse_and_accept(self) -> None:
        """Registrations are refused with the text until they are accepted again."""
        await self.start()
        self.assertEqual(
            await self.right("refuse", "not", "now"), ["registrations are refused: not now"]
        )
        refusal = await failure_of(self.plugin.register(), CallFailed)
        self.assertEqual(refusal.details, "not now")
        self.assertEqual(await self.value("accept"), {"done": "registrations are accepted"})
        await self.plugin.register()

    async def test_kill_streams(self) -> None:
        """The plugin's stream is cancelled; without one nothing can be ended."""
        await self.start()
        self.assertEqual(await self.right("kill-streams"), [f"{X}: its stream is ended"])
        await self.plugin.log.seen("cancelled")
        await self.kubelet.until(lambda: not self.kubelet.resources[X].connected)
        self.assertEqual(await self.wrong("kill-streams", X), f"{X}: no plugin is connected")
        self.assertIn("gone", (await self.right("list"))[1])
        self.assertIn("Unhealthy", (await self.right("show"))[2])

    async def test_help(self) -> None:
        """It lists the commands, for people and for programs."""
        self.playground = Playground(PatientKubelet(temporary_directory(self)))
        lines = await self.right("help")
        self.assertIn("allocate RESOURCE [COUNT | --id ID ...]", lines[4])
        self.assertEqual(lines[:2], ["list", "    show the resources with their numbers"])
        self.assertEqual((await self.value("help"))["restart"][:19], "restart the kubelet")

    async def test_wrong_command(self) -> None:
        """What is wrong with it is the answer."""
        self.playground = Playground(PatientKubelet(temporary_directory(self)))
        self.assertIn("did you mean list", await self.wrong("lst"))

    async def test_typed(self) -> None:
        """A line has its answer; one without a command has none."""
        self.playground = Playground(PatientKubelet(temporary_directory(self)))
        self.assertEqual(await self.playground.typed("list  # all"), "no plugin has registered")
        self.assertEqual(await self.playground.typed(" # nothing"), "")
        self.assertIn("close it", await self.playground.typed("refuse 'a"))

    async def test_kubelet_that_cannot_start(self) -> None:
        """What the system answers to a restart is the answer."""
        await self.start()
        os.chmod(self.kubelet.directory, 0o777)
        self.assertIn(f"others may write in {self.kubelet.directory}", await self.wrong("restart"))


class ControlTests(TestCase):
    """Commands from other processes."""

    async def start(self) -> None:
        """Answer with the words."""
        self.directory = temporary_directory(self)
        self.path = os.path.join(self.directory, CONTROL)

        async def perform(words: Any) -> Answer:
            if words == ["restart"]:
                raise ZeroDivisionError("nothing there")
            return Answer(words != ["list"], " ".join(words))

        self.control = Control(self.directory, perform, reactor)
        self.addCleanup(self.control.close)
        self.control.open()

    async def ask(self, *words: str) -> Answer:
        """The answer to another process."""
        answer: Answer = await soon(deferToThread(ask, self.directory, words))
        return answer

    async def test_answers(self) -> None:
        """Each command gets its answer, whatever is in its words."""
        await self.start()
        self.assertEqual(await self.ask("show", "b\nc"), Answer(True, "show b\nc"))
        self.assertEqual(await self.ask("list"), Answer(False, "list"))
        long = "x" * 1000
        self.assertEqual(await self.ask("show", long), Answer(True, f"show {long}"))
        self.assertEqual(await self.ask("restart"), Answer(False, "nothing there"))

    async def test_private(self) -> None:
        """Only root and its user may connect, and nothing of it is left in the end."""
        await self.start()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        await self.control.close()
        self.assertEqual(os.listdir(self.directory), [])

    async def test_nobody_there(self) -> None:
        """The error names the socket, and the remedy."""
        self.directory = temporary_directory(self)
        answer = await self.ask("list")
        self.assertEqual(
            (answer.ok, answer.text),
            (
                False,
                f"{self.directory}/{CONTROL}: No such file or directory; give the directory of an "
                "emulated kubelet that runs, and be its user or root",
            ),
        )
        self.assertTrue((await self.ask("help")).ok)
        self.assertIn("did you mean list", (await self.ask("lst")).text)

    async def test_ends_meanwhile(self) -> None:
        """A kubelet that ends before it has answered is missed in one line."""
        self.directory = temporary_directory(self)
        path = os.path.join(self.directory, CONTROL)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            asked = soon(deferToThread(ask, self.directory, ["list"]))
            connection = (await soon(deferToThread(listening.accept)))[0]
            connection.sendall(b'{"ok"')
            connection.recv(100)
            connection.close()
            answer = Answer(False, f"{path}: the kubelet has ended before it answered")
            self.assertEqual(await asked, answer)

    async def test_nonsense(self) -> None:
        """What is no list of words is refused, and too much is not read."""
        await self.start()
        for sent, wanted in (
            (b"list\n", b"a command is a list of words in JSON"),
            (b'{"a": 1}\n', b"a command is a list of words in JSON"),
            (b"[]\n", b"a command is a list of words in JSON"),
            (b"[1]\n", b"a command is a list of words in JSON"),
            (b"\xff\n", b"a command is a list of words in JSON"),
            (b"x" * (LONGEST + 1), b""),
        ):
            answer = await soon(deferToThread(self.send, sent))
            self.assertIn(wanted, answer)
            self.assertEqual(bool(wanted), bool(answer))
        self.assertEqual(await self.ask("show"), Answer(True, "show"))

    def send(self, data: bytes) -> bytes:
        """What is answered to these bytes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            connection.sendall(data)
            with connection.makefile("rb") as file:
                return file.read()

    async def test_kept_at_a_start(self) -> None:
        """A kubelet that starts deletes all sockets but this one, and does not mind it."""
        await self.start()
        kubelet = PatientKubelet(self.directory)
        self.addCleanup(kubelet.stop)
        await kubelet.start()
        await kubelet.restart()
        self.assertEqual(await self.ask("show"), Answer(True, "show"))
