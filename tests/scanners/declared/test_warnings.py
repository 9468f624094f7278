"""Tests for the notes on devices that are listed all the same."""

import re

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.catalog.test_entries import root
from tests.support.declarations import scanner
from twistdp.scan.prepare import Preparation
from twistdp.scan.sightings import Sightings
from twistdp.select.host import Host

CARD = "a: {path: /dev/dri/renderD128, members: [/dev/dri/card1]}"


def notes(where: str | Host, text: str) -> list[str]:
    """The notes of resources on a tree."""
    made = scanner(where, text)
    made.discover()
    return [note for _, note in made.survey.warnings()]


class SharedTests(SynchronousTestCase):
    """`of_shared`"""

    def test_fixed_member(self) -> None:
        """A node that resources have as a fixed member is shared like any other."""
        found = notes("cards", f"{CARD}\n{CARD.replace('a:', 'b:')}")
        self.assertEqual(
            found,
            [
                "/dev/dri/renderD128, /dev/dri/card1 belong to both a and b; set exclusive on the "
                "first if no other should have them"
            ],
        )

    def test_own_and_member(self) -> None:
        """What one resource selects may be a member in another, which exclusive does not stop."""
        (found,) = notes("cards", f"{CARD}\nb: /dev/dri/card1")
        self.assertEqual(
            found,
            "/dev/dri/card1 belongs to both a and b; leave the member out where it is not meant",
        )

    def test_members_alone(self) -> None:
        """Resources that share nothing but members have another remedy."""
        (found,) = notes("cards", f"{CARD}\nb: {{path: /dev/kvm, members: [/dev/dri/card1]}}")
        self.assertIn("/dev/dri/card1 belongs to both a and b; leave the member out", found)

    def test_several(self) -> None:
        """All resources with the same nodes are in one note."""
        (found,) = notes("cards", "a: /dev/kvm\nb: /dev/kvm\nc: /dev/kvm")
        self.assertIn("/dev/kvm belongs to a, b, c; ", found)

    def test_excluded(self) -> None:
        """A node that the first resource has for itself is not shared."""
        self.assertEqual(notes("cards", "a: {path: /dev/kvm, exclusive: true}\nb: /dev/kvm"), [])

    def test_once(self) -> None:
        """A resource shares nothing with itself."""
        self.assertEqual(notes("cards", "a: {path: /dev/kvm, replicas: 3}"), [])


class LoggedTests(SynchronousTestCase):
    """What is logged of nodes that resources share."""

    def test_once(self) -> None:
        """One line, which is the note; the framework adds none."""
        made = scanner(Host("/"), "a: /dev/ptmx\nb: /dev/ptmx")
        prepare = Preparation("scanner", "a.b", sightings=Sightings().look_for(made))
        with capturedLogs() as events:
            updates = prepare(made.discover())
        self.assertEqual({*updates}, {"a", "b"})
        (line,) = [text for event in events if "/dev/ptmx" in (text := formatEvent(event))]
        self.assertIn("/dev/ptmx belongs to both a and b; ", line)


class ExampleTests(SynchronousTestCase):
    """What a note lists."""

    def test_more(self) -> None:
        """A note has some examples and counts the others."""
        (found,) = notes(Host(root("usb")), "a: {path: /dev/bus/usb, group: all}")
        text = re.search(r"nodes of (\d+) USB devices, ((?:\S+, )+\S+) and (\d+) more: ", found)
        assert text is not None, found
        self.assertEqual(int(text[1]), len(text[2].split(", ")) + int(text[3]))
