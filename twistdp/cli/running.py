"""Runs a command's coroutine on the asyncio reactor."""

import signal
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command, unless its parent had them ignored."""


def run_on_reactor(main: Callable[[Any], Awaitable[int]]) -> int:
    """Install the asyncio reactor, run ``main(reactor)`` in it and return its result.

    The reactor's clock is monotonic.

    Raises what `main` raises.  One of `SIGNALS`, unless `main` handles it itself, cancels `main`,
    which then cleans up; the result is 128 plus the signal's number, as in a shell.  Further
    signals have no effect, since ``timeout`` sends each signal twice.
    """
    asyncioreactor.install()
    from twisted.internet import reactor as installed

    from twistdp.rpc import keep_steady

    reactor: Any = installed
    keep_steady(reactor)
    outcome: list[Any] = []
    caught: list[int] = []

    async def call() -> int:
        return await main(reactor)

    def finish(result: Any) -> None:
        outcome.append(result)
        reactor.stop()

    def begin() -> None:
        def interrupt(number: int) -> None:
            caught.append(number)
            if len(caught) == 1:
                running.cancel()

        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda n, _: reactor.callFromThread(interrupt, n))
        running = Deferred.fromCoroutine(call())
        running.addBoth(finish)

    reactor.callWhenRunning(begin)
    reactor.run()
    (result,) = outcome
    if isinstance(result, Failure) and not (caught and result.check(CancelledError)):
        result.raiseException()
    return 128 + caught[0] if caught else int(result)
