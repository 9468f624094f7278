"""Removes what crashed servers have left of their sockets."""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Final

from twisted.logger import Logger

from twistdp.errors import Untrusted
from twistdp.host import check_ownership
from twistdp.model import PRIVATE, private_directory
from twistdp.rpc.socketfile import BOUND, empty, is_abandoned

_log = Logger()

_PRIVATE = re.compile(re.escape(PRIVATE) + "[0-9a-f]{8}")

MOST_ENTRIES: Final = 5000
"""Entries of a directory that are examined; a plugin directory has some hundred."""


def remove_leftovers(directory: str, place: str | None = None, *, report: bool = True) -> None:
    """Remove dead sockets in `directory`, and the private directories in which they were bound.

    A live server, of this or another process, has locked its private directory; that and its
    socket stay, as does every socket that no `SocketFile` has bound.  `place` is as for
    `SocketFile`.  Nothing is removed if others could exchange a part of the path, nor from a
    private directory that is not ours, has another mode, or holds more than its socket.  Never
    raises for what it leaves, and logs it in one line if it is to `report`.
    """
    where = place or directory
    try:
        with _opened(where) as privates, ExitStack() as stack:
            names = None
            with suppress(FileNotFoundError):  # the private ones may be elsewhere
                names = stack.enter_context(_opened(directory))
            left = _remove_all(directory, place, privates, names)
    except FileNotFoundError:
        return
    except (OSError, Untrusted) as error:
        if report:
            path = getattr(error, "filename", None) or directory
            reason = getattr(error, "strerror", None) or str(error)
            _log.warn("cannot clean {path}: {reason}", path=path, reason=reason)
        return
    if left and report:
        name, reason = left[0]
        more = f"; {len(left) - 1} more there cannot be removed either" if len(left) > 1 else ""
        path = os.path.join(where, name)
        _log.warn("cannot remove {path}: {reason}", path=path, reason=reason + more)


@contextmanager
def _opened(directory: str) -> Iterator[int]:
    """An open directory: its descriptor leads there even if the path is exchanged."""
    check_ownership(directory)
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield held
    finally:
        os.close(held)


def _remove_all(
    directory: str, place: str | None, privates: int, names: int | None
) -> list[tuple[str, str]]:
    """Remove what is dead; returns the names of what is left, and the reasons."""
    hidden = [name for name in _listed(privates) if _PRIVATE.fullmatch(name)]
    if not hidden:
        return []
    sockets = {
        os.path.basename(private_directory(os.path.join(directory, name), place)): name
        for name in (_listed(names) if names is not None else ())
    }
    left = []
    for name in hidden:
        try:
            _remove(name, privates, sockets.get(name), names)
        except BlockingIOError:
            pass  # its server lives
        except OSError as error:
            left.append((name, error.strerror or str(error)))
    return left


def _listed(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in islice(entries, MOST_ENTRIES)]


def _remove(private: str, privates: int, name: str | None, names: int | None) -> None:
    """Remove a private directory and the name of its socket; BlockingIOError if it is locked."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(private, flags, dir_fd=privates)
    try:
        found = os.fstat(lock)
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.geteuid() or mode & 0o077:
            raise PermissionError(0, f"it belongs to user {found.st_uid} and has mode {mode:04o}")
        # A server that is just starting here notices: see `SocketFile.claim`.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_abandoned(f"/proc/self/fd/{lock}/{BOUND}"):
                raise
        if name is not None:
            with suppress(FileNotFoundError):  # it was killed before the socket was bound
                bound = os.stat(BOUND, dir_fd=lock, follow_symlinks=False)
                named = os.stat(name, dir_fd=names, follow_symlinks=False)
                if stat.S_ISSOCK(bound.st_mode) and os.path.samestat(bound, named):
                    os.unlink(name, dir_fd=names)
        empty(lock)
        os.rmdir(private, dir_fd=privates)
    finally:
        os.close(lock)
