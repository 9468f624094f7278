"""Tests for `twistdp.select.patterns`."""

import fnmatch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadSetting
from twistdp.select.patterns import hex_pattern, path_pattern, text_pattern, udev_pattern

_GLOBS = st.text("ab*?[]!-/.", max_size=8).filter(lambda text: "**" not in text)


class PatternTests(SynchronousTestCase):
    """The kinds of patterns"""

    def test_texts(self) -> None:
        """A text is a glob, or between slashes a regular expression."""
        for pattern, text, wanted in (
            ("tty*", "ttyUSB0", True),
            ("tty*", "a/tty", False),
            ("a[b", "a[b", True),
            ("a]b", "a]b", True),
            ("a.c", "abc", False),
            ("/^b/", "abc", False),
            ("/b/", "abc", True),
            ("/", "/", True),
            ("a*", "a\nb", True),
        ):
            self.assertIs(text_pattern(pattern).matches(text), wanted, (pattern, text))

    def test_paths(self) -> None:
        """In a path an asterisk stands for no slash, two do."""
        for pattern, path, wanted in (
            ("/dev/*", "/dev/a", True),
            ("/dev/*", "/dev/a/b", False),
            ("/dev/**", "/dev/a/b", True),
            ("/dev/a?b", "/dev/a/b", False),
            ("/dev/[!a]", "/dev/b", True),
        ):
            self.assertIs(path_pattern(pattern).matches(path), wanted, (pattern, path))
        self.assertEqual(path_pattern("/dev/serial/by-*/x").directory, "/dev/serial")

    def test_hexadecimal(self) -> None:
        """Case, leading zeros and 0x do not matter."""
        for pattern in ("0x0A5c", "a5c", "0a5C", "0a5*", "/^0a/"):
            self.assertTrue(hex_pattern(pattern).matches("0a5c"), pattern)

    def test_alternatives(self) -> None:
        """Values of udev's syntax have alternatives; an empty one is the empty text."""
        self.assertTrue(udev_pattern("a*|b").matches("b"))
        self.assertTrue(udev_pattern("a|").matches(""))
        self.assertFalse(udev_pattern("a|b").matches("c"))

    @given(_GLOBS, st.text("ab-/.[]!", max_size=6))
    def test_globs(self, glob: str, text: str) -> None:
        """A glob matches what Python's does."""
        if len(glob) > 1 and glob.startswith("/") and glob.endswith("/"):
            return  # a regular expression
        try:
            pattern = text_pattern(glob)
        except BadSetting:
            self.assertRegex(glob, r"\[.*-.*\]")  # a range that runs backwards
            return
        wanted = fnmatch.fnmatchcase(text, glob)
        self.assertIs(pattern.matches(text), wanted, (glob, text))

    def test_backwards(self) -> None:
        """A range that runs backwards is refused."""
        error = self.assertRaises(BadSetting, text_pattern, "tty[9-0]")
        self.assertEqual(
            str(error), "glob 'tty[9-0]': bad character range 9-0; write a range as [a-z]"
        )
