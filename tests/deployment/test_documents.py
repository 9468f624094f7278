"""Tests for `twistdp.deployment.documents`: YAML as every parser reads it."""

import yaml
from twisted.trial.unittest import SynchronousTestCase

from twistdp.deployment.documents import Document, ObjectLoader, as_yaml
from twistdp.errors import BadSetting

ODD = (
    *("", "a: b", "a #b", "- |\n x\n", "\x7f\0", "\ufeffx", "é\x85\u2028\U0001f600"),
    *("yes", "y", "N", "null", "~", "12", "1e3", "0o17", "1:30", ".inf", "2026-11-26"),
    *("a", "a\n", " a\n", "\na\n", "a\n\n", "a\n\n  b \n", "a\n  ", "a\tb\n", "a\r\n", "\n"),
    *("# x\ny\n", "---\n", "a\u2028b\n", f"{'x' * 200} {'y' * 200}"),
)
"""Texts that would become something else without quotes."""


class DocumentTests(SynchronousTestCase):
    """`as_yaml`"""

    def test_odd_texts(self) -> None:
        """A parser reads each text as it was, as a key, as a value and in a list."""
        for text in ODD:
            content = {"a": {text: text}, "b": [text]}
            self.assertEqual(yaml.safe_load(as_yaml([Document(content)])), content, repr(text))

    def test_quoted(self) -> None:
        """Texts that parsers of Go or YAML 1.2 read as numbers or words are quoted."""
        for text in ("y", "N", "yes", "null", "1e3", "0o17", "12e03", "1_000"):
            self.assertRegex(as_yaml([Document({"a": text})]), f"^a: ([\"']){text}\\1\n$")

    def test_times(self) -> None:
        """A time is read as a text, as JSON has it."""
        text = "a: 2026-11-26T12:00:00Z\nb: 2026-11-26\n"
        self.assertEqual(
            yaml.load(text, ObjectLoader),
            {"a": "2026-11-26T12:00:00Z", "b": "2026-11-26"},
        )

    def test_readable(self) -> None:
        """Documents follow each other with their comments, keys in their order, lists indented."""
        common = {"x": "/dev/a"}
        text = as_yaml(
            [
                Document({"b": [common, common], "a": "one\n\ntwo\n"}, "Two lines\nof comment."),
                Document({"c": 1, "none": None, "empty": []}),
            ]
        )
        self.assertEqual(
            text,
            "# Two lines\n# of comment.\nb:\n  - x: /dev/a\n  - x: /dev/a\n"
            "a: |\n  one\n\n  two\n---\nc: 1\nnone: null\nempty: []\n",
        )

    def test_not_utf8(self) -> None:
        """Bytes of the command line that are not UTF-8 are refused."""
        error = self.assertRaises(BadSetting, as_yaml, [Document({"a": ["x=\udcff"]})])
        self.assertIn("x=\\xff: bytes that are not UTF-8 cannot be written", str(error))
