"""What the children that a scanner forks do not have of this process: its descriptors and handlers.

Python runs this in a child that is forked without an exec, as `multiprocessing` forks them.  What
is executed has none of it anyway: all descriptors are close-on-exec, and handlers end with exec.

Signals are blocked meanwhile.  Otherwise one that comes before a child has its own handlers is
taken by this process's and forgotten: a pool of processes would wait for the worker that it has
just ended for ever.
"""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from threading import get_ident
from typing import Protocol
from weakref import WeakSet


class Owner(Protocol):
    """Whoever has descriptors that are no child's business."""

    def descriptors(self) -> Iterable[int]:
        """Those that it has now; also called in a child, where no other thread runs."""


_owners: "WeakSet[Owner]" = WeakSet()
_users: set[int] = set()
_masks: dict[int, set[int | signal.Signals]] = {}
"""Of each thread that forks just now: which signals were blocked before."""


def keep_from_children(owner: Owner) -> None:
    """Keep the descriptors of `owner` from children, as long as it lives and something serves."""
    _owners.add(owner)


def begin_keeping(user: object) -> None:
    """`user` serves from now on; before that, a fork is a daemon's, which goes on as the same."""
    _users.add(id(user))


def end_keeping(user: object) -> None:
    """It does not any more."""
    _users.discard(id(user))


def _before() -> None:
    """No signal, until the child has handlers of its own."""
    if _users:
        _masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _in_parent() -> None:
    """Signals as before."""
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    """Handlers are as Python starts with, and descriptors lead to /dev/null."""
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
    # Not closed: a number that something else gets would be closed by whom it belonged to.
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in {fd for owner in list(_owners) for fd in owner.descriptors()}:
        with suppress(OSError):
            os.dup2(null, descriptor, inheritable=False)
    os.close(null)


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
