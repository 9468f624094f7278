"""Runs a command's coroutine on the asyncio reactor."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


def run_on_reactor(main: Callable[[Any], Awaitable[int]]) -> int:
    """Install the asyncio reactor, run ``main(reactor)`` in it and return its result.

    What `main` raises is raised here.  Ctrl-C stops the reactor and gives status 130, unless
    `main` handles the signal itself.
    """
    asyncioreactor.install()
    from twisted.internet import reactor

    outcome: list[Any] = []

    async def call() -> int:
        return await main(reactor)

    def finish(result: Any) -> None:
        outcome.append(result)
        reactor.stop()

    def begin() -> None:
        Deferred.fromCoroutine(call()).addBoth(finish)

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        return 130
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return int(outcome[0])
