"""Tests for ``.ci/audit.py``, and the pins that it audits."""

import importlib.metadata
import os
import stat
import sys
from subprocess import PIPE, run

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.scripts import script

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPT = os.path.join(ROOT, ".ci", "audit.py")


audit = script("audit")

INSTALLED = [(d.name, d.version) for d in importlib.metadata.distributions()]


def content(*names: str) -> str:
    """What is in a file of the project."""
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


class PinsTests(SynchronousTestCase):
    """What is installed is what is pinned and listed."""

    def test_pins(self) -> None:
        """Every package of this environment is pinned, and every pin is in the table."""
        installed = INSTALLED if sys.prefix == os.path.join(ROOT, ".venv") else []
        pinned = audit.pins(content("constraints.txt"))
        listed = audit.checked(content("docs", "dependencies.md"))
        self.assertEqual(list(audit.gaps(pinned, listed, installed)), [])
        self.assertGreater(len(pinned), 20)

    def test_gaps(self) -> None:
        """A package without a pin, a pin without a row, a row without a pin, another version."""
        found = list(
            audit.gaps(
                {"a": "1", "b": "1", "c-d": "1"},
                {"a": ("2", "never"), "c-d": ("1", "never"), "e": ("1", "never")},
                [("a", "1"), ("C_D", "1"), ("pip", "5"), ("x", "3")],
            )
        )
        self.assertEqual([line.partition(":")[0] for line in found[1:]], ["a", "b", "e"])
        self.assertIn("x 3 is installed without a pin", found[0])

    def test_parsing(self) -> None:
        """Names are compared as indexes do; what is no pin is refused."""
        self.assertEqual(audit.pins("A_b==1.0  # why\n\n# x\nc==2+l"), {"a-b": "1.0", "c": "2+l"})
        for bad in ("a", "a>=1", "a==1,<2", "a==", "-r x", "a==*"):
            self.assertRaises(ValueError, audit.pins, bad)
        rows = "| x_y | 1.0 | 2026-01-02 |\n| z | 2 | never |\n| q | 3 | soon |\n"
        self.assertEqual(audit.checked(rows), {"x-y": ("1.0", "2026-01-02"), "z": ("2", "never")})


class RunTests(SynchronousTestCase):
    """The whole script, with a pip-audit of ours."""

    def setUp(self) -> None:
        """A project in which all that is installed here is pinned and listed."""
        self.directory = temporary_directory(self)
        os.mkdir(os.path.join(self.directory, "docs"))
        pinned = {audit.plain(name): version for name, version in INSTALLED}
        for names, form in (
            (("constraints.txt",), "{}=={}\n"),
            (("docs", "dependencies.md"), "| {} | {} | never |\n"),
        ):
            with open(os.path.join(self.directory, *names), "w", encoding="utf-8") as file:
                file.writelines(form.format(*item) for item in pinned.items())
        self.count = len(pinned)

    def audited(self, report: str) -> tuple[int, str]:
        """Status and output, when pip-audit's report is made by this expression.

        `names` are the packages that are asked for, `service` is who is asked.
        """
        tool = os.path.join(self.directory, "pip-audit")
        with open(tool, "w", encoding="ascii") as file:
            file.write(
                f"#!{sys.executable}\n"
                "import json, sys\n"
                "after = lambda option: sys.argv[sys.argv.index(option) + 1]\n"
                "names = [l.split('==')[0] for l in open(after('--requirement'))]\n"
                "service = after('--vulnerability-service')\n"
                f"report = [{report} for name in names]\n"
                "with open(after('--output'), 'w') as file:\n"
                "    json.dump({'dependencies': report}, file)\n"
            )
        os.chmod(tool, stat.S_IRWXU)
        return self.run_with(tool)

    def run_with(self, tool: str) -> tuple[int, str]:
        """Status and output with that pip-audit."""
        done = run([sys.executable, SCRIPT, self.directory, tool], stdout=PIPE, check=False)
        return done.returncode, done.stdout.decode()

    def test_all_is_well(self) -> None:
        """All were looked up, and nothing is known."""
        status, text = self.audited("{'name': name, 'vulns': []}")
        self.assertEqual((status, text), (0, f"audit: {self.count} pins audited; 0 problems\n"))

    def test_vulnerable(self) -> None:
        """A known vulnerability is reported with its id, and is an error."""
        found = "[{'id': 'PYSEC-1'}] if name == 'attrs' else []"
        status, text = self.audited(f"{{'name': name, 'vulns': {found}}}")
        self.assertEqual(status, 1)
        self.assertIn("audit: attrs ", text)
        self.assertIn("known vulnerabilities: PYSEC-1\n", text)

    def test_nothing_was_looked_up(self) -> None:
        """What pip-audit calls no known vulnerabilities is none that was looked for."""
        status, text = self.audited("{'name': name, 'skip_reason': 'not found on PyPI'}")
        self.assertEqual(status, 0)
        self.assertIn("no data base answered, checked by hand: never: ", text)
        last = f"audit: NOT AUDITED: {self.count} of {self.count} pins; 0 problems\n"
        self.assertTrue(text.endswith(last), text)

    def test_one_was_not_looked_up(self) -> None:
        """One that is left over is reported by its name."""
        entry = "'skip_reason': '' } if name == 'attrs' else {'name': name, 'vulns': []}"
        status, text = self.audited(f"{{'name': name, {entry}")
        self.assertEqual(status, 0)
        self.assertIn(": attrs ", text)
        self.assertIn(f"NOT AUDITED: 1 of {self.count} pins", text)

    def test_the_second_data_base(self) -> None:
        """It is asked for what the first one does not know, and only for that."""
        first = "{'name': name, 'vulns': []} if service == 'pypi' and name != 'attrs' else "
        second = "{'name': name, 'vulns': [{'id': 'OSV-1'}]} if service == 'osv' else "
        status, text = self.audited(first + second + "{'name': name, 'skip_reason': ''}")
        self.assertEqual(status, 1)
        self.assertEqual(text.count("OSV-1"), 1)
        self.assertIn(f"{self.count} pins audited; 1 problems", text)

    def test_no_tool(self) -> None:
        """Without pip-audit, or with one that fails, nothing is audited, and that is said."""
        for tool in ("/nonexistent/pip-audit", "/bin/false", "/bin/true"):
            status, text = self.run_with(tool)
            self.assertEqual(status, 0)
            self.assertIn(f"NOT AUDITED: {self.count} of {self.count}", text)

    def test_a_gap(self) -> None:
        """A pin that differs from the table is an error, whatever the data bases say."""
        with open(os.path.join(self.directory, "constraints.txt"), "a", encoding="ascii") as file:
            file.write("another==1\n")
        status, text = self.audited("{'name': name, 'vulns': []}")
        self.assertEqual(status, 1)
        self.assertIn("another: the pin is 1", text)
