"""CDI values for tests, and strategies that make them."""

from hypothesis import strategies as st

from tests.support.strategies import made
from twistdp.model.cdi import (
    HOOKS,
    CDIDevice,
    CDIHook,
    CDIIntelRdt,
    CDIMount,
    CDINetDevice,
    CDINode,
)

NULL = CDIDevice(nodes=[CDINode("/dev/null")])
ZERO = CDIDevice(nodes=[CDINode("/dev/zero")])
FULL = CDIDevice(nodes=[CDINode("/dev/full")])

ALL = CDIDevice(
    nodes=[CDINode("/dev/a", "/dev/b", "c", 1, 3, "rwm", 0o660, 0, 44)],
    mounts=[
        CDIMount("/usr/lib/x", "/usr/lib/x", ["rbind", "ro"]),
        CDIMount("efivarfs", "/run/efivars", ["rw", "nosuid"], "efivarfs"),
    ],
    env={"B": "2", "A": "1 = one"},
    hooks=[CDIHook("createContainer", "/bin/hook", ["hook", "-v"], {"H": ""}, 5)],
    additional_gids=[0, 44],
    net_devices=[CDINetDevice("eth1", "net0")],
    intel_rdt=CDIIntelRdt("gold", "L3:0=f", "MB:0=50", ["L2:0=3"], True),
)
"""Has every part."""

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
names = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cn", "Cs", "Zl", "Zp"]), max_size=8)
words = names.filter(bool)
paths = (
    st.lists(names.map(lambda part: part.replace("/", "")).filter(lambda p: p != ".."), max_size=3)
    .map("/".join)
    .map("/x".__add__)
)
numbers = st.integers(0, 2**32 - 1)
environments = st.dictionaries(words.filter(lambda name: "=" not in name), texts, max_size=2)
interfaces = st.from_regex(r"[a-z][a-z0-9]{0,14}", fullmatch=True)


@st.composite
def nodes(draw: st.DrawFn) -> CDINode:
    """A device node."""
    optional = st.none() | numbers
    major, minor = draw(st.just((None, None)) | st.tuples(numbers, numbers))
    return CDINode(
        draw(paths),
        draw(st.none() | paths),
        draw(st.sampled_from([None, "b", "c", "u", "p"])),
        major,
        minor,
        draw(st.sampled_from(["r", "w", "rw", "rwm", "m"])),
        draw(st.none() | st.integers(0, 0o777)),
        draw(optional),
        draw(optional),
    )


mounts = st.builds(
    CDIMount, paths, paths, st.lists(words, max_size=2).map(lambda more: ["bind", *more])
) | st.builds(
    CDIMount, words, paths, st.just(["ro"]), words.filter(lambda t: t not in ("none", "bind"))
)
hooks = st.builds(
    CDIHook,
    st.sampled_from(HOOKS),
    paths,
    st.lists(texts, max_size=2),
    environments,
    st.none() | st.integers(1, 1000),
)
rdts = st.builds(
    CDIIntelRdt,
    names.filter(lambda t: "/" not in t and t not in (".", "..")),
    names,
    names,
    st.lists(words, max_size=2),
    st.booleans(),
)
devices = st.builds(
    made(CDIDevice, CDIDevice(nodes=[CDINode("/dev/null")])),
    st.lists(nodes(), max_size=2, unique_by=lambda node: node.path),
    st.lists(mounts, max_size=2, unique_by=lambda mount: mount.container_path),
    environments,
    st.lists(hooks, max_size=2),
    st.lists(numbers, max_size=2),
    st.lists(
        st.builds(CDINetDevice, interfaces, interfaces),
        max_size=2,
        unique_by=(lambda net: net.host_name, lambda net: net.name),
    ),
    st.none() | rdts,
)

device_ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=63)
