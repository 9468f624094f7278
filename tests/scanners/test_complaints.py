"""Tests for `twistdp.scanners.complaints`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.scanners.complaints import MOST, Complaints
from twistdp.tools.sparing import MOST_TIMES, WITHIN


class ComplaintsTests(SynchronousTestCase):
    """`Complaints`"""

    def setUp(self) -> None:
        """Make them."""
        self.logged: list[str] = []
        self.clock = Clock()
        self.subject = Complaints(self.logged.append, self.clock.seconds)

    def scan(self, *abouts: str, everything: bool = True) -> list[str]:
        """The lines logged after a scan with these complaints."""
        for about in abouts:
            self.subject.add(about, f"{about} is bad")
        self.subject.end(everything)
        logged = list(self.logged)
        self.logged.clear()
        return logged

    def test_once(self) -> None:
        """Each is logged once, however many scans find it."""
        self.assertEqual(self.scan("a", "a"), ["a is bad"])
        self.assertEqual(self.scan("b", everything=False), ["b is bad"])
        for _ in range(2):
            self.assertEqual(self.scan("a", everything=False), [])
            self.assertEqual(self.scan("b", "a"), [])

    def test_again(self) -> None:
        """A complaint that had ended is logged again; a partial scan ends none."""
        self.scan("a")
        self.scan(everything=False)
        self.assertEqual(self.scan("a"), [])
        self.scan()
        self.assertEqual(self.scan("a"), ["a is bad"])

    def test_many(self) -> None:
        """Many at once are one line, with their number and a few."""
        (line,) = self.scan(*map(str, range(5000)))
        self.assertIn("5000 complaints", line)
        self.assertIn("0 is bad; 1 is bad; 2 is bad", line)
        self.assertNotIn("3 is bad", line)

    def test_still_many(self) -> None:
        """The same many are not logged again, and others only up to a limit."""
        names = list(map(str, range(5000)))
        self.scan(*names)
        self.assertEqual(self.scan(*names), [])
        self.assertEqual(self.scan("x", everything=False), [])

    def test_full(self) -> None:
        """A full memory is logged once, until there is room again."""
        self.scan(*map(str, range(MOST)))
        (line,) = self.scan("x", "y", everything=False)
        self.assertIn("2 more", line)
        self.assertEqual(self.scan("z", everything=False), [])
        self.scan("1")
        self.assertEqual(self.scan("1", "x"), ["x is bad"])

    def test_ever_new(self) -> None:
        """Files that come and go all the time do not fill the log; what stays is logged later."""
        for number in range(MOST_TIMES):
            self.assertEqual(self.scan(str(number)), [f"{number} is bad"])
        self.clock.advance(WITHIN - 1.0)
        for number in range(MOST_TIMES):
            self.assertEqual(self.scan("stays", f"again {number}"), [])
        self.clock.advance(1.0)
        self.assertEqual(self.scan("stays"), ["stays is bad"])
        self.assertEqual(self.scan("stays"), [])

    def test_ever_full(self) -> None:
        """Neither do so many files that some are left out again and again."""
        names = list(map(str, range(MOST)))
        lines = 0
        for _ in range(2 * MOST_TIMES):
            lines += len(self.scan(*names)) + len(self.scan(*names, "x"))
        self.assertEqual(lines, MOST_TIMES)
        self.clock.advance(WITHIN)
        (line,) = self.scan(*names, "x")
        self.assertIn("1 more", line)

    def test_bounded(self) -> None:
        """However many there are, few are kept."""
        for number in range(20):
            self.scan(*(f"{number} {other}" for other in range(MOST)), everything=number % 2 == 0)
        for value in vars(self.subject).values():
            if isinstance(value, set | list):
                self.assertLessEqual(len(value), MOST)
