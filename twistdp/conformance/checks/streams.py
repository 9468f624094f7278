"""Checks that a plugin's streams follow its devices."""

from twistdp.conformance.bench import Bench, shortened
from twistdp.conformance.checking import check
from twistdp.conformance.checks.lists import API, SEEN

NEGLECTED = 8
"""Streams that are open and not read."""


@check(
    "list.hotplug",
    "A device that comes or goes is reported",
    source=f"{API}: 'Whenever a Device state change or a Device disappears, ListAndWatch returns "
    "the new list'",
    after=["registration.registers"],
)
async def hotplug(bench: Bench) -> None:
    """After --hotplug-add a new device is listed; after --hotplug-remove it is gone or unhealthy.
    The evidence has the times."""
    await bench.begin()
    for _ in range(3):
        begin = bench.seconds
        id_ = await bench.hardware.plug()
        bench.say(f"{id_} is listed {bench.seconds - begin:.3f} s after the command began")
        begin = bench.seconds
        await bench.hardware.unplug(id_)
        bench.say(f"{id_} is gone {bench.seconds - begin:.3f} s after the command began")


@check(
    "list.unhealthy",
    "A device that becomes unhealthy is reported, and so is its recovery",
    source=f"{API}: 'Whenever a Device state change …'; users of several plugins ask for recovery",
    after=["list.hotplug"],
)
async def unhealthy(bench: Bench) -> None:
    """After --make-unhealthy a device is Unhealthy, after --make-healthy it is Healthy again. A
    device that stays unhealthy is lost until the plugin restarts."""
    await bench.begin()
    id_ = await bench.hardware.sicken()
    await bench.hardware.heal(id_)


@check(
    "list.two-streams",
    "Two streams at once both get every list",
    source=f"{SEEN}: an old kubelet's stream and a new one's can be open at once",
    after=["list.hotplug"],
)
async def two_streams(bench: Bench) -> None:
    """Around a kubelet's restart two streams can be open. Both get the whole list and every change;
    if streams share a queue of updates, the dead one steals them. Another stream must not end the
    first one either. Changes need the hot plug commands."""
    await bench.begin()
    ended = bench.streams_ended
    second = bench.watch()
    await bench.until("the second stream gets a list", lambda: second.lists)
    await bench.until(
        f"the second stream lists {shortened(bench.devices)}",
        lambda: second.ids == bench.devices.keys(),
    )
    await bench.stays(
        "the second stream ended the kubelet's", lambda: bench.streams_ended == ended, 0.5
    )
    bench.require(second.ended is None, f"the second stream ended: {second.ended}")
    if bench.plan.add is None:
        bench.say("changes were not tried: there is no --hotplug-add")
        return
    for _ in range(4):
        id_ = await bench.hardware.plug()
        await bench.until(f"the second stream lists {id_}", lambda i=id_: i in second.ids)  # type: ignore[misc]
        await bench.hardware.unplug(id_)
        await bench.until("the second stream follows", lambda: second.ids == bench.devices.keys())


@check(
    "list.cancelled",
    "Streams that are cancelled do no harm",
    source="kubelets end streams without notice when they stop or are killed",
    after=["list.two-streams"],
)
async def cancelled(bench: Bench) -> None:
    """Twenty streams are opened and cancelled, some before their first list. The kubelet's own
    stream stays open, and the plugin serves as before."""
    await bench.begin()
    ended = bench.streams_ended
    for number in range(20):
        watched = bench.watch()
        if number % 2:
            await bench.until("a stream gets a list", lambda w=watched: w.lists)  # type: ignore[misc]
        watched.cancel()
        await bench.until("the stream is over", lambda w=watched: w.ended)  # type: ignore[misc]
    # A stream that is back by now has ended too.
    bench.require(bench.streams_ended == ended, "the kubelet's own stream ended")
    await bench.sound()


@check(
    "list.slow-reader",
    "A stream that nobody reads delays no other",
    source=f"{SEEN}: a stopped process's stream stays open, there is no keepalive; RFC 9113, "
    "6.9: a reader that accepts no bytes blocks the writer",
    after=["list.two-streams"],
)
async def slow_reader(bench: Bench) -> None:
    """The readers of eight streams accept no byte, so the plugin's writes to them do not end. Lists
    and calls work as before, and with the hot plug commands the kubelet gets every change. A plugin
    that writes to one stream after the other, or holds a lock meanwhile, sends nothing any
    more."""
    await bench.begin()
    for number in range(1, NEGLECTED + 1):
        stream = await bench.neglect()
        await bench.until(
            f"{number} streams that are not read are answered, or refused",
            lambda s=stream: s.answered.called,  # type: ignore[misc]
        )
    bench.say(f"{NEGLECTED} streams are open that accept nothing")
    await bench.sound()
    if bench.plan.add is not None:
        for _ in range(4):
            await bench.hardware.unplug(await bench.hardware.plug())
        await bench.sound()
