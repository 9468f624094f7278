"""System calls that fail when they should, where modules of ours, or pyinotify, make them."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import pyinotify

from twistdp.cdi import shared_file
from twistdp.host import limits
from twistdp.inotify import descriptor as inotify_descriptor
from twistdp.rpc import leftovers, socketfile

MODULES = (socketfile, leftovers, shared_file, inotify_descriptor, limits, pyinotify)

CALLS = (
    "unlink",
    "rmdir",
    "mkdir",
    "link",
    "chmod",
    "fchmod",
    "close",
    "listdir",
    "scandir",
    "flock",
)
"""The functions of `os` and `fcntl` that may fail."""

Rule = Callable[[str], OSError | None]
"""Returns the error for a call of this name; None lets the call happen."""


class _Instead:
    """A module, of which some functions ask first whether they fail."""

    def __init__(self, module: ModuleType, verdict: Rule) -> None:
        self._module = module
        self._verdict = verdict

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._module, name)
        if name not in CALLS:
            return function

        def call(*arguments: Any, **options: Any) -> Any:
            error = self._verdict(name)
            # What is closed is so even when that fails; what is missing, somebody else removed.
            if error is None or name == "close" or error.errno == errno.ENOENT:
                result = function(*arguments, **options)
            if error is not None:
                raise error
            return result

        return call


@contextmanager
def failing(verdict: Rule) -> Iterator[None]:
    """While the block runs, calls fail as `verdict` decides."""
    with ExitStack() as stack:
        for module in MODULES:
            for system in (os, fcntl):
                if getattr(module, system.__name__, None) is system:
                    instead = _Instead(system, verdict)
                    stack.enter_context(mock.patch.object(module, system.__name__, instead))
        yield


def read_only(name: str) -> OSError | None:
    """The verdict of a file system that may only be read."""
    if name in ("close", "listdir", "scandir", "flock"):
        return None
    return OSError(errno.EROFS, os.strerror(errno.EROFS))


class Nth:
    """A verdict: the call of this `number` fails."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.failed = ""
        """The name of the call that has failed."""

    def __call__(self, name: str) -> OSError | None:
        """Count."""
        self._left -= 1
        if self._left != -1:
            return None
        self.failed = name
        return OSError(errno.EIO, os.strerror(errno.EIO))
