"""Tests of the probes: whether a plugin lives and is ready, check by check."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.web import values
from twistdp.web.probes import HEALTHZ, LIVEZ, READYZ, answer, checks_of

LAMP, CAMERA = "lab.example.com/lamp", "lab.example.com/camera"


def resource(name: str, standing: str = "registered", streams: int = 1, reason: str = "") -> Any:
    """A resource with this session."""
    session = values.Session(standing, 1.0, streams, 1.0, reason)
    return values.Resource(name, "m:C", "/x.sock", session, 1, 1, None, 0, None)


def state(*resources: Any, scanned: bool = True) -> values.State:
    """A plugin with these resources."""
    scanner = values.Scanner("m:C", "lab.example.com", "--scanner m:C", scanned, None, None, False)
    pods = values.PodResources("/pods.sock", False, "")
    return values.State("1", 0.0, 1.0, "n", "/d", "socket", [scanner], [], pods, list(resources))


class ProbeTests(SynchronousTestCase):
    """What is answered for a state."""

    def ask(self, state: values.State, probe: str = READYZ, rest: str = "", **query: Any) -> Any:
        """Status and text of an answer."""
        given = {
            name: value if isinstance(value, list) else [value] for name, value in query.items()
        }
        reply = answer(probe, checks_of(probe, state), rest, given)
        return reply.status, reply.body.decode()

    def test_well(self) -> None:
        """All is well, with a device, and without any."""
        for found in (state(resource(LAMP)), state()):
            for probe in (LIVEZ, READYZ, HEALTHZ):
                self.assertEqual(self.ask(found, probe), (200, "ok"))

    def test_verbose(self) -> None:
        """Each check has a line."""
        self.assertEqual(
            self.ask(state(resource(LAMP)), verbose=""),
            (
                200,
                f"[+]ping ok\n[+]{LAMP} ok\n[+]scan/lab.example.com ok\nreadyz check passed\n",
            ),
        )

    def test_not_ready(self) -> None:
        """The reasons are shown, unasked."""
        for broken, line in (
            (resource(CAMERA, "waiting", 0), "waiting for a kubelet"),
            (resource(CAMERA, "waiting", 0, "no kubelet yet"), "no kubelet yet"),
            (resource(CAMERA, "failing", 0, "no thanks"), "failing: no thanks"),
            (resource(CAMERA, "registering", 0), "registering"),
            (resource(CAMERA, "registered", 0), "registered, but the kubelet has no stream open"),
        ):
            status, text = self.ask(state(resource(LAMP), broken))
            self.assertEqual(status, 500)
            self.assertIn(f"[-]{CAMERA} failed: {line}\n", text)
            self.assertIn(f"[+]{LAMP} ok\n", text)
            self.assertTrue(text.endswith("readyz check failed\n"))
            self.assertEqual(self.ask(state(broken), LIVEZ), (200, "ok"))

    def test_standing_by(self) -> None:
        """A plugin that waits for another to end is ready, and says so."""
        found = state(resource(LAMP, "standing by", 0, "process 7 serves it"))
        for probe in (LIVEZ, READYZ, HEALTHZ):
            self.assertEqual(self.ask(found, probe), (200, "ok"))
        line = f"[+]{LAMP} ok: standing by: process 7 serves it\n"
        self.assertIn(line, self.ask(found, verbose="")[1])
        unscanned = state(resource(LAMP, "standing by", 0), scanned=False)
        self.assertEqual(self.ask(unscanned)[0], 500)

    def test_not_scanned(self) -> None:
        """A plugin whose scanner has never succeeded is not ready, but lives."""
        found = state(scanned=False)
        self.assertEqual(self.ask(found)[0], 500)
        self.assertEqual(self.ask(found, LIVEZ)[0], 200)

    def test_stuck(self) -> None:
        """A session that nothing will move again is not alive."""
        self.assertEqual(self.ask(state(resource(LAMP, "stuck", 0)), LIVEZ)[0], 500)

    def test_exclude(self) -> None:
        """A check can be left out; one that there is not is named."""
        found = state(resource(LAMP), resource(CAMERA, "waiting", 0))
        self.assertEqual(self.ask(found, exclude=CAMERA), (200, "ok"))
        status, text = self.ask(found, exclude=[CAMERA, "nothing"], verbose="")
        self.assertEqual(status, 200)
        self.assertIn("cannot be excluded: no matches for 'nothing'\n", text)
        self.assertNotIn(CAMERA, text)

    def test_one(self) -> None:
        """One check is asked for by its name, slash included."""
        found = state(resource(LAMP), resource(CAMERA, "waiting", 0))
        self.assertEqual(self.ask(found, rest=LAMP), (200, "ok"))
        self.assertEqual(self.ask(found, rest=CAMERA)[0], 500)
        self.assertEqual(self.ask(found, rest="nothing")[0], 404)
