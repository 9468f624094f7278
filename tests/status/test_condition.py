"""Tests for `twistdp.status.condition`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.status.condition import Condition, ResourceCondition, Standing, ready, sound, summary


def condition(*standings: Standing, scanned: bool = True, devices: int = 2) -> Condition:
    """A scanner's, with so many devices in each resource."""
    return Condition("/p", scanned, tuple(ResourceCondition(devices, one) for one in standings))


class ConditionTests(SynchronousTestCase):
    """Functions of conditions."""

    def test_ready(self) -> None:
        """It is when all was scanned and tried; that no kubelet was there is no obstacle."""
        for conditions, expected in (
            ([condition(scanned=False)], False),
            ([condition(Standing.REGISTERED), condition(scanned=False)], False),
            ([condition(Standing.REGISTERED, Standing.REGISTERING)], False),
            ([condition(Standing.REGISTERED), condition(Standing.WAITING)], True),
            ([condition(Standing.FAILING)], True),
            ([condition()], True),
        ):
            self.assertIs(ready(conditions), expected, conditions)

    def test_sound(self) -> None:
        """Only what is stuck is not."""
        for standing in Standing:
            self.assertIs(sound([condition(), condition(standing)]), standing is not Standing.STUCK)

    def test_summary(self) -> None:
        """One line: what there is, and how it stands."""
        for conditions, expected in (
            ([condition(Standing.REGISTERED, devices=1)], "1 resource, 1 device, registered"),
            (
                [condition(Standing.REGISTERED), condition(Standing.REGISTERED)],
                "2 resources, 4 devices, registered",
            ),
            (
                [condition(Standing.WAITING)],
                "1 resource, 2 devices, waiting for a kubelet in /p",
            ),
            (
                [condition(Standing.WAITING, Standing.REGISTERED, Standing.REGISTERED)],
                "3 resources, 6 devices, 2 registered, 1 waiting for a kubelet in /p",
            ),
            (
                [condition(Standing.REGISTERED), condition(scanned=False)],
                "1 resource, 2 devices, registered, scanning",
            ),
            ([condition(scanned=False)], "scanning"),
            ([condition()], "no devices"),
        ):
            self.assertEqual(summary(conditions), expected)
