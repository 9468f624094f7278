"""Tests for `twistdp.config.document`: files that are hostile, odd or no YAML."""

import string
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import documents
from twistdp.config.document import DEEPEST, LARGEST, MOST_NODES
from twistdp.config.loading import check, load
from twistdp.config.problems import MOST
from twistdp.config.showing import show
from twistdp.errors import BadSetting
from twistdp.model.text import printable

HEAD = "domain: lab.example.com\nresources:\n  x:\n    path: /dev/a\n"
BOMB = HEAD + "    env:\n      A: &0 [a, b, c, d, e, f, g, h, i]\n" + "".join(
    f"      {'ABCDEFGHIJ'[n + 1]}: &{n + 1} [{', '.join([f'*{n}'] * 9)}]\n" for n in range(9)
)  # fmt: skip


class HostileTests(SynchronousTestCase):
    """What is refused before it takes time or memory."""

    def assert_refused(self, source: str | bytes, line: int, column: int, text: str) -> None:
        """A single problem, at a place."""
        (found,) = check(source, "f")
        self.assertEqual((found.line, found.column), (line, column), found)
        self.assertIn(text, found.text)
        self.assertLess(len(str(found)), 500)
        self.assertTrue(str(found).isprintable())

    def test_deep(self) -> None:
        """Nesting has an end, however deep it goes on."""
        deep = f"more than {DEEPEST} lists and mappings"
        self.assert_refused("[" * 100, 1, DEEPEST + 2, deep)
        self.assert_refused('{"a":' * 100, 1, 5 * DEEPEST + 2, deep)
        self.assert_refused("[" * LARGEST, 1, 1001, "exceeded maximum nesting depth")
        self.assert_refused("- " * 100 + "a", 1, 2 * (DEEPEST + 1) + 1, deep)

    def test_aliases(self) -> None:
        """Aliases that multiply, that are in themselves, or that repeat nothing."""
        self.assert_refused(BOMB, 11, 14, f"more than {MOST_NODES} values")
        long = f"{HEAD}    mounts: [&a /{'x' * 500_000}, *a, *a, *a]\n"
        self.assert_refused(long, 5, 500_028, f"aliases repeat more than {LARGEST} characters")
        self.assert_refused(f"{HEAD}    env: &a {{A: *a}}\n", 5, 17, "a part of what it repeats")
        self.assert_refused(f"{HEAD}    env: *b\n", 5, 10, "there is no &b before it")

    def test_large(self) -> None:
        """A file that is too large, or has too many values or problems."""
        self.assert_refused(b"#" * 10_000_000, 1, 1, f"at most {LARGEST} are read")
        many = "".join(f"- {n}\n" for n in range(MOST_NODES))
        self.assert_refused(many, MOST_NODES, 3, f"more than {MOST_NODES} values")
        found = check("".join(f"key{n}: 1\n" for n in range(20_000)))
        self.assertEqual(len(found), MOST + 1)
        self.assertIn("correct these first", found[-1].text)

    def test_slow_texts(self) -> None:
        """Rules and suggestions take no long time over long texts."""
        for letter in "{/.a:":
            text = letter * 500_000
            source = (
                f"domain: '{text}'\nresources: {{x: {{path: '/{text}', node: '/{text}', "
                f"health: {{http: 'http://{text}'}}, '{text[:100_000]}': 1}}}}"
            )
            self.assertTrue(check(source), letter)

    def test_encoding(self) -> None:
        """What is not UTF-8, with the place of the first wrong byte; a byte order mark is fine."""
        self.assert_refused(b"domain: a\nresources: \xff", 2, 12, "not UTF-8; save it as UTF-8")
        self.assert_refused(HEAD.encode("utf-16"), 1, 1, "not UTF-8")
        self.assert_refused("a: \udc80", 1, 4, "not UTF-8")
        self.assertEqual(check(b"\xef\xbb\xbf" + HEAD.encode()), ())

    def test_characters(self) -> None:
        """Characters that YAML has not, and NUL, which no value may have."""
        self.assert_refused("domain: a\n  \x07", 2, 3, "U+0007 is not allowed")
        self.assert_refused(HEAD.replace("/dev/a", '"/dev/\\0"'), 4, 11, "the character NUL")

    def test_not_yaml(self) -> None:
        """Syntax errors have the parser's place; a tab is named."""
        self.assert_refused("resources:\n\tx: /dev/a\n", 2, 1, "indent with spaces, not with tabs")
        self.assert_refused("resources: {x: [}\n", 1, 17, "no YAML: ")
        self.assert_refused("resources: 'x\n", 2, 1, "no YAML: ")

    def test_form(self) -> None:
        """Empty files, several documents, tags, odd keys."""
        self.assert_refused("", 1, 1, "the file is empty")
        self.assert_refused("# nothing\n", 1, 1, "the file is empty")
        self.assert_refused(f"{HEAD}---\n{HEAD}", 5, 1, "several documents")
        self.assert_refused(f"{HEAD}    env: !!python/name:os.system {{}}\n", 5, 10, "the tag ")
        self.assert_refused(f"{HEAD}    ? [a]\n    : b\n", 5, 7, "a key must be a text")
        self.assert_refused(f"{HEAD}    path: /dev/b\n", 5, 5, "first in line 4")
        self.assert_refused("- a\n", 1, 1, "expected a mapping, found a list")


def damaged() -> st.SearchStrategy[str]:
    """Texts that are nearly documents."""
    pieces = st.sampled_from([*"{}[]:,&*!|>'\"%@`#-? \n\t", "a: ", "&a ", "*a", "- ", "<<: ", "\0"])
    noise = st.lists(pieces | st.text(string.printable, max_size=3), max_size=3).map("".join)

    def damage(made: tuple[dict[str, Any], float, float, str]) -> str:
        document, start, end, piece = made
        text = str(yaml.safe_dump(document))
        start, end = sorted((int(start * len(text)), int(end * len(text))))
        return text[: int(start)] + piece + text[min(int(end), int(start) + 5) :]

    return st.tuples(documents(), st.floats(0, 1), st.floats(0, 1), noise).map(damage)


class FuzzTests(SynchronousTestCase):
    """Nothing but the loader's own error, whatever a file has."""

    def assert_bounded(self, source: str | bytes) -> None:
        """The file loads as what it is shown as, or has problems that a terminal can show."""
        try:
            config = load(source, "f\n")
            self.assertEqual(load(show(config)), config)
        except BadSetting as error:
            self.assertTrue(str(error).isprintable(), printable(str(error)))
        for problem in check(source):
            self.assertTrue(str(problem).isprintable(), problem)
            self.assertGreaterEqual(problem.line, 1)
            self.assertGreaterEqual(problem.column, 1)

    @settings(max_examples=100)
    @given(st.text() | st.binary())
    def test_anything(self, source: str | bytes) -> None:
        """Any text and any bytes."""
        self.assert_bounded(source)

    @settings(max_examples=100)
    @given(damaged())
    def test_damaged(self, source: str) -> None:
        """Documents of the model with a piece changed."""
        self.assert_bounded(source)
