"""post_release in plugins that are processes, with an emulated kubelet."""

import json
import os
from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.defer import DeferredList

from tests.integration.test_process import ProcessTestCase
from tests.support.helpers import until
from tests.support.kubelets import PatientKubelet, know_pods_at_once
from twistdp.testing import ChildProcess, podresources

SCANNER = "--scanner=tests.support.releasing_samples:Releasing"
LAB, OTHER = "lab.example.com", "other.example.com"
NODE = "Node-7"
"""The name of the node, which is not that of the host."""

Call = tuple[str, Sequence[str], str | None]


def is_whole(name: str) -> bool:
    """Whether the file of this name is not just being written."""
    return not name.startswith(".")


class ReleasesTestCase(ProcessTestCase):
    """Two scanners of one class and domain, one of another domain, and a configuration."""

    timeout = 300

    def setUp(self) -> None:
        """All are there, and nothing runs."""
        super().setUp()
        know_pods_at_once(self)
        self.asked: list[float] = []
        """When pod-resources were asked."""
        self.patch(podresources.CallLimit, "take", lambda _: self.asked.append(reactor.seconds()))
        self.pods = os.path.join(self.directory, "pods.sock")
        self.state = os.path.join(self.directory, "state")
        self.kubelet = PatientKubelet(self.plugins, force=True, pod_resources=self.pods)
        for name in ("one", "two", "three"):
            os.mkdir(os.path.join(self.devices, name))
            for device in ("a", "b"):
                self.make(f"{name}/{name}-{device}")
        self.config = os.path.join(self.directory, "devices.yaml")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"domain: {LAB}\nresources: {{null: /dev/null}}\n")

    def scanner(self, name: str, resource: str, domain: str) -> list[str]:
        """The options of one scanner."""
        directory, log = os.path.join(self.devices, name), os.path.join(self.directory, name)
        values = f"directory={directory}", f"resource={resource}", f"log={log}"
        return [SCANNER, f"--namespace={domain}", *(f"--set={value}" for value in values)]

    async def serve(self) -> ChildProcess:
        """Start the plugin; all is allocatable."""
        child = self.plugin(
            *self.scanner("one", "first", LAB),
            *self.scanner("two", "second", LAB),
            *self.scanner("three", "first", OTHER),
            *(f"--config={self.config}", f"--state-dir={self.state}"),
            *(f"--pod-resources-socket={self.pods}", "--status-socket="),
            env={"NODE_NAME": NODE},
        )
        for resource, name in (
            (f"{LAB}/first", "one"),
            (f"{LAB}/second", "two"),
            (f"{OTHER}/first", "three"),
        ):
            await self.kubelet.listed(resource, [f"{name}-a", f"{name}-b"])
        await self.kubelet.until(lambda: self.kubelet.allocatable(f"{LAB}/null"))
        return child

    def calls(self, name: str) -> list[Call]:
        """Return the calls of one scanner."""
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                return [tuple(json.loads(line)) for line in file]
        except FileNotFoundError:
            return []

    async def called(self, wanted: dict[str, list[Call]]) -> None:
        """Each scanner has these calls, and no others."""
        await until(lambda: all(len(self.calls(name)) >= len(wanted[name]) for name in wanted))
        for name, calls in wanted.items():
            self.assertEqual(self.calls(name), [(r, [*ids], whose) for r, ids, whose in calls])

    def kept(self, pod: str) -> int:
        """How many devices of a pod the plugin remembers."""
        texts = []
        for name in filter(is_whole, os.listdir(self.state)):
            with open(os.path.join(self.state, name), encoding="utf-8") as file:
                texts.append(file.read())
        return "".join(texts).count(f'"{pod}"')

    async def admit(self, resource: str, id_: str, pod: str, container: str = "main") -> None:
        """A container gets a device, and the plugin knows that."""
        before = self.kept(pod)
        await self.kubelet.allocate(resource, ids=[id_], pod=pod, container=container)
        await until(lambda: self.kept(pod) > before)


class ReleasesTests(ReleasesTestCase):
    """Each scanner is called once for its own devices."""

    async def test_each_its_own(self) -> None:
        """Whatever else is served beside it, also of the same pod, domain, type and class."""
        await self.kubelet.start()
        await self.serve()
        await self.admit(f"{LAB}/first", "one-a", "web")
        await self.admit(f"{LAB}/second", "two-a", "web", "side")
        await self.admit(f"{LAB}/second", "two-b", "job")
        await self.admit(f"{OTHER}/first", "three-b", "web", "side")
        await self.kubelet.allocate(f"{LAB}/null", pod="web")
        self.kubelet.release("web")
        wanted: dict[str, list[Call]] = {
            "one": [(f"{LAB}/first", ["one-a"], "default/web/main")],
            "two": [(f"{LAB}/second", ["two-a"], "default/web/side")],
            "three": [(f"{OTHER}/first", ["three-b"], "default/web/side")],
        }
        await self.called(wanted)
        self.kubelet.release("job")
        wanted["two"].append((f"{LAB}/second", ["two-b"], "default/job/main"))
        await self.called(wanted)
        ours = "tests.support.releasing_samples_Releasing"
        files = [
            f"{LAB}.{ours}.held.json",
            f"{LAB}.{ours}_2.held.json",
            f"{OTHER}.{ours}.held.json",
        ]
        self.assertEqual(sorted(filter(is_whole, os.listdir(self.state))), files)

    async def test_over_a_kill(self) -> None:
        """Devices that come back while the plugin is down go to the right scanner."""
        await self.kubelet.start()
        child = await self.serve()
        await self.admit(f"{LAB}/first", "one-a", "web")
        await self.admit(f"{LAB}/first", "one-b", "stays")
        await self.admit(f"{LAB}/second", "two-a", "web", "side")
        await self.admit(f"{LAB}/second", "two-b", "stays")
        await self.admit(f"{OTHER}/first", "three-a", "job")
        await self.kubelet.allocate(f"{LAB}/null", pod="job")
        child.signal("KILL")
        await child.ended
        self.kubelet.release("web")
        self.kubelet.release("job")
        await self.kubelet.restart()
        child = await self.serve()
        wanted: dict[str, list[Call]] = {
            "one": [(f"{LAB}/first", ["one-a"], "default/web/main")],
            "two": [(f"{LAB}/second", ["two-a"], "default/web/side")],
            "three": [(f"{OTHER}/first", ["three-a"], "default/job/main")],
        }
        await self.called(wanted)
        child.signal("TERM")
        await child.ended
        await self.serve()
        self.kubelet.release("stays")
        wanted["one"].append((f"{LAB}/first", ["one-b"], "default/stays/main"))
        wanted["two"].append((f"{LAB}/second", ["two-b"], "default/stays/main"))
        await self.called(wanted)

    async def test_over_a_kubelet_restart(self) -> None:
        """A kubelet that does not know its pods for a while gives nothing back."""
        await self.kubelet.start()
        await self.serve()
        await self.admit(f"{LAB}/first", "one-a", "web")
        await self.admit(f"{LAB}/second", "two-a", "web")
        await self.admit(f"{OTHER}/first", "three-a", "job")
        self.kubelet.api_server = False
        for node in (os.uname().nodename, NODE):
            self.kubelet.run(f"proxy-{node.lower()}", namespace="kube-system", static=True)
        await self.kubelet.restart()
        for name in ("one", "two", "three"):  # they go on, and ask
            self.make(f"{name}/{name}-c")
        await DeferredList(
            [
                self.kubelet.listed(resource, [f"{name}-{n}" for n in "abc"])
                for resource, name in (
                    (f"{LAB}/first", "one"),
                    (f"{LAB}/second", "two"),
                    (f"{OTHER}/first", "three"),
                )
            ]
        )
        await self.kubelet.allocate(f"{LAB}/first", ids=["one-c"], pod="new")
        # They would conclude something by then.
        late = reactor.seconds() + 1.5
        await until(lambda: self.asked and self.asked[-1] > late)
        for name in ("one", "two", "three"):
            self.assertEqual(self.calls(name), [])
        self.kubelet.release("job")
        self.kubelet.api_server = True
        wanted: dict[str, list[Call]] = {
            "one": [],
            "two": [],
            "three": [(f"{OTHER}/first", ["three-a"], "default/job/main")],
        }
        await self.called(wanted)
        self.kubelet.release("web")
        wanted["one"].append((f"{LAB}/first", ["one-a"], "default/web/main"))
        wanted["two"].append((f"{LAB}/second", ["two-a"], "default/web/main"))
        await self.called(wanted)
