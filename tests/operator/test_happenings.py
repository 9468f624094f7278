"""Events on objects: their form, and how few there are."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.operators import MemoryApi
from twistdp.operator.api import ApiError, Unreachable
from twistdp.operator.happenings import AGAIN, AT_ONCE, EVERY, Happenings
from twistdp.testing.apiserver import ApiServer


class HappeningsTests(SynchronousTestCase):
    """What is posted."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = ApiServer(reactor=self.clock)
        self.happenings = Happenings(
            MemoryApi(self.server, self.clock), self.clock, lambda: 1_800_000_000.5
        )

    def post(self, message: str = "it is so", uid: str = "u1", **rest: Any) -> None:
        rest = {"warning": False, **rest}
        self.happenings.post("gpus", uid, "Because", message, **rest)
        self.clock.pump([0.01] * 8)

    def posted(self) -> list[dict[str, Any]]:
        return self.server.objects.list("events")

    def test_form(self) -> None:
        """An event has what kubectl shows, and is about that very object."""
        self.post(warning=True)
        (event,) = self.posted()
        self.assertEqual(event["metadata"]["namespace"], "default")
        self.assertEqual(
            event["involvedObject"],
            {
                "apiVersion": "twistdp.io/v1alpha1",
                "kind": "DevicePlugin",
                "name": "gpus",
                "uid": "u1",
            },
        )
        self.assertEqual((event["reason"], event["type"]), ("Because", "Warning"))
        self.assertEqual(event["message"], "it is so")
        self.assertEqual(event["lastTimestamp"], "2027-01-15T08:00:00Z")

    def test_long(self) -> None:
        """A message is not longer than the API accepts."""
        self.post("x" * 5000)
        self.assertLessEqual(len(self.posted()[0]["message"]), 1024)

    def test_same(self) -> None:
        """The same is not posted again for a while, for one object."""
        for _ in range(5):
            self.post()
        self.post(uid="u2")
        self.assertEqual(len(self.posted()), 2)
        self.clock.advance(AGAIN)
        self.post()
        self.assertEqual(len(self.posted()), 3)

    def test_many(self) -> None:
        """An object may have a burst, and then one in a while."""
        for number in range(50):
            self.post(f"{number}")
        self.assertEqual(len(self.posted()), AT_ONCE)
        self.clock.advance(EVERY)
        for number in range(50, 60):
            self.post(f"{number}")
        self.assertEqual(len(self.posted()), AT_ONCE + 1)

    def test_forget(self) -> None:
        """Nothing is kept of an object that is gone."""
        self.post()
        self.happenings.forget("u1")
        self.post()
        self.assertEqual(len(self.posted()), 2)

    def test_failures(self) -> None:
        """What cannot be posted is dropped."""
        self.server.fail(403, kind="events")
        self.post("a")
        self.post("b")
        self.assertEqual([event["message"] for event in self.posted()], ["b"])
        self.assertEqual(self.server.counts["create", "events"], 2)

    def test_stop(self) -> None:
        """At the end nothing is left under way."""
        api = MemoryApi(self.server, self.clock, latency=10)
        happenings = Happenings(api, self.clock)
        for number in range(5):
            happenings.post("gpus", "u", "Because", f"{number}", warning=False)
        stopped: Deferred[Any] = happenings.stop()
        self.successResultOf(stopped)
        self.clock.advance(60)
        self.assertEqual(self.posted(), [])


class ErrorTests(SynchronousTestCase):
    """The errors of the API, as text."""

    def test_text(self) -> None:
        """The message counts, or else the reason, or the status."""
        self.assertEqual(str(ApiError(403, "Forbidden", "no")), "no")
        self.assertEqual(str(ApiError(403, "Forbidden", "")), "Forbidden")
        self.assertEqual(str(ApiError(403, "", "")), "HTTP status 403")
        self.assertIsInstance(Unreachable("x"), ConnectionError)
