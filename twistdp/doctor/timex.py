"""Asks the kernel how well its clock is kept (adjtimex(2))."""

import ctypes
from typing import Final

import attrs

_UNSYNCHRONISED: Final = 0x40


@attrs.frozen
class Timex:
    """The state of the clock; the error is in seconds."""

    is_synchronised: bool
    largest_error: float


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def kernel_clock() -> Timex | None:
    """The state of this machine's clock; None if the kernel does not say."""
    found = _Timex()
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return Timex(not found.status & _UNSYNCHRONISED, found.maxerror / 1e6)
