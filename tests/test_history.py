"""The oracle of the load test knows wrong answers from right ones."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.history import History, given, healths
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse

OLD, NEW, BAD = (
    DeviceInfo(HEALTHY, envs={"V": "old"}),
    DeviceInfo(HEALTHY, envs={"V": "new"}),
    DeviceInfo(UNHEALTHY),
)


def with_env(value: str) -> ContainerAllocateResponse:
    """An answer of one variable."""
    return ContainerAllocateResponse(envs={"V": value})


class HistoryTests(SynchronousTestCase):
    """One device that changes, vanishes and falls ill."""

    def setUp(self) -> None:
        """Versions 0 to 3."""
        self.history = History({"a": OLD})
        for devices in ({"a": NEW}, {}, {"a": BAD}):
            self.history.publish(devices)

    def test_answers_of_the_interval_are_right(self) -> None:
        """All that was true between begin and end, and nothing else."""
        self.assertEqual(self.history.right(["a"], 0, 0), {given(with_env("old"))})
        self.assertEqual(
            self.history.right(["a"], 1, 3),
            {given(with_env("new")), "NOT_FOUND", "FAILED_PRECONDITION"},
        )

    def test_never_two_versions_in_one_answer(self) -> None:
        """What is joined of two moments was never true."""
        history = History({"a": OLD, "b": OLD})
        history.publish({"a": NEW, "b": NEW})
        mixed = ContainerAllocateResponse(envs={"V": "old", "W": "new"})
        self.assertNotIn(given(mixed), history.right(["a", "b"], 0, 1))

    def test_lists_are_found_in_order(self) -> None:
        """A list is that of a version not older than the last one that was seen."""
        self.assertEqual(self.history.seen(healths({"a": OLD}), 0), 0)
        self.assertEqual(self.history.seen({}, 1), 2)
        self.assertIsNone(self.history.seen({}, 3))
