"""Tests for `twistdp.model.text`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model.text import LONGEST, named, of_error, one_line, printable, shown


class Mute:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no")


class PrintableTests(SynchronousTestCase):
    """`printable` and `one_line`"""

    def test_cut(self) -> None:
        """A long text is shown as its beginning and its length."""
        self.assertEqual(printable("ab\ncd", 3), "ab\\n... (5 characters)")
        self.assertEqual(printable("abc", 3), "abc")

    def test_lines_become_one(self) -> None:
        """Line breaks of all kinds are spaces; other control characters are escaped."""
        self.assertEqual(one_line(" a\n  b\r\n\tc\u2028d\x1b[0m\0 "), "a b c d\\x1b[0m\\x00")

    def test_what_is_fine_stays(self) -> None:
        """Text of any language is left as it is."""
        self.assertEqual(one_line("caméra 0 \U0001f600 (a: 'b')"), "caméra 0 \U0001f600 (a: 'b')")

    def test_long_line(self) -> None:
        """A long text is cut, and its length added."""
        for text in ("x" * 5000, "é" * 5000, "\0" * 5000, "\U0001f600" * 1999):
            line = one_line(text)
            self.assertTrue(line.endswith(f"... ({len(text)} characters)"), line[-40:])
            self.assertLessEqual(len(line.encode()), LONGEST)

    @given(st.text(st.characters(), max_size=50), st.integers(1, 500))
    def test_any_text(self, text: str, times: int) -> None:
        """Whatever the text, a line is printable, not too long, and made only once."""
        line = one_line(text * times)
        self.assertTrue(line.isprintable())
        self.assertLessEqual(len(line.encode()), LONGEST)
        self.assertEqual(one_line(line), line)


class ShownTests(SynchronousTestCase):
    """`shown`"""

    def test_values(self) -> None:
        """Values are shown as repr does."""
        for value in (None, 1, "a'b", "\udcff\n", ["x", {}], b"\xff"):
            self.assertEqual(shown(value), repr(value))

    def test_long(self) -> None:
        """Long values are cut."""
        self.assertEqual(shown("x" * 1000, 4), "'xxx... (1002 characters)")

    def test_cannot_be_shown(self) -> None:
        """A value whose repr raises is shown as its type; so is a number that is too long."""
        self.assertEqual(shown(Mute()), "<Mute whose repr raises ValueError>")
        self.assertEqual(shown([10**5000]), "<list whose repr raises ValueError>")

    def test_same_each_time(self) -> None:
        """Objects of one class look alike, so that they are logged once."""
        one, other = object(), object()
        self.assertEqual((shown(one), shown([one])), (shown(other), shown([other])))


class NamedTests(SynchronousTestCase):
    """`named`"""

    def test_few_and_many(self) -> None:
        """The first few, and how many there are beyond."""
        self.assertEqual(named([]), "")
        self.assertEqual(named("abcdef"), "a, b, c, d, e, f")
        self.assertEqual(named("abcdefg", most=2), "a, b and 5 more")


class Sly(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no")


class ErrorTests(SynchronousTestCase):
    """`of_error`"""

    def test_one_line(self) -> None:
        """Class and text, on one line, without addresses."""
        for error, text in (
            (ValueError("a\nb"), "ValueError: a b"),
            (KeyError(), "KeyError"),
            (ValueError("<x at 0x7f01>"), "ValueError: <x>"),
            (ValueError("x" * 400), f"ValueError: {'x' * 300}... (400 characters)"),
            (Sly(), "Sly whose text raises ValueError"),
        ):
            self.assertEqual(of_error(error), text)
