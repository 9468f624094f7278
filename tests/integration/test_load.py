"""Many callers while devices flap and the kubelet restarts: no answer is ever wrong."""

import asyncio
import gc
import itertools
import os
import random
import sys
from collections import Counter
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from zope.interface import implementer

from tests.integration.test_life import DOMAIN, YELLOW, LifeTestCase, ToldScanner
from tests.support.helpers import PATIENCE
from tests.support.history import Answer, Flapping, History, given, healths, tree_of
from twistdp import AllocateResponse as Response
from twistdp import IPostAllocator, UseDefaultMethod
from twistdp.errors import CallFailed
from twistdp.kubelet.api import ALLOCATE, LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    Empty,
    ListAndWatchResponse,
)
from twistdp.rpc.channel import Channel

CALLERS = 64
ROUNDS = 5
WARM_UP = 2
"""Rounds after which nothing may grow any more."""
FLAPS = 300
"""Changes of the devices in a round."""
RESTARTS = (60, 120, 180, 240)
"""After so many of them the kubelet restarts."""
MORE = {"objects": 350, "descriptors": 4, "tasks": 8, "timers": 3}
"""By so many they may be more after that: the resource may just be registering again.  There are
some thousand calls, 66 connections and four restarts in a round."""
TRIED = {"given", "NOT_FOUND", "FAILED_PRECONDITION", "changed meanwhile"}
"""What becomes of calls."""

SETTLED = PATIENCE
"""Seconds in which the last list must have come everywhere."""


@implementer(IPostAllocator)
class SlowScanner(ToldScanner):
    """Its answers take a moment, and the devices go on to change."""

    async def post_allocate(self, response: Response) -> type[UseDefaultMethod]:
        """Wait."""
        await deferLater(reactor, 0.002)
        return UseDefaultMethod


@attrs.define
class Reader:
    """A ListAndWatch stream besides the kubelet's, opened again whenever it ends.

    Each message must be a list that was published, and not an older one than the message before.
    `pause` is in seconds, between two messages.
    """

    path: str
    history: History
    pause: float
    wrong: list[str]
    hurry: bool = False
    listed: dict[str, str] = attrs.field(factory=dict)
    _stopped: bool = False
    _channel: Channel | None = None

    async def run(self) -> None:
        """Read until stopped."""
        while not self._stopped:
            self._channel = Channel(self.path, reactor=reactor)
            seen = self.history.version
            stream = self._channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
            try:
                async for message in stream:
                    self.listed = {device.ID: device.health for device in message.devices}
                    version = self.history.seen(self.listed, seen)
                    if version is None:
                        self.wrong.append(f"listed after version {seen}: {self.listed}")
                    else:
                        seen = version
                    if self.pause and not self.hurry:
                        await deferLater(reactor, self.pause)
            except (CallFailed, CancelledError):
                pass  # the resource's socket has no name at this moment, or we are stopped
            await self._channel.close()
            await deferLater(reactor, 0.01)

    async def stop(self) -> None:
        """End the stream."""
        self._stopped = True
        if self._channel is not None:
            await self._channel.close()


@attrs.define
class Caller:
    """Allocates some of `ids` over and over, on a connection of its own."""

    channel: Channel
    history: History
    ids: list[str]
    random: random.Random
    wrong: list[str]
    answers: Counter[str]
    stopped: bool = False

    async def run(self) -> None:
        """Call until stopped."""
        while not self.stopped:
            ids = self.random.sample(self.ids, self.random.randint(1, 3))
            begin = self.history.version
            request = AllocateRequest(
                container_requests=[ContainerAllocateRequest(devices_ids=ids)]
            )
            answer: Answer
            try:
                response = await self.channel.unary(ALLOCATE, request, AllocateResponse)
                answer = given(response.container_responses[0])
            except CallFailed as error:
                answer = error.status
            right = self.history.right(ids, begin, self.history.version)
            if answer not in right:
                self.wrong.append(f"{ids}: {answer}, right was {right}")
            self.answers["changed meanwhile"] += self.history.version > begin
            self.answers[answer if isinstance(answer, str) else "given"] += 1


class LoadTests(LifeTestCase):
    """A manager in this process, so that it is known exactly what was published when."""

    timeout = 300

    async def test_plain(self) -> None:
        """The default answers."""
        await self.load(ToldScanner)

    async def test_with_a_hook(self) -> None:
        """A hook takes a moment in every call."""
        await self.load(SlowScanner, rounds=WARM_UP + 1)

    async def load(self, kind: type[ToldScanner], rounds: int = ROUNDS) -> None:
        """Some rounds; after each everything is still, and counted."""
        ids = [f"dev-{number}" for number in range(12)]
        self.answers = self.flaps = self.restarts = 0
        self.random = random.Random(4711)
        self.flapping = Flapping(ids, self.random)
        self.history = History(self.flapping.first())
        self.scanner = kind(tree_of("yellow", self.history.devices))
        self.path = os.path.join(self.directory, f"{DOMAIN}_yellow.sock")
        await self.kubelet.start()
        self.manage(self.scanner)
        await self.kubelet.listed(YELLOW, ids)
        for number in range(rounds):
            await self.round(ids)
            # They would be all that grows.
            self.history = History(self.history.devices)
            self.log.events.clear()
            self.kubelet.registrations.clear()
            if number < WARM_UP:
                warm = _held()
        deadline = reactor.seconds() + SETTLED
        while more := {
            what: n - warm[what] for what, n in _held().items() if n > warm[what] + MORE[what]
        }:
            # gRPC closes connections in a thread of its own.
            self.assertLess(reactor.seconds(), deadline, f"left over: {more}")
            await deferLater(reactor, 0.1)
        sys.stdout.write(
            f"\n{CALLERS} callers: {self.answers} answers, each right at some moment of its call, "
            f"during {self.flaps} changes of the devices and {self.restarts} kubelet restarts\n"
        )

    async def round(self, ids: list[str]) -> None:
        """Callers, readers, flapping and restarts at once."""
        wrong: list[str] = []
        answers: Counter[str] = Counter()
        channels = [Channel(self.path, reactor=reactor) for _ in range(CALLERS)]
        callers = [
            Caller(channel, self.history, ids, self.random, wrong, answers) for channel in channels
        ]
        readers = [Reader(self.path, self.history, pause, wrong) for pause in (0.0, 0.2)]
        calling = [_run(caller) for caller in callers]
        reading = [_run(reader) for reader in readers]
        restarting = await self.flap(answers)
        for caller in callers:
            caller.stopped = True
        await _all(calling)
        await _all(restarting)
        for reader in readers:
            reader.hurry = True
        final = healths(self.history.devices)
        await self.kubelet.until(lambda: self.kubelet.devices(YELLOW) == final, SETTLED)
        deadline = reactor.seconds() + SETTLED
        while any(reader.listed != final for reader in readers):
            self.assertLess(reactor.seconds(), deadline, "a stream has lost the last list")
            await deferLater(reactor, 0.01)
        for reader in readers:
            await reader.stop()
        await _all(reading)
        for channel in channels:
            await channel.close()
        self.assertEqual(wrong[:3], [])
        self.assertEqual(answers.keys(), TRIED)
        self.answers += answers.total() - answers["changed meanwhile"]
        self.restarts += len(restarting)

    async def flap(self, answers: Counter[str]) -> list[Deferred[None]]:
        """Change the devices until all that can happen has; returns the kubelet's restarts."""
        restarts: list[Deferred[None]] = []
        for number in itertools.count():
            if number >= FLAPS and all(answers[each] > 20 for each in TRIED):
                break
            self.flaps += 1
            devices = self.flapping.next(self.history.devices)
            # In one go: nobody can be answered in between.
            self.history.publish(devices)
            self.scanner.tell(tree_of("yellow", devices))
            if number in RESTARTS:
                kubelet = self.kubelet
                how = kubelet.restart if number in RESTARTS[::2] else kubelet.replace_socket
                restarts.append(how())
            await deferLater(reactor, 0.002)
        return restarts


def _run(one: Caller | Reader) -> Deferred[None]:
    return Deferred.fromCoroutine(one.run())


async def _all(deferreds: list[Deferred[None]]) -> None:
    """Wait for them; raise the first error."""
    await DeferredList(deferreds, fireOnOneErrback=True, consumeErrors=True)


def _held() -> dict[str, Any]:
    """The numbers that would grow with a leak."""
    gc.collect()
    return {
        "objects": len(gc.get_objects()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks(reactor._asyncioEventloop)),  # type: ignore[attr-defined]
        "timers": len(reactor.getDelayedCalls()),
    }
