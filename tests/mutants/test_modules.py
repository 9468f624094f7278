"""What ``make mutants`` is given: modules and tests that exist, reasons that are not outdated."""

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tests.mutants.modules import MODULES, ROOT, equivalent, path_of, tests_of


class ModulesTests(SynchronousTestCase):
    """Tests for `tests.mutants.modules`."""

    def test_modules_and_their_tests(self) -> None:
        """Each module is there, and so are tests of it."""
        for module in MODULES:
            self.assertTrue((ROOT / path_of(module)).exists(), module)
            tests = tests_of(module)
            self.assertTrue(tests, module)
            for name in tests:
                self.assertTrue(namedAny(name), name)

    def test_reasons_are_of_lines_that_are_there(self) -> None:
        """Each reason has a text, and is about code that is still in its module."""
        for module, reasons in equivalent().items():
            self.assertIn(module, MODULES)
            code = " ".join((ROOT / path_of(module)).read_text().split())
            for change, reason in reasons.items():
                old = change.partition(": ")[2].partition(" -> ")[0]
                self.assertIn(" ".join(old.split()), code, module)
                self.assertTrue(reason.endswith("."), reason)
