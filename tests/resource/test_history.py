"""Tests of the history of devices' health."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.model import HEALTHY, UNHEALTHY, DeviceInfo, Update
from twistdp.resource.history import KEPT, History

ILL = DeviceInfo(state=UNHEALTHY, reason="too hot")
WELL = DeviceInfo(state=HEALTHY)


class HistoryTests(SynchronousTestCase):
    """What is kept of a device."""

    def setUp(self) -> None:
        self.history = History()

    def turns(self, device_id: str = "a") -> list[tuple[str, str]]:
        """The states and reasons that are kept of a device."""
        return [(turn.state, turn.reason) for turn in self.history.of(device_id)]

    def test_changes(self) -> None:
        """A change of the state or of the reason is kept, anything else is not."""
        other = DeviceInfo(state=UNHEALTHY, reason="unplugged")
        states = [WELL, ILL, ILL, other, WELL, DeviceInfo(state=HEALTHY, envs={"A": "1"})]
        before: dict[str, DeviceInfo] = {}
        for info in states:
            self.history.record(before, Update({"a": info}, ["a"]))
            before = {"a": info}
        self.assertEqual(
            self.turns(), [(UNHEALTHY, "too hot"), (UNHEALTHY, "unplugged"), (HEALTHY, "")]
        )

    def test_ill_from_the_start(self) -> None:
        """A device that appears unhealthy has a reason to show."""
        self.history.record({}, Update({"a": ILL}, ["a"]))
        self.assertEqual(self.turns(), [(UNHEALTHY, "too hot")])

    def test_bounds(self) -> None:
        """The newest changes are kept, and none of a device that is gone."""
        before = {"a": WELL}
        for number in range(KEPT + 3):
            info = DeviceInfo(state=UNHEALTHY, reason=str(number))
            self.history.record(before, Update({"a": info}, ["a"]))
            before = {"a": info}
        self.assertEqual([reason for _, reason in self.turns()], list(map(str, range(3, KEPT + 3))))
        self.history.record(before, Update({}, (), ["a"]))
        self.assertEqual(self.turns(), [])
