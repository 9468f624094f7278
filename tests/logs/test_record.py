"""Tests for `twistdp.logs.record`."""

from typing import Any

from twisted.logger import LogLevel, eventAsJSON, eventFromJSON, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twistdp.logs.record import record_of


class Camera:
    """A value of an event, with an attribute and a method."""

    name = "front"

    def lens(self) -> str:
        """Return another text."""
        return "wide"

    def __repr__(self) -> str:
        return "<camera>"


class FormattingTests(SynchronousTestCase):
    """Events of every form are shown as Twisted shows them."""

    def event(self, form: Any) -> dict[str, Any]:
        """An event of a form."""
        return {
            "log_format": form,
            "log_level": LogLevel.info,
            "log_time": 1.0,
            "log_namespace": "test",
            "camera": Camera(),
            "count": lambda: 3,
            "width": 5,
            "text": "{braces}",
        }

    def test_forms(self) -> None:
        """Plain names, conversions, attributes, calls, bytes, and what cannot be formatted."""
        for form in (
            "{text}",
            "{camera} {camera!s} {camera!r}",
            "{camera.name}: {width:>8} {width:>{width}}",
            "{count()} {camera.lens()}",
            "{{literal}}",
            b"{width} as bytes",
            "{missing}",
            "{width} {}",
            "{0}",
            "{unfinished",
            "{camera.nothing}",
            7,
        ):
            event = self.event(form)
            record = record_of(event, ("x.py", 1))
            assert record is not None
            self.assertEqual(record.text, formatEvent(event), form)

    def test_saved(self) -> None:
        """An event that was saved as JSON still has its texts."""
        event = eventFromJSON(eventAsJSON(self.event("{camera!r}")))
        record = record_of(event, ("x.py", 1))
        assert record is not None
        self.assertEqual(record.text, "<camera>")

    def test_odd_events(self) -> None:
        """A key that is no text, and a form that has no hash, keep no message from the log."""
        keys: dict[Any, Any] = {"log_format": "{count} of", 7: "seven", "count": 2}
        record = record_of(keys, ("x.py", 1))
        assert record is not None
        self.assertEqual((record.text, record.used, record.fields), ("2 of", {"count": 2}, {}))
        event: dict[str, Any] = {"log_format": ["a", "list"], "count": 2}
        record = record_of(event, ("x.py", 1))
        assert record is not None
        self.assertEqual((record.text, record.fields), (formatEvent(event), {"count": 2}))
