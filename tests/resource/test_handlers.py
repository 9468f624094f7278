"""Tests for `twistdp.resource.handlers`, as far as only they see it."""

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.logs import LogTestCase
from tests.support.updates import first
from twistdp import (
    HEALTHY,
    AllocateResponse,
    CDIDevice,
    CDINode,
    DeviceInfo,
    DeviceSpec,
    IAllocator,
    IPostAllocator,
    Settings,
    klog,
)
from twistdp.cdi.service import CdiParts
from twistdp.errors import HookFailed, MissingNode, NoRoom, UnknownDevice, UnreasonableRequest
from twistdp.kubelet import messages
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    ContainerAllocateRequest,
    PreferredAllocationRequest,
    PreStartContainerRequest,
)
from twistdp.model.acceptance import Update
from twistdp.model.calls import ContainerAllocateResponse
from twistdp.model.devices import Devices
from twistdp.model.text import printable
from twistdp.resource.handlers import Answers
from twistdp.resource.hooked import HookedAnswers
from twistdp.resource.hooks import Hooks
from twistdp.resource.inventory import Inventory
from twistdp.resource.requests import MOST_CONTAINERS, MOST_IDS, asked_by
from twistdp.resource.room import MOST_BYTES

RESOURCE = "a.example.com/thing"


@implementer(IAllocator)
class Generous:
    """Grants whatever is asked for."""

    def allocate(self, request: Any) -> AllocateResponse:
        """Nothing much, for each container."""
        return AllocateResponse([ContainerAllocateResponse() for _ in request.container_requests])


@implementer(IPostAllocator)
class Adding:
    """Adds a node to what a container gets, or says so in a message of its own."""

    def __init__(self, path: str, as_message: bool = False) -> None:
        self.path = path
        self.as_message = as_message

    def post_allocate(self, response: AllocateResponse) -> object:
        """Add it."""
        response.container_responses[0].devices.append(DeviceSpec(self.path))
        if self.as_message:
            (part,) = response.container_responses
            return messages.AllocateResponse.FromString(
                messages.allocate_response([messages.container_part(part)])
            )
        return response


def answers(
    scanner: object = None,
    info: DeviceInfo | None = None,
    check_nodes: bool = True,
    cdi: CdiParts | None = None,
    devices: Devices | None = None,
) -> Answers:
    """Answers of a resource with these devices; one, ``a``, if they are not given."""
    clock = Clock()
    inventory = Inventory(RESOURCE, first(devices or {"a": info or DeviceInfo(HEALTHY)}))
    cdi = cdi or CdiParts(*RESOURCE.split("/"), settings=Settings(), reactor=clock)
    common = RESOURCE, inventory, cdi, "none", check_nodes
    if scanner is None:
        return Answers(*common)
    return HookedAnswers(*common, hooks=Hooks(scanner, "scanner", clock))


def request(*ids: str) -> AllocateRequest:
    """A container's request."""
    return AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=ids)])


def allocating(asked: Answers, *ids: str) -> Deferred[Any]:
    """The answer to such a request, where a hook has a say."""
    answer = asked.allocate(request(*ids))
    assert not isinstance(answer, bytes)
    return Deferred.fromCoroutine(answer)


class HandedOutTests(SynchronousTestCase):
    """`Answers.handed_out`"""

    def test_known_ids_only(self) -> None:
        """Ids of no devices are not kept, whatever a hook answered."""
        asked = answers(Generous())
        self.successResultOf(allocating(asked, "a", "b" * 10_000))
        self.assertEqual(asked.handed_out, {"a"})


class RepeatedTests(SynchronousTestCase):
    """The same request again."""

    def test_devices_change(self) -> None:
        """Its ids are remembered, and its devices are looked at each time."""
        asked = answers(devices={"a": DeviceInfo(HEALTHY), "b": DeviceInfo(HEALTHY)})
        before = asked.allocate(request("a", "b"))
        self.assertEqual(asked.allocate(request("a", "b")), before)
        changed = DeviceInfo(HEALTHY, envs={"A": "1"})
        asked._inventory.update(Update({"a": changed, "b": DeviceInfo(HEALTHY)}, changed=["a"]))
        self.assertNotEqual(asked.allocate(request("a", "b")), before)
        asked._inventory.update(Update({"a": changed}, removed=["b"]))
        error = self.assertRaises(UnknownDevice, asked.allocate, request("a", "b"))
        self.assertIn("no device b (any more)", str(error))

    def test_length(self) -> None:
        """What a short request and a long one ask for."""
        for length in (1, 1000):
            each = ["a" * length, "b" * length]
            for _ in range(2):
                asked = asked_by(
                    AllocateRequest(
                        container_requests=[
                            ContainerAllocateRequest(devices_ids=each),
                            ContainerAllocateRequest(devices_ids=each[:1]),
                        ]
                    )
                )
                self.assertEqual(asked.ids, [each, each[:1]])
                shown = [printable(id_, 63) for id_ in each]
                self.assertEqual(asked.shown, f"{shown[0]}, {shown[1]}; {shown[0]}")


class NodeTests(SynchronousTestCase):
    """Nodes that are not there are not handed out."""

    def refused(self, asked: Answers) -> str:
        """The text with which an allocation is refused."""
        return str(self.assertRaises(MissingNode, asked.allocate, request("a")))

    def test_default(self) -> None:
        """A device whose node is gone is refused by its path, and not handed out."""
        nodes = [DeviceSpec("/dev/null"), DeviceSpec("/absent/a")]
        asked = answers(info=DeviceInfo(HEALTHY, nodes=nodes))
        self.assertIn("device a cannot be used, its node /absent/a is gone", self.refused(asked))
        self.assertEqual(asked.handed_out, set())
        self.assertTrue(answers(info=DeviceInfo(HEALTHY, nodes=nodes[:1])).allocate(request("a")))

    def test_off(self) -> None:
        """Without the check the node is not looked at."""
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/absent/a")])
        self.assertTrue(answers(info=info, check_nodes=False).allocate(request("a")))
        for as_message in (False, True):
            asked = answers(Adding("/absent/b", as_message), check_nodes=False)
            self.successResultOf(allocating(asked, "a"))

    def test_hooks(self) -> None:
        """Nodes that a hook adds are checked, in any form of answer."""
        for as_message in (False, True):
            asked = answers(Adding("/absent/b", as_message))
            failure = self.failureResultOf(allocating(asked, "a"))
            self.assertTrue(failure.check(MissingNode))
            self.assertIn("/absent/b", failure.getErrorMessage())
            self.assertEqual(asked.handed_out, set())
            there = answers(Adding("/dev/null", as_message))
            self.successResultOf(allocating(there, "a"))
            self.assertEqual(there.handed_out, {"a"})

    def test_cdi(self) -> None:
        """A node of a CDI part is left to the runtime, which may make it, or find it later."""
        nodes = [CDINode("/absent/x"), CDINode("/dev/made", type="c", major=1, minor=3)]
        clock = Clock()
        settings = Settings(cdi_dir=self.mktemp())
        os.mkdir(settings.cdi_dir)
        cdi = CdiParts(*RESOURCE.split("/"), settings=settings, reactor=clock)
        self.addCleanup(cdi.stop)
        info = DeviceInfo(HEALTHY, cdi=CDIDevice(nodes=nodes))
        cdi.describe({"a": info})
        answer = messages.AllocateResponse.FromString(
            answers(info=info, cdi=cdi).allocate(request("a"))  # type: ignore[arg-type]
        )
        names = [device.name for device in answer.container_responses[0].cdi_devices]
        self.assertEqual(names, cdi.names(["a"]))
        self.assertEqual(len(names), 1)
        asked = answers(Adding("/dev/null"), info, cdi=cdi)
        changed = messages.AllocateResponse.FromString(self.successResultOf(allocating(asked, "a")))
        names = [device.name for device in changed.container_responses[0].cdi_devices]
        self.assertEqual(names, cdi.names(["a"]))


class OddAnswerTests(SynchronousTestCase):
    """Unusable answers of a hook are its failure, and the text says what is wrong."""

    def test_parts(self) -> None:
        """Whatever an author puts into a response after it was made."""
        for name, value, words in (
            ("container_responses", 5, "answered with a value of type int, not a list"),
            ("cdi_devices", 5, "cdi_devices: a value of type int is not a list"),
            ("cdi_devices", [5], "cdi_devices: a value of type int is not a str"),
            ("cdi_devices", ["vendor/class"], "is not a name like vendor/class=device"),
            ("cdi_devices", ["vendor/class=1\n"], "is not a name like vendor/class=device"),
            ("cdi_devices", ["device=1"], "is not a name like vendor/class=device"),
        ):
            part = ContainerAllocateResponse()
            answer = AllocateResponse([part])
            setattr(part if hasattr(part, name) else answer, name, value)

            @implementer(IAllocator)
            class Odd:
                """Answers so."""

                def allocate(self, request: Any, answer: Any = answer) -> object:
                    """Answer."""
                    return answer

            asking = allocating(answers(Odd()), "a")
            self.assertIn(words, self.failureResultOf(asking, HookFailed).getErrorMessage())
            self.flushLoggedErrors()


class SizeTests(SynchronousTestCase):
    """Requests that would keep others waiting."""

    def test_containers(self) -> None:
        """Only so many containers are answered in one call."""
        empty = AllocateRequest.FromString(b"\n\0" * MOST_CONTAINERS)
        self.assertEqual(answers().allocate(empty), b"\n\0" * MOST_CONTAINERS)
        more = AllocateRequest.FromString(b"\n\0" * (MOST_CONTAINERS + 1))
        self.assertRaises(UnreasonableRequest, answers().allocate, more)
        preferred = PreferredAllocationRequest.FromString(b"\n\0" * (MOST_CONTAINERS + 1))
        asking = Deferred.fromCoroutine(answers().preferred(preferred))
        self.failureResultOf(asking, UnreasonableRequest)

    def test_ids(self) -> None:
        """Nor more ids than a list has room for, in all containers together."""
        many = ["a"] * (MOST_IDS // 2 + 1)
        asked = ContainerAllocateRequest(devices_ids=many)
        request_ = AllocateRequest(container_requests=[asked] * 2)
        self.assertRaises(UnreasonableRequest, answers().allocate, request_)
        preferred = PreferredAllocationRequest()
        preferred.container_requests.add(available_deviceIDs=many, must_include_deviceIDs=many)
        for asking in (
            answers().preferred(preferred),
            answers().pre_start(PreStartContainerRequest(devices_ids=many * 2)),
        ):
            self.failureResultOf(Deferred.fromCoroutine(asking), UnreasonableRequest)

    def test_answer(self) -> None:
        """An answer that no kubelet would take is not made, with hooks and without."""
        value = "v" * (MOST_BYTES // 4)
        devices = {name: DeviceInfo(HEALTHY, envs={name: value}) for name in "abcdefgh"}
        asked = request(*"abcdefgh")
        self.assertIn(
            "than 4194304 bytes",
            str(self.assertRaises(NoRoom, answers(devices=devices).allocate, asked)),
        )
        adding = answers(Adding("/dev/null"), devices=devices)
        self.failureResultOf(allocating(adding, *"abcdefgh"), NoRoom)
        self.assertIsInstance(answers(devices=devices).allocate(request(*"abc")), bytes)


class LogTests(LogTestCase):
    """Log lines for operators and developers."""

    def test_about(self) -> None:
        """A request's resource and devices, of each container, in a short text."""
        about = answers().about
        both = request("a", "b")
        both.container_requests.add(devices_ids=["c"])
        self.assertEqual(about(both), f"{RESOURCE} (a, b; c)")
        self.assertEqual(about(PreStartContainerRequest(devices_ids=["a"])), f"{RESOURCE} (a)")
        preferred = PreferredAllocationRequest()
        preferred.container_requests.add(allocation_size=2, available_deviceIDs=["a", "b", "c"])
        self.assertEqual(about(preferred), f"{RESOURCE} (2 wanted)")
        self.assertEqual(about(AllocateRequest()), f"{RESOURCE} (no devices)")
        odd = request(*(f"{n}\n" * 99 for n in range(99)))
        self.assertLess(len(about(odd)), 700)
        for _ in range(7):
            odd.container_requests.add(devices_ids=["\U0005b9a3" * 63] * 8)
        self.assertLess(len(about(odd)), 700)
        longest = [f"{n}" * 63 for n in range(8)]
        self.assertEqual(about(request(*longest)), f"{RESOURCE} ({', '.join(longest)})")
        many = AllocateRequest.FromString(b"\n\0" * 2_000_000)
        self.assertLess(len(about(many)), 100)

    def test_many_long_ids(self) -> None:
        """Of many long ids, the log has the beginnings of a few."""
        klog.set_level(4)
        ids = (f"{n}\n" * 99 for n in range(99))
        self.assertRaises(UnknownDevice, answers().allocate, request(*ids))
        (line,) = self.lines
        self.assertLess(len(line), 2000)
        self.assertIn(" count=99 ", line)
