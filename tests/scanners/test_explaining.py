"""Tests for what GlobScanner explains."""

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from tests.support.helpers import temporary_directory
from twistdp.scanners.globbing import GlobScanner
from twistdp.select.explaining import Cause, Explanation, IExplains, Step, Verdict


class GlobExplanationTests(SynchronousTestCase):
    """GlobScanner explains what its patterns made of each file."""

    def setUp(self) -> None:
        """A directory with files."""
        self.directory = temporary_directory(self)

    def path(self, name: str) -> str:
        """A path in the directory."""
        return os.path.join(self.directory, name)

    def file(self, *names: str) -> None:
        """Make plain files."""
        for name in names:
            with open(self.path(name), "wb"):
                pass

    def explained(self, *patterns: str, **settings: object) -> Explanation:
        """The explanation after one look."""
        everything = {"nodes_only": False, **settings}
        texts = [self.path(pattern) for pattern in patterns]
        scanner = GlobScanner("thing", texts, **everything)  # type: ignore[arg-type]
        scanner.check_paths = bool(settings.pop("check_paths", False))
        scanner.discover()
        (found,) = scanner.explain()
        return found

    def steps(self, *patterns: str, **settings: object) -> dict[str, Step]:
        """The steps by the names of the files."""
        found = self.explained(*patterns, **settings).steps
        return {os.path.basename(step.what): step for step in found}

    def test_interface(self) -> None:
        """The method is the interface's."""
        verifyClass(IExplains, GlobScanner, tentative=True)

    def test_listed(self) -> None:
        """A device is listed under its ids, by a pattern; another file is not selected."""
        self.file("a1", "b1")
        steps = self.steps("a*", count=3)
        self.assertEqual(
            steps["a1"].reason,
            f"listed as thing a1-0 and 2 more like it by the pattern {self.path('a*')}",
        )
        self.assertEqual(steps["a1"].ids, ("a1-0", "a1-1", "a1-2"))
        self.assertEqual(steps["b1"].verdict, Verdict.NOT_SELECTED)
        self.assertEqual(steps["b1"].reason, f"the pattern {self.path('a*')} does not match")

    def test_patterns(self) -> None:
        """Each pattern that looked at a file is a test."""
        self.file("a1", "b1", "c1")
        step = self.steps("a*", "b*")["c1"]
        self.assertEqual(step.reason, "none of 2 patterns matches")
        self.assertEqual(len(step.tests), 2)
        self.assertIn("by the pattern " + self.path("b*"), self.steps("a*", "b*")["b1"].reason)

    def test_links(self) -> None:
        """A file has one name; a link to nothing is left out."""
        self.file("a1")
        os.symlink("a1", self.path("a2"))
        os.symlink("absent", self.path("a3"))
        steps = self.steps("a*")
        self.assertEqual(steps["a1"].verdict, Verdict.LISTED)
        self.assertEqual(steps["a2"].verdict, Verdict.LEFT_OUT)
        self.assertIn(f"{self.path('a1')} is known as {self.path('a1')}", steps["a2"].reason)
        self.assertIn("its link leads to nothing", steps["a3"].reason)

    def test_unfit(self) -> None:
        """What is no device is left out by the rule."""
        self.file("a1")
        step = self.steps("a*", nodes_only=True)["a1"]
        self.assertEqual((step.verdict, step.cause), (Verdict.LEFT_OUT, Cause.RULE))
        self.assertEqual(step.reason, "it is a plain file; nodes_only=false takes those too")

    def test_untrusted(self) -> None:
        """A directory that others could change is a fault, and not absent."""
        self.file("a1")
        os.chmod(self.directory, 0o777)
        scanner = GlobScanner("thing", [self.path("a*")], nodes_only=False)
        scanner.discover()
        (found,) = scanner.explain()
        (step,) = found.steps
        self.assertEqual((step.what, step.cause), (self.directory, Cause.FAULT))
        self.assertTrue(step.reason.startswith("since others could make it lead to"), step.reason)
        self.assertEqual(found.absent, "")

    def test_most(self) -> None:
        """A device for which there is no room is left out."""
        self.file("a1", "a2")
        step = self.steps("a*", max_devices=1)["a2"]
        self.assertEqual((step.verdict, step.cause), (Verdict.LEFT_OUT, Cause.RULE))
        self.assertEqual(step.reason, "there are max_devices others")

    def test_together(self) -> None:
        """All files of one device are listed under its id."""
        self.file("a1", "a2")
        steps = self.steps("a*", together=True)
        self.assertEqual([step.ids for step in steps.values()], [("thing",)] * 2)

    def test_directory(self) -> None:
        """The files of a directory are one device."""
        os.mkdir(self.path("dri"))
        self.file("dri/card0", "dri/card1")
        steps = self.steps("dri")
        self.assertEqual({name: step.ids for name, step in steps.items()},
                         {"card0": ("dri",), "card1": ("dri",)})  # fmt: skip

    def test_absent(self) -> None:
        """A pattern that nothing matches says which directory is missing."""
        self.file("b1")
        found = self.explained("a*", "x/y/z*")
        self.assertEqual(
            found.absent,
            f"nothing matches {self.path('a*')}; nothing matches {self.path('x/y/z*')}: "
            f"{self.path('x')} does not exist on this node",
        )
        self.assertEqual([step.verdict for step in found.steps], [Verdict.NOT_SELECTED])
