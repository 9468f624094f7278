"""Tests for `twistdp.resource.summary`."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.updates import Scans
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, Devices
from twistdp.resource.summary import Change, change, counted


def ill(reason: str = "") -> DeviceInfo:
    """An unhealthy device."""
    return DeviceInfo(UNHEALTHY, reason=reason)


WELL = DeviceInfo(HEALTHY)


def changed(before: Devices, after: Devices) -> Change:
    """Return the change when a scan finds `after` and the one before found `before`."""
    scans = Scans()
    return change(scans.update(before).devices, scans.update(after))


class ChangeTests(SynchronousTestCase):
    """A change of devices, in words."""

    def test_nothing(self) -> None:
        """Equal devices are no change, nor are parts that only containers notice."""
        self.assertFalse(changed({"a": WELL}, {"a": DeviceInfo(HEALTHY, envs={"A": "b"})}))
        self.assertEqual(str(changed({"a": ill("hot")}, {"a": ill("hot")})), "")
        # A healthy device's reason is of a time when it was not.
        text = str(changed({"a": WELL}, {"a": DeviceInfo(HEALTHY, reason="hot")}))
        self.assertEqual(text, "changed: a", "for a line that is logged since the list is new")

    def test_came_and_went(self) -> None:
        """Ids with a sign."""
        self.assertEqual(str(changed({"a": WELL, "b": WELL}, {"b": WELL, "c": WELL})), "+c -a")

    def test_health(self) -> None:
        """Ids with their reasons, and which are healthy again."""
        before = {"a": WELL, "b": ill("hot"), "c": ill("hot"), "d": WELL}
        after = {"a": ill("no answer"), "b": WELL, "c": ill("hot"), "d": WELL, "e": ill()}
        found = changed(before, after)
        self.assertEqual(
            str(found), "+e; unhealthy: a (no answer), e; healthy again: b", "not c: it stays so"
        )
        self.assertTrue(found.worse)

    def test_another_reason(self) -> None:
        """A device that stays unhealthy for another reason."""
        found = changed({"a": ill("hot")}, {"a": ill("on fire")})
        self.assertEqual(str(found), "unhealthy: a (on fire)")
        self.assertFalse(changed({"a": ill("hot")}, {"a": ill("hot")}).worse)

    def test_same_reason(self) -> None:
        """Devices with the same reason, as replicas, have it once, and in full."""
        reason = "the modem has lost its carrier, " * 10 + "so press its button"
        found = changed({}, {"a-0": ill(reason), "b": ill("hot"), "a-1": ill(reason)})
        self.assertIn(f"unhealthy: a-0, a-1 ({reason}), b (hot)", str(found))

    def test_counts(self) -> None:
        """A device that stays unhealthy for another reason has not become so."""
        before = {"a": WELL, "b": ill("hot"), "c": ill("hot"), "d": WELL}
        after = {"a": ill("no answer"), "b": WELL, "c": ill("cold"), "e": ill(), "f": WELL}
        self.assertEqual(
            changed(before, after).counts,
            {"added": 2, "removed": 1, "unhealthy": 2, "healthy": 1},
        )

    def test_bounded(self) -> None:
        """Of many devices a few are named, with as much of a reason as fits into a line."""
        ids = [f"d{number}" for number in range(5000)]
        text = str(changed({}, dict.fromkeys(ids, ill("x\n" * 5000))))
        self.assertIn("and 4994 more", text)
        self.assertNotIn("\n", text)
        self.assertLess(len(text), 1000)

    def test_counted(self) -> None:
        """How many there are, and cannot be used."""
        self.assertEqual(counted(1, 0, 0), "1 device")
        self.assertEqual(counted(5, 2, 1), "5 devices, 2 unhealthy, 1 not listed")
