"""Tests for `twistdp.config.templates`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.config.templates import check_template, fill, fill_path, names
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
            "{attribute:}", "{attribute:/etc/x}", "{attribute:a/../../x}",
            "{attribute:{serial}}", "{a{b}}", "{ serial}",
        ):  # fmt: skip
            with self.subTest(template=template):
                self.assertRaises(BadSetting, check_template, template)
                self.assertRaises(BadSetting, fill, template, {"serial": "A1"})

    def test_paths(self) -> None:
        """What a device says of itself names one entry of a directory, and leads nowhere else."""
        for value in ("", ".", "..", "a/b", "/etc", "../../etc"):
            for template in ("/opt/{serial}", "/opt/{serial}/x", "{node}/{serial}"):
                with self.subTest(template=template, value=value):
                    values = {"serial": value, "node": "/dev/a"}
                    self.assertRaises(BadSetting, fill_path, template, values)
        self.assertRaises(BadSetting, fill_path, "/dev/x{serial}", {"serial": "/../../etc"})
        self.assertRaises(BadSetting, fill_path, "/opt/{serial}", {})
        for template, path in (
            ("{node}", "/dev/bus/usb/001/002"),
            ("/dev/{kernelName}", "/dev/snd/controlC0"),
            ("/dev/{serial}/", "/dev/..a/"),
            ("/opt/x-{serial}", "/opt/x-..a"),
            ("/opt//{{x}}", "/opt//{x}"),
        ):
            values = {
                "node": "/dev/bus/usb/001/002",
                "kernelName": "snd/controlC0",
                "serial": "..a",
            }
            self.assertEqual(fill_path(template, values), path)
