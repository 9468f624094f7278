"""Tests for `twistdp.scan.faults`."""

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.model.test_devices import GOOD, tree_of, with_node
from twistdp.model.acceptance import NOTHING, Accepted, accept
from twistdp.scan.faults import EXAMPLES, MOST_LINES, Faults
from twistdp.tools.sparing import MOST_TIMES, WITHIN


class ReportTests(SynchronousTestCase):
    """Tests for `Faults`."""

    def setUp(self) -> None:
        """Begin with a minute in which nothing was logged."""
        self.clock = Clock()
        self.faults = Faults("acme:Scanner", self.clock.seconds)

    def told(self, before: Accepted, after: Accepted) -> list[str]:
        """The log's lines."""
        with capturedLogs() as events:
            self.faults.report(before, after)
        self.assertTrue(all(map(self._is_error, events)))
        return [formatEvent(event) for event in events]

    def _is_error(self, event: LogEvent) -> bool:
        return bool(event["log_level"].name == "error")

    def bad(self, count: int) -> list[tuple[Any, Any, Any]]:
        """So many devices that are left out."""
        return [("x", f"bad id {number}", GOOD) for number in range(count)]

    def test_few(self) -> None:
        """A few are a line each, once."""
        after = accept(tree_of(("-", "a", GOOD), *self.bad(MOST_LINES - 1)))
        lines = self.told(NOTHING, after)
        self.assertEqual(len(lines), MOST_LINES)
        self.assertIn("scanner acme:Scanner: left out '-': resource '-'", lines[0])
        self.assertIn("left out x, device 'bad id 0': device id 'bad id 0': it must", lines[1])
        self.assertEqual(self.told(after, after), [])

    def test_many(self) -> None:
        """Thousands share one line with a count and a few examples, as do new ones."""
        first = accept(tree_of(*self.bad(5000)))
        (line,) = self.told(NOTHING, first)
        self.assertIn("left out 5000 devices and types, such as x, device 'bad id 0': ", line)
        self.assertEqual(line.count(", device "), EXAMPLES)
        self.assertLess(len(line), 1000)
        second = accept(tree_of(*self.bad(5007)))
        (line,) = self.told(first, second)
        self.assertIn("left out 7 devices", line)
        self.assertEqual(self.told(second, second), [])

    def test_ever_new(self) -> None:
        """Devices that come and go all the time do not fill the log; what stays is logged later."""
        before = NOTHING
        for number in range(3 * MOST_TIMES):
            after = accept(tree_of(("x", f"bad id {number}", GOOD)))
            self.assertEqual(len(self.told(before, after)), number < MOST_TIMES)
            before = after
        self.clock.advance(WITHIN - 1.0)
        self.assertEqual(self.told(before, before), [])
        self.clock.advance(1.0)
        (line,) = self.told(before, before)
        self.assertIn(f"bad id {3 * MOST_TIMES - 1}", line)
        self.assertEqual(self.told(before, before), [])

    def test_same_id_twice(self) -> None:
        """An id that a tree had twice, differently, is named, once."""
        after = accept(tree_of(("x", "a", GOOD), ("x", "b", GOOD), ("x", "a", with_node())))
        self.assertEqual(after.resources["x"].devices["a"], with_node())
        (line,) = self.told(NOTHING, after)
        self.assertIn("found 'x', device 'a' more than once, each time different; the last", line)
        self.assertEqual(self.told(after, after), [])

    def test_many_ids_twice(self) -> None:
        """Thousands of them are one line as well."""
        once = [("x", f"{number:04}", GOOD) for number in range(5000)]
        twice = [(kind, id_, with_node()) for kind, id_, _ in once]
        (line,) = self.told(NOTHING, accept(tree_of(*once, *twice)))
        self.assertIn("device '0000'; 'x', device '0001'; 'x', device '0002'; and 4997 more", line)
