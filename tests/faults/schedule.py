"""A sequence of choices of one random generator.

To let something happen that is on its way, to let time pass, or to let something go wrong.  At
the end nothing goes wrong any more, and then all must come right.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import cast
from unittest import mock

import grpc
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher

from tests.faults.hardware import Broken
from tests.faults.world import World
from tests.support.system import failing
from twistdp.errors import BadTree
from twistdp.inotify.watches import Inotify
from twistdp.kubelet import connection, holdings
from twistdp.scan import discovery

LONGEST = 400.0
"""Seconds, of the schedule's own time, after which a recovery counts as none."""

CALM = 20.0
"""Seconds for which all must stay right."""

PROMPT = 0.1
"""Seconds until all is right with a kubelet that has just started, when nothing else happens."""


OFTEN, SELDOM = 0.2, 0.03
"""The share of steps in which something goes wrong."""


class Violation(Exception):
    """An invariant does not hold."""


class Schedule:
    """A schedule that `seed` chooses for a `World`; `way` is how resources are registered."""

    def __init__(self, seed: int, way: str, inotify: Inotify) -> None:
        self.steps = 0
        self.met: Counter[tuple[str, str]] = Counter()
        """The pairs of a fault and what was in flight when it happened."""
        self.recovery = 0.0
        """The longest time that it took until all was right, in its own seconds."""
        self._seed = seed
        self._inotify = inotify
        self._chance = random.Random(seed)
        self._world = World(way, self._chance, inotify)
        self._clock = self._world.clock
        self._wire = self._world.wire
        self._history: list[tuple[float, str | LogEvent]] = []
        self._logged: list[str] = []

    @property
    def history(self) -> str:
        """The events, one line each."""
        return "\n".join(
            f"{seconds:9.3f} {what if isinstance(what, str) else '     ' + formatEvent(what)}"
            for seconds, what in self._history
        )

    def run(self, length: int) -> None:
        """Play up to `length` steps and let all come right, once or again; then stop.

        Raises `Violation`.
        """
        with self._playing():
            for _ in range(self._chance.randint(1, 3)):
                share = self._chance.choice([0.2, 0.4, 0.8])
                faults = [f for f in self._world.faults() if self._chance.random() < share]
                for _ in range(self._chance.randint(1, length)):
                    self._step(faults)
                self._come_right()
            self._stop()

    def strike(self, blows: Iterable[tuple[str, str]], patience: int) -> bool:
        """For each of `blows` wait until what it names first is on its way, then have the fault
        happen that it names second; let all come right, and stop.

        False if something was not on its way in `patience` steps.  Raises `Violation`.
        """
        with self._playing():
            struck = all(self._strike(*blow, patience) for blow in blows)
            for _ in range(self._chance.randrange(10)):
                self._step([])
            self._come_right()
            self._stop()
        return struck

    def _strike(self, point: str, name: str, patience: int) -> bool:
        for _ in range(patience):
            if point in self._under_way():
                self._go_wrong(*(f for f in self._world.faults() if _name(f) == name))
                self._clock.loop.settle()
                return True
            self._step(self._world.faults(), SELDOM)
        return False

    @contextmanager
    def _playing(self) -> Iterator[None]:
        """Start the world, and keep it while the block runs."""
        random.seed(self._seed)  # for back-offs
        with ExitStack() as stack:
            stack.callback(self._world.clean_up)
            channel, server = self._world.channel, self._world.server
            stack.enter_context(mock.patch.object(connection, "Channel", channel))
            stack.enter_context(mock.patch.object(grpc.aio, "server", server))
            stack.enter_context(mock.patch.object(discovery, "Worker", self._world.thread))
            pods = self._world.pod_resources
            stack.enter_context(mock.patch.object(holdings, "PodResourcesClient", pods))
            stack.enter_context(mock.patch.object(time, "time", self._clock.wall))
            stack.enter_context(failing(self._world.verdict))
            observer = cast(ILogObserver, self._observe)
            globalLogPublisher.addObserver(observer)
            stack.callback(globalLogPublisher.removeObserver, observer)
            self._world.begin()
            yield
        if self._logged:
            raise Violation(f"errors were logged: {self._logged}")

    def _note(self, what: str | LogEvent) -> None:
        self._history.append((self._now(), what))

    def _observe(self, event: LogEvent) -> None:
        self._note(event)
        failure = event.get("log_failure")
        if failure is not None and not failure.check(BadTree, Broken):
            self._logged.append(failure.getTraceback())

    # Steps

    def _step(self, faults: list[Callable[[], None]], often: float = OFTEN) -> None:
        self.steps += 1
        dice = self._chance.random()
        if faults and dice < often:
            self._go_wrong(self._chance.choice(faults))
        elif dice < often + 0.1:
            self._note("events are read")
            self._inotify.doRead()
        elif dice < often + 0.2:
            self._pass_time(self._chance.choice([0.0, 0.001, 0.01, 0.05, 0.3, 1.0, 5.0]))
        else:
            self._deliver()
        self._clock.loop.settle()

    def _go_wrong(self, fault: Callable[[], None]) -> None:
        for point in self._under_way():
            self.met[point, _name(fault)] += 1
        self._note(f"!!   {_name(fault)}")
        fault()

    def _under_way(self) -> set[str]:
        """The steps that may happen next."""
        return {lane.steps[0][0] for lane in self._wire.ready()} or {"nothing"}

    def _deliver(self) -> bool:
        ready = self._wire.ready()
        if not ready:
            return False
        label, step = self._chance.choice(ready).steps.popleft()
        self._note(label)
        step()
        return True

    def _now(self) -> float:
        """Seconds since the beginning."""
        return self._clock.loop.time()

    def _next_timer(self) -> float | None:
        past = self._now() - self._clock.seconds()
        times = [past + call.getTime() for call in self._clock.getDelayedCalls()]
        loops = self._clock.loop.next_timer()
        return min([*times, *([] if loops is None else [loops])], default=None)

    def _pass_time(self, seconds: float) -> None:
        if seconds:
            self._note(f"{seconds:g} s pass")
        end = self._now() + seconds
        while (due := self._next_timer()) is not None and due <= end:
            self._clock.advance(max(0.0, due - self._now()))
            self._clock.loop.settle()
        self._clock.advance(max(0.0, end - self._now()))
        self._clock.loop.settle()

    # The end

    def _come_right(self) -> None:
        self._note("!!   no more faults")
        self._world.mend_directories()
        self._until(lambda: not self._world.stopping)
        self._world.mend()
        began = self._now()
        self._until(self._world.is_right)
        self.recovery = max(self.recovery, self._now() - began)
        self._note("---- recovered")
        self._rest()
        if not self._world.is_right():
            raise Violation(f"it does not stay right: {self._world.state()}")
        self._world.plug()
        self._until(self._world.is_right)
        self._world.node.devices_given_to_pods()
        self._until(self._world.is_described)
        if self._chance.random() < 0.3:
            self._meet_another_kubelet()
        if self._chance.random() < 0.2:
            self._tidy_up()

    def _tidy_up(self) -> None:
        """What pods have had is not described for ever, nor is what has gone while nobody saw."""
        self._note("!!   time to tidy up")
        self._world.exchange_described()
        self._until(lambda: self._world.is_right() and self._world.is_tidy())
        self._world.unplug_described()
        self._until(lambda: not self._world.stopping)
        self._world.mend()
        self._until(lambda: self._world.is_right() and self._world.is_tidy())

    def _meet_another_kubelet(self) -> None:
        """Sooner or later after the last one."""
        self._note("!!   another kubelet")
        self._world.node.kubelet_stops()
        if self._chance.random() < 0.5:
            self._rest()
        self._world.node.kubelet_starts()
        began = self._now()
        self._until(self._world.is_right)
        if self._now() - began > PROMPT:
            raise Violation(f"{self._now() - began:g} s until it was registered")

    def _stop(self) -> None:
        """Stop, whatever is in flight, and leave nothing."""
        for _ in range(self._chance.randrange(10)):
            self._step(self._world.faults())
        self._note("!!   the end")
        if self._world.troubled:
            self._until(lambda: not self._world.stopping)
        self._world.stop()
        self._until(lambda: not self._world.stopping)
        self._world.leave()
        self._exhaust()
        left = self._world.left()
        if left:
            raise Violation(f"left behind: {left}")

    def _until(self, done: Callable[[], bool]) -> None:
        """Let everything arrive, and time pass only when nothing is on its way."""
        end = self._now() + LONGEST
        self._exhaust()
        while not done():
            due = self._next_timer()
            if due is None or due > end:
                raise Violation(f"nothing more will happen: {self._world.state()}")
            self._pass_time(max(0.0, due - self._now()))
            self._exhaust()

    def _rest(self) -> None:
        """Let time pass, in which everything arrives at once."""
        end = self._now() + CALM
        while (due := self._next_timer()) is not None and due <= end:
            self._pass_time(max(0.0, due - self._now()))
            self._exhaust()
        self._pass_time(end - self._now())

    def _exhaust(self) -> None:
        """Let everything arrive."""
        self._pass_time(0.0)
        for _ in range(5000):
            self._clock.loop.settle()
            self._inotify.doRead()
            self._clock.loop.settle()
            if not self._deliver():
                return
        raise Violation("it never comes to rest")


def _name(fault: Callable[[], None]) -> str:
    return fault.__name__.strip("_")
