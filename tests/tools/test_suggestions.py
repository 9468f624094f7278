"""Tests for `twistdp.tools.suggestions`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools.suggestions import meant


class MeantTests(SynchronousTestCase):
    """`meant`"""

    def test_close(self) -> None:
        """The closest name, whatever the case of its letters."""
        known = ["directory", "directories", "Port"]
        self.assertEqual(meant("direktory", known), "; did you mean directory?")
        self.assertEqual(meant("PORT", known), "; did you mean Port?")

    def test_nothing_close(self) -> None:
        """There is no guess where it would only mislead."""
        self.assertEqual(meant("colour", ["directory", "port"]), "")
        self.assertEqual(meant("x", []), "")
        self.assertEqual(meant("--wrong", ["--version"]), "", "dashes make nothing alike")
