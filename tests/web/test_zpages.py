"""Tests for `twistdp.web.zpages`: what people and programs read there."""

import json

from twisted.trial.unittest import SynchronousTestCase

from twistdp.web.answers import Answer
from twistdp.web.values import PodResources, State
from twistdp.web.zpages import flagz, statusz

START = 1_764_214_000.9
"""2025-11-27 03:26:40 UTC, and a bit."""


def state(seconds: float) -> State:
    """That of a plugin that has been up for so long."""
    return State(
        "1.2.3",
        START,
        START + seconds,
        "node",
        "/d",
        "socket",
        [],
        [],
        PodResources("", True, ""),
        [],
    )


class StatuszTests(SynchronousTestCase):
    """Version, start and paths."""

    def answer(self, seconds: float, accept: str = "") -> Answer:
        """The answer after so many seconds."""
        return statusz(state(seconds), ["/a", "/b"], accept)

    def test_text(self) -> None:
        """People read the time since the start in hours, and in days when there are any."""
        for seconds, up in (
            (0.5, "00 hr 00 min 00 sec"),
            (59.9, "00 hr 00 min 59 sec"),
            (60, "00 hr 01 min 00 sec"),
            (3599, "00 hr 59 min 59 sec"),
            (3600, "01 hr 00 min 00 sec"),
            (86_399, "23 hr 59 min 59 sec"),
            (86_400, "1 days, 00:00:00"),
            (9 * 86_400 + 3 * 3600 + 4 * 60 + 5, "9 days, 03:04:05"),
        ):
            lines = self.answer(seconds).body.decode().splitlines()
            self.assertIn(f"Up: {up}", lines)
        self.assertIn("Started: Thu Nov 27 03:26:40 UTC 2025", lines)
        self.assertIn("Binary version: 1.2.3", lines)
        self.assertIn("Paths: /a /b", lines)

    def test_json(self) -> None:
        """Programs get it if they name the version."""
        found = json.loads(
            self.answer(90.7, "application/json;v=v1alpha1;g=config.k8s.io;as=Statusz").body
        )
        self.assertEqual(
            (found["kind"], found["apiVersion"]), ("Statusz", "config.k8s.io/v1alpha1")
        )
        self.assertEqual((found["startTime"], found["uptimeSeconds"]), ("2025-11-27T03:26:40Z", 90))
        self.assertEqual((found["binaryVersion"], found["paths"]), ("1.2.3", ["/a", "/b"]))


class FlagzTests(SynchronousTestCase):
    """The options."""

    def test_text(self) -> None:
        """Each flag is a line, in order."""
        body = flagz({"b": "2", "a": "1=1"}, "").body.decode()
        self.assertTrue(body.startswith("\ntwistdp flagz\n"))
        self.assertTrue(body.endswith("\na=1=1\nb=2\n"))

    def test_refused(self) -> None:
        """JSON of no version, of another one, or of another page is refused with what there is."""
        for accept in (
            "application/json",
            "application/json;v=v2;g=config.k8s.io;as=Flagz",
            "application/json;v=v1alpha1;g=config.k8s.io;as=Statusz",
            "image/png",
        ):
            answer = flagz({}, accept)
            self.assertEqual(answer.status, 406)
            self.assertIn(b"application/json;v=v1alpha1;g=config.k8s.io;as=Flagz", answer.body)
        found = json.loads(
            flagz(
                {"a": "1"}, "image/png, application/json; as=Flagz; g=config.k8s.io; v=v1alpha1"
            ).body
        )
        self.assertEqual(found["flags"], {"a": "1"})
