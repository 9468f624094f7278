"""The work for one change does not grow with the cluster."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import NAMESPACE, Stage

ON_A_NODE = 5


def cluster(plugins: int, nodes: int) -> Stage:
    """Plugins with a resource each, and nodes with the resources of five of them."""
    stage = Stage()
    for number in range(plugins):
        config = {"domain": "lab.example.com", "resources": {f"r{number}": f"/dev/r{number}"}}
        stage.plugin(f"p{number}", config=config)
    for number in range(nodes):
        on = ((number * ON_A_NODE + each) % plugins for each in range(ON_A_NODE))
        stage.node(f"n{number}", **{f"r{plugin}": 4 for plugin in on})
    return stage


def heartbeats(stage: Stage, plugins: int) -> None:
    """All nodes report that they live."""
    for number in range(5 * plugins):
        stage.heartbeat(f"n{number}")


def failure(stage: Stage, plugins: int) -> None:
    """A node's devices become fewer."""
    on = ((3 * ON_A_NODE + each) % plugins for each in range(ON_A_NODE))
    stage.node("n3", **{f"r{plugin}": 3 for plugin in on})


def lost_node(stage: Stage, _: int) -> None:
    """A node goes."""
    stage.objects.delete("nodes", "n4")


def edit(stage: Stage, _: int) -> None:
    """An image is edited."""
    stage.edit({"spec": {"image": "x:2"}}, "p1")


def drift(stage: Stage, _: int) -> None:
    """A ConfigMap is deleted."""
    stage.objects.delete("configmaps", "p2-config", NAMESPACE)


CHANGES = {heartbeats: 0, failure: ON_A_NODE, lost_node: ON_A_NODE, edit: 2, drift: 3}
"""Changes, and the requests that they are."""


class ScaleTests(SynchronousTestCase):
    """Requests and turns of the queue, in clusters of two sizes."""

    def test_start(self) -> None:
        """A start asks for the same of each object, in a new cluster and in a running one."""
        for size in (10, 40):
            stage = cluster(size, 5 * size)
            stage.start()
            stage.settle()
            self.assertEqual(len(stage.requests()), 6 * size)
            for number in range(size):
                stage.roll_out(f"p{number}")
            stage.settle()
            stage.forget()
            stage.restart()
            stage.settle()
            self.assertEqual(len(stage.requests()), 3 * size)

    def test_changes(self) -> None:
        """A change is the same few requests and turns, however large the cluster is."""
        for size in (10, 40):
            stage = cluster(size, 5 * size)
            stage.start()
            stage.settle()
            for change, requests in CHANGES.items():
                stage.settle(60)
                stage.forget()
                stage.results.clear()
                change(stage, size)
                stage.settle(60)
                self.assertEqual(len(stage.requests()), requests, stage.requests())
                self.assertLessEqual(len(stage.results), requests + 2, change.__doc__)
