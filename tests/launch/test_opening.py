"""Tests for `twistdp.launch.opening`: the first line of the log."""

import json

from tests.support.logs import LogTestCase
from twistdp._version import __version__
from twistdp.launch.opening import Opening, Serving
from twistdp.logs.format import as_json


class OpeningTests(LogTestCase):
    """`Opening`"""

    def for_path(self, *scanners: Serving) -> str:
        """The line."""
        service = Opening(scanners, "/plugins")
        service.startService()
        service.stopService()
        return self.said()

    def test_all(self) -> None:
        """Version, directory, and each scanner with its arguments and its domain."""
        line = self.for_path(
            Serving("a.example", "lamps:Lamps", {"port": ["/dev/x"], "ids": ["a", "b"]}),
            Serving("b.example", "more:Lamps", {}),
        )
        self.assertEqual(
            line,
            f"twistdp {__version__.public()} in /plugins serves a.example from "
            "lamps:Lamps(port=/dev/x, ids=a, b), b.example from more:Lamps()",
        )

    def test_secrets(self) -> None:
        """An argument with the name of a secret is logged without its value."""
        arguments = {"api_token": ["t0p"], "url": ["http://me:t0p@lamps/"], "monkey": ["ape"]}
        line = self.for_path(Serving("a.example", "a:B", arguments))
        self.assertNotIn("t0p", line)
        self.assertIn("a:B(api_token=<hidden>, url=<hidden>, monkey=ape)", line)

    def test_bounded(self) -> None:
        """Whatever is given makes one line."""
        arguments = {"x": ["a\nb" * 1000] * 100}
        line = self.for_path(*[Serving("a.example", "a:B", arguments)] * 100)
        self.assertNotIn("\n", line)
        self.assertIn("and 80 more", line)
        self.assertLess(len(line), 40_000)


class FactsTests(LogTestCase):
    """The same for programs."""

    form = staticmethod(as_json)

    def test_facts(self) -> None:
        """The JSON line has a text for each scanner."""
        service = Opening(
            [Serving("a.example", "a:B", {}), Serving("b.example", "c:D")], "/plugins"
        )
        service.startService()
        service.stopService()
        (line,) = map(json.loads, self.lines)
        self.assertEqual(line["msg"], "twistdp … in … serves …")
        self.assertEqual(line["scanners"], ["a.example from a:B()", "b.example from c:D"])
        self.assertEqual(line["directory"], "/plugins")
