"""Tests for `twistdp.answers`, as far as only they see it."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.logs import LogTestCase
from twistdp import HEALTHY, AllocateResponse, DeviceInfo, IAllocator, Settings, klog
from twistdp.answers import MOST_CONTAINERS, Answers
from twistdp.calls import ContainerAllocateResponse
from twistdp.cdiparts import CdiParts
from twistdp.errors import UnknownDevice, UnreasonableRequest
from twistdp.hooks import Hooks
from twistdp.inventory import Inventory
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    ContainerAllocateRequest,
    PreferredAllocationRequest,
    PreStartContainerRequest,
)
from twistdp.preparing import NumaNodes

RESOURCE = "a.example.com/thing"


@implementer(IAllocator)
class Generous:
    """Grants whatever is asked for."""

    def allocate(self, request: Any) -> AllocateResponse:
        """Nothing much, for each container."""
        return AllocateResponse([ContainerAllocateResponse() for _ in request.container_requests])


def answers(scanner: object = None) -> Answers:
    """Answers of a resource with one device, ``a``."""
    clock = Clock()
    return Answers(
        RESOURCE,
        Inventory(RESOURCE, {"a": DeviceInfo(HEALTHY)}, numa=NumaNodes("/nonexistent")),
        Hooks(scanner, "scanner", clock),
        CdiParts(*RESOURCE.split("/"), settings=Settings(), reactor=clock),
        "none",
    )


def request(*ids: str) -> AllocateRequest:
    """A container's request."""
    return AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=ids)])


class HandedOutTests(SynchronousTestCase):
    """`Answers.handed_out`"""

    def test_known_ids_only(self) -> None:
        """Ids that are no devices are not kept, whatever a hook has said to them."""
        asked = answers(Generous())
        self.successResultOf(Deferred.fromCoroutine(asked.allocate(request("a", "b" * 10_000))))
        self.assertEqual(asked.handed_out, {"a"})


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


class LogTests(LogTestCase):
    """What is told to operators and developers."""

    def test_allocated(self) -> None:
        """Each allocation is a line with the resource and the ids, with hooks and without."""
        answers().allocate(request("a"))
        self.assertEqual(self.said(), f"{RESOURCE}: allocated a")
        asked = answers(Generous())
        self.successResultOf(Deferred.fromCoroutine(asked.allocate(request("c", "b"))))
        self.assertIn(f"{RESOURCE}: allocated c, b", self.lines[1])
        self.assertEqual(len(self.lines), 2)

    def test_refused(self) -> None:
        """What is refused was not allocated."""
        self.assertRaises(UnknownDevice, answers().allocate, request("z"))
        self.assertEqual(self.lines, [])

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
        self.assertLess(len(about(request(*(f"{n}\n" * 99 for n in range(99))))), 2000)
        many = AllocateRequest.FromString(b"\n\0" * 2_000_000)
        self.assertLess(len(about(many)), 100)

    def test_many_long_ids(self) -> None:
        """Of many long ids, a few and their beginnings are told."""
        klog.set_level(4)
        ids = (f"{n}\n" * 99 for n in range(99))
        self.assertRaises(UnknownDevice, answers().allocate, request(*ids))
        (line,) = self.lines
        self.assertLess(len(line), 2000)
        self.assertIn("91 more", line)
