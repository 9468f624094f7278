"""docs/contributing.md is right about where things are in the code and how to change it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twistdp
from tests.docs.pages import ROOT, blocks, page
from tests.support.helpers import temporary_directory

PAGE = "docs/contributing.md"
PACKAGE = Path(twistdp.__file__).parent


def rows(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    section = page(PAGE).split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = [line.strip("|").split("|") for line in section.splitlines() if line[:1] == "|"]
    return found[2:]


def apply(diff: str, root: Path) -> None:
    """Apply hunks, each after a line with its file; raises ValueError if one fits nowhere."""
    for hunk in diff.split("--- ")[1:]:
        name, _, body = hunk.partition("\n")
        lines = body.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        text = (root / name).read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise ValueError(f"{name} does not have once:\n{before}")
        (root / name).write_text(text.replace(before, after), encoding="utf-8")


class PlaceTests(SynchronousTestCase):
    """The tables of places."""

    def test_places(self) -> None:
        """The files and directories to change exist."""
        table = rows("Where to put it")
        self.assertGreater(len(table), 8)
        for what, places, _ in table:
            for place in re.findall(r"`([\w/.]+(?:\.py|/))`", places):
                root = ROOT if place.startswith("tests/") else PACKAGE
                self.assertTrue((root / place).exists(), f"{what}: {place}")

    def test_questions(self) -> None:
        """Each question is answered by two files at most, which have the names in the answer."""
        table = rows("Three questions")
        self.assertEqual(len(table), 3)
        for question, answer in table:
            files = dict.fromkeys(re.findall(r"`(twistdp/[\w/]+\.py)`", answer))
            self.assertIn(len(files), (1, 2), question)
            text = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files)
            names = re.findall(r"`([A-Za-z_]+(?:\.\w+)?)`", answer)
            self.assertTrue(names, question)
            for name in names:
                for part in name.split("."):
                    self.assertRegex(text, rf"(?m)^ *(?:async )?(?:def|class) {part}\b", question)


class ExampleTests(SynchronousTestCase):
    """The change that is made from start to end."""

    def setUp(self) -> None:
        """A copy of what it concerns."""
        self.root = Path(temporary_directory(self))
        ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
        for name in ("twistdp", "tests"):
            shutil.copytree(ROOT / name, self.root / name, ignore=ignored)
        self.test, self.code = (b.text for b in blocks(PAGE) if b.language == "diff")

    def outcome(self) -> str:
        """The last line of the tests that the page changes."""
        module = "tests.resource.test_vanished"
        child = subprocess.run(
            [sys.executable, "-m", "twisted.trial", "--reactor=asyncio", module],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return child.stdout.splitlines()[-1]

    def test_change(self) -> None:
        """The test fails without the code, and passes with it."""
        apply(self.test, self.root)
        self.assertRegex(self.outcome(), r"^FAILED \(failures=1, successes=\d+\)$")
        apply(self.code, self.root)
        self.assertRegex(self.outcome(), r"^PASSED \(successes=\d+\)$")
