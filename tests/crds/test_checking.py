"""Tests for `twistdp.crds.checking`."""

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.crds.objects import an_object
from tests.crds.test_intel_any_input import VALUES
from twistdp.config import LARGEST
from twistdp.crds import check


class CheckTests(SynchronousTestCase):
    """Files with objects, and others."""

    def test_names(self) -> None:
        """Each object is named as far as it has a name."""
        good, bad = an_object("a", catalog=[{"name": "intel-npu"}]), an_object("b", catalog=[])
        nameless = {"apiVersion": good["apiVersion"]}
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
        text = yaml.safe_dump_all([None, [good], good, other, {"items": [other, bad, 1]}, nameless])
        found = check(text.encode())
        self.assertEqual([each.name for each in found], ["a", "b", "?"])
        self.assertEqual([bool(each.problems) for each in found], [False, True, True])

    def test_large(self) -> None:
        """A file that is larger than any object is not read."""
        text = yaml.safe_dump(an_object("a", catalog=[{"name": "intel-npu"}])).encode()
        self.assertEqual(len(check(text)), 1)
        self.assertEqual(check(text + b"#" * LARGEST), [])

    def test_kind(self) -> None:
        """Another version or kind of our group is none that the operator knows."""
        for change in ({"apiVersion": "twistdp.io/v2"}, {"kind": "DevicePlugins"}):
            text = yaml.safe_dump({**an_object("a", catalog=[{"name": "intel-npu"}]), **change})
            (found,) = check(text.encode())
            (problem,) = found.problems
            self.assertIn("expected apiVersion twistdp.io/v1alpha1 and kind DevicePlugin", problem)

    def test_dates(self) -> None:
        """A date is a text, as for the API server."""
        text = yaml.safe_dump(an_object("a", catalog=[{"name": "intel-npu"}], nodeSelector={}))
        made = text.replace("nodeSelector: {}", "nodeSelector: {since: 2026-11-27}")
        (found,) = check(made.encode())
        self.assertEqual(found.problems, ())

    @settings(max_examples=100)
    @given(
        st.one_of(
            st.binary(max_size=100),
            VALUES.map(
                lambda value: yaml.safe_dump(
                    {"apiVersion": "twistdp.io/v1", "spec": value}
                ).encode()
            ),
        )
    )
    @example(b"[" * 5000)
    @example(b"a: *b")
    def test_anything(self, source: bytes) -> None:
        """Nothing is raised, whatever the file is."""
        check(source)
