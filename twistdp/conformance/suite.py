"""Runs checks against one plugin."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore

from twistdp.conformance.bench import Bench
from twistdp.conformance.checking import Check, CommandFailed, Failed, Result, Skipped, Verdict
from twistdp.conformance.plan import Plan
from twistdp.conformance.program import LOOK

SETTLE = 3.0
"""Seconds without change after which a plugin has listed all its resources and devices."""

INTERRUPTED = "interrupted"
"""The reason for checks that ran when the suite was cancelled."""


@attrs.frozen
class Found:
    """The result of a first look; `resource` is empty if the kubelet accepted none."""

    resource: str
    devices: Mapping[str, str]
    problem: str = ""


async def look(plan: Plan, reactor: Any) -> Found:
    """Start the plugin once and find the resource to check."""
    bench = Bench(plan, plan.resource or "", reactor)
    kubelet = bench.kubelet

    def resources() -> list[str]:
        names = sorted(name for name, node in kubelet.resources.items() if node.listed)
        # One with devices shows more than one without.
        names.sort(key=lambda name: -kubelet.allocatable(name))
        return [name for name in names if plan.resource in (None, name)]

    try:
        await kubelet.start()
        bench.start_plugin()
        await bench.until("the plugin is registered and sends a list", resources)
        await _settled(bench)
        name = resources()[0]
        return Found(name, kubelet.devices(name))
    except Failed as error:
        said = "; ".join(line.text for line in bench.evidence if "refused" in line.text)
        return Found("", {}, f"{error}{said and f' ({said})'}")
    finally:
        await bench.clean_up()


async def _settled(bench: Bench) -> None:
    """Wait until nothing changes for a while; for a first device, for the user's patience."""

    def seen() -> dict[str, dict[str, str]]:
        return {name: dict(node.devices) for name, node in bench.kubelet.resources.items()}

    before, since, begin = seen(), bench.seconds, bench.seconds
    while bench.seconds - begin < bench.plan.startup:
        await bench.pause(LOOK)
        if seen() != before:
            before, since = seen(), bench.seconds
        patience = SETTLE if any(before.values()) else max(SETTLE, bench.plan.patience)
        if bench.seconds - since > patience:
            return


async def run(
    plan: Plan,
    checks: Sequence[Check],
    found: Found,
    *,
    reactor: Any,
    done: Callable[[Result], None] = lambda result: None,
    jobs: int = 1,
) -> list[Result]:
    """Run `checks`, `jobs` at a time, and call `done` after each; return the results in order.

    When cancelled, running checks fail and are cleaned up before it raises CancelledError.
    """
    finished: dict[str, Deferred[None]] = {check.id: Deferred() for check in checks}
    results: dict[str, Result] = {}
    culprits: dict[str, str] = {}
    """By a check that failed or was skipped, the check whose failure caused that."""
    places = DeferredSemaphore(jobs)

    async def make(check: Check) -> Result:
        # A check is listed after those that it depends on, so they have begun already.
        for id_ in check.after:
            if id_ in finished:
                await finished[id_]
        try:
            results[check.id] = result = await judged(check)
            done(result)
            return result
        finally:
            finished[check.id].callback(None)

    async def judged(check: Check) -> Result:
        if check.registered and not found.resource:
            return Result(check, Verdict.SKIP, "the plugin was never registered", 0.0, ())
        for id_ in check.after:
            if (culprit := culprits.get(id_)) is not None:
                culprits[check.id] = culprit
                return Result(check, Verdict.SKIP, f"{culprit} has failed", 0.0, ())
        result = await _run_one(check, plan, found, reactor)
        if result.verdict is Verdict.FAIL:
            culprits[check.id] = check.id
        return result

    def begin(check: Check) -> Deferred[Result]:
        return places.run(lambda: Deferred.fromCoroutine(make(check)))

    # Not gatherResults, since cancelled checks must finish their clean-up.
    made: list[tuple[bool, Any]] = await DeferredList(
        [begin(check) for check in checks], consumeErrors=True
    )
    if any(result.reason == INTERRUPTED for result in results.values()):
        raise CancelledError
    return [result if ok else result.raiseException() for ok, result in made]


async def _run_one(check: Check, plan: Plan, found: Found, reactor: Any) -> Result:
    bench = Bench(plan, found.resource, reactor, found.devices)
    verdict, reason = Verdict.PASS, ""
    try:
        await check.run(bench)
    except (Failed, CommandFailed) as error:
        verdict, reason = Verdict.FAIL, str(error)
    except Skipped as error:
        verdict, reason = Verdict.SKIP, str(error)
    except CancelledError:
        verdict, reason = Verdict.FAIL, INTERRUPTED
    except Exception as error:  # a check that breaks has proved nothing
        verdict, reason = Verdict.FAIL, f"the check itself broke: {type(error).__name__}: {error}"
        bench.say(traceback.format_exc())
    else:
        if bench.warnings:
            verdict, reason = Verdict.WARN, "; ".join(bench.warnings)
    seconds = bench.seconds
    await bench.clean_up()
    if bench.troubles and verdict is not Verdict.FAIL:
        # What is left behind is there for all other checks.
        verdict, reason = Verdict.FAIL, f"cleaning up: {'; '.join(bench.troubles)}"
    return Result(check, verdict, reason, seconds, tuple(bench.evidence))
