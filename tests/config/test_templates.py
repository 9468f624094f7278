"""Tests for `twistdp.config.templates`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.config.templates import check_template, fill, names
from twistdp.errors import BadSetting


class TemplateTests(SynchronousTestCase):
    """Texts with words in braces."""

    def test_fill(self) -> None:
        """Words are filled in; doubled braces are braces; other texts are as they are."""
        values = {"serial": "A1", "portNumber": 2, "attribute:bcdDevice": "0100"}
        for template, filled in (
            ("{serial}-{portNumber}", "A1-2"),
            ("{attribute:bcdDevice}", "0100"),
            ("{{{serial}}}", "{A1}"),
            ("plain $x %s", "plain $x %s"),
            ("", ""),
        ):
            self.assertEqual(fill(template, values), filled)

    def test_missing(self) -> None:
        """A device that lacks a word is refused, with the word."""
        error = self.assertRaises(BadSetting, fill, "a{serial}", {})
        self.assertIn("the device has no serial", str(error))

    def test_names(self) -> None:
        """The words of a template, sources included."""
        self.assertEqual(
            list(names("{serial}{{x}}{property:ID_PATH}")), ["serial", "property:ID_PATH"]
        )

    def test_refused(self) -> None:
        """Nothing of Python's own formats gets through."""
        for template in (
            "{", "}", "{}", "{0}", "{serial!r}", "{serial:>9}", "{serial.__class__}", "{serial[0]}",
            "{attribute:}", "{attribute:{serial}}", "{a{b}}", "{ serial}",
        ):  # fmt: skip
            with self.subTest(template=template):
                self.assertRaises(BadSetting, check_template, template)
                self.assertRaises(BadSetting, fill, template, {"serial": "A1"})
