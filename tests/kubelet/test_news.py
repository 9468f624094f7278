"""Tests for `twistdp.kubelet.news`: what the log says of resources and their kubelet."""

import gc
import json
from weakref import ref

from twisted.internet.task import Clock

from tests.support.helpers import temporary_directory
from tests.support.logs import HEADER, LogTestCase
from twistdp.inotify.watches import Inotify
from twistdp.kubelet.directory import PluginDirectory
from twistdp.kubelet.news import LASTING, MOST_GATHERED, MOST_NAMED, KubeletNews, news_of
from twistdp.logs.format import as_json
from twistdp.tools.sparing import WITHIN

MANY = [f"lab.example.com/lamp-{number}" for number in range(200)]


class NewsTestCase(LogTestCase):
    """News on a clock."""

    def setUp(self) -> None:
        """Make the news of one user."""
        super().setUp()
        self.clock = Clock()
        self.news = KubeletNews(self.clock)
        self.news.begin()

    def logged(self) -> list[str]:
        """Return the lines since the last call, without their headers."""
        lines = [found["rest"] for found in map(HEADER.fullmatch, self.lines) if found]
        self.kept.written.clear()
        return lines


class RegisteredTests(NewsTestCase):
    """Resources that are registered."""

    def test_one(self) -> None:
        """One resource is logged at once."""
        self.news.trying("a/x")
        self.news.registered("a/x")
        self.assertEqual(self.logged(), ["registered a/x with the kubelet"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_again(self) -> None:
        """All resources that a restarted kubelet has accepted are one line."""
        for name in MANY:
            self.news.trying(name)
        for name in MANY:
            self.assertEqual(self.logged(), [])
            self.news.registered(name)
        (line,) = self.logged()
        self.assertIn(f"registered {MANY[0]}, {MANY[1]}, ", line)
        self.assertTrue(line.endswith(" and 194 more with the kubelet"), line)

    def test_one_hangs(self) -> None:
        """The others are logged soon."""
        for name in ("a/x", "a/y", "a/hangs"):
            self.news.trying(name)
        self.news.registered("a/x")
        self.news.registered("a/y")
        self.assertEqual(self.logged(), [])
        self.clock.advance(LASTING)
        self.assertEqual(self.logged(), ["registered a/x, a/y with the kubelet"])

    def test_one_fails(self) -> None:
        """When one has failed, the others are logged."""
        self.news.trying("a/x")
        self.news.trying("a/bad")
        self.news.registered("a/x")
        self.news.over("a/bad")
        self.assertEqual(self.logged(), ["registered a/x with the kubelet"])
        self.clock.advance(LASTING)
        self.assertEqual(self.logged(), [])

    def test_refused_before(self) -> None:
        """Hundreds that were refused and succeed at their own times are a few lines."""
        for name in MANY:
            self.news.trying(name)
            self.news.failed(name, "no", refused=True)
            self.news.over(name)
        for name in MANY:
            self.news.trying(name)
            self.news.registered(name)
            self.clock.advance(0.02)
        self.clock.advance(MOST_GATHERED)
        lines = self.logged()
        self.assertLess(len(lines), 5, lines)
        self.assertTrue(lines[0].endswith(" and 44 more with the kubelet"), lines[0])
        self.news.trying("a/new")
        self.news.registered("a/new")
        self.assertEqual(self.logged(), ["registered a/new with the kubelet"], "at once again")

    def test_retired_before_it_is_registered(self) -> None:
        """A refused resource that is not served any more does not delay the line of others."""
        self.news.failed("a/x", "no", refused=True)
        self.news.forget("a/x")
        self.news.trying("a/y")
        self.news.registered("a/y")
        self.assertEqual(self.logged(), ["registered a/y with the kubelet"])

    def test_why(self) -> None:
        """The line states why a resource that was registered had to be so again."""
        for happened, why in (
            (lambda: None, ""),
            (lambda: None, " again"),
            (lambda: self.news.lost("a/x"), ", which had ended the stream"),
            (lambda: None, " again"),
            (lambda: self.news.kubelet_appeared("/plugins"), ", which has restarted"),
            (lambda: None, " again"),
            (lambda: self.news.forget("a/x"), ""),
        ):
            happened()
            self.news.over("a/x")  # what was under way is dropped
            self.clock.advance(WITHIN)
            self.news.trying("a/x")
            self.news.registered("a/x")
            self.assertEqual(self.logged(), [f"registered a/x with the kubelet{why}"])

    def test_again_and_again(self) -> None:
        """A resource whose only device comes and goes all the time has few lines."""
        for _ in range(100):
            self.news.trying("a/x")
            self.news.registered("a/x")
            self.news.forget("a/x")
            self.clock.advance(0.1)
        lines = self.logged()
        self.assertLess(len(lines), 10)
        self.assertIn("the 100th of the kind within a minute", lines[-1])

    def test_all_of_a_restart(self) -> None:
        """Every line about resources of a restarted kubelet states that it has restarted."""
        for name in ("a/x", "a/y"):
            self.news.registered(name)
        self.logged()
        self.news.kubelet_appeared("/plugins")
        self.news.failed("a/y", "no", refused=True)
        self.news.registered("a/x")
        self.clock.advance(LASTING)
        self.news.registered("a/y")
        self.assertEqual(
            self.logged(),
            [f"registered {name} with the kubelet, which has restarted" for name in ("a/x", "a/y")],
        )

    def test_the_end(self) -> None:
        """The last user's end logs the rest, and leaves nothing planned."""
        self.news.begin()
        for name in ("a/x", "a/hangs"):
            self.news.trying(name)
        self.news.registered("a/x")
        self.news.complain("a/y", "it is refused")
        self.news.complain("a/z", "it is refused")
        self.assertEqual(self.logged(), ["a/y: it is refused"])
        self.news.absent("no kubelet yet")
        self.news.end()
        self.assertEqual(self.logged(), [])
        self.news.end()
        self.assertEqual(self.logged(), ["registered a/x with the kubelet", "a/z: it is refused"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AbsenceTests(NewsTestCase):
    """A kubelet that is not there."""

    def test_for_a_moment(self) -> None:
        """An absence of milliseconds, as in each restart, is not logged, however it ended."""
        for end in (lambda: self.news.registered("a/x"), self.news.appeared):
            self.news.absent("no kubelet yet")
            self.clock.advance(LASTING * 0.9)
            end()
            self.clock.advance(LASTING * 5)
            self.assertNotIn("no kubelet yet", self.logged())

    def test_lasting(self) -> None:
        """One that lasts is logged once, with the latest text."""
        for _ in MANY:
            self.news.absent("no kubelet answers")
        self.news.absent("no kubelet yet")
        self.clock.advance(LASTING)
        self.assertEqual(self.logged(), ["no kubelet yet"])
        self.news.absent("no kubelet yet")
        self.clock.advance(LASTING)
        self.assertEqual(self.logged(), [])

    def test_again(self) -> None:
        """After a kubelet has been there, a new absence is logged again."""
        for _ in range(2):
            self.news.absent("no kubelet yet")
            self.clock.advance(LASTING)
            self.assertEqual(self.logged(), ["no kubelet yet"])
            self.news.registered("a/x")
            self.logged()

    def test_at_once(self) -> None:
        """A reason that does not end by itself is logged at once, and once."""
        for _ in MANY:
            self.news.warn_once("the disk is full")
        self.assertEqual(self.logged(), ["the disk is full"])


class ComplaintTests(NewsTestCase):
    """What keeps one resource, or all of them, from being registered."""

    def test_many_with_the_same(self) -> None:
        """The first is logged at once, the others in one line, which names a few."""
        for name in MANY:
            self.news.complain(name, "the kubelet refused: no", doing="registration of ")
        self.assertEqual(self.logged(), [f"registration of {MANY[0]}: the kubelet refused: no"])
        self.clock.advance(LASTING)
        (line,) = self.logged()
        self.assertTrue(line.startswith(f"registration of {MANY[1]}, {MANY[2]}, "), line)
        self.assertTrue(line.endswith(" and 193 more: the kubelet refused: no"), line)
        self.clock.advance(MOST_GATHERED)
        self.assertEqual(self.logged(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_about(self) -> None:
        """Texts that differ only in a path are about the same; one of them is logged."""
        self.news.complain("a/first", "first")
        self.logged()
        for name in ("a/x", "a/y"):
            self.news.complain(name, f"/plugins/{name}: it is taken", "it is taken")
        self.news.complain("a/z", "something else")
        self.clock.advance(LASTING)
        self.assertEqual(
            self.logged(), ["a/x, a/y: /plugins/a/x: it is taken", "a/z: something else"]
        )

    def test_bounded(self) -> None:
        """Complaints that keep coming, a few at a time, are logged less and less often."""
        self.complain_each_second(100)
        self.assertLess(len(self.logged()), 14)
        self.news.registered("a/x")
        self.clock.advance(MOST_GATHERED)
        self.logged()
        self.news.complain("a/x", "no")
        self.news.complain("a/y", "no")
        self.clock.advance(LASTING)
        self.assertEqual(self.logged(), ["a/x: no", "a/y: no"], "after a success soon again")

    def complain_each_second(self, seconds: int) -> None:
        """Have another resource complain each second."""
        for number in range(seconds):
            self.news.complain(f"a/x{number}", "no answer")
            self.clock.advance(1.0)
        self.clock.advance(MOST_GATHERED)


class FactsTests(NewsTestCase):
    """The same as JSON."""

    form = staticmethod(as_json)

    def test_facts(self) -> None:
        """Programs get the names and the reason."""
        self.news.kubelet_appeared("/plugins")
        for _ in range(2):
            for name in MANY:
                self.news.trying(name)
            for name in MANY:
                self.news.registered(name)
            self.news.kubelet_appeared("/plugins")
        self.news.complain("a/x", "the kubelet refused: no", doing="registration of ")
        self.news.warn_once("the disk is full")
        first, second, refused, full = map(json.loads, self.lines)
        self.assertEqual(first["msg"], "registered with the kubelet")
        self.assertEqual((first["count"], first["resources"]), (200, MANY[:MOST_NAMED]))
        self.assertNotIn("reason", first)
        self.assertEqual(second["reason"], "the kubelet has restarted")
        self.assertEqual(refused["msg"], "registration failed")
        self.assertEqual(refused["resources"], ["a/x"])
        self.assertEqual(refused["reason"], "the kubelet refused: no")
        self.assertEqual(full["msg"], "no resource can be registered")
        self.assertEqual(full["reason"], "the disk is full")


class SharedTests(LogTestCase):
    """`news_of`"""

    def test_shared(self) -> None:
        """All managers with one clock share the news of a directory."""
        clock = Clock()
        news = news_of("/plugins", clock)
        self.assertIs(news, news_of("/plugins", clock))
        self.assertIsNot(news, news_of("/others", clock))
        self.assertIsNot(news, news_of("/plugins", Clock()))

    def test_directories(self) -> None:
        """Managers of one directory share its news, and a kubelet's socket ends an absence."""
        clock = Clock()
        path = temporary_directory(self)
        directory, other = (PluginDirectory(path, Inotify(clock), clock) for _ in range(2))
        self.assertIs(directory.news, other.news)
        directory.news.absent("no kubelet yet")
        with open(directory.kubelet_socket, "w", encoding="ascii"):
            pass
        other._changed(frozenset([other.kubelet_socket]))
        clock.advance(LASTING)
        self.assertEqual(self.lines, [])

    def test_not_kept(self) -> None:
        """The news of a directory goes with its last user."""
        clock = Clock()
        news = news_of("/plugins", clock)
        kept = ref(news)
        self.assertIs(kept(), news)
        del news
        gc.collect()
        self.assertIsNone(kept())
