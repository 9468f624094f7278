"""Checks of the plugin as a process."""

import os
import signal
import stat

from twistdp.conformance.bench import Bench
from twistdp.conformance.checking import check
from twistdp.conformance.processes import usage
from twistdp.conformance.program import LOOK, described

TERMINATION = 30.0
"""Seconds that Kubernetes gives a pod between SIGTERM and SIGKILL by default."""

PROMPT = 5.0
"""Seconds in which a plugin should end after SIGTERM."""

FOLLOWERS = 1.0
"""Seconds that the other processes of a plugin may take after the first has ended."""

WARM_UP = 5
"""Restarts before the first measurement."""

MORE_DESCRIPTORS, MORE_THREADS, MORE_MEMORY = 3, 3, 20_000_000


@check(
    "process.sigterm",
    "SIGTERM ends it",
    source="Kubernetes documentation, Pod Lifecycle: Termination of Pods; systemd.kill(5)",
    after=["registration.registers"],
)
async def sigterm(bench: Bench) -> None:
    """SIGTERM ends the plugin within the 30 s that Kubernetes waits, with status 0 or by the signal
    itself. Otherwise each update of a DaemonSet takes half a minute per node, and monitoring
    reports crashes."""
    await bench.begin()
    await _terminate(bench)


@check(
    "process.sigterm-waiting",
    "SIGTERM also ends it while it waits for a kubelet",
    source="Kubernetes documentation, Pod Lifecycle: Termination of Pods",
    after=["process.sigterm", "registration.kubelet-absent"],
)
async def sigterm_waiting(bench: Bench) -> None:
    """The same without a kubelet: a plugin that retries in a loop may ignore the signal."""
    bench.start_plugin()
    await bench.idle()
    bench.require(bench.plugin.status is None, "it ended without a kubelet")
    await _terminate(bench)


async def _terminate(bench: Bench) -> None:
    begin = bench.seconds
    bench.plugin.signal("TERM")
    while bench.plugin.status is None:
        took = bench.seconds - begin
        bench.require(took < TERMINATION, f"it still runs {TERMINATION:g} s after SIGTERM")
        await bench.pause(0.002)
    status, took = bench.plugin.status, bench.seconds - begin
    bench.say(f"{took:.3f} s after SIGTERM the plugin {described(status)}")
    bench.require(status in (0, -signal.SIGTERM), f"after SIGTERM it {described(status)}")
    if took > PROMPT:
        bench.warn(f"it ended {took:.1f} s after SIGTERM")
    while (left := bench.plugin.relatives()) and bench.seconds - begin < took + FOLLOWERS:
        await bench.pause(LOOK)
    if left:
        bench.warn(
            f"SIGTERM ended the command but left {len(left)} of its processes running; a "
            "wrapper must exec the plugin or pass the signal on"
        )


@check(
    "process.leftovers",
    "It removes its socket when it ends",
    source="a dead socket confuses people and the plugins registry, and the next start must "
    "remove it",
    after=["process.sigterm"],
)
async def leftovers(bench: Bench) -> None:
    """After SIGTERM the plugin's socket is gone. In the plugins registry the kubelet learns by that
    that the plugin has ended."""

    def there() -> set[str]:
        directories = (bench.places["plugin_dir"], bench.places["registry_dir"])
        return {name for directory in directories for name in os.listdir(directory)}

    await bench.kubelet.start()
    before = there()
    bench.start_plugin()
    await bench.listed()
    await bench.plugin.end("TERM")
    left = there() - before - {"kubelet_internal_checkpoint"}
    bench.require(not left, f"left behind: {', '.join(sorted(left))}")


@check(
    "process.crash",
    "After a crash it starts again despite its old socket",
    source="unix(7): bind fails where a socket exists; SIGKILL and power failures leave it",
    after=["registration.registers"],
)
async def crash(bench: Bench) -> None:
    """A plugin that is killed with SIGKILL leaves its socket behind. The next process, a second
    later, removes or replaces it, registers, and lists the same devices."""
    await bench.begin()
    before = bench.accepted
    await bench.plugin.kill_all()
    await bench.until(
        "the kubelet sees the end of the stream",
        lambda: not bench.kubelet.resources[bench.resource].connected,
        alone=True,
    )
    await bench.start_again()
    await bench.until("the second process is registered", lambda: bench.accepted > before)
    await bench.complete()
    await bench.sound()


@check(
    "process.leaks",
    "Restarts of the kubelet cause no leaks",
    source="a leak of two descriptors or a thread per restart ends a plugin after some months",
    after=["restart.in-a-row", "restart.socket-absent", "wire.half-open"],
)
async def leaks(bench: Bench) -> None:
    """The kubelet restarts many times (--restarts), and the plugin has no more descriptors, threads
    or memory than at the beginning. Closed connections may wait for a garbage collector, so the
    check compares the least of the last third of the restarts with the most of the first third,
    without the first five. It allows three more descriptors and threads, since some start on
    demand; 20 MB more memory are a warning."""
    restarts = bench.plan.restarts
    await bench.begin()
    held = []
    for _ in range(restarts):
        await bench.kubelet.restart()
        await bench.listed()
        held.append(usage(bench.plugin.pid))
    third = (restarts - WARM_UP) // 3

    def found(what: str, allowed: int) -> str:
        """A text with both numbers if the second is too large."""
        numbers = [getattr(one, what) for one in held]
        before, after = max(numbers[WARM_UP : WARM_UP + third]), min(numbers[-third:])
        text = (
            f"{what}: at most {before} in restarts {WARM_UP + 1} to {WARM_UP + third}, "
            f"at least {after} in restarts {restarts - third + 1} to {restarts}"
        )
        bench.say(text)
        return text if after > before + allowed else ""

    grown = [found("descriptors", MORE_DESCRIPTORS), found("threads", MORE_THREADS)]
    bench.require(not any(grown), "; ".join(filter(None, grown)))
    if memory := found("memory", MORE_MEMORY):
        bench.warn(f"{memory} bytes")


@check(
    "process.socket-permissions",
    "Only its owner can connect to its socket",
    source="unix(7): connecting needs write permission; everybody who can connect can allocate "
    "and read ids",
    after=["registration.registers"],
)
async def socket_permissions(bench: Bench) -> None:
    """The socket's mode gives others no write permission, and ideally no permission at all: the
    kubelet is root. Its directory protects it too."""
    await bench.begin()
    mode = stat.S_IMODE(os.stat(bench.socket).st_mode)
    bench.require(not mode & 0o002, f"everybody can connect: the socket has mode {mode:04o}")
    if mode & 0o077:
        bench.warn(f"the socket has mode {mode:04o}; 0600 is enough for the kubelet")
