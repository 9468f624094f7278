"""docs/architecture.md shows the code as it is on disk."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twistdp
from tests.docs.pages import page
from tests.support.helpers import temporary_directory
from tests.support.scripts import script

PACKAGE = Path(twistdp.__file__).parent
TOLERANCE = 0.1
"""By how much, of its lines, a part may differ from what the page quotes."""

plan = script("plan")
diagram = script("diagram")


class PlanTests(SynchronousTestCase):
    """The table of packages."""

    def test_parts(self) -> None:
        """The rows are the packages and top modules on disk, no more and no fewer."""
        self.assertEqual(
            sorted(plan.quoted(page("docs/architecture.md"))),
            sorted(plan.parts(PACKAGE)),
        )

    def test_lines(self) -> None:
        """Each row quotes the lines of its part, within a tenth."""
        quoted = plan.quoted(page("docs/architecture.md"))
        for part, lines in plan.parts(PACKAGE).items():
            with self.subTest(part):
                # Not assertAlmostEqual: trial's takes a delta and does not look at it.
                self.assertLessEqual(
                    abs(quoted[part] - lines), TOLERANCE * lines, "run 'make diagram'"
                )

    def test_order(self) -> None:
        """A part imports only parts in rows below its own."""
        row = {part: n for n, part in enumerate(plan.quoted(page("docs/architecture.md")))}
        for path in sorted(PACKAGE.rglob("*.py")):
            place = path.relative_to(PACKAGE).parts
            own = row[place[0] if len(place) == 1 else f"{place[0]}/"]
            for name in diagram.imported(path, PACKAGE):
                other = row.get(f"{name}/", row.get(f"{name}.py", own))
                self.assertGreaterEqual(other, own, f"{path} imports {name}")

    def test_sentences(self) -> None:
        """Each row says in one sentence what the part does."""
        for line in page("docs/architecture.md").splitlines():
            if plan.ROW.match(line):
                sentence = line.split("|")[3].strip()
                self.assertRegex(sentence, r"^[A-Z`][^|]*[^.]\.$")


class ScriptTests(SynchronousTestCase):
    """``.ci/plan.py``, on a package that was made up."""

    def test_parts(self) -> None:
        """Lines are counted in sub-packages too, but not in generated modules or other files."""
        package = Path(temporary_directory(self))
        (package / "room" / "corner").mkdir(parents=True)
        (package / "empty").mkdir()
        for name, text in (
            ("__init__.py", ""),
            ("py.typed", "x\n"),
            ("top.py", "a\nb\n"),
            ("room/__init__.py", "a\n"),
            ("room/x_pb2.py", "a\n" * 9),
            ("room/corner/__init__.py", ""),
            ("room/corner/deep.py", "a\nb\nc\n"),
        ):
            (package / name).write_text(text)
        self.assertEqual(plan.parts(package), {"__init__.py": 0, "room/": 4, "top.py": 2})

    def test_filled(self) -> None:
        """The numbers are replaced and nothing else; a row of no part is refused."""
        row = "text\n| `room/` | 1 234 | A room: 12 | 1 |\n"
        self.assertEqual(plan.quoted(row), {"room/": 1234})
        self.assertEqual(
            plan.filled(row, {"room/": 12345}), "text\n| `room/` | 12 345 | A room: 12 | 1 |\n"
        )
        self.assertRaises(KeyError, plan.filled, row, {"other/": 1})
