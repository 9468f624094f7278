"""Keeps this process's descriptors and signal handlers from the children that a scanner forks.

Python runs this in a child that is forked without an exec, as `multiprocessing` does.  After an
exec it is not needed: all descriptors are close-on-exec, and handlers end with exec.

Signals are blocked meanwhile.  Otherwise the copy of our handler would swallow a signal that comes
before a child has its own handlers: a pool of processes would wait for ever for a worker that it
has just ended.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from threading import get_ident
from typing import Protocol
from weakref import WeakSet


class Owner(Protocol):
    """An object with descriptors that no child should have."""

    def descriptors(self) -> Iterable[int]:
        """Return its open descriptors; also called in a child, where no other thread runs."""


_owners: "WeakSet[Owner]" = WeakSet()
_users: set[int] = set()
_masks: dict[int, set[int | signal.Signals]] = {}
"""For each thread that is forking: the signals that were blocked before."""


def keep_from_children(owner: Owner) -> None:
    """Keep the descriptors of `owner` from children while it lives and something serves."""
    _owners.add(owner)


def begin_keeping(user: object) -> None:
    """Note that `user` serves; before that, a fork makes a daemon, not a child."""
    _users.add(id(user))


def end_keeping(user: object) -> None:
    """Note that `user` no longer serves."""
    _users.discard(id(user))


def _before() -> None:
    """Block signals until the child has handlers of its own."""
    if _users:
        _masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _in_parent() -> None:
    """Unblock signals as before."""
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    """Restore Python's first handlers, and let descriptors lead to /dev/null."""
    if _users:
        _users.clear()
        _clean()
    _in_parent()
    _masks.clear()


def _clean() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)
    # Not closed: the former owner would close a number that something else has by then.
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in {fd for owner in list(_owners) for fd in owner.descriptors()}:
        with suppress(OSError):
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
