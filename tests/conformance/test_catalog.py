"""Each check has its bug, an explanation, and a place in the order."""

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.bugs import all_bugs
from twistdp.conformance.catalog import CHECKS


class CatalogTests(SynchronousTestCase):
    """The checks and their bugs."""

    def test_every_check_has_a_bug(self) -> None:
        """There is a broken plugin for each check, and for nothing else."""
        self.assertEqual({check.id for check in CHECKS}, {bug.check for bug in all_bugs()})

    def test_every_check_is_explained(self) -> None:
        """Ids are unique, and each check says what it is, why, and where that is written."""
        ids = [check.id for check in CHECKS]
        self.assertEqual(len(set(ids)), len(ids))
        for check in CHECKS:
            self.assertGreater(len(check.explanation), 80, check.id)
            self.assertGreater(len(check.source), 10, check.id)
            self.assertRegex(check.id, r"^[a-z]+\.[a-z-]+$")

    def test_dependencies_come_first(self) -> None:
        """A check comes after those that it depends on."""
        ids = [check.id for check in CHECKS]
        for check in CHECKS:
            for id_ in check.after:
                self.assertLess(ids.index(id_), ids.index(check.id), (id_, check.id))
