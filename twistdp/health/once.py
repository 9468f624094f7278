"""Makes checks once, as a command on a terminal does."""

import time
from collections.abc import Iterable, Mapping
from queue import Empty, SimpleQueue

from twistdp.health.lanes import LOOK, Job, new_lanes
from twistdp.health.values import Check


def make_once(checks: Iterable[Check]) -> Mapping[Check, str]:
    """Make each of some checks once, some at a time; returns what is wrong, empty if nothing is.

    What cannot be known, as this process lacks memory, threads or descriptors, counts as good.
    """
    ended: SimpleQueue[tuple[Check, str]] = SimpleQueue()
    lanes = new_lanes(time.monotonic, lambda job, outcome: ended.put((job.check, outcome or "")))
    wanted = dict.fromkeys(checks)
    found: dict[Check, str] = {}
    for check in wanted:
        try:
            lanes[check.lane].put(Job(None, check))
        except RuntimeError:  # no thread can start
            found[check] = ""
    while len(found) < len(wanted):
        try:
            check, problem = ended.get(timeout=LOOK)
            found.setdefault(check, problem)
        except Empty:
            for lane in lanes.values():
                for job, problem in lane.late():
                    job.run.cancel()
                    found.setdefault(job.check, problem)
    return found
