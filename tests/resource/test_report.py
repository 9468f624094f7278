"""Tests for `twistdp.resource.report`: lines of devices and of what containers were given."""

import json
from typing import Any

from twisted.internet.defer import fail
from twisted.internet.task import Clock

from tests.support.logs import LogTestCase
from tests.support.updates import first
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, Mount, klog
from twistdp.errors import PeerUnavailable
from twistdp.kubelet import ALLOCATE, Holdings, messages
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import AllocateRequest, AllocateResponse
from twistdp.logs.format import as_json
from twistdp.model.acceptance import Update
from twistdp.model.calls import ContainerAllocateResponse
from twistdp.model.devices import Devices
from twistdp.resource.given import MOST
from twistdp.resource.inventory import Inventory
from twistdp.resource.report import Report
from twistdp.rpc import EndedCall, Method
from twistdp.status import Event, events_of

RESOURCE = "lab.example.com/camera"
GIVEN = ContainerAllocateResponse(
    devices=[DeviceSpec("/dev/v0"), DeviceSpec("/dev/v1", "/dev/v0", "r")],
    mounts=[Mount("/h", "/c", read_only=True), Mount("/i", "/d", read_only=False)],
    envs={"TOKEN": "s3cret", "CAMERA": "0"},
    annotations={"note": "s3cret"},
    cdi_devices=["lab.example.com/camera=a"],
)


def request(*containers: list[str]) -> AllocateRequest:
    """Ask for the devices with these ids, for each container."""
    asked = AllocateRequest()
    for ids in containers:
        asked.container_requests.add(devices_ids=ids)
    return asked


def answer(*given: ContainerAllocateResponse) -> bytes:
    """Encode what the containers are given."""
    return messages.allocate_response(map(messages.container_part, given))


def allocated(asked: AllocateRequest, given: bytes) -> EndedCall:
    """A call of Allocate that was answered."""
    method = Method(ALLOCATE, AllocateRequest, lambda _: given)
    return EndedCall(method, asked, given, 0.001, "OK")


def silent_holdings(clock: Clock) -> Holdings:
    """A kubelet that does not answer who has which device."""
    return Holdings(lambda: fail(PeerUnavailable("UNAVAILABLE", "")), clock)


class ReportTestCase(LogTestCase):
    """A report of the devices that a test lists."""

    def report(self, devices: Devices) -> Report:
        """Begin one."""
        clock = Clock()
        report = Report(
            RESOURCE, Inventory(RESOURCE, first(devices)), silent_holdings(clock), clock
        )
        report.begin()
        return report


class DevicesTests(ReportTestCase):
    """The first list."""

    def test_ids(self) -> None:
        """It has the ids, of many the first ones."""
        self.report({f"c{n}": DeviceInfo(HEALTHY) for n in range(3)})
        self.assertEqual(self.said(), f"{RESOURCE}: 3 devices (+c0 +c1 +c2)")
        self.kept.written.clear()
        self.report({f"c{n}": DeviceInfo(HEALTHY) for n in range(1000)})
        self.assertRegex(self.said(), r"1000 devices \(\+c0 .* \+c5 and 994 more\)")

    def test_unhealthy(self) -> None:
        """An unhealthy device is named with its reason."""
        self.report({"a": DeviceInfo(UNHEALTHY, reason="hot"), "b": DeviceInfo(HEALTHY)})
        self.assertEqual(self.only()["severity"], "W")
        text = f"{RESOURCE}: 2 devices, 1 unhealthy (+a +b; unhealthy: a (hot))"
        self.assertEqual(self.said(), text)


class AllocatedTests(ReportTestCase):
    """What containers were given."""

    def given(self, asked: AllocateRequest, given: bytes) -> str:
        """Return the line of an allocation."""
        report = self.report({"a": DeviceInfo(HEALTHY)})
        self.kept.written.clear()
        report.called(allocated(asked, given))
        (line,) = self.lines
        return line.partition("] ")[2]

    def test_in_brief(self) -> None:
        """Ids, nodes, names of variables and CDI devices, and how many mounts; no values."""
        self.assertEqual(
            self.given(request(["a"]), answer(GIVEN)),
            f"{RESOURCE}: allocated a (/dev/v0, /dev/v1; 2 mounts; 1 annotation; "
            "env CAMERA, TOKEN; CDI lab.example.com/camera=a)",
        )

    def test_of_a_hook(self) -> None:
        """A hook's message is shown as well, and nothing of an empty one."""
        empty = AllocateResponse(container_responses=[{}, {}])
        self.assertEqual(
            self.given(request(["a"], ["b", "c"]), empty.SerializeToString()),
            f"{RESOURCE}: allocated a; b, c",
        )

    def test_in_full(self) -> None:
        """At level 1 the line has all of the answer, for each container, without values."""
        klog.set_level(1)
        line = self.given(request(["a"], ["b"]), answer(GIVEN, ContainerAllocateResponse()))
        self.assertEqual(
            json.loads(line.partition(" answer=")[2]),
            [
                {
                    "devices": ["/dev/v0:/dev/v0:rw", "/dev/v1:/dev/v0:r"],
                    "mounts": ["/h:/c:ro", "/i:/d:rw"],
                    "envNames": ["CAMERA", "TOKEN"],
                    "annotationNames": ["note"],
                    "cdiDevices": ["lab.example.com/camera=a"],
                },
                {},
            ],
        )
        self.assertNotIn("s3cret", line)

    def test_bounded(self) -> None:
        """A line stays short, however much is given and whatever its names are."""
        many = AllocateResponse(container_responses=[{}])  # as a hook may make it
        for n in range(2000):
            many.container_responses[0].devices.add(host_path=f"/dev/n{n}\n{'x' * 500}")
        brief = self.given(request(["a"]), many.SerializeToString())
        self.assertIn("and 1994 more", brief)
        self.assertLess(len(brief), 2500)
        self.assertNotIn("\n", brief)
        klog.set_level(1)
        self.assertLess(
            len(self.given(request(["a"]), many.SerializeToString())), len(brief) + MOST * 400
        )


class EventTests(ReportTestCase):
    """The events, and what has a line."""

    def setUp(self) -> None:
        """Follow the events."""
        super().setUp()
        self.clock = Clock()
        self.events: list[Event] = []
        self.source = events_of(self.clock)  # kept for the report
        self.source.follow(self.events.append)

    def begun(self, devices: Devices) -> tuple[Inventory, Report]:
        """A report of these devices, whose first line and events are forgotten."""
        inventory = Inventory(RESOURCE, first(devices))
        report = Report(RESOURCE, inventory, silent_holdings(self.clock), self.clock)
        report.begin()
        self.events.clear()
        self.kept.written.clear()
        return inventory, report

    def emitted(self) -> list[tuple[str, dict[str, Any]]]:
        """The kinds of the events, with their facts but for the resource."""
        return [
            (e.kind.value, {key: v for key, v in e.facts.items() if key != "resource"})
            for e in self.events
        ]

    def test_nothing_to_see(self) -> None:
        """An update without a change has a line only if there is a new list."""
        devices = {"a": DeviceInfo(HEALTHY)}
        _, report = self.begun(devices)
        report.look(devices, Update(devices), is_relisted=False)
        self.assertEqual(self.lines, [])
        report.look(devices, Update(devices), is_relisted=True)
        self.assertEqual(self.said(), f"{RESOURCE}: 1 device")

    def test_history(self) -> None:
        """The history keeps the state of a device at the start and its later ones."""
        ill = {"a": DeviceInfo(UNHEALTHY, reason="hot"), "b": DeviceInfo(HEALTHY)}
        _, report = self.begun(ill)
        report.look(ill, Update({**ill, "a": DeviceInfo(HEALTHY)}, changed=["a"]), is_relisted=True)
        turns = [(turn.state, turn.reason) for turn in report.history.of("a")]
        self.assertEqual(turns, [(UNHEALTHY, "hot"), (HEALTHY, "")])
        self.assertEqual(report.history.of("b"), ())

    def test_no_room(self) -> None:
        """Devices that the list has no room for are an event when their number changes."""
        devices = {f"{n}": DeviceInfo(HEALTHY) for n in range(3)}
        inventory, report = self.begun(devices)
        for left_out in (["1"], ["2"], ["1", "2"], []):
            inventory.left_out = frozenset(left_out)
            report.look(devices, Update(devices), is_relisted=False)
        found = [facts["count"] for kind, facts in self.emitted() if kind == "notListed"]
        self.assertEqual(found, [1, 2, 0])

    def test_calls(self) -> None:
        """Each call that ends is an event, but for streams; only Allocate answers with devices."""
        _, report = self.begun({"a": DeviceInfo(HEALTHY)})
        well = allocated(request(["a"]), answer(GIVEN))
        method = Method("/v1beta1.DevicePlugin/ListAndWatch", None, lambda _: b"", streaming=True)
        report.called(EndedCall(method, None, None, 60.0, "CANCELLED"))
        other = Method("/v1beta1.DevicePlugin/PreStartContainer", None, lambda _: b"")
        report.called(EndedCall(other, None, b"", 0.5, "OK"))
        report.called(well._replace(answer=None, status="ABORTED", seconds=2.0))
        report.called(well)
        calls = [
            ("PreStartContainer", 0.5, "OK"),
            ("Allocate", 2.0, "ABORTED"),
            ("Allocate", 0.001, "OK"),
        ]
        self.assertEqual(
            self.emitted(),
            [
                *(("called", {"method": m, "seconds": s, "status": st}) for m, s, st in calls),
                ("allocated", {"ids": [["a"]]}),
            ],
        )


class JSONTests(ReportTestCase):
    """The same for programs."""

    form = staticmethod(as_json)

    def found(self) -> dict[str, object]:
        """The fields of the only event, without those that all events have."""
        (line,) = self.lines
        self.kept.written.clear()
        parsed = json.loads(line)
        return {key: parsed[key] for key in parsed if key not in ("ts", "caller", "v")}

    def test_devices(self) -> None:
        """Counts, and ids by what has happened to them."""
        self.report({"a": DeviceInfo(UNHEALTHY, reason="hot"), "b": DeviceInfo(HEALTHY)})
        self.assertEqual(
            self.found(),
            {
                "msg": "devices changed",
                "resource": RESOURCE,
                "devices": 2,
                "unhealthy": 1,
                "notListed": 0,
                "came": ["a", "b"],
                "worse": ["a (hot)"],
            },
        )

    def test_allocated(self) -> None:
        """The ids of each container, and what all are given."""
        report = self.report({"a": DeviceInfo(HEALTHY)})
        self.kept.written.clear()
        report.called(allocated(request(["a"], ["b"]), answer(GIVEN)))
        self.assertEqual(
            self.found(),
            {
                "msg": "devices allocated",
                "resource": RESOURCE,
                "ids": [["a"], ["b"]],
                "nodes": ["/dev/v0", "/dev/v1"],
                "mounts": 2,
                "envNames": ["CAMERA", "TOKEN"],
                "annotations": 1,
                "cdiDevices": ["lab.example.com/camera=a"],
            },
        )
