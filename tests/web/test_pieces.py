"""Tests for `twistdp.web.pieces`."""

import json
from collections.abc import Iterator

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model import Holder
from twistdp.web import values
from twistdp.web.pieces import MOST_DEVICES, SMALLEST, pieces
from twistdp.web.plain import plain


def device(number: int) -> values.Device:
    """A device with what may look like the end of a list."""
    turn = values.Turn(1.5, "Unhealthy", ']}"')
    holder = Holder("default", "p]}", "main")
    node = values.Node("/dev/x", "/dev/y", "rw")
    return values.Device(
        f"d-{number}", "Healthy", "", True, "g", [0], [node], [], ["A"], [], False, holder, [turn]
    )


def resource(name: str, count: int | None) -> values.Resource:
    """A resource with this many devices, or with only the numbers."""
    session = values.Session("registered", None, 1, None, "[]}")
    devices = None if count is None else [device(number) for number in range(count)]
    return values.Resource(name, "s", "/x.sock", session, 1, 1, None, 0, devices)


def state(*counts: int | None) -> values.State:
    """A plugin with a resource for each of these numbers of devices."""
    resources = [resource(f"x.example/{number}", count) for number, count in enumerate(counts)]
    pods = values.PodResources("/p.sock", False, "no]}")
    return values.State("1", 0.5, 1.0, "n", "/d", "socket", [], [], pods, resources)


class PiecesTests(SynchronousTestCase):
    """The text of a state."""

    def test_whole(self) -> None:
        """Together the pieces are the state as JSON, whatever is in it."""
        n = MOST_DEVICES
        for counts in (
            (),
            (None,),
            (0,),
            (1,),
            (None, None, None),
            (0, 0),
            (1, None, 2),
            (n - 1, n, n + 1),
            (4 * n + 3, None, 0),
        ):
            found = state(*counts)
            self.assertEqual(json.loads(b"".join(pieces(found))), plain(found), counts)

    def test_sizes(self) -> None:
        """Small parts are put together, and large ones are not."""
        found = [len(piece) for piece in pieces(state(*[None] * 200, *[300] * 3))]
        parts = MOST_DEVICES * len(json.dumps(plain(device(0))))
        for size in found[:-1]:
            self.assertTrue(SMALLEST <= size < SMALLEST + parts, size)
        self.assertGreater(len(found), 10)
        self.assertEqual(len(list(pieces(state(None, 1)))), 1)

    def test_made_when_they_are_needed(self) -> None:
        """No device is looked at before the piece that it is in."""
        looked = 0

        def devices() -> Iterator[values.Device]:
            nonlocal looked
            for number in range(1000):
                looked += 1
                yield device(number)

        lazy = attrs.evolve(resource("x.example/a", 0), devices=devices())
        made = pieces(attrs.evolve(state(), resources=[lazy]))
        next(made)
        self.assertLessEqual(looked, 3 * MOST_DEVICES)
        list(made)
        self.assertEqual(looked, 1000)
