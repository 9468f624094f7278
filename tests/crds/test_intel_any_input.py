"""Whatever a file says, it is converted to objects that the operator accepts, or refused."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.config import BadConfig
from twistdp.crds import read
from twistdp.crds.intel import COMMON, KINDS, convert_intel, is_intels

WORDS = """
    0x56c0 0x56c0,0x56c1 packed balanced none split all idxd vfio-pci igb_uio region 4xxxvf c6xxvf
    Exists NoSchedule intel/intel-gpu-plugin:0.36.0 kubernetes.io/arch amd64 sample Bad_Name a.b
    true
"""
SCALARS = st.one_of(
    st.sampled_from(WORDS.split()),
    st.integers(-1, 10**20),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
)
FIELDS = sorted({*COMMON, *(field for kind in KINDS.values() for field in kind.fields)})
KEYS = st.one_of(
    st.sampled_from(FIELDS),
    st.sampled_from(
        ["name", "labels", "annotations", "key", "operator", "value", "effect", "tolerationSeconds"]
    ),
    st.text(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
METADATA = st.fixed_dictionaries({"name": SCALARS}, optional={"labels": VALUES, "uid": SCALARS})
OBJECTS = st.fixed_dictionaries(
    {
        "apiVersion": st.sampled_from(
            ["deviceplugin.intel.com/v1"] * 8 + ["deviceplugin.intel.com/v2", "fpga.intel.com/v2"]
        ),
        "kind": st.one_of(st.sampled_from(sorted(KINDS)), SCALARS),
    },
    optional={
        "metadata": st.one_of(METADATA, METADATA, VALUES),
        "spec": st.one_of(st.dictionaries(st.sampled_from(FIELDS), SCALARS, max_size=6), VALUES),
    },
)


class AnyInputTests(SynchronousTestCase):
    """Files of any kind."""

    def convert(self, source: str | bytes) -> None:
        """Convert, and read what is written."""
        try:
            found = convert_intel(source, "f.yaml")
        except BadConfig as error:
            self.assertTrue(error.problems)
            for problem in error.problems:
                self.assertTrue(str(problem).isprintable(), problem)
                self.assertGreaterEqual((problem.line, problem.column), (1, 1))
            return
        made = list(yaml.safe_load_all(found.text))
        self.assertEqual(len(made), found.resources)
        for each in made:
            read(each)

    @settings(max_examples=400)
    @given(st.lists(OBJECTS, min_size=1, max_size=3))
    def test_objects(self, objects: list[Any]) -> None:
        """Objects of any shape."""
        self.convert(yaml.safe_dump_all(objects))

    @settings(max_examples=100)
    @given(st.one_of(st.binary(max_size=200), VALUES.map(yaml.safe_dump)))
    def test_anything(self, source: str | bytes) -> None:
        """Bytes, and documents of any shape."""
        self.convert(source)
        is_intels(source)
