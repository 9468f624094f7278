"""Checks the limits of the kernel that watching devices meets: inotify and open files."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import attrs

from twistdp.doctor.findings import Findings, info, ok, warning
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.kubelet import find_kubelet
from twistdp.doctor.processes import processes
from twistdp.doctor.view import is_hidden
from twistdp.model import named

FULL: Final = 0.8
"""The share of a limit, 0 to 1, from which a warning is due."""

_SYSCTL: Final = "/proc/sys/fs/inotify"
_MOST: Final = 8 * 1024 * 1024
_LINKS: Final = ("anon_inode:inotify", "inotify")


@attrs.frozen
class Use:
    """The inotify instances and watches that a process uses."""

    uid: int
    program: str
    instances: int
    watches: int


def check_inotify(host: Host) -> Findings:
    """Whether each user has inotify instances and watches left."""
    instances = host.number(f"{_SYSCTL}/max_user_instances")
    watches = host.number(f"{_SYSCTL}/max_user_watches")
    if not host.names("/proc"):
        return  # check_view reports that
    if instances is None or watches is None:
        yield info(
            f"there is no {_SYSCTL}",
            "without inotify plugins look for changes every second",
            "mount /proc, or use a kernel with CONFIG_INOTIFY_USER",
        )
        return
    seen = _seen(host)
    used, watched = _use(seen)
    tight = False
    for what, limit, counts, name in (
        ("instances", instances, used, "max_user_instances"),
        ("watches", watches, watched, "max_user_watches"),
    ):
        for uid, count in counts.items():
            if count < FULL * limit:
                continue
            tight = True
            top = named(f"{program} {n}" for program, n in _top(seen, what, uid))
            yield warning(
                f"user {uid} has {count} of {limit} inotify {what} ({top})",
                "when none is left, programs of this user watch nothing: twistdp looks every "
                "second instead, other plugins fail or miss hot plug, and so do the kubelet's logs",
                f"sysctl -w fs.inotify.{name}={max(4 * limit, 2 * count)}, and put it into "
                "/etc/sysctl.d; or find out why a program has so many",
            )
    if tight:
        return
    if is_hidden(host, find_kubelet(host)):
        yield ok(f"each user may have {instances} inotify instances and {watches} watches")
        return
    most = max(used.values(), default=0), max(watched.values(), default=0)
    yield ok(
        f"no user has more than {most[0]} of {instances} inotify instances and {most[1]} of "
        f"{watches} watches"
    )


def check_files(host: Host) -> Findings:
    """Whether the host has open files left."""
    numbers = (host.line("/proc/sys/fs/file-nr") or "").split()
    if len(numbers) != 3 or not all(each.isdigit() for each in numbers):
        return
    used, most = int(numbers[0]) - int(numbers[1]), int(numbers[2])
    if used >= FULL * most:
        yield warning(
            f"the host has {used} of {most} files open",
            "when none is left, no process can open a device or take a connection",
            "find out who has them (lsof), or raise the sysctl fs.file-max",
        )
    else:
        yield ok(f"{used} files are open on the host, of {_most(most)}")


def _most(most: int) -> str:
    return "as many as memory allows" if most > 2**60 else str(most)


def _use(seen: Iterable[Use]) -> tuple[Counter[int], Counter[int]]:
    """How many instances and watches each user has."""
    instances: Counter[int] = Counter()
    watches: Counter[int] = Counter()
    for each in seen:
        instances[each.uid] += each.instances
        watches[each.uid] += each.watches
    return instances, watches


def _top(seen: Iterable[Use], what: str, uid: int) -> list[tuple[str, int]]:
    """The programs of a user that have the most."""
    counts: Counter[str] = Counter()
    for each in seen:
        if each.uid == uid:
            counts[each.program] += each.instances if what == "instances" else each.watches
    return counts.most_common(4)


def _seen(host: Host) -> list[Use]:
    """What each process has; a child that has its parent's instance has none of its own."""
    held = {process: _instances(host, process.pid) for process in processes(host)}
    by_pid = {process.pid: found for process, found in held.items()}
    uses = []
    for process, found in held.items():
        inherited = by_pid.get(process.parent, {})
        own = [text for number, text in found.items() if inherited.get(number) != text]
        if own:
            marks = sum(line.startswith(b"inotify ") for text in own for line in text.splitlines())
            uses.append(Use(process.uid, process.name, len(own), marks))
    return uses


def _instances(host: Host, pid: int) -> dict[str, bytes]:
    """What the kernel shows of each inotify descriptor of a process."""
    try:
        names = host.names(f"/proc/{pid}/fd")
        held = [each for each in names if host.link(f"/proc/{pid}/fd/{each}") in _LINKS]
        return {each: host.head(f"/proc/{pid}/fdinfo/{each}", _MOST) or b"" for each in held}
    except Unreadable:  # it is not ours to look at, or has ended
        return {}
