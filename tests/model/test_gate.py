"""Tests for twistdp.model.gate."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.devices import HEALTHY, UNHEALTHY
from twistdp.model.gate import HealthGate


def states(gate: HealthGate, checks: str, device_id: str = "a") -> str:
    """The states after checks, both written as letters: ``+`` for good, ``-`` for bad."""
    letters = {HEALTHY: "+", UNHEALTHY: "-"}
    return "".join(letters[gate.check(device_id, check == "+")] for check in checks)


def last_decision(checks: str, bad: int, good: int) -> str:
    """The state after checks, from all of them: the first decides, or the last long enough run."""
    for end in range(len(checks), 0, -1):
        for letter, count in (("-", bad), ("+", good)):
            if checks[:end].endswith(letter * count):
                return letter
    return checks[0]


class HealthGateTests(SynchronousTestCase):
    """`HealthGate` turns checks into states that do not flutter."""

    def test_table(self) -> None:
        """The first check decides, and later only enough checks in a row."""
        for bad, good, checks, expected in (
            (3, 2, "+--+--+", "+++++++"),
            (3, 2, "+---+-++-", "+++----++"),
            (3, 2, "-+-++--+---", "----++++++-"),
            (3, 2, "-+++", "--++"),
            (1, 1, "+-+-", "+-+-"),
            (1, 3, "+-++-+++", "+------+"),
            (2, 1, "+-+--+", "++++-+"),
        ):
            self.assertEqual(states(HealthGate(bad, good), checks), expected, checks)

    def test_default_counts(self) -> None:
        """By itself three bad checks and two good ones are needed."""
        self.assertEqual(states(HealthGate(), "+---++"), "+++--+")

    @given(
        st.integers(1, 4),
        st.integers(1, 4),
        st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("+-")), max_size=40),
    )
    def test_model(self, bad: int, good: int, checks: list[tuple[str, str]]) -> None:
        """Each device's state follows from all its checks, whatever others' checks are."""
        gate, seen = HealthGate(bad, good), {"a": "", "b": ""}
        for device_id, check in checks:
            seen[device_id] += check
            self.assertEqual(
                states(gate, check, device_id), last_decision(seen[device_id], bad, good)
            )

    @given(st.integers(1, 4), st.integers(1, 4), st.text("+-", max_size=20))
    def test_never_for_good(self, bad: int, good: int, checks: str) -> None:
        """From any state, enough checks in a row lead to either state."""
        for last, count in (("-", bad), ("+", good)):
            gate = HealthGate(bad, good)
            states(gate, checks)
            self.assertEqual(states(gate, last * count)[-1], last)

    def test_reason(self) -> None:
        """An unhealthy device has the reason of its last bad check, any other has none."""
        gate = HealthGate(bad=2, good=2)
        told = []
        for healthy, reason in (
            (True, "fine"),
            (False, "hot"),
            (False, "hotter"),
            (False, "on fire"),
            (True, "fine"),
            (False, ""),
            (False, "smoke"),
            (True, "fine"),
            (True, "fine"),
        ):
            gate.check("a", healthy, reason)
            told.append(gate.reason("a"))
        self.assertEqual(told, ["", "", "hotter", "on fire", "on fire", "", "smoke", "smoke", ""])
        self.assertEqual(gate.reason("never seen"), "")

    def test_bad_from_the_start(self) -> None:
        """A device that is bad when it is first seen has its reason at once."""
        gate = HealthGate()
        self.assertEqual(gate.check("a", False, "dead"), UNHEALTHY)
        self.assertEqual(gate.reason("a"), "dead")

    def test_keep(self) -> None:
        """A device that vanished starts again when it comes back; the others go on."""
        gate = HealthGate(bad=2, good=2)
        for device_id in ("a", "b"):
            gate.check(device_id, False, "dead")
            gate.check(device_id, True)
        gate.keep(iter(["b", "never seen"]))
        self.assertEqual((gate.reason("a"), gate.reason("b")), ("", "dead"))
        self.assertEqual(gate.check("a", False), UNHEALTHY)
        self.assertEqual(gate.check("a", True), UNHEALTHY)
        self.assertEqual(gate.check("b", True), HEALTHY)

    def test_bad_counts(self) -> None:
        """Counts less than one are refused by name."""
        for counts, text in (
            ({"bad": 0}, "bad=0: at least one check is needed"),
            ({"good": -1}, "good=-1: at least one check is needed"),
        ):
            error = self.assertRaises(ValueError, HealthGate, **counts)
            self.assertEqual(str(error), text)
