"""A unix socket's name that appears finished and is never stolen.

gRPC binds with the process umask's mode, takes over a live path without asking, and unlinks
whatever is there when it stops.  So a server binds in a private directory, and the socket gets
its name by a hard link, which fails where something exists.  After a kubelet has wiped the
directory, the name can be linked again without a new server.

Only the socket's mode keeps callers out, since gRPC does not identify them.  So it is made only
where others cannot replace it, and have not done so.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress

from twistdp.errors import SocketTaken, StillServed
from twistdp.host import check_ownership, keep_from_children, peer_of
from twistdp.model import private_directory, shown

BOUND = "s"
"""The socket's name in its private directory, which holds nothing else."""


class SocketFile:
    """The name `path`, and the private directory in which its socket is bound.

    That lies beside the name, or in the directory `place` of the same file system.
    """

    def __init__(self, path: str, place: str | None = None) -> None:
        self.path = path
        self.private = private_directory(path, place)
        self.bound = os.path.join(self.private, BOUND)
        self._lock: int | None = None
        keep_from_children(self)
        self._identity: tuple[int, int] | None = None

    def descriptors(self) -> tuple[int, ...]:
        """See `twistdp.host.children.Owner`: the lock is held while any process has it open."""
        return () if self._lock is None else (self._lock,)

    def claim(self) -> str:
        """Make the private directory, without what a crash left in it; returns the path to bind.

        Raises `SocketTaken` while another server holds it or if it is not one of ours,
        `Untrusted` if others could interfere, and OSError if it cannot be made.
        """
        with suppress(OSError, SocketTaken):
            self.release()
        check_ownership(os.path.dirname(self.private))
        try:
            self._lock = self._take()
        except BlockingIOError:
            if not is_abandoned(self.bound):
                raise self._taken(listener(self.bound)) from None
            # Its children still hold the lock, but another directory has another lock.
            self._lock = self._open()
            self.release()
            self._lock = self._take()
        return self.bound

    def publish(self) -> None:
        """Give the bound socket its name, mode 0600, unless it has it already.

        Raises `SocketTaken` if a process listens there or the name is no socket, `Untrusted` if
        others could interfere, and OSError.
        """
        if self.is_published():
            return
        check_ownership(os.path.dirname(self.path))
        os.chmod(BOUND, 0o600, dir_fd=self._lock)
        try:
            self._link()
        except FileExistsError:
            if _identity(self.path) != _identity(self.bound):  # not ours already
                self._remove_dead()
                self._link()
        self._identity = _identity(self.path)

    def is_bound(self) -> bool:
        """Whether the bound socket is still where it was bound."""
        return (
            self._lock is not None
            and self._is_private(self._lock)
            and _identity(self.bound) is not None
        )

    def is_published(self) -> bool:
        """Whether the name shows our socket."""
        return self._identity is not None and _identity(self.path) == self._identity

    def withdraw(self) -> None:
        """Remove the name if it is ours; if that raises OSError, it still is."""
        if self.is_published():
            with suppress(FileNotFoundError):  # another process was faster
                os.unlink(self.path)
        self._identity = None

    def forget(self) -> None:
        """Leave the name where it is, and treat it as another's from now on."""
        self._identity = None

    def release(self) -> None:
        """Remove the private directory, which others may claim from now on.

        If that raises OSError, or `SocketTaken` for something foreign in it, it is still there.
        """
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            if self._is_private(lock):  # not one that another process has made in its place
                self._empty(lock)
                with suppress(FileNotFoundError):  # another process was faster
                    os.rmdir(self.private)
        finally:
            os.close(lock)

    def _take(self) -> int:
        """Make the private directory if needed, lock and empty it; BlockingIOError if locked."""
        with suppress(FileExistsError):
            os.mkdir(self.private, 0o700)
        lock = self._open()
        try:
            # The process holds it while it lives, so a crash frees it.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_private(lock):
                raise FileNotFoundError(f"{self.private}: it was removed meanwhile")
            os.fchmod(lock, 0o700)
            self._empty(lock)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _open(self) -> int:
        """Open the private directory if it is ours, made now or before a crash."""
        found = os.lstat(self.private)
        kind = "directory" if stat.S_ISDIR(found.st_mode) else "file or link"
        if kind != "directory" or found.st_uid != os.geteuid():
            raise self._in_the_way(f"is a {kind} of user {found.st_uid}")
        if found.st_mode & 0o700 != 0o700:  # made under an odd umask
            os.chmod(self.private, 0o700)
        return os.open(self.private, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _empty(self, private: int) -> None:
        """Remove the socket in the open private directory."""
        try:
            empty(private)
        except FileExistsError as error:
            raise self._in_the_way(str(error.strerror)) from error

    def _in_the_way(self, what: str) -> SocketTaken:
        return SocketTaken(
            self.path, 0, f"{self.private}, where it is to be made, {what}; remove it"
        )

    def _link(self) -> None:
        try:
            os.link(BOUND, self.path, src_dir_fd=self._lock, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise OSError(
                f"{self.path}: it must be on one mounted file system with {self.private}, where "
                f"its socket is made; mount {os.path.dirname(self.private)} as a whole"
            ) from error

    def _is_private(self, lock: int) -> bool:
        """Whether the private directory is the one that `lock` leads to."""
        locked = os.fstat(lock)
        return _identity(self.private) == (locked.st_dev, locked.st_ino)

    def _remove_dead(self) -> None:
        """Remove a dead socket's name; raise `SocketTaken` for anything else."""
        try:
            if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
                raise SocketTaken(self.path, 0, "exists and is not a socket; remove it")
        except FileNotFoundError:
            return
        pid = listener(self.path)
        if pid is not None:
            raise self._taken(pid)
        os.unlink(self.path)

    def _taken(self, pid: int | None) -> SocketTaken:
        whose = f"process {pid}" if pid else "another process"
        if pid is None:
            whose = "a server that has not ended yet"
        elif pid == os.getpid():
            whose = f"this process ({pid})"
        return StillServed(
            self.path, pid or 0, f"{whose} serves this resource already; waiting until it ends"
        )


def empty(private: int) -> None:
    """Remove the socket in an open private directory.

    Raises FileExistsError if it holds anything else, and then removes nothing; and OSError.
    """
    with os.scandir(private) as entries:
        for entry in entries:
            if entry.name != BOUND or entry.is_dir(follow_symlinks=False):
                raise FileExistsError(errno.EEXIST, f"has {shown(entry.name)} in it")
    with suppress(FileNotFoundError):  # gRPC removes its socket in a thread of its own
        os.unlink(BOUND, dir_fd=private)


def listener(path: str) -> int | None:
    """The process that listens on the socket `path`, 0 if that is hidden, None if none does.

    A process that has ended does not, even if a child of it keeps the socket open.
    """
    try:
        peer = peer_of(path)
    except (ConnectionRefusedError, FileNotFoundError):
        return None
    except OSError:
        return 0  # it is there: its backlog is full, or it is of another kind
    return peer.pid if peer.alive else None


def is_abandoned(path: str) -> bool:
    """Whether only children of the process that made the socket `path` keep it open."""
    try:
        return not peer_of(path).alive
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
