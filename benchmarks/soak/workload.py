"""Decides what happens in a soak, and how often."""

from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.task import LoopingCall, deferLater

from benchmarks.soak.bench import Bench
from benchmarks.soak.devices import CDI, FILE, STEADY, Contents, Files, Loops
from benchmarks.soak.pods import Pods
from benchmarks.soak.record import Record
from benchmarks.soak.restarts import Restarts
from benchmarks.soak.sampling import Sampler
from benchmarks.soak.strangers import Strangers


async def soak(
    reactor: Any,
    seconds: float,
    loops_from: int | None = None,
    *,
    pace: float = 1.0,
    keep: bool = False,
) -> Record:
    """Run for so many seconds; `loops_from` and `pace` are as for `Bench`.

    With `keep` the log stays.
    """
    bench = Bench(reactor, loops_from, pace)
    try:
        await _run(bench, seconds)
    finally:
        await bench.close()
        _read_log(bench)
        if not keep:
            bench.remove()
    return bench.record


async def _run(bench: Bench, seconds: float) -> None:
    files, contents, pods = Files(bench), Contents(bench), Pods(bench)
    await bench.kubelet.start()
    plugin = bench.start_plugin()
    for resource in (FILE, CDI):
        await bench.kubelet.listed(resource, STEADY, 30.0)
    bench.begin = bench.reactor.seconds()
    sampler = Sampler(plugin.pid, bench.view, bench.cdi, bench.record)
    sampling = LoopingCall(lambda: sampler.look(bench.now()))
    sampling.start(1.0).addErrback(lambda failure: bench.problem(failure.getTraceback()))
    strangers = Strangers(bench)
    loops = [
        bench.forever(files.step, 0.1),
        bench.forever(contents.step, 0.7),
        bench.forever(pods.step, 0.05),
        bench.forever(Restarts(bench).step, 12.0),
        bench.forever(strangers.reader, 1.5),
        bench.forever(strangers.gives_up, 1.0),
        bench.forever(strangers.malformed, 3.0),
        bench.forever(strangers.noise, 3.0),
    ]
    if bench.numbers:
        loops.append(bench.forever(Loops(bench).step, 1.0))
    await deferLater(bench.reactor, seconds)
    bench.ending = True
    await DeferredList(loops)
    pods.stop()
    # The disturbances are over: the kubelet must have the last state.
    await files.settled()
    await contents.settled()
    if sampling.running:
        sampling.stop()


def _read_log(bench: Bench) -> None:
    """A stack in the log is a bug, whatever else it looks like."""
    with open(bench.log, encoding="utf-8") as file:
        for line in file:
            if "Traceback (most recent call last)" in line or "Unhandled" in line:
                bench.problem(f"the plugin's log: {line.strip()}")
