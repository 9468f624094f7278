"""How long pods are listed, and what they hold."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.testing.node import NodeResource
from twistdp.testing.pods import LEAVING, Pods

X = "pods.example.com/widget"


class PodsTests(SynchronousTestCase):
    """Pods on a clock."""

    def setUp(self) -> None:
        """There are none."""
        self.clock = Clock()
        self.pods = Pods(self.clock)
        self.node = NodeResource(X, self, self.clock)  # type: ignore[arg-type]

    def give(self, pod: str, *ids: str, container: str = "main", **options: Any) -> None:
        """Admit a container with devices."""
        self.pods.admit("default", pod, container, **options)
        self.pods.add("default", pod, container, X, ids, self.node, b"", **options)

    def listed(self) -> dict[str, dict[str, set[str]]]:
        """The containers of all pods, with their devices."""
        return {
            pod.name: {
                name: {id_ for held in pod.held(name) for id_ in held.ids}
                for name in pod.containers
            }
            for pod in self.pods.all()
        }

    def test_admitted(self) -> None:
        """A pod is there before it has its devices; its containers stay in their order."""
        self.pods.admit("default", "web", "side")
        self.assertEqual(self.listed(), {"web": {"side": set()}})
        self.give("web", "a")
        self.give("web", "b", container="side")
        self.assertEqual(self.listed(), {"web": {"side": {"b"}, "main": {"a"}}})
        self.assertEqual([*self.listed()["web"]], ["side", "main"])
        self.assertEqual(self.pods.taken(X), {"a", "b"})

    def test_refused(self) -> None:
        """A container that gets no devices is not there any more, nor its pod without another."""
        for pod in ("web", "job"):
            self.pods.admit("default", pod, "main")
        self.pods.refuse("default", "web", "main")
        self.assertEqual(self.listed(), {"job": {"main": set()}})
        self.give("job", "a")
        self.pods.admit("default", "job", "side")
        self.pods.refuse("default", "job", "side")
        self.pods.refuse("default", "job", "main")
        self.assertEqual(self.listed(), {"job": {"main": {"a"}}})

    def test_end(self) -> None:
        """A pod has its devices for about a second after its end, and no container can start."""
        self.give("web", "a")
        self.pods.end("default", "web")
        least, most = LEAVING
        self.assertTrue(least <= self.pods.leaving("default", "web") <= most)
        self.clock.advance(least - 0.01)
        self.assertEqual(self.listed(), {"web": {"main": {"a"}}})
        self.assertIsNone(self.pods.running("default", "web"))
        self.assertEqual(self.pods.held("default", "web", "main"), [])
        self.pods.end("default", "web")  # it ends only once
        self.clock.advance(most - least + 0.02)
        self.assertEqual((self.listed(), self.pods.taken(X)), ({}, set()))
        self.assertEqual(self.pods.leaving("default", "web"), 0.0)

    def test_forced_end(self) -> None:
        """A pod that is deleted by force is forgotten at once."""
        self.give("web", "a")
        self.pods.end("default", "web", force=True)
        self.assertEqual(self.listed(), {})

    def test_admission_after_an_end(self) -> None:
        """When a pod comes, those that ended before are forgotten, also those of its name."""
        self.give("web", "a")
        self.give("job", "b")
        self.pods.end("default", "web")
        self.give("web", "c")
        self.assertEqual(self.listed(), {"web": {"main": {"c"}}, "job": {"main": {"b"}}})

    def test_init_container(self) -> None:
        """An init container is not listed; only its pod's next container gets its device."""
        self.give("web", "a", "b", container="setup", init=True)
        self.assertEqual(self.listed(), {"web": {}})
        self.assertEqual(self.pods.taken(X), {"a", "b"})
        self.assertEqual(self.pods.reusable("default", "web", X), {"a", "b"})
        self.assertEqual(self.pods.reusable("default", "web", "other.example.com/x"), set())
        self.assertEqual(self.pods.reusable("default", "job", X), set())
        self.give("web", "a")
        self.assertEqual(self.pods.reusable("default", "web", X), {"b"})

    def test_ended_pods_are_listed(self) -> None:
        """A kubelet before 1.34 lists them without devices until others of their names come."""
        self.pods = Pods(self.clock, list_ended=True)
        self.give("web", "a")
        self.pods.admit("default", "job", "main")
        self.pods.refuse("default", "job", "main")
        self.pods.end("default", "web")
        self.clock.advance(LEAVING[1] + 0.01)
        self.assertEqual(self.listed(), {"web": {"main": set()}, "job": {}})
        self.assertEqual(self.pods.taken(X), set())
        self.assertIsNone(self.pods.running("default", "web"))
        self.give("web", "b")
        self.assertEqual(self.listed(), {"web": {"main": {"b"}}, "job": {}})
