"""Reads from /proc about a process and its children."""

import os
from collections import defaultdict
from contextlib import suppress

import attrs


@attrs.frozen
class Usage:
    """The resources of a process and its children: counts, and resident memory in bytes."""

    descriptors: int
    threads: int
    memory: int


def family(pid: int) -> list[int]:
    """A process and its running descendants, and the running processes of their sessions.

    The process itself comes first, whether it runs or not.  Empty for 0, which stands for a process
    that has ended, and for 1: a caller that kills a family must never kill everything.
    """
    if pid < 2:
        return []
    children = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", encoding="latin-1") as file:
                # The command's name is in brackets and may contain anything.
                state, parent, _, session = file.read().rpartition(")")[2].split()[:4]
                if state not in "ZX":
                    children[int(parent)].append(int(name))
                    children[int(session)].append(int(name))
    found = [pid]
    for member in found:
        found += [child for child in children[member] if child not in found]
    return found


def cpu(pid: int) -> float:
    """Seconds of processor time that a process and its children have used so far."""
    ticks = 0
    for member in family(pid):
        with suppress(OSError), open(f"/proc/{member}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def usage(pid: int) -> Usage:
    """The resources of a process and its children now, without those that have just ended."""
    descriptors = threads = memory = 0
    page = os.sysconf("SC_PAGESIZE")
    for member in family(pid):
        with suppress(OSError):
            descriptors += len(os.listdir(f"/proc/{member}/fd"))
            threads += len(os.listdir(f"/proc/{member}/task"))
            with open(f"/proc/{member}/statm", encoding="ascii") as file:
                memory += int(file.read().split()[1]) * page
    return Usage(descriptors, threads, memory)
