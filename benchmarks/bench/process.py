"""Reads figures of a process from /proc."""

import os
import time

import attrs


@attrs.frozen
class Footprint:
    """A process's resources: resident memory in MB (a million bytes), and counts.

    `peak` is the most resident memory that there was.
    """

    rss: float
    peak: float
    threads: int
    descriptors: int
    inotify: int


def footprint(pid: int) -> Footprint:
    """The resources of a process now."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    links = [_link(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    return Footprint(
        pages * os.sysconf("SC_PAGESIZE") / 1e6,
        1024 * _of_status(f"/proc/{pid}/status", "VmHWM") / 1e6,
        len(os.listdir(f"/proc/{pid}/task")),
        len(links),
        sum("inotify" in link for link in links),
    )


def cpu(pid: int) -> float:
    """Seconds of processor time so far, in nanoseconds instead of the 10 ms of /proc/PID/stat."""
    # The kernel's number for the clock of a process; see clock_getcpuclockid(3).
    return time.clock_gettime((~pid << 3) | 2)


def wakeups(pid: int) -> int:
    """Voluntary context switches of all current threads so far."""
    tasks = (f"/proc/{pid}/task/{task}/status" for task in os.listdir(f"/proc/{pid}/task"))
    return sum(_of_status(path, "voluntary_ctxt_switches") for path in tasks)


def _of_status(path: str, name: str) -> int:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.startswith(name)]
    except OSError:
        return 0  # a thread that has just ended
    return int(lines[0].split()[1])


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""  # closed meanwhile
