"""Tests for twistdp.exhaustion."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import no_descriptors
from twistdp.errors import KubeletAbsent
from twistdp.exhaustion import MENDING, check_descriptors, mending


class MendingTests(SynchronousTestCase):
    """`mending`"""

    def test_exhausted(self) -> None:
        """Each errno of something that has run out has a remedy."""
        for number in MENDING:
            self.assertEqual(mending(OSError(number, "x")), MENDING[number])

    def test_others(self) -> None:
        """What is missing or forbidden has not run out, and neither has what is no OSError."""
        others = [
            FileNotFoundError(errno.ENOENT, "x"),
            PermissionError(errno.EACCES, "x"),
            OSError("no number"),
            KubeletAbsent("an OSError, too"),
            ValueError(errno.EMFILE),
            None,
        ]
        self.assertEqual([mending(error) for error in others], [None] * len(others))


class CheckDescriptorsTests(SynchronousTestCase):
    """`check_descriptors`"""

    def test_none_left(self) -> None:
        """Without a descriptor it raises what the system tells, and with one it uses none up."""
        before = len(os.listdir("/proc/self/fd"))
        check_descriptors()
        with no_descriptors():
            error = self.assertRaises(OSError, check_descriptors)
        self.assertEqual(error.errno, errno.EMFILE)  # type: ignore[attr-defined]
        with no_descriptors(1):
            check_descriptors()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
