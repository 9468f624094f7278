"""Tests for `twistdp.select.patterns`."""

import fnmatch
import time

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadSetting
from twistdp.select.patterns import (
    class_pattern,
    hex_pattern,
    ids_pattern,
    path_pattern,
    text_pattern,
    udev_pattern,
)

_PATHS = st.text("ab*?[]!/", max_size=9).map(lambda text: f"/{text}")
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
        error = self.assertRaises(BadSetting, path_pattern, "/dev/tty{USB,ACM}*")
        self.assertIn("braces are no pattern; write a list of paths", str(error))

    def test_hexadecimal(self) -> None:
        """Case, leading zeros and 0x do not matter."""
        for pattern in ("0x0A5c", "a5c", "0a5C", "0a5*", "/^0a/"):
            self.assertTrue(hex_pattern(pattern).matches("0a5c"), pattern)
        for pattern, wanted in ((r"/^\S+$/", True), ("/^0A/", True), (r"/\D{4}/", False)):
            self.assertIs(hex_pattern(pattern).matches("0a5c"), wanted, pattern)

    def test_ids(self) -> None:
        """Vendor and product are two ids, or one regular expression."""
        for pattern in ("a5c:21E8", "0x0A5C:0x21e8", "0a5c", "a5c:*", "/^0A5C:21e[0-9]$/"):
            self.assertTrue(ids_pattern(pattern).matches("0a5c:21e8"), pattern)
            self.assertFalse(ids_pattern(pattern).matches("0a5d:1e8f"), pattern)
        self.assertEqual(ids_pattern("a5c:21E8").literal, "0a5c:21e8")

    def test_classes(self) -> None:
        """A PCI class has six digits, of which the first two or four say enough."""
        for pattern in ("03", "3", "0300", "0x0300", "030000", "30000", "03*", "/^03/"):
            self.assertTrue(class_pattern(pattern).matches("030000"), pattern)
            self.assertFalse(class_pattern(pattern).matches("040300"), pattern)
        self.assertRaises(BadSetting, class_pattern, "0300000")

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

    @given(_PATHS, st.text("ab/", max_size=9))
    @example("/*a/b*", "a/ba/bb")
    @example("/**a*/b", "a/aa/b")
    @example("/*[!a]*", "a/b")
    def test_globs_of_paths(self, glob: str, text: str) -> None:
        """Of a path an asterisk, a question mark and a set match no slash; two asterisks do."""
        try:
            pattern = path_pattern(glob)
        except BadSetting:
            return  # an empty range
        self.assertIs(pattern.matches(f"/{text}"), _matches(glob, f"/{text}"), (glob, text))

    def test_kept(self) -> None:
        """Of very many patterns, as of a file that changes all the time, only some are kept."""
        for number in range(10_100):
            self.assertTrue(text_pattern(f"text {number}").matches(f"text {number}"))
        self.assertEqual(text_pattern.cache_info().currsize, 10_000)

    def test_slow_globs(self) -> None:
        """A glob takes no long time, whatever text a device has."""
        began = time.process_time()
        for pattern in (
            text_pattern("*a*a*a*a*b"),
            udev_pattern("*a*a*a*a*b|*a*a*c"),
            path_pattern("/*a*a*a*a*b"),
            path_pattern("/**a*a**a*a*b"),
        ):
            self.assertFalse(pattern.matches("/" + "a" * 200), pattern.text)
        self.assertLess(time.process_time() - began, 1.0)

    def test_slow_expressions(self) -> None:
        """A regular expression that a text could keep busy for ever is refused."""
        for text in (
            *("(a+)+$", "(a|a)*b", "(a|aa)+b", "(a?)*b", "(?:a*){10}b", "(?=(a+)+)b", "(?>(a*)*b)"),
            *("(a{0,50}){0,50}b", "(?i:ab|AB)*c"),
        ):
            error = self.assertRaises(BadSetting, text_pattern, f"/{text}/")
            self.assertIn("a repetition in a repetition may take for ever", str(error))
        for text in ("a*a*a*a*b", "a?" * 30 + "a" * 30):
            error = self.assertRaises(BadSetting, text_pattern, f"/{text}/")
            self.assertIn("so many repetitions may take for ever", str(error))
        began = time.process_time()
        for text in ("a*a*a*b", "(?:(?:.)*?){3}$c", ".*a.*b"):
            self.assertFalse(text_pattern(f"/{text}/").matches("a" * 4096), text)
        self.assertLess(time.process_time() - began, 20.0)
        self.assertTrue(text_pattern("/b*c$/").matches("a" * 4096 + "bc"))
        for text, wanted in (
            ("^(foo|bar)+$", "foobar"),
            (r"(\d{1,3}\.){3}\d{1,3}", "10.0.0.1"),
            ("([0-9a-f]{2}:)+", "a0:b1:"),
            ("(a++b)*c", "aabc"),
            ("(?>a+)+b", "aab"),
            (".*a.*b.*c", "abc"),
        ):
            self.assertTrue(text_pattern(f"/{text}/").matches(wanted), text)


def _matches(glob: str, path: str) -> bool:
    """Whether a glob matches a path, by trying every way."""
    if not glob:
        return not path
    if glob.startswith("*"):
        rest = glob.lstrip("*")
        wide = len(glob) - len(rest) > 1
        longest = len(path) if wide or "/" not in path else path.index("/")
        return any(_matches(rest, path[length:]) for length in range(longest + 1))
    end = glob.find("]", 3 if glob[1:2] == "!" else 2) if glob.startswith("[") else -1
    part = glob[: end + 1] or glob[0]
    if not path or (path[0] == "/" and part != "/"):
        return False
    if end < 0:
        return part in ("?", path[0]) and _matches(glob[1:], path[1:])
    inside = part[1:-1]
    found = path[0] in inside[1:] if inside[0] == "!" else path[0] in inside
    return found != (inside[0] == "!") and _matches(glob[len(part) :], path[1:])
