"""Specs of resources that are gone are removed as soon as nobody needs them, and not earlier."""

import errno
import os
from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp import CDIDevice, CDINode, Settings
from twistdp.cdi import service as cdi_service
from twistdp.cdi.files import SpecFile
from twistdp.cdi.service import TIDY_AFTER, Leftovers
from twistdp.errors import CallFailed
from twistdp.kubelet.holdings import Holdings
from twistdp.kubelet.podresources import Container, Pod

DOMAIN, TYPE = "cam.example.com", "camera"
RESOURCE = f"{DOMAIN}/{TYPE}"

OTHER = Pod("default", "other", [Container("main", {})])
HOLDER = Pod("default", "pod", [Container("main", {RESOURCE: frozenset("a")})])

LATEST = 1.3 * TIDY_AFTER
"""Seconds after which another look must have been."""


class LeftoversTests(SynchronousTestCase):
    """One spec that an earlier process left; the clock and the kubelet's answers are the test's."""

    def setUp(self) -> None:
        """A spec of the device `a`."""
        self.directory = temporary_directory(self)
        self.clock = Clock()
        self.pods: Sequence[Pod] | None = [OTHER]
        self.asked = 0
        holdings = Holdings(self.list_pods, self.clock)
        self.patch(cdi_service, "holdings_of", lambda *_: holdings)
        self.served: list[str] = []
        self.leftovers = Leftovers(
            DOMAIN,
            lambda: self.served,
            settings=Settings(cdi_dir=self.directory),
            reactor=self.clock,
        )
        self.addCleanup(self.leftovers.stop)
        self.spec = SpecFile(self.directory, DOMAIN, TYPE)
        self.addCleanup(self.spec.close)
        self.spec.write({"a": CDIDevice(nodes=[CDINode("/dev/null")])})
        self.spec.close()

    async def list_pods(self) -> Sequence[Pod]:
        """The kubelet's answer; None for none."""
        self.asked += 1
        if self.pods is None:
            raise CallFailed("UNAVAILABLE", "not now")
        return self.pods

    def wait(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)

    @property
    def is_left(self) -> bool:
        """Whether the spec is there."""
        return os.path.exists(self.spec.path)

    def assert_at_rest(self) -> None:
        """Nothing is planned any more."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_removed_soon(self) -> None:
        """Without a holder it goes with the second answer, and no further look follows.

        At the first one the kubelet may not have taken all pods yet.
        """
        self.leftovers.look()
        self.wait(0.7)
        self.assertTrue(self.is_left)
        self.wait(0.7)
        self.assertFalse(self.is_left)
        self.assertEqual(self.asked, 2)
        self.assert_at_rest()

    def test_kubelet_that_does_not_know_yet(self) -> None:
        """It goes within seconds after the kubelet knows its pods, or answers at all."""
        answers: tuple[Sequence[Pod] | None, ...] = [], None
        for unknown in answers:
            with self.subTest(unknown=unknown):
                self.pods = unknown
                self.spec.write({"a": CDIDevice(nodes=[CDINode("/dev/null")])})
                self.spec.close()
                self.leftovers.look()
                self.wait(0.9)
                self.assertTrue(self.is_left)
                self.pods = [OTHER]
                self.wait(0.4)
                self.assertTrue(self.is_left)
                self.wait(2.6)
                self.assertFalse(self.is_left)
                self.assert_at_rest()

    def test_pod_that_leaves_later(self) -> None:
        """It goes within a minute or so after its last holder, however long that takes."""
        self.pods = [HOLDER]
        self.leftovers.look()
        self.wait(20 * TIDY_AFTER)
        self.assertTrue(self.is_left)
        self.assertLess(self.asked, 35)
        self.pods = [OTHER]
        self.wait(LATEST)
        self.assertFalse(self.is_left)
        self.assert_at_rest()

    def test_another_process_that_ends_later(self) -> None:
        """While another process serves the resource, the kubelet is not asked."""
        self.spec.write({"a": CDIDevice(nodes=[CDINode("/dev/null")])})
        self.leftovers.look()
        self.wait(10 * TIDY_AFTER)
        self.assertTrue(self.is_left)
        self.assertEqual(self.asked, 0)
        self.spec.close()
        self.wait(LATEST)
        self.assertFalse(self.is_left)
        self.assert_at_rest()

    def test_served_again(self) -> None:
        """The spec of a resource that is served by now is left to it."""
        self.pods = None
        self.leftovers.look()
        self.wait(0.1)
        self.served.append(RESOURCE)
        self.pods = [OTHER]
        self.wait(LATEST)
        self.assertTrue(self.is_left)
        self.assertEqual(self.asked, 1)
        self.assert_at_rest()

    def test_served_meanwhile(self) -> None:
        """So is one that is served when the kubelet's answer comes."""
        self.leftovers.look()
        self.served.append(RESOURCE)
        self.wait(LATEST)
        self.assertTrue(self.is_left)
        self.assert_at_rest()

    def test_long_name(self) -> None:
        """A served resource is known by its file, though that has only a part of a long name."""
        domain = ".".join(["a" * 60] * 4)
        spec = SpecFile(self.directory, domain, "b" * 60)
        spec.write({"a": CDIDevice(nodes=[CDINode("/dev/null")])})
        self.addCleanup(spec.close)
        name = f"{domain}/{'b' * 60}"
        leftovers = Leftovers(
            domain, lambda: [name], settings=Settings(cdi_dir=self.directory), reactor=self.clock
        )
        leftovers.look()
        self.assert_at_rest()

    def test_gone(self) -> None:
        """A resource that has just gone keeps its names for a minute: a pod may have got one."""
        self.leftovers.gone(RESOURCE)
        self.leftovers.look()
        self.wait(TIDY_AFTER / 2)
        self.leftovers.gone(RESOURCE)
        self.wait(TIDY_AFTER - 1.0)
        self.assertTrue(self.is_left)
        self.assertEqual(self.asked, 0)
        self.wait(2.6)
        self.assertFalse(self.is_left)
        self.assert_at_rest()

    def test_stop(self) -> None:
        """A stop ends all that is planned or under way; the spec stays."""
        self.pods = [HOLDER]
        self.leftovers.gone("cam.example.com/lens")
        self.leftovers.look()
        for seconds in (0.0, 5.0):
            self.wait(seconds)
            self.leftovers.stop()
            self.assert_at_rest()
            self.leftovers.look()
        self.assertTrue(self.is_left)

    def test_not_ours(self) -> None:
        """A file of others that has the name stays, and nothing is planned for its sake."""
        with open(self.spec.path, "w", encoding="ascii") as file:
            file.write("{}")
        self.leftovers.look()
        self.wait(2.0)
        self.assertTrue(self.is_left)
        self.assert_at_rest()

    def test_failure_is_logged_once(self) -> None:
        """A spec that cannot be removed is tried again and again, and named once."""
        unlink = os.unlink

        def fail(path: str) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

        patch = self.patch(os, "unlink", fail)
        with capturedLogs() as events:
            self.leftovers.look()
            self.wait(3 * TIDY_AFTER)
        (line,) = map(formatEvent, events)
        self.assertIn(f"stale CDI spec {self.spec.path} cannot be removed: Read-only", line)
        patch.restore()
        self.assertIs(os.unlink, unlink)
        self.wait(LATEST)
        self.assertFalse(self.is_left)
        self.assert_at_rest()
