"""What servers that crashed have left of their sockets, when nobody serves them again."""

import fcntl
import os
import re
import shutil
from contextlib import suppress

from twisted.logger import Logger

from twistdp.naming import PRIVATE, private_directory
from twistdp.rpc.socketfile import is_abandoned

_log = Logger()

_PRIVATE = re.compile(re.escape(PRIVATE) + "[0-9a-f]{8}")


def remove_leftovers(directory: str, place: str | None = None) -> None:
    """Remove dead sockets in `directory`, and the private directories that they were bound in.

    A server that lives has locked its private directory, also one of another process; it and its
    socket are left alone, as is every socket that was not bound by a `SocketFile`.  `place` is
    as for `SocketFile`.  Logs what cannot be removed and never raises for it.
    """
    where = place or directory
    try:
        hidden = [name for name in os.listdir(where) if _PRIVATE.fullmatch(name)]
        names = [os.path.join(directory, name) for name in os.listdir(directory)]
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warn("cannot clean {path}: {reason}", path=error.filename, reason=error.strerror)
        return
    sockets = {private_directory(name, place): name for name in names}
    for name in hidden:
        private = os.path.join(where, name)
        try:
            _remove(private, sockets.get(private))
        except BlockingIOError:
            pass  # its server lives
        except OSError as error:
            _log.warn("cannot remove {path}: {reason}", path=private, reason=error.strerror)


def _remove(private: str, name: str | None) -> None:
    """Remove a private directory and the name of its socket; BlockingIOError if it is locked."""
    lock = os.open(private, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # A server that is just beginning here finds out: see `SocketFile.claim`.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_abandoned(os.path.join(private, "s")):
                raise
        if name is not None:
            with suppress(FileNotFoundError):  # it was killed before the socket was bound
                if os.path.samestat(os.lstat(name), os.lstat(os.path.join(private, "s"))):
                    os.unlink(name)
        shutil.rmtree(private)
    finally:
        os.close(lock)
