"""Loop devices: real device nodes that root can plug and unplug."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

CONTROL = "/dev/loop-control"

# linux/loop.h
_ADD = 0x4C80
_REMOVE = 0x4C81


def usable() -> bool:
    """Whether this process may add and remove loop devices."""
    return os.access(CONTROL, os.R_OK | os.W_OK)


def add(number: int) -> str:
    """Make ``/dev/loop<number>`` and return its path.  Raises OSError if it exists already."""
    _control(_ADD, number)
    return f"/dev/loop{number}"


def remove(number: int) -> None:
    """Remove ``/dev/loop<number>``."""
    _control(_REMOVE, number)


def free_number(first: int | None = None) -> int:
    """The first number, from `first` on, that no loop device has.

    The default depends on the process, so that processes at the same time get different numbers.
    """
    number = 64 + os.getpid() % 1000 * 4 if first is None else first
    while os.path.exists(f"/dev/loop{number}") or os.path.exists(f"/sys/block/loop{number}"):
        number += 1
    return number


@contextmanager
def plugged(number: int) -> Iterator[str]:
    """Plug a loop device in for the duration of the block."""
    path = add(number)
    try:
        yield path
    finally:
        remove(number)


def _control(request: int, number: int) -> None:
    descriptor = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, request, number)
    finally:
        os.close(descriptor)
