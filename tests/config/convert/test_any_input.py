"""Whatever a foreign file says, it is converted to one that loads, or refused with reasons."""

from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.config.convert.converting import TOOLS, convert, recognised
from twistdp.config.loading import load
from twistdp.config.problems import BadConfig
from twistdp.config.showing import show

WORDS = """
    /dev/ttyUSB* /dev/kvm /dev/dri /dev/snd/controlC0 /dev/serial/by-id/* /dev/../x /dev/ / x
    0403 1a86 7523 10de:1eb8 Mount Device mrw {n} ^ttyUSB[0-9]*$ ^snd$ ( [ ^.*$ a|b (a+)+$
    vfio-pci ens1#0-3 ether true SUBSYSTEM=="tty" SUBSYSTEM=="tty",x ACTION=="add"
    nvidia.com/gpu a.example.com/b .. null ~
"""
TEXTS = st.one_of(
    st.sampled_from(WORDS.split()),
    st.sampled_from(["Bad Name", "", 'KERNEL=="a", ATTRS{x}=="y"', "a: b"]),
    st.text(max_size=8),
)
SCALARS = st.one_of(TEXTS, st.integers(-1, 10**20), st.booleans(), st.none(), st.floats())
KEYS = {
    "generic-device-plugin": "devices domain name groups paths usb count path mountPath type "
    "permissions readOnly limit optional vendor product serial args env",
    "smarter-device-manager": "devicematch nummaxdevices config",
    "akri": "udevRules discoveryDetails name capacity brokerProperties metadata kind permissions "
    "groupRecursive brokerSpec",
    "sriov": "resourceList resourceName resourcePrefix selectors vendors drivers devices pfNames "
    "rootDevices linkTypes isRdma deviceType additionalInfo",
    "nvidia": "version sharing timeSlicing resources name replicas renameByDefault flags mps",
    "kubevirt": "permittedHostDevices pciHostDevices pciVendorSelector resourceName usb selectors "
    "vendor product mediatedDevices externalResourceProvider",
}
ROOTS: dict[str, Any] = {
    "generic-device-plugin": lambda inner: {"devices": [{"name": "a", "groups": inner}]},
    "smarter-device-manager": lambda inner: [{"devicematch": inner, "nummaxdevices": 2}, inner],
    "akri": lambda inner: {"configuration": {"discoveryDetails": {"udevRules": inner}}},
    "sriov": lambda inner: {"resourceList": [{"resourceName": "a", "selectors": inner}, inner]},
    "nvidia": lambda inner: {"version": "v1", "sharing": {"timeSlicing": inner}, "flags": inner},
    "kubevirt": lambda inner: {"permittedHostDevices": inner},
}


def values(tool: str) -> st.SearchStrategy[Any]:
    """Values of any shape, with the keys that a tool knows."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(KEYS[tool].split()), inner, max_size=4),
        ),
        max_leaves=12,
    )


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str]:
    """A tool, and a file for it: whole, or within a ConfigMap or arguments."""
    tool = draw(st.sampled_from(sorted(TOOLS)))
    inner = draw(values(tool))
    root = ROOTS[tool](inner) if draw(st.booleans()) else inner
    text = yaml.safe_dump(root, allow_unicode=draw(st.booleans()))
    match draw(st.sampled_from(["file", "map", "arguments"])):
        case "map":
            text = yaml.safe_dump({"data": {"x.yaml": text}}, default_style=draw(STYLES))
        case "arguments":
            text = yaml.safe_dump({"args": ["--device", text, f"--device={text}", "--domain"]})
    return tool, text


STYLES = st.sampled_from([None, "|", ">", '"', "'"])


class AnyInputTests(SynchronousTestCase):
    """Foreign files of any kind."""

    def convert(self, tool: str, source: str | bytes) -> None:
        """Convert, and compare what is written with what it loads as."""
        try:
            found = convert(tool, source, "f.yaml")
        except BadConfig as error:
            self.assertTrue(error.problems)
            text = source if isinstance(source, str) else source.decode(errors="replace")
            for problem in error.problems:
                self.assertTrue(str(problem).isprintable(), problem)
                self.assertGreaterEqual((problem.line, problem.column), (1, 1))
                self.assertLessEqual(problem.line, len(text.splitlines()) + 1)
            return
        config = load(found.text)
        self.assertEqual(load(show(config)), config)
        self.assertEqual(len(config.resources), found.resources)

    @settings(max_examples=400)
    @given(files())
    @example(("generic-device-plugin", "a: |\n  groups: [\n"))
    @example(("akri", "udevRules: ['\udcff']"))
    @example(("smarter-device-manager", "- {devicematch: '((((((a{9}){9}){9}){9}){9}){9})'}"))
    def test_any_shape(self, file: tuple[str, str]) -> None:
        """Every file is converted to one that loads, or refused with places within it."""
        self.convert(*file)

    @settings(max_examples=200)
    @given(st.sampled_from(sorted(TOOLS)), st.binary(max_size=200))
    def test_any_bytes(self, tool: str, source: bytes) -> None:
        """Nor do bytes do anything else."""
        self.convert(tool, source)
        recognised(source)

    def test_large(self) -> None:
        """A file that is repeated by its aliases is bounded, and takes little time."""
        device = "{name: a, groups: [{paths: [{path: /dev/kvm}]}]}"
        laughs = [f"a0: &a0 {device}"]
        laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
        self.convert("generic-device-plugin", "\n".join([*laughs, "devices: *a8"]))
        many = "\n".join(f"- |\n  devicematch: [{n}" for n in range(3000))
        self.convert("smarter-device-manager", many)
        self.convert("generic-device-plugin", "args: [" + "--device, 'a: b', " * 3000 + "]")
        self.convert("akri", "[" * 3000)
