"""Tests for `twistdp.resource.hooks`."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides, noLongerProvides

from tests.support.helpers import always
from tests.support.logs import observe
from twistdp.errors import AllocationRefused, HookFailed
from twistdp.model.calls import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    ReleasedDevices,
    UseDefaultMethod,
)
from twistdp.model.contract import HOOKS
from twistdp.model.devices import Holder
from twistdp.model.interfaces import (
    IAllocator,
    IContainerPreStarter,
    IPostAllocator,
    IPreferredAllocator,
)
from twistdp.resource.hooks import SLOW, Hooks
from twistdp.resource.patience import LONG

NAME = "acme.scanner:Scanner"
RESOURCE = "acme.example/gadget"
INTERFACES = (IAllocator, IPostAllocator, IPreferredAllocator, IContainerPreStarter)

ALLOCATE = AllocateRequest(RESOURCE, [])
POST = AllocateResponse([ContainerAllocateResponse(envs={"A": "1"})], ALLOCATE)
PRE_START = PreStartContainerRequest(RESOURCE, ["a"], {})

RELEASED = ReleasedDevices(RESOURCE, ["a"], {})
POD = Holder("default", "painter", "main")

ADVICE = "get_preferred_allocation"
REFUSAL = AllocationRefused("no")

ANSWER = AllocateResponse([ContainerAllocateResponse(envs={"B": "2"})])

Hook = Callable[[Any], Any]


def preferred_request(containers: int) -> PreferredAllocationRequest:
    """A question for as many containers."""
    part = ContainerPreferredAllocationRequest(["a", "b"], [], 1, {})
    return PreferredAllocationRequest(RESOURCE, [part] * containers)


class EveryHook:
    """Calls `answer` from every hook, and provides `interfaces`."""

    def __init__(self, answer: Hook, *interfaces: Any) -> None:
        self.answer = answer
        self.asked: list[object] = []
        directlyProvides(self, *interfaces)

    def _asked(self, argument: Any) -> Any:
        self.asked.append(argument)
        return self.answer(argument)

    allocate = post_allocate = get_preferred_allocation = pre_start_container = _asked


# How to call each hook, with its name on the scanner, and what comes out of an answer.
CALLS: dict[str, tuple[Callable[[Hooks], Any], object, object, object]] = {
    "allocate": (lambda hooks: hooks.allocate(ALLOCATE), ALLOCATE, ANSWER, ANSWER),
    "post_allocate": (lambda hooks: hooks.post_allocate(POST), POST, ANSWER, ANSWER),
    "get_preferred_allocation": (
        lambda hooks: hooks.preferred(preferred_request(1)),
        preferred_request(1),
        [["b"]],
        [["b"]],
    ),
    "pre_start_container": (lambda hooks: hooks.pre_start(PRE_START), PRE_START, "done", None),
}

CONSEQUENCES = {
    "allocate": "the pod is refused",
    "post_allocate": "the pod is refused",
    "get_preferred_allocation": "the pod gets devices without its advice",
    "pre_start_container": "the container does not start",
}

DEFAULTS = {
    "allocate": UseDefaultMethod,
    "post_allocate": UseDefaultMethod,
    "get_preferred_allocation": None,
    "pre_start_container": None,
}
"""The results of each hook that asks for the default."""


def outcome(result: Any) -> Any:
    """Raise an instance of an exception, return anything else."""
    if isinstance(result, Exception):
        raise result
    return result


class HooksTestCase(SynchronousTestCase):
    """A clock, and the log's lines."""

    def setUp(self) -> None:
        """Make them."""
        self.clock = Clock()
        self.lines: list[str] = []
        observe(self, self._observe)

    def _observe(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "twistdp.resource.hooks":
            self.lines.append(formatEvent(event))

    def hooks(self, answer: Hook, *interfaces: Any) -> Hooks:
        """The hooks of a scanner that provides `interfaces`, all by default."""
        self.scanner = EveryHook(answer, *(interfaces or INTERFACES))
        return Hooks(self.scanner, NAME, self.clock)

    def called(self, name: str, answer: Hook) -> Deferred[Any]:
        """One hook's call."""
        call, *_ = CALLS[name]
        return Deferred.fromCoroutine(call(self.hooks(answer)))

    def forms(self, result: Any) -> Iterator[Hook]:
        """Hooks with this result: a value, fired and late Deferreds, quick and late coroutines."""
        yield lambda _: outcome(result)
        yield lambda _: fail(result) if isinstance(result, Exception) else succeed(result)
        yield lambda _: deferLater(self.clock, 0.1, outcome, result)

        async def quick(_: object) -> Any:
            return outcome(result)

        async def late(_: object) -> Any:
            await deferLater(self.clock, 0.1)
            return outcome(result)

        yield quick
        yield late

    def outcomes(self, result: Any) -> Iterator[tuple[str, Deferred[Any]]]:
        """Each hook's call in each form, after the late ones have ended."""
        for name in CALLS:
            for form in self.forms(result):
                deferred = self.called(name, form)
                self.clock.advance(0.1)
                yield name, deferred


class CallTests(HooksTestCase):
    """Each hook in each form."""

    def test_success(self) -> None:
        """Every hook is given its request, once, and its answer comes out."""
        for name, (_, argument, answer, expected) in CALLS.items():
            for form in self.forms(answer):
                deferred = self.called(name, form)
                self.clock.advance(0.1)
                self.assertEqual(self.successResultOf(deferred), expected, name)
                self.assertEqual(self.scanner.asked, [argument], name)
        self.assertEqual(self.lines, [])

    def test_waits(self) -> None:
        """A late answer is waited for."""
        for name in CALLS:
            for form in list(self.forms(CALLS[name][2]))[2::2]:
                deferred = self.called(name, form)
                self.assertNoResult(deferred)
                self.clock.advance(0.1)
                self.successResultOf(deferred)

    def test_refusal(self) -> None:
        """A stated refusal passes through as the same object, and nothing is logged."""
        refusal = AllocationRefused("all gadgets are at lunch")
        for name, deferred in self.outcomes(refusal):
            if name != ADVICE:
                self.assertIs(self.failureResultOf(deferred).value, refusal, name)
                self.assertEqual(self.lines, [])
            self.lines.clear()

    def test_crash(self) -> None:
        """Any other error is logged once with its stack; the pod's text has its kind only."""
        error = ZeroDivisionError("too few gadgets")
        for name, deferred in self.outcomes(error):
            if name == ADVICE:
                self.assertIs(self.successResultOf(deferred), None)
            else:
                failed = self.failureResultOf(deferred, HookFailed).value
                self.assertIs(failed.__cause__, error)
                text = str(failed)
                for part in (f"{name} of ", NAME, "failed: ZeroDivisionError; its log"):
                    self.assertIn(part, text)
                self.assertNotIn("\n", text)
                self.assertNotIn("gadgets", text)
            (logged,) = self.flushLoggedErrors()
            self.assertIs(logged.value, error)
            self.assertIn("in outcome", logged.getTraceback())
            (line,) = self.lines
            self.assertIn(f"scanner {NAME}: {name} failed", line)
            self.lines.clear()

    def test_crash_again(self) -> None:
        """The stack comes once, a line for another failure, and one when it is over."""
        error, other = ZeroDivisionError("no"), OSError("x")
        results: list[Any] = [error, error, other, UseDefaultMethod(), error]
        hooks = self.hooks(lambda _: outcome(results.pop(0)))
        lines = []
        while results:
            call = Deferred.fromCoroutine(CALLS["allocate"][0](hooks))
            call.addErrback(lambda failure: failure.trap(HookFailed))
            lines.append([line.removeprefix(f"scanner {NAME}: allocate ") for line in self.lines])
            self.lines.clear()
        (first,), none, (again,), (over,), (later,) = lines
        self.assertEqual(first, "failed, and the pod is refused")
        self.assertEqual(none, [])
        self.assertTrue(again.startswith("failed with OSError: x, at "), again)
        self.assertEqual(over, "works again, after 3 failures")
        self.assertTrue(later.startswith("failed with ZeroDivisionError: no, at "), later)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, OSError)), 1)

    def test_default(self) -> None:
        """`UseDefaultMethod` means the default: raised or returned, class or instance."""
        for given in (UseDefaultMethod, UseDefaultMethod("not today")):
            for name, deferred in self.outcomes(given):
                self.assertIs(self.successResultOf(deferred), DEFAULTS[name], name)

    def test_default_raised_as_a_class(self) -> None:
        """Raising the class is raising an instance."""

        def value(_: object) -> Any:
            raise UseDefaultMethod

        async def coroutine(_: object) -> Any:
            raise UseDefaultMethod

        for name in CALLS:
            for form in (value, coroutine, lambda _: fail(UseDefaultMethod())):
                result = self.successResultOf(self.called(name, form))
                self.assertIs(result, DEFAULTS[name], name)
        self.assertEqual(self.lines, [])

    def test_default_returned_as_an_instance(self) -> None:
        """An instance that is returned, at once or later, is not taken for an answer."""

        async def coroutine(_: object) -> Any:
            return UseDefaultMethod()

        for name in CALLS:
            for form in (
                lambda _: UseDefaultMethod(),
                lambda _: succeed(UseDefaultMethod()),
                coroutine,
            ):
                result = self.successResultOf(self.called(name, form))
                self.assertIs(result, DEFAULTS[name], name)

    def test_deferred_cancelled(self) -> None:
        """Cancelling the call runs the canceller of the hook's Deferred; nothing is logged."""
        for name in CALLS:
            cancelled: list[Deferred[Any]] = []
            pending: Deferred[Any] = Deferred(cancelled.append)
            call = self.called(name, always(pending))
            call.cancel()
            self.assertEqual(cancelled, [pending], name)
            self.failureResultOf(call, CancelledError)
        self.assertEqual(self.lines, [])

    def test_coroutine_cancelled(self) -> None:
        """Cancelling the call raises `CancelledError` where the hook's coroutine waits."""
        seen: list[str] = []

        async def hook(_: object) -> None:
            try:
                await Deferred()
            except CancelledError:
                seen.append("cancelled")
                raise

        for name in CALLS:
            call = self.called(name, hook)
            self.assertEqual(seen, [])
            call.cancel()
            self.assertEqual(seen, ["cancelled"], name)
            self.failureResultOf(call, CancelledError)
            seen.clear()
        self.assertEqual(self.lines, [])

    def later(self, seconds: float, result: object, _: object) -> Deferred[Any]:
        """A hook that has this result after so long."""
        return deferLater(self.clock, seconds, outcome, result)

    def test_slow(self) -> None:
        """A hook that takes a second or more is logged once with its time, whatever its end."""
        for name, (_, _, answer, _) in CALLS.items():
            for result in (answer, REFUSAL, UseDefaultMethod):
                call = self.called(name, partial(self.later, 2.25, result))
                self.clock.advance(2.25)
                call.addErrback(lambda failure: failure.trap(AllocationRefused))
                self.successResultOf(call)
                line = self.lines[0]
                self.assertEqual(len(self.lines), 1 + (name == ADVICE and result is REFUSAL))
                self.assertIn(f"scanner {NAME}: {name} took 2.2 s", line)
                self.lines.clear()

    def test_slow_begins_at_a_second(self) -> None:
        """Just below the limit nothing is logged; at the limit it is."""
        for seconds, count in ((SLOW - 0.125, 0), (SLOW, 1)):
            call = self.called("allocate", partial(self.later, seconds, 1))
            self.clock.advance(seconds)
            self.successResultOf(call)
            self.assertEqual(len(self.lines), count)

    def test_blocking_is_slow_too(self) -> None:
        """A hook that does not return for long counts by the same clock."""
        self.successResultOf(self.called("allocate", lambda _: self.clock.advance(3)))
        (line,) = self.lines
        self.assertIn("allocate took 3.0 s", line)


class PostAllocateTests(HooksTestCase):
    """The changes that a post-allocator may make to the response."""

    def test_in_place(self) -> None:
        """None as the answer means the response that the hook has changed in place."""
        response = AllocateResponse([ContainerAllocateResponse()])

        def change(given: AllocateResponse) -> None:
            given.container_responses[0].annotations["color"] = "mauve"

        hooks = self.hooks(change)
        self.assertIs(
            self.successResultOf(Deferred.fromCoroutine(hooks.post_allocate(response))), response
        )
        self.assertEqual(response.container_responses[0].annotations, {"color": "mauve"})


class PreferredTests(HooksTestCase):
    """Answers of the preferred allocator."""

    def asked(self, answer: object, containers: int = 1) -> Deferred[Any]:
        """The outcome for a hook that answers so."""
        hooks = self.hooks(lambda _: answer)
        return Deferred.fromCoroutine(hooks.preferred(preferred_request(containers)))

    def test_lists(self) -> None:
        """A list of ids for each container, tuples as well, come out as they are."""
        for answer, containers in (
            ([["a"]], 1),
            ([["a"], ["b", "c"]], 2),
            ((("a",), ()), 2),
        ):
            result = self.successResultOf(self.asked(answer, containers))
            self.assertEqual([list(part) for part in result], [list(part) for part in answer])

    def test_plain_list(self) -> None:
        """For one container a plain list of ids will do."""
        for answer in (["b", "a"], ("b", "a"), []):
            self.assertEqual(self.successResultOf(self.asked(answer)), [answer])

    def test_nonsense(self) -> None:
        """Anything else is left out, and the log names the hook and what kind of answer it was."""
        for answer, containers in (
            (None, 1),
            (7, 1),
            ("ab", 1),
            ({"a": 1}, 1),
            ({"a"}, 1),
            ([1, 2], 1),
            ([["a"], 2], 2),
            ([["a", None]], 1),
            (["a", "b"], 2),
            (["a", ["b"]], 1),
        ):
            self.assertIs(self.successResultOf(self.asked(answer, containers)), None)
            (text,) = self.lines
            self.lines.clear()
            kind = "None" if answer is None else f"type {type(answer).__name__}"
            for part in (ADVICE, NAME, kind, "not a list of ASCII device ids; the pod gets"):
                self.assertIn(part, text)

    def test_too_few_containers(self) -> None:
        """An answer that is not for all containers is left out too."""
        self.assertIs(self.successResultOf(self.asked([["a"]], 2)), None)
        (line,) = self.lines
        self.assertIn("answered for 1 containers, not for all; the pod gets", line)

    def test_refusal(self) -> None:
        """Advice cannot refuse a pod; what it says is in the log."""
        hooks = self.hooks(lambda _: outcome(AllocationRefused("never on Sundays")))
        self.assertIs(
            self.successResultOf(Deferred.fromCoroutine(hooks.preferred(preferred_request(1)))),
            None,
        )
        (line,) = self.lines
        self.assertIn(f"{ADVICE} refused: never on Sundays; only allocate can refuse a pod", line)

    def test_long_nonsense_is_cut(self) -> None:
        """A huge answer does not become a huge text."""
        self.successResultOf(self.asked("x" * 100_000))
        self.assertLess(len(self.lines[0]), 600)


class LateTests(HooksTestCase):
    """Hooks that do not answer."""

    def setUp(self) -> None:
        """Have the log's lines of what waits too."""
        super().setUp()
        self.said: list[str] = []
        observe(self, self._hear)

    def _hear(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "twistdp.resource.patience":
            self.said.append(formatEvent(event))

    def test_reported_and_again_at_its_end(self) -> None:
        """An answer that takes long is reported by name, and again when it has come."""
        for name, (_, _, answer, expected) in CALLS.items():
            pending: Deferred[Any] = Deferred()
            call = self.called(name, always(pending))
            self.clock.advance(LONG - 0.1)
            self.assertEqual(self.said, [])
            self.clock.advance(0.1)
            (line,) = self.said
            self.assertIn(f"scanner {NAME}: {name} for {RESOURCE} has not answered for 5 s", line)
            self.assertIn(f"after 60 s it is cancelled, and {CONSEQUENCES[name]}", line)
            self.clock.advance(3.0)
            pending.callback(answer)
            self.assertEqual(self.successResultOf(call), expected)
            (line,) = self.lines
            self.assertIn(f"{name} took 8.0 s", line)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.lines.clear()
            self.said.clear()

    def test_limit(self) -> None:
        """At the limit the hook is cancelled; the pod is refused, but not for want of advice."""
        for name in CALLS:
            cancelled: list[Any] = []
            pending: Deferred[Any] = Deferred(cancelled.append)
            call = self.called(name, always(pending))
            self.clock.advance(59.9)
            self.assertNoResult(call)
            self.clock.advance(0.1)
            self.assertEqual(cancelled, [pending])
            if name == ADVICE:
                self.assertIs(self.successResultOf(call), None)
            else:
                failed = str(self.failureResultOf(call, HookFailed).value)
                self.assertIn(f"{name} of the device plugin's scanner {NAME} did not", failed)
                self.assertIn("answer within 60 s", failed)
            self.assertIn(f"{name} for {RESOURCE} has not answered for 60 s", self.said[1])
            self.assertIn("has ended after 60.0 s", self.said[2])
            self.assertEqual(len(self.said), 3)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.said.clear()

    def test_limit_of_ones_own(self) -> None:
        """The limit is a setting; a short one is reported once."""
        hooks = Hooks(EveryHook(lambda _: Deferred()), NAME, self.clock, timeout=2.0)
        call = Deferred.fromCoroutine(hooks.allocate(ALLOCATE))
        self.clock.advance(2.0)
        self.failureResultOf(call, HookFailed)
        self.assertIn("has not answered for 2 s: it is cancelled", self.said[0])

    def test_one_that_will_not_be_cancelled(self) -> None:
        """The pod does not wait for a hook that goes on; its end, and its error, are logged."""
        gate: Deferred[None] = Deferred()

        async def stubborn(_: object) -> None:
            try:
                await Deferred()
            finally:
                await gate
                raise ZeroDivisionError

        call = self.called("allocate", stubborn)
        self.clock.advance(60.0)
        self.failureResultOf(call, HookFailed)
        self.clock.advance(10.0)
        gate.callback(None)
        self.assertIn("which was given up, has ended after 70.0 s", self.said[2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_canceller_that_raises(self) -> None:
        """The pod is refused at the limit all the same, and what was raised is logged."""

        def refuse(_: object) -> None:
            raise ZeroDivisionError

        call = self.called("allocate", lambda _: Deferred(refuse))
        self.clock.advance(60.0)
        self.failureResultOf(call, HookFailed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_clean_up_of_a_cancelled_call(self) -> None:
        """When the kubelet gives up, the hook's clean-up is waited for."""
        gate: Deferred[None] = Deferred()

        async def hook(_: object) -> None:
            try:
                await Deferred()
            finally:
                await gate

        call = self.called("allocate", hook)
        call.cancel()
        self.assertNoResult(call)
        gate.callback(None)
        self.failureResultOf(call, CancelledError)

    def test_hook_that_cancels_itself(self) -> None:
        """A CancelledError that nobody asked for is a failure of the hook's."""
        for name in CALLS:
            call = self.called(name, lambda _: fail(CancelledError()))
            if name == ADVICE:
                self.assertIs(self.successResultOf(call), None)
            else:
                self.failureResultOf(call, HookFailed)
            self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)

    def test_what_ends_processes(self) -> None:
        """Not even SystemExit and its like pass; they fail the one call."""
        for kind in (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):

            def leave(_: object, kind: type[BaseException] = kind) -> None:
                raise kind

            self.failureResultOf(self.called("allocate", leave), HookFailed)
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)


class Releasing(EveryHook):
    """Has the hook, too."""

    def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> Any:
        """See `IReleaseObserver`."""
        return self._asked((devices, pod))


class PostReleaseTests(HooksTestCase):
    """The hook for which no pod waits."""

    def released(self, answer: Hook) -> Deferred[None]:
        """A call of it."""
        self.scanner = Releasing(answer)
        hooks = Hooks(self.scanner, NAME, self.clock, timeout=10.0)
        return Deferred.fromCoroutine(hooks.post_release(RELEASED, POD))

    def test_called(self) -> None:
        """It gets the devices and the container, and is waited for, however long; no line."""
        for form in self.forms("done"):
            call = self.released(form)
            self.clock.advance(0.1)
            self.assertIsNone(self.successResultOf(call))
            self.assertEqual(self.scanner.asked, [(RELEASED, POD)])
        call = self.released(lambda _: deferLater(self.clock, 9.0))
        self.assertNoResult(call)
        self.clock.pump([1.0] * 9)
        self.successResultOf(call)
        self.assertEqual(self.lines, [])

    def test_fails(self) -> None:
        """Whatever it raises is logged once, and the devices count as given back."""
        for form in self.forms(ZeroDivisionError("oops")):
            call = self.released(form)
            self.clock.advance(0.1)
            self.assertIsNone(self.successResultOf(call))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.lines.clear()
        self.successResultOf(self.released(lambda _: fail(REFUSAL)))
        (line,) = self.lines
        self.assertIn("post_release refused: no; only allocate can refuse a pod", line)

    def test_does_not_answer(self) -> None:
        """After the limit it is cancelled."""
        cancelled: list[Deferred[Any]] = []
        call = self.released(lambda _: Deferred(cancelled.append))
        self.clock.advance(10.0)
        self.successResultOf(call)
        self.assertEqual(len(cancelled), 1)

    def test_cancelled(self) -> None:
        """Cancelled from outside, it has not ended."""
        call = self.released(lambda _: Deferred())
        call.cancel()
        self.failureResultOf(call, CancelledError)


class AbilityTests(HooksTestCase):
    """The methods that a scanner has are what is used, declared or not."""

    def test_properties(self) -> None:
        """For each set of methods the properties say what there is."""
        for count in range(len(HOOKS) + 1):
            for chosen in combinations(HOOKS, count):
                scanner = type("Scanner", (), {name: lambda *_: None for name in chosen})()
                hooks = Hooks(scanner, NAME, self.clock)
                self.assertEqual(hooks.allocates, "allocate" in chosen or "post_allocate" in chosen)
                self.assertEqual(hooks.prefers, ADVICE in chosen)
                self.assertEqual(hooks.pre_starts, "pre_start_container" in chosen)
                self.assertEqual(hooks.observes_releases, "post_release" in chosen)

    def test_without_methods(self) -> None:
        """A scanner without hooks leaves all to the default."""
        hooks = Hooks(object(), NAME, self.clock)
        for name, (call, *_) in CALLS.items():
            result = self.successResultOf(Deferred.fromCoroutine(call(hooks)))
            self.assertIs(result, POST if name == "post_allocate" else DEFAULTS[name])

    def test_undeclared(self) -> None:
        """A method is a hook without a word about an interface."""
        hooks = self.hooks(lambda _: ANSWER)
        noLongerProvides(self.scanner, IAllocator)
        self.assertIs(
            self.successResultOf(Deferred.fromCoroutine(hooks.allocate(ALLOCATE))), ANSWER
        )

    def test_blocked_watch(self) -> None:
        """While a hook runs, the thread is watched under the hook's name, and not afterwards."""
        watched: list[str] = []
        seen: list[list[str]] = []

        class Watch:
            @contextmanager
            def watching(self, what: str) -> Iterator[None]:
                watched.append(what)
                yield
                watched.remove(what)

        scanner = EveryHook(lambda _: seen.append(list(watched)))
        hooks = Hooks(scanner, NAME, self.clock, blocked=Watch())  # type: ignore[arg-type]
        self.successResultOf(Deferred.fromCoroutine(hooks.allocate(ALLOCATE)))
        self.assertEqual(seen, [[f"scanner {NAME}: allocate for {RESOURCE}"]])
        self.assertEqual(watched, [])
