"""A clock for the reactor that goes on steadily when somebody sets the wall clock."""

from typing import Any

from twistdp.rpc import bridge


def keep_steady(reactor: Any) -> None:
    """Have the clock of `reactor` go on from where it is, however the wall clock is set.

    Twisted's own is the wall clock.  When that is set back by an hour, all that is due in a second
    comes an hour late; when it is set forward, all time-outs run out at once.  A clock that has
    been replaced already is left as it is.  Raises `BadSetting` for a reactor without an asyncio
    loop, whose clock is the monotonic one.
    """
    loop = bridge.loop_of(reactor)
    if "seconds" not in vars(reactor):
        # Continuous, since calls may be planned already.
        ahead = reactor.seconds() - loop.time()
        reactor.seconds = lambda: loop.time() + ahead
