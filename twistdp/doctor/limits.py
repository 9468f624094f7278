"""Checks the limits of the kernel that watching devices meets: inotify and open files."""

from collections import Counter
from typing import Final

from twistdp.doctor.findings import Findings, info, ok, warning
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.kubelet import find_kubelet
from twistdp.doctor.processes import processes
from twistdp.doctor.view import is_hidden
from twistdp.model import named

FULL: Final = 0.8
"""The share of a limit from which on it is worth a warning."""

_SYSCTL: Final = "/proc/sys/fs/inotify"
_MOST: Final = 8 * 1024 * 1024


def check_inotify(host: Host) -> Findings:
    """Whether each user has inotify instances and watches left."""
    instances = host.number(f"{_SYSCTL}/max_user_instances")
    watches = host.number(f"{_SYSCTL}/max_user_watches")
    if not host.names("/proc"):
        return  # check_view says so
    if instances is None or watches is None:
        yield info(
            f"there is no {_SYSCTL}",
            "without inotify plugins look for changes every second",
            "mount /proc, or use a kernel with CONFIG_INOTIFY_USER",
        )
        return
    used, watched = _use(host)
    tight = False
    for what, limit, counts, name in (
        ("instances", instances, used, "max_user_instances"),
        ("watches", watches, watched, "max_user_watches"),
    ):
        for uid, count in counts.items():
            if count < FULL * limit:
                continue
            tight = True
            top = named(f"{holder} {n}" for (user, holder), n in _top(host, what, uid))
            yield warning(
                f"user {uid} has {count} of {limit} inotify {what} ({top})",
                "when none is left, programs of this user watch nothing: twistdp looks every "
                "second instead, other plugins fail or miss hot plug, and so do the kubelet's logs",
                f"sysctl -w fs.inotify.{name}={max(4 * limit, 2 * count)}, and put it into "
                "/etc/sysctl.d; or find out why a program has so many",
            )
    if tight:
        return
    limits = f"{instances} inotify instances and {watches} watches"
    if is_hidden(host, find_kubelet(host)):
        yield ok(f"each user may have {limits}")
    else:
        most = max(used.values(), default=0), max(watched.values(), default=0)
        yield ok(f"no user has more than {most[0]} and {most[1]} of {limits}")


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


def _use(host: Host) -> tuple[Counter[int], Counter[int]]:
    """How many instances and watches each user has; those of a fork are counted again."""
    instances: Counter[int] = Counter()
    watches: Counter[int] = Counter()
    for uid, _, descriptors, marks in _seen(host):
        instances[uid] += descriptors
        watches[uid] += marks
    return instances, watches


def _top(host: Host, what: str, uid: int) -> list[tuple[tuple[int, str], int]]:
    """The programs of a user that have most."""
    counts: Counter[tuple[int, str]] = Counter()
    for user, name, descriptors, marks in _seen(host):
        if user == uid:
            counts[user, name] += descriptors if what == "instances" else marks
    return counts.most_common(4)


def _seen(host: Host) -> list[tuple[int, str, int, int]]:
    """Each process with inotify: its user, its program, its instances and watches."""
    found = []
    for process in processes(host):
        directory = f"/proc/{process.pid}"
        try:
            names = host.names(f"{directory}/fd")
        except Unreadable:
            continue  # it is not ours to look at, or has ended
        held = [each for each in names if _is_inotify(host.link(f"{directory}/fd/{each}"))]
        marks = sum(_marks(host, f"{directory}/fdinfo/{each}") for each in held)
        if held:
            found.append((process.uid, process.name, len(held), marks))
    return found


def _is_inotify(link: str | None) -> bool:
    return link in ("anon_inode:inotify", "inotify")


def _marks(host: Host, path: str) -> int:
    try:
        content = host.head(path, _MOST) or b""
    except Unreadable:
        return 0
    return sum(line.startswith(b"inotify ") for line in content.splitlines())
