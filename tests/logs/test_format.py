"""Tests for `twistdp.logs.format`."""

import ast
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from tests.support.logs import HEADER, LogTestCase, here
from twistdp import klog
from twistdp.logs.format import as_json, as_text, quote, value
from twistdp.logs.record import Record
from twistdp.model.text import printable

_log = Logger()
RECORD = Record("I", 1.25, 4711, "scan.py", 42, 0, "message", {}, {})


class Unshowable:
    """A value that cannot be turned into text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class TextTests(SynchronousTestCase):
    """`as_text`"""

    def test_without_headers(self) -> None:
        """Without headers the message and its fields remain."""
        record = RECORD._replace(fields={"a": "b"})
        self.assertEqual(as_text(record, headers=False), 'message a="b"')

    def test_thread_width(self) -> None:
        """A thread's id takes seven places, or as many as it needs."""
        for thread, shown in ((1, "       1 "), (1234567, " 1234567 "), (12345678, " 12345678 ")):
            line = as_text(RECORD._replace(thread=thread))
            self.assertEqual(line[21:].split("scan")[0], shown)

    def test_microseconds(self) -> None:
        """Fractions of a second have six digits, and never round up to the next second."""
        for seconds, shown in ((7.0, "000000"), (7.000001, "000001"), (7.9999999, "999999")):
            found = HEADER.fullmatch(as_text(RECORD._replace(seconds=seconds)))
            assert found is not None
            self.assertEqual(found["clock"].split(".")[1], shown)

    def test_error(self) -> None:
        """An error is a field, its traceback follows on lines that begin with a tab."""
        record = RECORD._replace(error="E: x", traceback="Traceback\n  File")
        self.assertEqual(
            as_text(record, headers=False), 'message err="E: x"\n\tTraceback\n\t  File'
        )


class ValueTests(SynchronousTestCase):
    """Values as klog writes them."""

    def test_bare(self) -> None:
        """Numbers, truth and nothing have no quotes."""
        for found, shown in (
            (1, "1"),
            (-1, "-1"),
            (0.25, "0.25"),
            (math.inf, "inf"),
            (True, "true"),
            (False, "false"),
            (None, "<nil>"),
            ([1, "a"], '[1,"a"]'),
            ({"a": None}, '{"a":null}'),
        ):
            self.assertEqual(value(found), shown)

    def test_escapes(self) -> None:
        """The escapes of Go's strconv.Quote."""
        for text, shown in (
            ("", '""'),
            ("plain \u00fc \u6771", '"plain \u00fc \u6771"'),
            ('say "x"', r'"say \"x\""'),
            ("a\\b", r'"a\\b"'),
            ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
            ("\x00\x1b\x7f", r'"\x00\x1b\x7f"'),
            ("\u0085\u00a0\u200b\u2028\ufeff", r'"\u0085\u00a0\u200b\u2028\ufeff"'),
            ("\U000e0001", r'"\U000e0001"'),
            ("\udcff\udc80", r'"\xff\x80"'),
            ("\ud800", r'"\ud800"'),
        ):
            self.assertEqual(quote(text), shown)
            self.assertEqual(value(text), shown)

    def test_others(self) -> None:
        """Anything else is its text, quoted; an exception has its type."""
        self.assertEqual(value(b"a\n\xff"), r'"a\n\xff"')
        self.assertEqual(value(ValueError("x")), '"ValueError: x"')
        self.assertEqual(value(ValueError()), '"ValueError"')
        self.assertEqual(value(1j), '"1j"')

    def test_unshowable(self) -> None:
        """A value that cannot be shown says so, also inside another one."""
        loop: list[Any] = []
        loop.append(loop)
        unshowable: list[object] = [Unshowable(), [Unshowable()], {1: Unshowable()}]
        for found in unshowable:
            self.assertIn("Unshowable", value(found))
        odd: list[object] = [loop, {(1, 2): 3}, [math.nan], 10**5000, {Unshowable()}]
        for found in odd:
            self.assertEqual(len(value(found).splitlines()), 1)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_quoted_text(self, text: str) -> None:
        """Any text is quoted as one printable line that can be read back."""
        quoted = quote(text)
        self.assertTrue(quoted.isprintable())
        self.assertEqual(ast.literal_eval(quoted), text)

    @given(st.text())
    def test_printable_text(self, text: str) -> None:
        """Output has no control character but tabs."""
        shown = printable(text)
        self.assertTrue(shown.replace("\t", "").isprintable())
        if text.isprintable():
            self.assertEqual(shown, text)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner)
            ),
        )
    )
    def test_any_value(self, found: object) -> None:
        """Any value makes one line of text, and JSON that can be read."""
        record = RECORD._replace(fields={"key": found})
        line = as_text(record)
        self.assertTrue(line.isprintable(), line)
        encoded = as_json(record).encode("utf-8", "backslashreplace")
        self.assertNotIn(b"\n", encoded)
        self.assertIn("key", json.loads(encoded, parse_constant=self.fail))


class JSONTests(LogTestCase):
    """JSON lines as Kubernetes components write them."""

    form = staticmethod(as_json)

    def read(self) -> dict[str, Any]:
        """The only line, parsed."""
        (line,) = self.lines
        self.assertNotIn("\n", line)
        parsed = json.loads(line)
        assert isinstance(parsed, dict)
        return parsed

    def test_controls(self) -> None:
        """Characters that control a terminal are escaped everywhere; letters are not."""
        odd = "\x1b[2J\x7f\x85\x9b1m\xa0\u2028\u202e\ufeff\U000e0041 \xfc\u5b57\U0001f600"
        klog.info(odd, **{f"k{odd}": odd, "nested": {odd: [odd]}})
        (line,) = self.lines
        self.assertTrue(line.isprintable(), ascii(line))
        for letter in "\xfc\u5b57\U0001f600":
            self.assertEqual(line.count(letter), 5)
        found = self.read()
        self.assertEqual(
            (found["msg"], found[f"k{odd}"], found["nested"]), (odd, odd, {odd: [odd]})
        )

    def test_information(self) -> None:
        """Time in milliseconds, caller, message, level, and the fields with their types."""
        line = here() + 1
        klog.info('a "b"\n', count=3, ok=True, none=None, nested={"a": [1, 2.5]}, name="x")
        found = self.read()
        self.assertEqual(list(found)[:4], ["ts", "caller", "msg", "v"])
        self.assertIsInstance(found["ts"], float)
        self.assertTrue(1.6e12 < found.pop("ts") < 1e13)
        self.assertEqual(
            found,
            {
                "caller": f"test_format.py:{line}",
                "msg": 'a "b"\n',
                "v": 0,
                "count": 3,
                "ok": True,
                "none": None,
                "nested": {"a": [1, 2.5]},
                "name": "x",
            },
        )

    def test_made_of(self) -> None:
        """A value in the message is a field too, unless it is an object or the whole message."""
        _log.info("{resource} {count} {thing!r}", resource="a/b", count=3, thing=self, more=4)
        found = self.read()
        self.assertEqual((found["resource"], found["count"], found["more"]), ("a/b", 3, 4))
        self.assertNotIn("thing", found)
        self.kept.written.clear()
        _log.info("{complaint}", complaint="no kubelet yet")
        self.assertNotIn("complaint", self.read())

    def test_constant(self) -> None:
        """The message is the same for all events of a kind, and its values are fields."""
        _log.info("{resource_type}: the {doing}{often} failed", resource_type="x", doing="scan")
        # A value that is missing makes Twisted show the event differently, not the message.
        self.assertEqual(self.read()["msg"], "…: the … failed")
        self.kept.written.clear()
        _log.warn("{done_by} is {often}late{{}}", done_by="it", often="")
        found = self.read()
        self.assertEqual((found["msg"], found["doneBy"]), ("… is …late{}", "it"))
        self.assertNotIn("often", found, "it is empty")

    def test_values(self) -> None:
        """Where a message is nothing but values, it is the text."""
        _log.info("{resource}: {text}", resource="x", text="it is hot")
        self.assertEqual(self.read()["msg"], "x: it is hot")

    def test_facts(self) -> None:
        """A message in words may have its constant text, and its values for programs."""
        _log.info(
            "{resource}: 2 {what}",
            resource="a/x",
            what="+b +c",
            log_constant="devices changed",
            log_facts={"resource": "a/x", "came": ["b", "c"]},
        )
        found = self.read()
        self.assertEqual((found["msg"], found["came"]), ("devices changed", ["b", "c"]))
        self.assertNotIn("what", found)

    def test_level(self) -> None:
        """A message has its level."""
        klog.set_level(5)
        klog.V(5).info("x")
        self.assertEqual(self.read()["v"], 5)
        self.kept.written.clear()
        _log.debug("x")
        self.assertEqual(self.read()["v"], 4)

    def test_warning(self) -> None:
        """A warning is information of level 0, as components write it."""
        klog.warning("x")
        self.assertEqual(self.read()["v"], 0)

    def test_error(self) -> None:
        """An error has no level."""
        klog.error("x", err=ValueError("why"))
        found = self.read()
        self.assertNotIn("v", found)
        self.assertEqual(found["err"], "ValueError: why")

    def test_failure(self) -> None:
        """A failure has its error and its traceback."""
        try:
            raise ValueError("why")
        except ValueError:
            klog.failure("x", err="mine")
        self.flushLoggedErrors(ValueError)
        found = self.read()
        self.assertEqual((found["err"], found["err_"]), ("ValueError: why", "mine"))
        self.assertNotIn("v", found)
        self.assertIn("raise ValueError", found["stacktrace"])

    def test_clashing_names(self) -> None:
        """A field that is called like a standard key keeps its value under another name."""
        klog.info("x", ts=1, caller=2, msg=3, v=4, err=5)
        found = self.read()
        self.assertEqual((found["msg"], found["v"], found["err"]), ("x", 0, 5))
        self.assertEqual([found[key] for key in ("ts_", "caller_", "msg_", "v_")], [1, 2, 3, 4])

    def test_unshowable(self) -> None:
        """A value that JSON cannot express becomes text."""
        klog.info("x", a=math.nan, b=-math.inf, c=Unshowable(), d={1}, e=b"\xff", f=[math.nan])
        found = self.read()
        self.assertEqual((found["a"], found["b"], found["f"]), ("nan", "-inf", "[nan]"))
        self.assertIn("Unshowable", found["c"])
        self.assertEqual((found["d"], found["e"]), ([1], "\\xff"))
