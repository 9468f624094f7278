"""Tests for `twistdp.status.progress`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.status.events import Event, Events, Kind
from twistdp.status.progress import Progress

X = "x.example/a"


class ProgressTests(SynchronousTestCase):
    """The state that events leave behind."""

    def setUp(self) -> None:
        """Follow."""
        self.events = Events()
        self.progress = Progress(self.events)

    def emit(self, kind: Kind, **facts: Any) -> float:
        """Something happens; returns when."""
        found: list[Event] = []
        end = self.events.follow(found.append)
        self.events.emit(kind, **facts)
        end()
        return found[0].time

    def test_session(self) -> None:
        """A state dates from the last success, or the next failure; the last reason counts."""
        registered = self.emit(Kind.REGISTERED, resource=X)
        found = self.progress.resources[X]
        self.assertEqual((found.registered, found.failed, found.reason), (registered, None, ""))
        failed = self.emit(Kind.REGISTRATION_FAILED, resource=X, reason="no", refused=True)
        self.emit(Kind.REGISTRATION_FAILED, resource=X, reason="never", refused=True)
        self.assertEqual(
            (found.registered, found.failed, found.reason), (registered, failed, "never")
        )
        again = self.emit(Kind.REGISTERED, resource=X)
        self.assertEqual((found.registered, found.failed, found.reason), (again, None, ""))

    def test_last_word(self) -> None:
        """Only what a kubelet itself does is a word of it; the end of its stream is none."""
        words = [
            self.emit(Kind.REGISTERED, resource=X),
            self.emit(Kind.CALLED, resource=X, method="Allocate", seconds=0.1, status="OK"),
            self.emit(Kind.STREAM_OPENED, resource=X, kubelets=True),
        ]
        self.assertEqual(self.progress.resources[X].last_word, words[-1])
        for kind, facts in (
            (Kind.STREAM_OPENED, {"kubelets": False}),
            (Kind.STREAM_ENDED, {"kubelets": True}),
            (Kind.REGISTRATION_FAILED, {"reason": "no", "refused": False}),
            (Kind.DEVICES_CHANGED, {}),
        ):
            self.emit(kind, resource=X, **facts)
            self.assertEqual(self.progress.resources[X].last_word, words[-1])

    def test_scanner(self) -> None:
        """A scan ends, fails, hangs and returns."""
        time = self.emit(Kind.SCANNED, scanner="s", seconds=0.5, failed=False)
        found = self.progress.scanners["s"]
        self.assertEqual((found.time, found.seconds), (time, 0.5))
        self.emit(Kind.SCAN_FAILED, scanner="s", reason="it is broken")
        self.emit(Kind.SCANNED, scanner="s", seconds=0.5, failed=True)
        self.assertEqual(found.failing, "it is broken")
        self.emit(Kind.SCAN_HUNG, scanner="s", seconds=30.0)
        self.assertTrue(found.hung)
        self.emit(Kind.SCAN_RETURNED, scanner="s")
        self.assertEqual((found.hung, found.failing), (False, "it is broken"))
        self.emit(Kind.SCAN_RECOVERED, scanner="s", failures=1)
        self.assertIsNone(found.failing)

    def test_file(self) -> None:
        """A file that is refused keeps its problems until it is read."""
        read = self.emit(Kind.CONFIGURATION_READ, file="/f", changed=[])
        self.emit(Kind.CONFIGURATION_REFUSED, file="/f", problems=["p"])
        found = self.progress.files["/f"]
        self.assertEqual((found.time, found.problems), (read, ["p"]))
        self.emit(Kind.CONFIGURATION_READ, file="/f", changed=[])
        self.assertEqual(self.progress.files["/f"].problems, ())

    def test_from_what_is_kept(self) -> None:
        """A late follower knows the kept events; one that has stopped learns nothing."""
        self.emit(Kind.REGISTERED, resource=X)
        self.emit(Kind.SCAN_FAILED, scanner="s", reason="r")
        late = Progress(self.events)
        self.assertEqual((late.resources.keys(), late.scanners["s"].failing), ({X}, "r"))
        late.stop()
        self.emit(Kind.REGISTERED, resource="x.example/b")
        self.assertEqual(late.resources.keys(), {X})
        self.assertEqual(self.progress.resources.keys(), {X, "x.example/b"})
        self.progress.keep({"x.example/b": 1})
        self.assertEqual(self.progress.resources.keys(), {"x.example/b"})
