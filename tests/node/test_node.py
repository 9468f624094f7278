"""Scenarios on a real node: devices, pods, restarts of everything.  ``make test-node``."""

import json
import os
import sys
from pathlib import Path

from tests.node.cluster import WAIT, NodeTestCase, run
from tests.support.helpers import temporary_directory, until
from tests.support.http import ask
from twistdp.settings import CDI_DIRECTORY
from twistdp.testing.process import ChildProcess

RESTARTS = 3


class LifeTests(NodeTestCase):
    """Devices and pods."""

    async def test_life(self) -> None:
        """Devices are counted, a pod gets one of them with all that it needs, and gives it back."""
        self.device("a", "hello")
        self.device("b", "hello")
        plugin = await self.plugin()
        await self.has(allocatable=2, capacity=2)
        await self.pod("one")
        await self.runs("one")
        (name,) = (await self.inside("one", "ls /run/thing")).split()
        self.assertEqual(await self.inside("one", f"cat /run/thing/{name}"), "hello")
        self.assertEqual(await self.inside("one", f"echo $THING_{name}"), "here\n")
        await self.inside("one", f"test -c /dev/{name} && echo x > /dev/{name}")
        await self.pod("other")
        await self.runs("other")
        (second,) = (await self.inside("other", "ls /run/thing")).split()
        self.assertEqual({name, second}, {"a", "b"})
        await self.pod("third", bound=True)
        self.assertIn("thing", " ".join(await self.refused("third")))
        await self.delete_pods("one")
        await self.pod("next")
        await self.runs("next")
        await self.end(plugin)
        await self.has(allocatable=0)

    async def test_hot_plug(self) -> None:
        """What comes, goes, falls ill and recovers is in the node's status."""
        self.device("a")
        await self.plugin()
        await self.has(allocatable=1, capacity=1)
        self.device("b")
        await self.has(allocatable=2, capacity=2)
        self.device("a", "ill")
        await self.has(allocatable=1, capacity=2)
        self.device("a")
        await self.has(allocatable=2, capacity=2)
        self.unplug("b")
        await self.has(allocatable=1, capacity=1)
        self.unplug("a")
        await self.has(allocatable=0, capacity=0)
        self.device("c")
        await self.has(allocatable=1, capacity=1)

    async def test_upgrade(self) -> None:
        """Another process takes over under a running pod, whose device nobody else gets."""
        self.device("a")
        self.device("b")
        plugin = await self.plugin()
        await self.has(allocatable=2)
        await self.pod("stays")
        await self.runs("stays")
        (held,) = (await self.inside("stays", "ls /run/thing")).split()
        await self.end(plugin)
        await self.plugin()
        await self.has(allocatable=2, capacity=2)
        await self.pod("new")
        await self.runs("new")
        (other,) = (await self.inside("new", "ls /run/thing")).split()
        self.assertNotEqual(held, other)
        self.assertEqual(await self.restarts("stays"), 0)


class RestartTests(NodeTestCase):
    """Restarts of the kubelet, with pods that are bound before the plugin is back."""

    async def survives(self, *options: str) -> None:
        """Pods of before run on, those that are bound meanwhile run, and changes are seen."""
        for number in range(RESTARTS + 2):
            self.device(f"d{number}")
        await self.plugin("Things", *options)
        await self.has(allocatable=RESTARTS + 2)
        await self.pod("before")
        await self.runs("before")
        for number in range(RESTARTS):
            restarted = self.restart_kubelet()
            await self.pod(f"bound{number}", bound=True)
            await restarted
            self.device(f"new{number}")
            await self.has(allocatable=RESTARTS + 3 + number)
            await self.runs(f"bound{number}")
        self.assertEqual(await self.restarts("before"), 0)
        held = [await self.inside(pod, "ls /run/thing") for pod in ("before", "bound0", "bound1")]
        self.assertEqual(len(set(held)), 3)

    async def test_restarts(self) -> None:
        """Registered at the kubelet's socket."""
        await self.survives()

    async def test_watcher(self) -> None:
        """Found by the plugin watcher."""
        registry = os.path.join(os.path.dirname(self.kubelet_dir.rstrip("/")), "plugins_registry")
        await self.survives("--registration=watcher", f"--registry-dir={registry}")


class HoldersTests(NodeTestCase):
    """Who has which device, and who gave it back."""

    async def observe(self) -> ChildProcess:
        """Start a plugin with post_release; what it must remember outlives it."""
        options = f"--status-socket={self.socket}", f"--state-dir={self.state}"
        return await self.plugin("Observing", *options, "--set", f"log={self.log}")

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """Places for what the plugin writes."""
        await super().setUp()
        self.place = temporary_directory(self)
        self.socket = os.path.join(self.place, "status.sock")
        self.state = os.path.join(self.place, "state")
        self.log = os.path.join(self.place, "log")
        with open(self.log, "w", encoding="ascii"):
            pass
        for name in ("a", "b", "c"):
            self.device(name)

    async def holders(self) -> dict[str, str]:
        """Which pods have devices, as the state says and ``twistdp status`` shows."""
        state = json.loads((await ask(f"unix:{self.socket}", "/api/v1/state")).body)
        (resource,) = state["resources"]
        held = {one["id"]: one["holder"] for one in resource["devices"] if one["holder"]}
        found = {id_: f"{one['namespace']}/{one['pod']}" for id_, one in held.items()}
        command = os.path.join(os.path.dirname(sys.executable), "twistdp")
        shown = await run(command, "status", "--socket", self.socket)
        for id_, pod in found.items():
            self.assertRegex(shown, rf"(?m){id_}\b.*{pod}")
        return found

    async def held_by(self, *pods: str) -> dict[str, str]:
        """Wait until these pods have a device each; devices by the pods' names."""
        wanted = sorted(f"default/{pod}" for pod in pods)
        found: dict[str, str] = {}
        while sorted(found.values()) != wanted:
            found = await self.holders()
        return {pod.removeprefix("default/"): id_ for id_, pod in found.items()}

    async def released(self, lines: list[str]) -> None:
        """Wait until so many devices came back, and check which."""
        await until(lambda: len(self.content().splitlines()) >= len(lines), WAIT)
        self.assertEqual(self.content().splitlines(), lines)

    async def noted(self, pod: str) -> None:
        """Wait until the plugin knows that the hook has ended for a pod.

        A plugin that is killed before that calls the hook again.
        """
        paths = list(Path(self.state).glob("*.held.json"))
        self.assertTrue(paths, os.listdir(self.state))
        await until(lambda: all(f'"{pod}"' not in path.read_text("utf-8") for path in paths), WAIT)

    async def test_holders(self) -> None:
        """Each pod's device comes back once, over restarts of the plugin and of the kubelet."""
        plugin = await self.observe()
        await self.has(allocatable=3)
        for pod in ("one", "two", "three"):
            await self.pod(pod)
        await self.runs("one", "two", "three")
        held = await self.held_by("one", "two", "three")
        await self.delete_pods("one")
        lines = [f"{held['one']} of default/one/main"]
        await self.released(lines)
        await self.noted("one")
        plugin.signal("KILL")
        await plugin.ended
        await self.delete_pods("two")
        await self.observe()
        lines.append(f"{held['two']} of default/two/main")
        await self.released(lines)
        await self.restart_kubelet()
        await self.has(allocatable=3)
        await self.pod("four")
        await self.runs("four")
        self.assertEqual((await self.held_by("three", "four"))["three"], held["three"])
        await self.delete_pods("three")
        lines.append(f"{held['three']} of default/three/main")
        await self.released(lines)

    async def test_init_container(self) -> None:
        """The kubelet lists its device for nobody, and it comes back when the pod has gone."""
        await self.observe()
        await self.has(allocatable=3)
        await self.pod("prepared", init=True)
        await self.runs("prepared")
        await self.pod("other")
        await self.runs("other")
        held = await self.held_by("other")
        await self.delete_pods("other")
        await self.released([f"{held['other']} of default/other/main"])
        await self.delete_pods("prepared")
        await self.pod("next")  # which has the kubelet write its checkpoint
        await until(lambda: len(self.content().splitlines()) > 1, WAIT)
        self.assertRegex(self.content(), r"(?s)\n[abc] of nobody known\n\Z")

    def content(self) -> str:
        """All calls."""
        return Path(self.log).read_text(encoding="ascii")


class AnswerTests(NodeTestCase):
    """What containers get, and when they get nothing."""

    async def test_cdi(self) -> None:
        """The runtime makes the node with its mode and group, and adds the variable."""
        self.device("a")
        await self.plugin("Described")
        await self.has(allocatable=1)
        await self.pod("one")
        await self.runs("one")
        self.assertEqual(await self.inside("one", "echo $CDI_a"), "here\n")
        self.assertEqual(await self.inside("one", "stat -c '%a %g' /dev/a"), "640 44\n")
        self.assertTrue(any("twistdp" in name for name in os.listdir(CDI_DIRECTORY)))

    async def test_hooks(self) -> None:
        """A refusal is what the pod's status shows; a start that fails is tried again."""
        self.device("a", "taken")
        await self.plugin("Hooked")
        await self.has(allocatable=1)
        await self.pod("refused", bound=True)
        reason, message = await self.refused("refused")
        self.assertEqual(reason, "UnexpectedAdmissionError")
        self.assertIn("a is on somebody's bench; ask Ada for it", message)
        await self.delete_pods("refused")
        self.device("a", "cold")
        await self.pod("waits")
        waiting = ".status.containerStatuses[0].state.waiting"
        await self.wait("pod/waits", f"{waiting}.reason", "CreateContainerConfigError")
        self.device("a", "warm")
        await self.runs("waits")
        self.assertEqual(await self.inside("waits", "echo $BENCH"), "seven\n")

    async def test_sizes(self) -> None:
        """As many devices as are asked for are counted, and a pod gets one of them."""
        count = int(os.environ.get("TWISTDP_NODE_DEVICES", "10000"))
        self.device("count", str(count))
        await self.plugin("Many")
        await self.has(allocatable=count, capacity=count)
        await self.pod("one")
        await self.runs("one")
        await self.inside("one", "test -c /dev/one")
        self.device("count", str(count - 1))
        await self.has(allocatable=count - 1, capacity=count - 1)


class TopologyTests(NodeTestCase):
    """A kubelet whose topology manager refuses what is not on one NUMA node."""

    async def test_single_numa_node(self) -> None:
        """Two devices of one node are given together, and those with and without a node never."""
        command = os.environ.get("TWISTDP_NODE_TOPOLOGY")
        if not command:
            self.skipTest("no topology manager: set TWISTDP_NODE_TOPOLOGY")
        self.addCleanup(run, command, "none")
        await run(command, "single-numa-node")
        for name, node in (("a", 0), ("b", 0), ("c", 1)):
            self.device(name, f"numa={node}")
        plugin = await self.plugin()
        await self.has(allocatable=3)
        await self.pod("pair", 2)
        await self.runs("pair")
        self.assertEqual((await self.inside("pair", "ls /run/thing")).split(), ["a", "b"])
        await self.delete_pods("pair")
        await self.pod("three", 3, bound=True)
        self.assertEqual((await self.refused("three"))[0], "TopologyAffinityError")
        self.unplug("b")
        self.device("x")
        await self.has(allocatable=3)
        await until(lambda: "have no NUMA node, such as x" in plugin.output, WAIT)
        await self.pod("mixed", 2, bound=True)
        self.assertEqual((await self.refused("mixed"))[0], "TopologyAffinityError")
