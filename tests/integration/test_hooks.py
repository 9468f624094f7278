"""A scanner's hooks, between a manager in this process and an emulated kubelet."""

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from zope.interface import alsoProvides

from tests.integration.test_life import DOMAIN, YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import Gate, failure_of, soon
from tests.support.servers import channel_to
from twistdp import (
    HEALTHY,
    UNHEALTHY,
    AllocateRequest,
    AllocateResponse,
    AllocationRefused,
    ContainerAllocateResponse,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    IContainerPreStarter,
    IPostAllocator,
    IPreferredAllocator,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    UseDefaultMethod,
)
from twistdp.errors import CallTimedOut
from twistdp.kubelet import deviceplugin_v1beta1_pb2 as pb
from twistdp.kubelet.api import ALLOCATE, GET_OPTIONS, PRE_START_CONTAINER
from twistdp.rpc.channel import Channel
from twistdp.testing.endpoint import AdmissionRefused

INTERFACES = {
    "allocate": IAllocator,
    "post_allocate": IPostAllocator,
    "get_preferred_allocation": IPreferredAllocator,
    "pre_start_container": IContainerPreStarter,
}

NAME = f"{__name__}:HookedScanner"
SOCKET = f"{DOMAIN}_yellow.sock"

GRACE = 2.0
"""Seconds: long enough to be seen by the kubelet, and not long to wait for."""


class HookedScanner(ToldScanner):
    """Finds the given devices, and has the given hooks."""

    def __init__(self, tree: DeviceTree, hooks: Mapping[str, Callable[[Any], Any]]) -> None:
        super().__init__(tree)
        for name, hook in hooks.items():
            setattr(self, name, hook)
            alsoProvides(self, INTERFACES[name])


def ids_of(answer: Any) -> list[str]:
    """The devices that a container got, identified by their nodes."""
    return [os.path.basename(node.container_path) for node in answer.devices]


def response(**parts: Any) -> AllocateResponse:
    """An answer for one container."""
    return AllocateResponse([ContainerAllocateResponse(**parts)])


def cards(groups: str, each: int) -> DeviceTree:
    """A tree with some devices on each card; ids begin with the card's name."""
    tree = DeviceTree()
    for group in groups:
        for number in range(each):
            id_ = f"{group}{number}"
            nodes = [DeviceSpec("/dev/null", f"/dev/{id_}")]
            tree.add_device("yellow", id_, DeviceInfo(HEALTHY, nodes, group=group))
    return tree


class HooksTestCase(LifeTestCase):
    """A manager whose scanner has hooks."""

    async def serve(
        self,
        tree: DeviceTree | None = None,
        settings: Mapping[str, Any] | None = None,
        join: Mapping[str, str] | None = None,
        **hooks: Callable[[Any], Any],
    ) -> HookedScanner:
        """Have a tree listed, by default of the devices a and b."""
        await self.kubelet.start()
        scanner = HookedScanner(tree_of("a", "b") if tree is None else tree, hooks)
        if join is not None:
            scanner.join = join  # type: ignore[attr-defined]
        self.manager = self.manage(scanner, **(settings or {}))
        await self.kubelet.listed(YELLOW, scanner.tree["yellow"])
        await self.kubelet.until(lambda: self.kubelet.registrations)
        return scanner

    async def end(self) -> None:
        """Make room for another manager and a new kubelet."""
        await soon(self.manager.stopService())
        await soon(self.kubelet.stop())

    def channel(self) -> Channel:
        """A connection of our own to the plugin."""
        return channel_to(self, os.path.join(self.directory, SOCKET))

    async def refusal(self, *ids: str) -> str:
        """The text that the pod's status would show."""
        call = soon(self.kubelet.allocate(YELLOW, ids=ids or ["a"]))
        return str(await failure_of(call, AdmissionRefused))


class AllocateTests(HooksTestCase):
    """Which hook decides what a container gets."""

    async def test_allocator_answers(self) -> None:
        """The allocator is asked with values and its answer is the container's."""
        requests: list[AllocateRequest] = []

        def allocate(request: AllocateRequest) -> AllocateResponse:
            requests.append(request)
            (part,) = request.container_requests
            return response(envs={"GIVEN": " ".join(part.devices_ids)})

        await self.serve(tree_of("d-2", "d-10", "d-3"), allocate=allocate)
        answer = await soon(self.kubelet.allocate(YELLOW, ids=["d-10", "d-2"]))
        self.assertEqual(dict(answer.envs), {"GIVEN": "d-2 d-10"})
        self.assertEqual(len(answer.devices), 0)
        (request,) = requests
        self.assertEqual(request.resource, YELLOW)
        self.assertEqual(request.container_requests[0].devices.keys(), {"d-2", "d-10"})
        self.assertIsInstance(request.raw, pb.AllocateRequest)
        self.assertEqual(set(request.raw.container_requests[0].devices_ids), {"d-2", "d-10"})

    async def test_deferred_and_coroutine(self) -> None:
        """The allocator may answer later."""

        async def coroutine(request: AllocateRequest) -> AllocateResponse:
            return await succeed(response(envs={"FORM": "coroutine"}))

        answers = iter((lambda _: succeed(response(envs={"FORM": "deferred"})), coroutine))
        await self.serve(allocate=lambda request: next(answers)(request))
        for form in ("deferred", "coroutine"):
            answer = await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
            self.assertEqual(answer.envs["FORM"], form)

    async def test_default(self) -> None:
        """`UseDefaultMethod`, returned or raised, gives the devices' own parts."""
        for given in (UseDefaultMethod, UseDefaultMethod()):
            answers = iter((given, given))

            async def raising(request: AllocateRequest) -> None:
                raise next(answers)  # noqa: B023

            def returning(request: AllocateRequest) -> Any:
                return next(answers)  # noqa: B023

            for hook in (raising, returning):
                await self.serve(allocate=hook)
                answer = await soon(self.kubelet.allocate(YELLOW, ids=["b", "a"]))
                self.assertEqual(ids_of(answer), ["a", "b"])
                await self.end()

    async def test_default_still_refuses(self) -> None:
        """The default behind an allocator knows unhealthy and unknown devices."""
        tree = tree_of("a")
        tree.add_device("yellow", "b", DeviceInfo(UNHEALTHY, reason="worn out"))
        await self.kubelet.start()
        self.manage(HookedScanner(tree, {"allocate": lambda _: UseDefaultMethod}))
        await self.kubelet.until(lambda: self.kubelet.capacity(YELLOW) == 2)
        self.assertIn("b is unhealthy (b: worn out)", await self.refusal("b"))
        self.assertIn("NOT_FOUND", await self.refusal("z"))

    async def test_post_allocator_changes_the_default(self) -> None:
        """The post-allocator is given the default's response, with its request."""

        def post_allocate(given: AllocateResponse) -> None:
            (part,) = given.container_responses
            assert given.request is not None
            (request,) = given.request.container_requests
            part.annotations["ids"] = " ".join(request.devices_ids)

        await self.serve(post_allocate=post_allocate)
        for ids in (["a", "b"], ["b"]):  # what one pod got is not left over for the next
            answer = await soon(self.kubelet.allocate(YELLOW, ids=ids))
            self.assertEqual(dict(answer.annotations), {"ids": " ".join(ids)})
            self.assertEqual(ids_of(answer), ids)

    async def test_post_allocator_thinks_better_of_it(self) -> None:
        """Its changes from before it asks for the default are not sent."""

        def post_allocate(given: AllocateResponse) -> type[UseDefaultMethod]:
            given.container_responses[0].devices.clear()
            return UseDefaultMethod

        await self.serve(post_allocate=post_allocate)
        answer = await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        self.assertEqual(ids_of(answer), ["a"])

    async def test_post_allocator_answers_anew(self) -> None:
        """A response that the post-allocator returns replaces the default."""
        await self.serve(post_allocate=lambda given: succeed(response(envs={"NEW": "yes"})))
        answer = await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        self.assertEqual((dict(answer.envs), ids_of(answer)), ({"NEW": "yes"}, []))

    async def test_post_allocator_only_after_the_default(self) -> None:
        """When the allocator has answered, the post-allocator is not called; else it is."""
        called: list[object] = []
        answers = iter((response(), UseDefaultMethod))
        await self.serve(allocate=lambda _: next(answers), post_allocate=called.append)
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        self.assertEqual(called, [])
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        self.assertEqual(len(called), 1)

    async def test_raw_message(self) -> None:
        """A protobuf message as the answer is sent as it is."""
        raw = pb.AllocateResponse(
            container_responses=[pb.ContainerAllocateResponse(envs={"RAW": "yes"})]
        )
        await self.serve(allocate=lambda _: raw)
        answer = await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        self.assertEqual(answer, raw.container_responses[0])


class TroubleTests(HooksTestCase):
    """The pod's message when a hook does not do its work."""

    async def test_crash(self) -> None:
        """The pod's message names the failed hook and the remedy; the log has the stack, once."""

        def crash(_: object) -> None:
            raise ZeroDivisionError("too few gadgets")

        await self.serve(allocate=crash)
        text = await self.refusal()
        for part in ("INTERNAL", f"allocate of the device plugin's scanner {NAME}"):
            self.assertIn(part, text)
        for part in ("ZeroDivisionError; its log on the node", "must fix it"):
            self.assertIn(part, text)
        (logged,) = self.flushLoggedErrors()
        self.assertIn("in crash", logged.getTraceback())
        self.assertEqual(len(self.logged(f"scanner {NAME}: allocate failed")), 1)

    async def test_crash_of_the_others(self) -> None:
        """The post-allocator is named just so."""

        async def crash(_: object) -> None:
            raise LookupError("lost")

        scanner = await self.serve(post_allocate=crash)
        self.assertIn(f"post_allocate of the device plugin's scanner {NAME}", await self.refusal())
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        scanner.tell(tree_of("a", "b", "c"))
        await self.kubelet.listed(YELLOW, ["a", "b", "c"])

    async def test_refusal(self) -> None:
        """A stated refusal is the pod's text, with nothing added by the plugin."""

        def refuse(_: object) -> None:
            raise AllocationRefused("all gadgets are at lunch; come back at two")

        await self.serve(allocate=refuse)
        self.assertEqual(
            await self.refusal(),
            "Allocate failed due to rpc error: code = FAILED_PRECONDITION desc = "
            "all gadgets are at lunch; come back at two, which is unexpected",
        )

    async def test_invalid_answers(self) -> None:
        """An unusable answer is refused with a text that names the fault."""
        answers: list[Any] = []
        await self.serve(allocate=lambda _: answers.pop())
        for answer, words in (
            (AllocateResponse([]), "answered for 0 containers where 1 were asked for"),
            (AllocateResponse([ContainerAllocateResponse()] * 2), "answered for 2 containers"),
            (None, "answered None, not an AllocateResponse"),
            ({"envs": {}}, "not an AllocateResponse"),
            (AllocateResponse(["a"]), "type str is not a ContainerAllocateResponse"),  # type: ignore
            (response(devices=["/dev/a"]), "is not a twistdp.DeviceSpec"),
            (response(mounts=["/mnt"]), "is not a twistdp.Mount"),
            (response(envs={"A": 1}), "must be a str"),
            (response(cdi_devices=["gadget"]), "'gadget' is not a name like vendor/class=device"),
        ):
            answers.append(answer)
            text = await self.refusal()
            for part in ("INTERNAL", f"allocate of the device plugin's scanner {NAME}", words):
                self.assertIn(part, text)
        answers.append(response())
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))

    async def test_invalid_answer_of_the_post_allocator(self) -> None:
        """The hook that is named is the one that gave the answer."""

        def spoil(given: AllocateResponse) -> None:
            given.container_responses.clear()

        await self.serve(post_allocate=spoil)
        text = await self.refusal()
        self.assertIn("post_allocate of", text)
        self.assertIn("answered for 0 containers", text)

    async def test_cancelled_deferred(self) -> None:
        """When the kubelet gives up, the hook's Deferred is cancelled; the next call works."""
        gate = Gate()
        answers = iter((gate.wait, response))
        await self.serve(allocate=lambda _: next(answers)())
        await self._cancelled_call(gate)
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))

    async def test_cancelled_coroutine(self) -> None:
        """When the kubelet gives up, the hook's coroutine sees `CancelledError`."""
        gate = Gate()
        ended: Deferred[str] = Deferred()

        async def allocate(_: object) -> None:
            try:
                await gate.wait()
            except CancelledError:
                ended.callback("cancelled")
                raise

        await self.serve(allocate=allocate)
        await self._cancelled_call(gate)
        self.assertEqual(await soon(ended), "cancelled")

    async def test_timed_out_call(self) -> None:
        """When the caller's time is up, the call fails so, and the hook is cancelled."""
        gate = Gate()
        await self.serve(pre_start_container=lambda _: gate.wait())
        request = pb.PreStartContainerRequest(devices_ids=["a"])
        for timeout in (0.2, 2.0, 20.0):
            call = self.channel().unary(
                PRE_START_CONTAINER, request, pb.PreStartContainerResponse, timeout
            )
            await failure_of(call, CallTimedOut)
            if gate.entered.called:  # on a busy machine the hook may not have begun
                break
        await soon(gate.cancelled)

    async def _cancelled_call(self, gate: Gate) -> None:
        """Allocate, and give up when the hook waits."""
        request = pb.AllocateRequest(
            container_requests=[pb.ContainerAllocateRequest(devices_ids=["a"])]
        )
        call = self.channel().unary(ALLOCATE, request, pb.AllocateResponse)
        await soon(gate.entered)
        call.cancel()
        await failure_of(call, CancelledError)
        await soon(gate.cancelled)


class PreferredTests(HooksTestCase):
    """Which devices a container gets of many."""

    async def test_advice_is_followed(self) -> None:
        """The kubelet takes the hook's ids; the hook knows what is free and what is wanted."""
        requests: list[PreferredAllocationRequest] = []

        async def prefer(request: PreferredAllocationRequest) -> list[list[str]]:
            requests.append(request)
            (part,) = request.container_requests
            return [list(part.available_device_ids[-part.allocation_size :])]

        ids = [f"d{number}" for number in range(12)]
        await self.serve(tree_of(*ids), get_preferred_allocation=prefer)
        for expected in (["d10", "d11"], ["d8", "d9"]):
            self.assertEqual(ids_of(await soon(self.kubelet.allocate(YELLOW, 2))), expected)
        self.assertEqual(requests[0].resource, YELLOW)
        (part,) = requests[0].container_requests
        self.assertEqual(list(part.available_device_ids), ids)
        self.assertEqual(part.devices.keys(), set(ids))
        self.assertEqual((list(part.must_include_device_ids), part.allocation_size), ([], 2))
        self.assertIsInstance(requests[0].raw, pb.PreferredAllocationRequest)

    async def test_failing_advice(self) -> None:
        """Advice that fails, or is none, costs nobody an admission; the policy decides."""

        async def lost(_: object) -> Any:
            await asyncio.sleep(0)
            raise OSError("the device is lost")

        advice: list[Callable[[Any], Any]] = [
            lambda _: dict[str, str]()["d3"],
            lambda _: "d3",
            lost,
        ]
        for policy, expected in (("none", ["A0", "A1"]), ("spread", ["A0", "B0"])):
            for number, hook in enumerate(advice):
                await self.serve(
                    cards("ABCD", 4), {"preferred": policy}, get_preferred_allocation=hook
                )
                answer = await soon(self.kubelet.allocate(YELLOW, 2, pod="pod"))
                self.assertEqual(ids_of(answer), expected)
                self.kubelet.release("pod")
                errors = self.flushLoggedErrors(KeyError, OSError)
                self.assertEqual(len(errors), 0 if number == 1 else 1)
                await self.end()

    async def test_limit(self) -> None:
        """A hook that does not answer in time refuses its pod."""
        await self.serve(
            settings={"hook_timeout": 0.2}, post_allocate=lambda _: asyncio.sleep(3600)
        )
        text = await self.refusal()
        self.assertIn("post_allocate of the device plugin's scanner", text)
        self.assertIn("did not answer within 0.2 s", text)

    async def test_policies(self) -> None:
        """Policies need no code: packed fills one card, spread takes of each."""
        for policy, expected in (
            ("packed", ["A0", "A1", "A2", "A3"]),
            ("spread", ["A0", "B0", "C0", "D0"]),
        ):
            await self.serve(cards("ABCD", 4), {"preferred": policy})
            answer = await soon(self.kubelet.allocate(YELLOW, 4, pod=policy))
            self.assertEqual(ids_of(answer), expected)
            self.kubelet.release(policy)
            await self.end()

    async def test_the_policy_is_the_hooks_default(self) -> None:
        """A hook that wants the default gets the policy; a hook with an answer outranks it."""
        answers = iter((UseDefaultMethod, ["B1", "C2"]))
        await self.serve(
            cards("ABCD", 4),
            {"preferred": "spread"},
            get_preferred_allocation=lambda _: next(answers),
        )
        for expected in (["A0", "B0"], ["B1", "C2"]):
            self.assertEqual(ids_of(await soon(self.kubelet.allocate(YELLOW, 2))), expected)

    async def test_default_without_a_policy(self) -> None:
        """With no policy the default is natural order."""
        ids = [f"d{number}" for number in range(12)]
        await self.serve(tree_of(*ids), get_preferred_allocation=lambda _: UseDefaultMethod)
        answer = await soon(self.kubelet.allocate(YELLOW, 4))
        self.assertEqual(ids_of(answer), ["d0", "d1", "d2", "d3"])


class PreStartTests(HooksTestCase):
    """Preparing devices before a container starts."""

    async def test_is_called(self) -> None:
        """Each start calls the hook with the devices' ids and what is known of them."""
        requests: list[PreStartContainerRequest] = []
        await self.serve(pre_start_container=requests.append)
        for ids in (["b", "a"], ["b"]):
            await soon(Deferred.fromCoroutine(self.kubelet.resources[YELLOW].start_container(ids)))
            request = requests.pop()
            self.assertEqual(request.resource, YELLOW)
            self.assertEqual(list(request.devices_ids), sorted(ids))
            self.assertEqual(request.devices.keys(), set(ids))
            self.assertIsInstance(request.raw, pb.PreStartContainerRequest)
        self.assertEqual(requests, [])

    async def test_failures_reach_the_caller(self) -> None:
        """A refusal's text is the caller's as it is; a crash is named and logged once."""
        errors = iter((AllocationRefused("still hot; wait a minute"), OSError("reset failed")))

        async def prepare(_: object) -> None:
            raise next(errors)

        await self.serve(pre_start_container=prepare)
        for part in (
            "code = FAILED_PRECONDITION desc = still hot; wait a minute, which",
            f"pre_start_container of the device plugin's scanner {NAME} failed: OSError; its log",
        ):
            start = Deferred.fromCoroutine(self.kubelet.resources[YELLOW].start_container(["a"]))
            failed = await failure_of(soon(start), AdmissionRefused)
            self.assertIn(part, str(failed))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    async def test_default(self) -> None:
        """A hook that wants the default lets the container start."""
        await self.serve(pre_start_container=lambda _: UseDefaultMethod)
        await soon(Deferred.fromCoroutine(self.kubelet.resources[YELLOW].start_container(["a"])))


class OptionsTests(HooksTestCase):
    """The kubelet learns exactly which optional calls make sense."""

    async def test_options(self) -> None:
        """Each option is on when its hook or policy is there, and only then."""

        def hook(_: object) -> Any:
            return UseDefaultMethod

        for policy, names, pre_start, prefer in (
            ("none", (), False, False),
            ("none", ("allocate", "post_allocate"), False, False),
            ("none", ("get_preferred_allocation",), False, True),
            ("numa", (), False, True),
            ("none", ("pre_start_container",), True, False),
            ("packed", tuple(INTERFACES), True, True),
        ):
            await self.serve(None, {"preferred": policy}, None, **dict.fromkeys(names, hook))
            call = self.channel().unary(GET_OPTIONS, pb.Empty(), pb.DevicePluginOptions)
            options = await soon(call)
            self.assertEqual(options.pre_start_required, pre_start, names)
            self.assertEqual(options.get_preferred_allocation_available, prefer, names)
            await self.end()


class JoinTests(HooksTestCase):
    """Environment variables that more than one device gives."""

    @staticmethod
    def tree() -> DeviceTree:
        """Devices that give one variable different values, in an order that is not natural."""
        tree = DeviceTree()
        for number in (10, 2, 1):
            info = DeviceInfo(HEALTHY, envs={"VISIBLE_IDS": str(number)})
            tree.add_device("yellow", f"d-{number}", info)
        return tree

    async def test_joined(self) -> None:
        """Values that the scanner declares are joined in natural order of the devices."""
        await self.serve(self.tree(), join={"VISIBLE_IDS": ","})
        for ids, expected in ((["d-10", "d-2"], "2,10"), (["d-10"], "10")):
            answer = await soon(self.kubelet.allocate(YELLOW, ids=ids))
            self.assertEqual(dict(answer.envs), {"VISIBLE_IDS": expected})

    async def test_joined_before_the_post_allocator(self) -> None:
        """A post-allocator sees what was joined."""
        seen: list[str] = []

        def look(given: AllocateResponse) -> None:
            seen.append(given.container_responses[0].envs["VISIBLE_IDS"])

        await self.serve(self.tree(), join={"VISIBLE_IDS": ":"}, post_allocate=look)
        answer = await soon(self.kubelet.allocate(YELLOW, ids=["d-10", "d-2", "d-1"]))
        self.assertEqual((seen, answer.envs["VISIBLE_IDS"]), (["1:2:10"], "1:2:10"))

    async def test_not_joined(self) -> None:
        """Without a declaration the devices conflict, and the text names both."""
        await self.serve(self.tree())
        text = await self.refusal("d-10", "d-2")
        self.assertIn("FAILED_PRECONDITION", text)
        self.assertIn("devices d-2 and d-10 cannot be in one container", text)
        self.assertIn("VISIBLE_IDS", text)


class RemovalTests(HooksTestCase):
    """Devices that vanish while a container has them."""

    async def test_unhealthy_and_then_gone(self) -> None:
        """A device that a pod holds stays in the capacity for the grace, but not allocatable."""
        scanner = await self.serve(settings={"removal_grace": GRACE})
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        scanner.tell(tree_of("b"))
        await self.kubelet.until(
            lambda: self.kubelet.devices(YELLOW) == {"a": UNHEALTHY, "b": HEALTHY}
        )
        self.assertEqual((self.kubelet.capacity(YELLOW), self.kubelet.allocatable(YELLOW)), (2, 1))
        await self.kubelet.listed(YELLOW, ["b"])

    async def test_forgotten_with_the_device(self) -> None:
        """A device that comes back after its grace counts as free: it may go at once."""
        scanner = await self.serve(settings={"removal_grace": GRACE})
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])
        scanner.tell(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
        lists = self.kubelet.resources[YELLOW].lists
        scanner.tell(tree_of("b"))
        await self.kubelet.listed(YELLOW, ["b"])
        self.assertEqual(self.kubelet.resources[YELLOW].lists, lists + 1)

    async def test_handed_out_by_an_allocator(self) -> None:
        """A device that an allocator gave counts as handed out; one that it refused does not."""

        def allocate(request: AllocateRequest) -> AllocateResponse:
            if "b" in request.container_requests[0].devices_ids:
                raise AllocationRefused("not that one")
            return response()

        scanner = await self.serve(
            tree_of("a", "b", "c"), {"removal_grace": 60.0}, allocate=allocate
        )
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        await self.refusal("b")
        scanner.tell(tree_of("c"))
        await self.kubelet.until(
            lambda: self.kubelet.devices(YELLOW) == {"a": UNHEALTHY, "c": HEALTHY}
        )

    async def test_the_last_device(self) -> None:
        """With its last device the resource ends, but only after the grace."""
        scanner = await self.serve(tree_of("a"), {"removal_grace": GRACE})
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        scanner.tell(DeviceTree())
        await self.kubelet.until(lambda: self.kubelet.devices(YELLOW) == {"a": UNHEALTHY})
        self.assertTrue(self.kubelet.resources[YELLOW].connected)
        self.assertEqual(self.sockets(), {SOCKET})
        await self.kubelet.until(lambda: self.kubelet.capacity(YELLOW) == 0)
        await self.kubelet.until(lambda: not self.kubelet.resources[YELLOW].connected)
        await self.kubelet.until(lambda: self.sockets() == set())

    async def test_the_last_device_returns(self) -> None:
        """A resource whose only device comes back within the grace goes on, on one stream."""
        scanner = await self.serve(tree_of("a"), {"removal_grace": 60.0})
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        scanner.tell(DeviceTree())
        await self.kubelet.until(lambda: self.kubelet.devices(YELLOW) == {"a": UNHEALTHY})
        scanner.tell(tree_of("a"))
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertEqual(len(self.kubelet.registrations), 1)

    async def test_refused_while_it_leaves(self) -> None:
        """The message of a pod that would get the device says that it was unplugged."""
        scanner = await self.serve(settings={"removal_grace": 60.0})
        await soon(self.kubelet.allocate(YELLOW, ids=["a"]))
        scanner.tell(tree_of("b"))
        await self.kubelet.until(lambda: self.kubelet.allocatable(YELLOW) == 1)
        text = await self.refusal("a")
        self.assertIn("FAILED_PRECONDITION", text)
        self.assertIn("a is unhealthy (a: it was unplugged)", text)
