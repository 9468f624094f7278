"""Tests for `twistdp.tools.outage`."""

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twistdp.tools.outage import News, Outage


def failure(error: Exception) -> Failure:
    """Return a failure that was raised, always on the same line."""
    try:
        raise error
    except Exception:
        return Failure()


class Sly(Exception):
    """One whose text cannot be had."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError("no text")


class OutageTests(SynchronousTestCase):
    """`Outage`"""

    def setUp(self) -> None:
        """Begin without one."""
        self.outage = Outage()

    def failed(self, *errors: Exception) -> list[News]:
        """Return what is new about each."""
        return [self.outage.failed(failure(error)) for error in errors]

    def test_repeated(self) -> None:
        """The first has its stack, the same again nothing, another a line."""
        found = self.failed(OSError("a"), OSError("a"), OSError("b"), OSError("b"), ValueError("b"))
        self.assertEqual(found, [News.STACK, News.NOTHING, News.LINE, News.NOTHING, News.LINE])
        self.assertEqual(self.outage.count, 5)

    def test_another_place(self) -> None:
        """The same text from elsewhere is another failure."""
        self.failed(OSError("a"))
        try:
            raise OSError("a")
        except OSError:
            self.assertIs(self.outage.failed(Failure()), News.LINE)

    def test_over(self) -> None:
        """A new outage has a stack again, unless it is the one that the log has."""
        self.failed(OSError("a"), OSError("a"))
        self.assertEqual(self.outage.over(), 2)
        self.assertEqual(self.outage.over(), 0)
        self.assertEqual(self.failed(OSError("a")), [News.LINE])
        self.outage.over()
        self.assertEqual(self.failed(OSError("b")), [News.STACK])

    def test_addresses(self) -> None:
        """The address of an object in a text makes no other failure."""
        self.assertEqual(
            self.failed(OSError("<x at 0x7f01>"), OSError("<x at 0x7f02>")),
            [News.STACK, News.NOTHING],
        )

    def test_no_text(self) -> None:
        """Whatever an exception does when it is shown."""
        self.assertEqual(self.failed(Sly(), Sly()), [News.STACK, News.NOTHING])
