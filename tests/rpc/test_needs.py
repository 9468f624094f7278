"""Tests for twistdp.rpc.needs."""

from twisted.trial.unittest import SynchronousTestCase

from tests.support.limits import no_descriptors
from twistdp.rpc import needs
from twistdp.rpc.needs import DESCRIPTORS, THREADS, check_needs


class CheckNeedsTests(SynchronousTestCase):
    """`check_needs`"""

    def test_until_there_are_enough(self) -> None:
        """It raises until there are enough threads and descriptors, and then checks no more."""
        self.patch(needs, "_checked", False)
        possible, asked = THREADS - 1, []

        def check_threads(number: int) -> None:
            asked.append(number)
            if number > possible:
                raise OSError("cannot start threads")

        self.patch(needs, "check_threads", check_threads)
        with no_descriptors(DESCRIPTORS - 1):
            self.assertRaises(OSError, check_needs)
        self.assertEqual(asked, [])
        with no_descriptors(DESCRIPTORS):
            self.assertRaises(OSError, check_needs)
        possible = THREADS
        check_needs()
        check_needs()
        self.assertEqual(asked, [THREADS] * 2)
