"""Tests for `twistdp.kubelet.unseen`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.kubelet.unseen import LATE, Unseen
from twistdp.model import Holder

R = "x.example/a"
P = Holder("default", "p", "main")


class UnseenTests(SynchronousTestCase):
    """Devices that were given at 10 s and 10.5 s."""

    def setUp(self) -> None:
        """Give them."""
        self.unseen = Unseen()
        self.assertIsNone(self.unseen.latest())
        self.unseen.add(R, ["1", "2"], 10.0)
        self.unseen.add(R, ["3"], 10.5)

    def test_listed(self) -> None:
        """A device that is in an answer is seen; others of its resource are not."""
        self.unseen.answered({R: {"3": P}, "x.example/b": {"1": P}}, 10.6, 10.7)
        self.assertEqual(self.unseen.latest(), 10.0)
        self.unseen.answered({R: {"1": P, "2": P}}, 10.6, 10.7)
        self.assertIsNone(self.unseen.latest())

    def test_asked_before(self) -> None:
        """An answer to an earlier question may name the previous holder, so it does not count."""
        self.unseen.answered({R: {"1": P, "2": P, "3": P}}, 10.2, 20.0)
        self.assertEqual(self.unseen.latest(), 10.5)

    def test_late(self) -> None:
        """A device that is in no answer for long is an init container's."""
        self.unseen.answered({}, 10.6, 10.0 + LATE)
        self.unseen.answered({R: {"3": P}}, 10.6, 10.0 + LATE)
        self.assertIsNone(self.unseen.latest())

    def test_given_again(self) -> None:
        """A device counts from the last time."""
        self.unseen.add(R, ["1"], 11.0)
        self.unseen.answered({R: {"1": P, "2": P, "3": P}}, 10.9, 11.2)
        self.assertEqual(self.unseen.latest(), 11.0)
        self.unseen.clear()
        self.assertIsNone(self.unseen.latest())
