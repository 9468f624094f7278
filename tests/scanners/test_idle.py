"""Tests for `twistdp.scanners.idle`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.scanners.idle import IdlePatterns
from twistdp.scanners.patterns import Pattern


class IdleTests(SynchronousTestCase):
    """`IdlePatterns`"""

    def setUp(self) -> None:
        """Of two patterns."""
        self.said: list[str] = []
        patterns = [Pattern.parse(index, text) for index, text in enumerate(["/a/x*", "/b/y*"])]
        self.facts: list[tuple[str, dict[str, Any]]] = []
        self.idle = IdlePatterns(patterns, self.log, self.log)

    def log(self, text: str, constant: str, **facts: Any) -> None:
        """Keep a line."""
        self.said.append(text)
        self.facts.append((constant, facts))

    def scan(self, *found: int, unfit: int = 0, covered: bool = False) -> list[str]:
        """The lines logged after a scan in which the patterns have these numbers of files."""
        self.idle.end(dict(enumerate(found)), {0: unfit}, lambda _: covered)
        said = [text.partition(";")[0] for text in self.said]
        self.said.clear()
        return said

    def test_once(self) -> None:
        """A pattern that matches nothing is logged once, and once more when it matches."""
        self.assertEqual(self.scan(0, 1), ["pattern '/a/x*' matches nothing"])
        self.assertEqual(self.scan(0, 1), [])
        self.assertEqual(self.scan(2, 1), ["pattern '/a/x*' matches now"])
        self.assertEqual(self.scan(2, 1), [])
        self.assertEqual(self.scan(0, 1), ["pattern '/a/x*' matches nothing"])

    def test_from_the_start(self) -> None:
        """A pattern that matches nothing."""
        self.assertEqual(self.scan(1, 1), [])

    def test_unfit(self) -> None:
        """Files that match and are no devices are counted."""
        self.assertEqual(
            self.scan(0, 1, unfit=2),
            ["pattern '/a/x*' matches nothing but 2 files that are no device"],
        )

    def test_facts(self) -> None:
        """Programs get a constant text and the pattern."""
        self.scan(0, 1, unfit=2)
        self.scan(1, 1)
        nothing, now = self.facts
        self.assertEqual(nothing[0], "pattern matches nothing")
        self.assertEqual(nothing[1], {"pattern": "/a/x*", "otherFiles": 2})
        self.assertEqual(now, ("pattern matches now", {"pattern": "/a/x*"}))

    def test_covered(self) -> None:
        """A pattern whose files all count for another one does match."""
        self.assertEqual(self.scan(0, 1, covered=True), [])
