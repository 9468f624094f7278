"""Dashboard and alerts agree with the metrics that there are, and with the page about them."""

import re
from types import SimpleNamespace
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import page
from tests.monitoring.files import DIRECTORY, ROOT, alerts, dashboard, operator_groups, queries
from twistdp.operator.tallies import Tallies, families
from twistdp.web.families import FAMILIES, PODS

PROCESS = {
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}


def used(query: str) -> set[str]:
    """The metrics in a query."""
    names = re.findall(r"\b(?:twistdp|process)_\w+", query)
    return {re.sub(r"(_seconds)_(bucket|count|sum)$", r"\1", name) for name in names}


class FilesTests(SynchronousTestCase):
    """deploy/monitoring"""

    def setUp(self) -> None:
        """The metrics that there are, with their labels."""
        self.labels = {each.name: set(each.labels) for each in (*FAMILIES, PODS)}

    def test_alerts(self) -> None:
        """Each is about metrics that exist, says how bad it is, and what to do; all are tested."""
        names = [alert["alert"] for alert in alerts()]
        self.assertEqual(len(set(names)), len(names))
        for alert in alerts():
            self.assertLessEqual(used(alert["expr"]), self.labels.keys() | PROCESS)
            self.assertIn(alert["labels"]["severity"], ("info", "warning", "critical"))
            self.assertEqual(alert["annotations"].keys(), {"summary", "description"})
        cases = yaml.safe_load((DIRECTORY / "../../tests/monitoring/alerts.yaml").read_text())
        tried = [case for test in cases["tests"] for case in test["alert_rule_test"]]
        for fires in (True, False):
            found = {case["alertname"] for case in tried if ("exp_alerts" in case) is fires}
            self.assertEqual(found, set(names))

    def test_page(self) -> None:
        """The page names each alert and how bad it is."""
        rows = re.findall(r"^\| `(Twistdp\w+)` \| (\w+) \|", page("docs/metrics.md"), re.M)
        self.assertEqual(rows, [(each["alert"], each["labels"]["severity"]) for each in alerts()])

    def test_operator(self) -> None:
        """Its alerts are about metrics that exist, and tested too; the page names each."""
        (group,) = operator_groups()
        operator: Any = SimpleNamespace(tallies=Tallies(), reconciler=None)
        labels = {each.name: set(each.labels) for each in families(operator)}
        for alert in group["rules"]:
            (metric,) = used(alert["expr"])
            self.assertLessEqual(
                set(re.findall(r"(\w+)!?=", alert["expr"])), labels[metric], alert["alert"]
            )
        names = [each["alert"] for each in group["rules"]]
        cases = yaml.safe_load((ROOT / "tests/monitoring/operator_alerts.yaml").read_text())
        tried = [case for test in cases["tests"] for case in test["alert_rule_test"]]
        for fires in (True, False):
            found = {case["alertname"] for case in tried if ("exp_alerts" in case) is fires}
            self.assertEqual(found, set(names))
        rows = re.findall(
            r"^\| `(TwistdpOperator\w+)` \|", page("docs/operator-operations.md"), re.M
        )
        self.assertEqual(rows, names)

    def test_queries(self) -> None:
        """The dashboard shows each metric, and none that does not exist."""
        found = set().union(*map(used, queries()))
        self.assertEqual(found, self.labels.keys() | PROCESS)

    def test_labels(self) -> None:
        """Queries select by labels that the metric has, beside those of the target."""
        for query in queries():
            for name, selected in re.findall(r"(twistdp_\w+)\{([^}]*)\}", query):
                labels = set(re.findall(r"(\w+)[=!]", selected)) - {"instance"}
                (metric,) = used(name)
                self.assertLessEqual(labels, self.labels[metric], query)

    def test_panels(self) -> None:
        """Each has a place and a number of its own; none overlaps another."""
        board = dashboard()
        panels = board["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        self.assertEqual(len(set(cells)), len(cells))
        self.assertLess(max(x for x, _ in cells), 24)
        names = {variable["name"] for variable in board["templating"]["list"]}
        text = (DIRECTORY / "dashboard.json").read_text(encoding="utf-8")
        self.assertLessEqual(set(re.findall(r"\$\{?([a-z]\w+)", text)), names)
