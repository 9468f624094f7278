"""Checks that a plugin survives its kubelet's restarts."""

import os
import shutil
from collections.abc import Awaitable

from twistdp.conformance.bench import SECOND, Bench
from twistdp.conformance.checking import Failed, Skipped, check
from twistdp.rpc import listener

SEEN = "seen in a kubelet 1.36"
WIPES = (
    f"{SEEN}: at its start it deletes every socket in the directory and makes a new kubelet.sock; "
    "Kubernetes documentation: 'A new kubelet instance deletes all the existing Unix sockets'"
)
CHANGES = 10
"""Restarts; after each of them a device comes and goes."""


async def _registered_again(bench: Bench, happened: Awaitable[None], ids: set[str]) -> None:
    """Wait for an event, and for a registration and a list after it."""
    before = bench.accepted
    await happened
    begin = bench.seconds
    await bench.until(f"{bench.resource} is registered again", lambda: bench.accepted > before)
    await bench.listed_again(ids)
    bench.say(f"listed again after {bench.seconds - begin:.3f} s")


@check(
    "restart.kubelet",
    "After a kubelet's restart the plugin is registered again",
    source=WIPES,
    after=["registration.registers"],
)
async def kubelet(bench: Bench) -> None:
    """The kubelet ends all streams, deletes all sockets and starts again. Until the plugin has made
    its socket and registered again, the node has none of its devices, and pods that are admitted
    meanwhile fail for good."""
    ids = await bench.begin()
    await _registered_again(bench, bench.kubelet.restart(), ids)
    await bench.sound()


@check(
    "restart.slow",
    "It is registered again after a kubelet that was away for a while",
    source=f"{SEEN}: a stopped kubelet leaves kubelet.sock behind, and connecting is refused",
    after=["restart.kubelet"],
)
async def slow(bench: Bench) -> None:
    """Between the kubelet's end and its next start some seconds pass, and the old kubelet.sock is
    dead. A plugin waits, and registers as soon as there is a new one."""
    ids = await bench.begin()
    await bench.kubelet.stop()
    await bench.pause(3.0)
    await _registered_again(bench, bench.kubelet.start(), ids)


@check(
    "restart.socket-absent",
    "It is registered again after kubelet.sock was gone",
    source="directories on a tmpfs, other kubelets and administrators remove it",
    after=["restart.kubelet"],
)
async def socket_absent(bench: Bench) -> None:
    """The kubelet has ended and kubelet.sock is removed; seconds later a kubelet starts."""
    ids = await bench.begin()
    await bench.kubelet.stop()
    os.unlink(bench.kubelet.socket)
    await bench.pause(2.0)
    await _registered_again(bench, bench.kubelet.start(), ids)


@check(
    "restart.directory",
    "It is registered again after its directory was gone",
    source="kubelet source, devicemanager server.go: Start makes the directory where it is "
    "missing; 'kubeadm reset' and repairs of nodes remove it",
    after=["restart.socket-absent"],
)
async def directory(bench: Bench) -> None:
    """The kubelet has ended and the whole directory is removed; seconds later a kubelet starts and
    makes a new one. A plugin that watches the old directory notices nothing from then on, and one
    that cannot make its socket meanwhile must not end. A container needs a mount of the parent
    directory for that: a mount of the directory itself stays the old one."""
    if bench.plan.bind:
        raise Skipped("with --bind the plugin keeps the directory that was bound")
    ids = await bench.begin()
    await bench.kubelet.stop()
    names = [name for name in ("plugin_dir", "registry_dir") if bench.plan.names(name)]
    places = [bench.places[name] for name in names]
    for place in places:
        await bench.until(f"{place} is removed", lambda p=place: _removed(p))  # type: ignore[misc]
        bench.say(f"{place} was removed")
    await bench.pause(2.0)
    bench.require(bench.plugin.status is None, "the plugin ended when its directory was gone")
    for place in places:
        os.makedirs(place, exist_ok=True)
    await _registered_again(bench, bench.kubelet.start(), ids)
    await bench.sound()


def _removed(place: str) -> bool:
    """Remove a directory although a plugin may be making files in it."""
    shutil.rmtree(place, ignore_errors=True)
    return not os.path.exists(place)


@check(
    "restart.refused",
    "It registers again after a refusal right after a restart",
    source=f"{SEEN}: a kubelet that is just starting can refuse or not answer at first",
    after=["restart.kubelet", "registration.refused"],
)
async def refused(bench: Bench) -> None:
    """The new kubelet refuses the first registration and accepts the next. If a plugin does not try
    again, the node loses its devices until somebody restarts the plugin."""
    ids = await bench.begin()
    bench.kubelet.refusal = "the check refuses the first registration after a restart"
    before = len(bench.kubelet.registrations)
    await bench.kubelet.restart()
    await bench.until(
        "a registration is refused",
        lambda: any(one.error for one in bench.kubelet.registrations[before:]),
    )
    bench.kubelet.refusal = None
    await bench.until("it is registered", lambda: bench.accepted > 1)
    await bench.listed_again(ids)


@check(
    "restart.in-a-row",
    "It is registered again after restarts that follow each other at once",
    source="a kubelet that crashes at its start is restarted by systemd until it stays",
    after=["restart.kubelet"],
)
async def in_a_row(bench: Bench) -> None:
    """Restarts follow each other at once, also right after the plugin has registered. An attempt
    that was under way is worthless after the next restart; in the end the plugin is registered."""
    ids = await bench.begin()
    for _ in range(3):
        before = bench.accepted
        await bench.kubelet.restart()
        await bench.kubelet.restart()
        await bench.until("it is registered again", lambda b=before: bench.accepted > b)  # type: ignore[misc]
    await _registered_again(bench, bench.kubelet.restart(), ids)
    await bench.sound()


@check(
    "restart.during-register",
    "It is registered again after a restart during Register",
    source="Register blocks until the kubelet has dialled back, so a restart can interrupt it",
    after=["restart.in-a-row"],
)
async def during_register(bench: Bench) -> None:
    """A kubelet that hangs in Register is replaced by one that does not. The plugin drops the
    first attempt, at the latest when its call fails, and registers with the second."""
    ids = await bench.begin()
    bench.kubelet.hanging = True
    arrivals = len(bench.kubelet.arrivals)
    await bench.kubelet.restart()
    await bench.until(
        "it tries to register", lambda: len(bench.kubelet.arrivals) > arrivals or bench.accepted > 1
    )
    bench.kubelet.hanging = False
    await _registered_again(bench, bench.kubelet.restart(), ids)


@check(
    "restart.socket-only",
    "A new kubelet.sock alone is a new kubelet",
    source=f"{SEEN}: kubelet.sock is replaced within a millisecond, without ever being absent; a "
    "kubelet of another kind may leave plugins' sockets alone, and its predecessor's streams can "
    "outlive it",
    after=["restart.kubelet"],
)
async def socket_only(bench: Bench) -> None:
    """Only kubelet.sock is replaced: no other socket is deleted, and no stream ends. A plugin that
    watches its own socket, or the existence of kubelet.sock, does not notice it."""
    if bench.plan.names("registry_dir"):
        raise Skipped("kubelets find the plugin in the plugins registry, so it has nothing to do")
    ids = await bench.begin()
    await bench.pause(SECOND)  # its old socket stays, and may be named after the time in seconds
    await _registered_again(bench, bench.kubelet.replace_socket(), ids)


@check(
    "restart.own-socket",
    "The plugin's own socket is made again when it is removed",
    source=f"{SEEN}: the stream stays open, so nobody notices until the next kubelet dials",
    after=["restart.kubelet"],
)
async def own_socket(bench: Bench) -> None:
    """The socket of the running plugin is deleted, as by a kubelet that starts and dies, or by an
    administrator. Within seconds the plugin listens again."""
    await bench.begin()
    os.unlink(bench.socket)
    await bench.until(
        "somebody listens on the plugin's socket again",
        lambda: listener(bench.socket) is not None,
    )
    await bench.listed()
    await bench.sound()


@check(
    "restart.stream",
    "When the kubelet ends the stream, the plugin registers again",
    source=f"{SEEN}: when any older stream of the resource ends, or a list is too large, the "
    "kubelet drops the current client and never redials",
    after=["restart.kubelet"],
)
async def stream(bench: Bench) -> None:
    """The kubelet cancels ListAndWatch and keeps running, and no file changes. It will not dial
    again, so the node is without the devices until the plugin registers again."""
    ids = await bench.begin()
    await bench.pause(SECOND)  # as above

    async def end() -> None:
        bench.kubelet.disconnect(bench.resource)

    await _registered_again(bench, end(), ids)


@check(
    "restart.change-while-down",
    "A change while the kubelet is down is in the first list after it",
    source="device plugin API v1beta1, ListAndWatch: the first list is the whole truth",
    after=["restart.kubelet", "list.hotplug"],
)
async def change_while_down(bench: Bench) -> None:
    """A device appears while no kubelet runs. The next kubelet's first list has it; plugins that
    send changes to a stream lose it, or hang until somebody reads."""
    before = await bench.begin()
    await bench.kubelet.stop()
    await bench.hardware.plug_unseen()
    await bench.pause(1.0)
    await bench.kubelet.start()
    await bench.listed()
    await bench.until("the new device is listed", lambda: bench.devices.keys() - before)


@check(
    "restart.ten-changes",
    "After each of ten restarts a change is reported",
    source="two popular implementations lose some or all changes after a restart, since "
    "streams share a queue",
    after=["restart.in-a-row", "list.hotplug"],
)
async def ten_changes(bench: Bench) -> None:
    """Ten times the kubelet restarts, and then a device appears and disappears. Every change is
    reported; the verdict shows how many were."""
    await bench.begin()
    seen = 0
    problem = ""
    for number in range(1, CHANGES + 1):
        await bench.kubelet.restart()
        try:
            await bench.complete()
            await bench.hardware.unplug(await bench.hardware.plug())
            seen += 1
        except Failed as error:
            problem = problem or f"first after restart {number}: {error}"
            if bench.plugin.status is not None:
                break
            await bench.hardware.restore()
    bench.require(seen == CHANGES, f"{seen} of {CHANGES} changes reported; {problem}")
