"""What ``make fuzz`` feeds with bytes: pure parts of the plugin, in process and fast.

A target is a function that takes bytes and must not raise; what it raises is a finding.
"""

import os
import re
import struct
import tempfile
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.cdi_samples import ALL, NULL
from tests.support.updates import first
from twistdp.cdi import spec as cdi_spec
from twistdp.cdi.service import CdiParts
from twistdp.config.convert.converting import TOOLS, convert, recognised
from twistdp.config.loading import load
from twistdp.config.problems import BadConfig
from twistdp.config.showing import show
from twistdp.errors import BadDevice, BadName, BadSetting, MalformedMessage, TwistdpError
from twistdp.host.topology import Topology
from twistdp.inotify.descriptor import events_in
from twistdp.kubelet import deviceplugin_v1beta1_pb2 as pb
from twistdp.kubelet.messages import container_part, listed_part
from twistdp.kubelet.pluginregistration_v1_pb2 import RegistrationStatus
from twistdp.kubelet.podresources_v1_pb2 import ListPodResourcesResponse
from twistdp.model.cdi import CDIDevice, CDINetDevice, CDINode
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceSpec
from twistdp.model.names import (
    MAX_SOCKET_PATH,
    check_device_id,
    check_namespace,
    check_resource_type,
    device_id,
    natural_key,
    private_directory,
    socket_path,
)
from twistdp.model.text import LONGEST, one_line, printable, shown
from twistdp.resource.handlers import Answers
from twistdp.resource.inventory import Inventory
from twistdp.resource.policies import Candidate, choose
from twistdp.rpc.codec import parsed
from twistdp.rpc.status import code_of
from twistdp.scanners.patterns import Pattern
from twistdp.settings import POLICIES, Settings

Target = Callable[[bytes], None]

TARGETS: Final[dict[str, Target]] = {}
"""By name."""

SEEDS: Final[dict[str, tuple[bytes, ...]]] = {}
"""Good inputs of each target, to begin with: coverage does not lead into protobuf's parser."""


def target(*seeds: bytes) -> Callable[[Target], Target]:
    """Make a function a target."""

    def register(function: Target) -> Target:
        TARGETS[function.__name__], SEEDS[function.__name__] = function, seeds
        return function

    return register


def _text(data: bytes) -> str:
    """As names of files come."""
    return data.decode("utf-8", "surrogateescape")


_KIND: Final = "a.example.com/thing"
IDS: Final = [*(f"card{n // 4}-{n % 4}" for n in range(16)), "a", "b"]


def _answers(policy: str) -> Answers:
    resource = "a.example.com/thing"
    devices = {
        id_: DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec("/dev/null", f"/dev/{id_}")],
            envs={"CARD": id_[:5]},
            topology=[place % 3],
            group=id_.partition("-")[0],
        )
        for place, id_ in enumerate(IDS)
    }
    clock = Clock()
    return Answers(
        resource,
        Inventory(resource, first(devices)),
        CdiParts(*resource.split("/"), settings=Settings(), reactor=clock),
        policy,
    )


_ANSWERS = {policy: _answers(policy) for policy in POLICIES}


_ASKED = [
    pb.AllocateRequest(
        container_requests=[
            pb.ContainerAllocateRequest(devices_ids=["card0-1", "card0-0"]),
            pb.ContainerAllocateRequest(devices_ids=["a", "unknown"]),
        ]
    ),
    *(
        pb.PreferredAllocationRequest(
            container_requests=[
                pb.ContainerPreferredAllocationRequest(
                    available_deviceIDs=IDS, must_include_deviceIDs=IDS[:must], allocation_size=size
                )
            ]
        )
        for must, size in ((0, 1), (1, 4), (2, 9))
    ),
    pb.PreStartContainerRequest(devices_ids=IDS[:3]),
]


@target(
    *(bytes([n]) + message.SerializeToString() for message in _ASKED for n in range(len(POLICIES)))
)
def requests(data: bytes) -> None:
    """Requests of every kind are answered, or refused with a status."""
    policy, data = POLICIES[data[0] % len(POLICIES)] if data else "none", data[1:]
    answers = _ANSWERS[policy]
    handlers: tuple[tuple[type[Message], Callable[[Any], Any]], ...] = (
        (pb.AllocateRequest, answers.allocate),
        (pb.PreferredAllocationRequest, answers.preferred),
        (pb.PreStartContainerRequest, answers.pre_start),
        (pb.Empty, answers.get_options),
    )
    for kind, handler in handlers:
        try:
            answer = handler(parsed(data, kind, "method"))
            if hasattr(answer, "send"):
                done: list[object] = []
                Deferred.fromCoroutine(answer).addBoth(done.append)
                (answer,) = done
                if hasattr(answer, "raiseException"):
                    answer.raiseException()
        except TwistdpError as refusal:
            assert code_of(type(refusal)) is not None, refusal
            assert len(one_line(str(refusal)).encode()) <= LONGEST
        else:
            if isinstance(answer, bytes):
                pb.AllocateResponse.FromString(answer)
            else:
                answer.SerializeToString()


@target(
    b"",
    RegistrationStatus(plugin_registered=True, error="none").SerializeToString(),
    pb.ListAndWatchResponse(
        devices=[pb.Device(ID="a", topology=pb.TopologyInfo(nodes=[pb.NUMANode(ID=1)]))]
    ).SerializeToString(),
)
def messages(data: bytes) -> None:
    """A kubelet's answer parses, or is refused as malformed."""
    for kind in (pb.Empty, RegistrationStatus, ListPodResourcesResponse, pb.ListAndWatchResponse):
        try:
            parsed(data, kind, "method")
        except MalformedMessage as error:
            assert isinstance(error.__cause__, DecodeError)


@target(*(bytes([size, 4, policy, *range(40)]) for size in (3, 9, 40) for policy in range(4)))
def preferences(data: bytes) -> None:
    """Each policy gives as many ids as it can, those that must be included among them."""
    if len(data) < 3:
        return
    size, nodes, policy = data[0] - 2, data[1] % 12 + 1, POLICIES[data[2] % len(POLICIES)]
    candidates = [
        Candidate(
            str(rank),
            f"group{value & 7}",
            tuple({n % nodes for n in range(value >> 3 & 3, value >> 5)}),
        )
        for rank, value in enumerate(data[3:200])
    ]
    must = {str(rank) for rank, value in enumerate(data[3:200]) if value % 29 == 0}
    chosen = choose(policy, candidates, must | {"unknown"}, size)
    assert set(chosen) >= must
    assert len(chosen) == len(set(chosen)) == min(len(candidates), max(size, len(must)))


@target(
    cdi_spec.spec_text(_KIND, [cdi_spec.entry_of("a", ALL), cdi_spec.entry_of("b", NULL)]),
    cdi_spec.spec_text(_KIND, [cdi_spec.entry_of("b", NULL)], "9.9.9"),
)
def cdi_specs(data: bytes) -> None:
    """A spec file is refused, or can be written again."""
    try:
        spec = cdi_spec.parse_spec(data, _KIND)
    except ValueError:
        return
    text = cdi_spec.spec_text(_KIND, spec.entries.values(), spec.version)
    assert cdi_spec.parse_spec(text, _KIND) == spec


@target(b"\3abc\4\xff\xfe\na\0\20sixteen_letters_")
def inotify_events(data: bytes) -> None:
    """Every event is reported with its name, whatever bytes the name has."""
    events = []
    while data:
        length, data = data[0] % 40, data[1:]
        name, data = data[:length].replace(b"\0", b"."), data[length:]
        events.append(name)
    raw = b"".join(
        struct.pack("iIII", place, 256, 0, -len(name) % 16 + len(name))
        + name
        + bytes(-len(name) % 16)
        for place, name in enumerate(events)
    )
    told = [(place, os.fsencode(name)) for place, _, name in events_in(raw)]
    assert told == list(enumerate(events))


@target(b"a.example.com", b"Widget_1.x", b"card0-1", b"/dev/bus/\xff", "é".encode() * 60)
def names(data: bytes) -> None:
    """Names are refused or keep to the rules that are theirs."""
    text = _text(data)
    for check in (check_namespace, check_resource_type, check_device_id):
        try:
            assert check(text) == text
        except BadName as error:
            assert str(error).isprintable()
    check_device_id(device_id(text or "x"))
    assert natural_key(text) <= natural_key(text + "0")
    for directory, resource in (("/d", text), (f"/{text}", "a.example.com/x")):
        try:
            path = socket_path(directory, resource.replace("/", "_"))
        except BadSetting:
            continue
        assert os.path.dirname(path) == directory.rstrip("/") or directory.endswith("/")
        assert len(os.fsencode(path)) <= MAX_SOCKET_PATH
        assert len(os.fsencode(private_directory(path))) < MAX_SOCKET_PATH


@target(b"a\nb\t\x1b[2J \xff", "é\u2028\U0001f600".encode() * 300)
def legible(data: bytes) -> None:
    """Any text becomes one line."""
    text = _text(data)
    line = one_line(text)
    assert line.isprintable() and len(line.encode()) <= LONGEST
    assert one_line(line) == line
    assert shown(text, 50).isprintable()
    assert printable(text).replace("\t", "").isprintable()


@target(b"dev/tty[!A-Z]*\0ttyUSB0", b"dev/*/x?\0x1", b"a/[]-a]\0-")
def patterns(data: bytes) -> None:
    """A pattern is refused, or matches in good time."""
    first, _, second = _text(data).partition("\0")
    try:
        pattern = Pattern.parse(0, f"/{first}")
    except ValueError:
        return
    pattern.matches(second)


@target(b"dev/null\xfedev/a\xferwm", b"\xfe\xfe", b"eth0\xfeeth1\xfer")
def devices(data: bytes) -> None:
    """Texts in a device are refused, or can be sent and described."""
    parts = [_text(part) for part in data.split(b"\xfe")]
    first, second, third = [*parts, "", "", ""][:3]
    try:
        info = DeviceInfo(
            HEALTHY,
            nodes=[DeviceSpec(f"/{first}", f"/{second}", third or "rw")],
            envs={first or "A": second},
            annotations={third or "a": first},
            cdi=CDIDevice(
                nodes=[CDINode(f"/{first}")],
                env={second or "A": third},
                net_devices=[CDINetDevice(first or "eth0", second or "eth1")],
            ),
        )
    except BadDevice as error:
        assert str(error).isprintable(), str(error)
        return
    pb.ContainerAllocateResponse.FromString(container_part(info))
    pb.ListAndWatchResponse.FromString(listed_part("a", info))
    assert info.cdi is not None
    entry = cdi_spec.entry_of("a", info.cdi)
    spec = cdi_spec.parse_spec(cdi_spec.spec_text(_KIND, [entry]), _KIND)
    assert spec.entries == {entry.name: entry}


class _Sysfs:
    """A device in a sysfs; a target fills its `numa_node`."""

    def __init__(self) -> None:
        self.top = tempfile.TemporaryDirectory(prefix="fuzz-")
        root = self.root = self.top.name
        os.makedirs(f"{root}/devices/a")
        os.makedirs(f"{root}/dev/char")
        os.symlink("../../devices/a", f"{root}/dev/char/1:3")
        self.file = os.open(f"{root}/devices/a/numa_node", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)


_sysfs: list[_Sysfs] = []


@target(b"0\n", b"-1\n", b" 1023 ", b"\xff")
def numa_nodes(data: bytes) -> None:
    """Whatever `numa_node` has in it is a node, or unknown."""
    if not _sysfs:
        _sysfs.append(_Sysfs())
    (sysfs,) = _sysfs
    os.ftruncate(sysfs.file, 0)
    os.pwrite(sysfs.file, data, 0)
    nodes = Topology(sysfs.root).of_device("char", 1, 3)
    expected = re.fullmatch(rb"\s*([0-9]{1,4})\s*", data) if len(data) < 16 else None
    if expected is None or int(expected[1]) >= 1024:
        assert nodes == frozenset(), nodes
    else:
        assert nodes == {int(expected[1])}, nodes


@target(
    b"domain: a.b\nresources:\n  x: {path: /dev/a*, replicas: 2, env: {A: '{serial}'}}\n",
    b'{"domain": "a.b", "resources": {"c.d/x": {"usb": "046d:*", "as": "video"}}}',
    b"domain: a.b\nresources: {x: {use: &a y, health: [{file: /z, min: 1}], cdi: {env: {A: *a}}}}",
)
def configuration(data: bytes) -> None:
    """A file loads as what it is shown as, or each of its problems is one line with a place."""
    try:
        config = load(data)
    except BadConfig as error:
        for problem in error.problems:
            assert str(problem).isprintable() and problem.line > 0 and problem.column > 0, problem
    else:
        assert load(show(config)) == config


@target(
    b"devices: [{name: a, groups: [{paths: [{path: /dev/a*}, {path: /dev/b, limit: 2}]}]}]",
    b"args: [--device, '{name: a, groups: [{usb: [{vendor: 1a86, product: 7523}]}]}', --domain=b]",
    b"data:\n  x: |\n    - {devicematch: '^tty[0-9]*$', nummaxdevices: 2}\n",
    b'discoveryDetails: |\n  udevRules: [\'SUBSYSTEM=="tty", ATTRS{idVendor}!="1"\']\n',
    b'{"resourceList": [{"resourceName": "a", "selectors": [{"pfNames": ["p0"]}]}]}',
    b"version: v1\nsharing: {timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 4}]}}",
    b"permittedHostDevices: {pciHostDevices: [{pciVendorSelector: '1:2', resourceName: a.b/c}]}",
)
def conversion(data: bytes) -> None:
    """A foreign file becomes one that loads, or each of its problems is one line with a place."""
    recognised(data)
    for tool in TOOLS:
        try:
            converted = convert(tool, data)
        except BadConfig as error:
            lines = error.problems
        else:
            lines = converted.notes
            assert len(load(converted.text).resources) == converted.resources
        for line in lines:
            assert str(line).isprintable() and line.line > 0 and line.column > 0, line
