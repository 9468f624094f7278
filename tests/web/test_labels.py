"""Tests of metrics whose labels have odd characters in them."""

import os

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from twistdp.model import Holder
from twistdp.status import Events, ResourceTallies, Tallies
from twistdp.web import values
from twistdp.web.families import FAMILIES, PODS
from twistdp.web.family import View
from twistdp.web.metrics import Metrics

ODD = (
    'two\nlines, "quoted" \\ {a="b"} # EOF',
    "\r\n# TYPE evil counter\nevil_total 1\n",
    "\x00\x1b[31m\x7f",
    "ü\u2028\U0001f600",
    "x" * 10_000,
    "",
)


def view(odd: str) -> View:
    """The view of a plugin in which all names are this one, and each metric has a sample."""
    events = Events()
    tallies = Tallies(events, list)
    found = tallies.resources[odd] = ResourceTallies()
    found.calls[odd, odd].add(1.0)
    found.list_size = 1
    tallies.files[odd, "read"] = 1
    events.counts["check", odd, odd] = 1
    session = values.Session("registered", 1.0, 1, 1.0, odd)
    resource = values.Resource(odd, odd, odd, session, 1, 1, 1, 0, None)
    scanner = values.Scanner(odd, odd, odd, True, values.Scan(1.0, 1.0), odd, True)
    file = values.Configuration(odd, 1.0, [odd])
    pods = values.PodResources(odd, True, odd)
    state = values.State(odd, 0.0, 1.0, odd, odd, "socket", [scanner], [file], pods, [resource])
    return View(state, tallies, {odd: {odd: Holder(odd, odd, odd)}})


class LabelTests(SynchronousTestCase):
    """Whatever a name is, a parser gets it back, and no line more."""

    def labels(self, odd: str, accept: str) -> dict[str, set[str]]:
        """The values of each label in an answer."""
        metrics = Metrics((*FAMILIES, PODS), lambda: view(odd))
        text = b"".join(metrics.answer(accept).pieces or ()).decode()
        parse = openmetrics_families if accept else text_string_to_metric_families
        found: dict[str, set[str]] = {}
        names = {family.name.removesuffix("_total") for family in (*FAMILIES, PODS)}
        for family in parse(text):
            if family.name.startswith("twistdp_"):
                names.remove(family.name)
                self.assertTrue(family.samples, family.name)
                for sample in family.samples:
                    for label, value in sample.labels.items():
                        found.setdefault(label, set()).add(value)
            else:
                self.assertRegex(family.name, "^(process|python)_")
        self.assertEqual(names, set())
        return found

    def test_odd(self) -> None:
        """In both formats."""
        for accept in ("", "application/openmetrics-text;version=1.0.0"):
            for odd in ODD:
                labels = self.labels(odd, accept)
                for name in ("namespace", "pod", "container", "scanner", "file", "version"):
                    self.assertEqual(labels[name], {odd})

    def test_no_utf8(self) -> None:
        """A file's name may be any bytes, and the numbers come all the same."""
        odd = os.fsdecode(b"/etc/\xff.yaml")
        for accept in ("", "application/openmetrics-text;version=1.0.0"):
            self.assertEqual(self.labels(odd, accept)["file"], {"/etc/\\udcff.yaml"})
