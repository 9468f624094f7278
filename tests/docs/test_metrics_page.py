"""The page about metrics: its table is that of the code."""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page
from twistdp.web.families import FAMILIES, PODS
from twistdp.web.family import Family


def row(family: Family) -> tuple[str, ...]:
    """A metric's row."""
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return family.name, family.kind, labels, family.help


class MetricsPageTests(SynchronousTestCase):
    """docs/metrics.md"""

    def test_table(self) -> None:
        """Each metric has its row, in the order in which they are shown."""
        rows = re.findall(
            r"^\| `(twistdp_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", page("docs/metrics.md"), re.M
        )
        self.assertEqual(rows, [row(family) for family in (*FAMILIES, PODS)])
