"""Tests for `twistdp.model.characters`."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.characters import fault, is_plain, is_utf8

NEVER = {"Cc", "Cs", "Zl", "Zp"}
DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


class TextTests(SynchronousTestCase):
    """`fault`, `is_plain` and `is_utf8`"""

    def test_every_character(self) -> None:
        """Controls, separators of lines, surrogates and turns of direction are refused, by number.

        What can be seen is not.
        """
        for number in range(0x110000):
            character = chr(number)
            category = unicodedata.category(character)
            if category in NEVER or unicodedata.bidirectional(character) in DIRECTIONS:
                self.assertFalse(is_plain(f"a{character}b"), hex(number))
            elif category not in ("Cf", "Cn"):
                self.assertTrue(is_plain(f"a{character}b"), hex(number))

    def test_invisible(self) -> None:
        """So are invisible characters and marks of direction, but not joiners of letters."""
        for character in "\xad\u061c\u200b\u200e\u200f\u2060\ufeff\U000e0041":
            self.assertFalse(is_plain(character), ascii(character))
        for character in "\u200c\u200d":
            self.assertTrue(is_plain(character), ascii(character))

    def test_fault(self) -> None:
        """The error has the number of the first bad character, and not the character."""
        for text, words in (
            ("a\x1b[2J\n", "U+001B"),
            ("\u202e", "U+202E"),
            ("a\U000e0041", "U+E0041"),
            ("a\udcff", "UTF-8"),
        ):
            said = fault(text)
            assert said is not None
            self.assertIn(words, said)
            self.assertTrue(said.isprintable())
        self.assertIsNone(fault("/dev/\xfc/\u5b57 \U0001f600"))

    @given(st.text(st.characters()))
    def test_utf8(self, text: str) -> None:
        """A text is UTF-8 if it can be encoded; plain text always is."""
        try:
            text.encode()
        except UnicodeEncodeError:
            self.assertFalse(is_utf8(text) or is_plain(text))
        else:
            self.assertTrue(is_utf8(text))
