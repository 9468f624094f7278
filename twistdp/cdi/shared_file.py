"""A file that is replaced as a whole, and locked while a process uses it.

A new content is written under a hidden name and renamed: a reader sees the old file or the new
one, and a process that dies leaves at most a hidden file, which `remove_abandoned` removes.

The lock (flock(2), so that a crash frees it) says that the file is in use.  It does not keep a
second writer out: only one process serves a resource, and each writes under a name of its own.

A process that can write in the directory decides what all readers do, so a directory in which
others may write is refused, and so is a file that others may have left there before.
"""

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from typing import Final

from twistdp.host import check_directory, check_ownership, keep_from_children

MODE: Final = 0o644
"""The mode of the files: everybody may read them."""

MOST: Final = 8_000_000
"""The most bytes that are read or written: a larger file is not ours."""

_HIDDEN: Final = re.compile(r"\.twistdp\.[0-9a-f]{16}\.tmp")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class NotAFile(ValueError):
    """The file's name belongs to something that neither we nor root can have written."""


class SharedFile:
    """The file `path`.  Not for use by several threads at once."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._held = -1
        self._signature: tuple[int, ...] = ()
        self._open: set[int] = set()
        keep_from_children(self)

    def descriptors(self) -> tuple[int, ...]:
        """See `twistdp.host.children.Owner`: a lock lives as long as any process has it open."""
        return tuple(self._open)

    @property
    def held(self) -> bool:
        """Whether the file that `read` found, or `put` made, is locked by us."""
        return self._held >= 0

    @property
    def untouched(self) -> bool:
        """Whether we hold the file, and nobody has changed it since; everybody may read it."""
        with suppress(OSError):
            found = os.lstat(self.path)
            return (
                self.held
                and _signature(found) == self._signature
                and stat.S_IMODE(found.st_mode) == MODE
            )
        return False

    def read(self) -> bytes | None:
        """Return the content, None without a file, and hold the file unless another process does.

        Makes the directory, mode 0755, but not those above it.  Raises OSError, `NotAFile`, and
        `twistdp.errors.Untrusted` if others may write in the directory.
        """
        directory = os.path.dirname(self.path)
        _make_directory(directory)
        check_directory(directory)
        try:
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                raise NotAFile("it is not a regular file")
            fd = self._opened(self.path, _READ)
        except FileNotFoundError:
            self.close()
            return None
        try:
            _check_ours(fd)
            data = _content(fd)
            if self.held and os.path.samestat(os.fstat(fd), os.fstat(self._held)):
                self._close(fd)
            elif _locked(fd):
                self._hold(fd)
            else:
                self._close(fd)
                self.close()
        except BaseException:
            self._close(fd)
            raise
        return data

    def put(self, data: bytes) -> None:
        """Make `data` the content, and hold the file; raises OSError, and then all is as it was."""
        if len(data) > MOST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        try:
            self._put(data)
        except (BlockingIOError, FileNotFoundError):
            # Before the hidden file was locked, another process took it for abandoned.
            self._put(data)

    def _put(self, data: bytes) -> None:
        name = f".twistdp.{os.urandom(8).hex()}.tmp"
        hidden = os.path.join(os.path.dirname(self.path), name)
        fd = self._opened(hidden, _CREATE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fchmod(fd, MODE)
            os.replace(hidden, self.path)
        except BaseException:
            with suppress(OSError):
                os.unlink(hidden)
            self._close(fd)
            raise
        self._hold(fd)

    def remove(self) -> None:
        """Remove the file; raises OSError."""
        with suppress(FileNotFoundError):  # another process was faster
            os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Unlock the file and leave it as it is."""
        held, self._held = self._held, -1
        if held >= 0:
            self._close(held)

    def _opened(self, path: str, flags: int) -> int:
        fd = os.open(path, flags, 0o600)
        self._open.add(fd)
        return fd

    def _close(self, fd: int) -> None:
        if fd in self._open:
            with suppress(OSError):  # it is closed in any case
                os.close(fd)
            self._open.discard(fd)

    def _hold(self, fd: int) -> None:
        """Hold the locked file `fd` instead of the one that was held before."""
        self.close()
        self._held = fd
        self._signature = _signature(os.fstat(fd))


def remove_abandoned(directory: str) -> None:
    """Remove the hidden files of writers that died; a living writer has locked its file.

    Raises OSError, and `twistdp.errors.Untrusted` if others may write in the directory.
    """
    hidden = [name for name in os.listdir(directory) if _HIDDEN.fullmatch(name)]
    if hidden:
        check_directory(directory)
    for name in hidden:
        path = os.path.join(directory, name)
        with suppress(NotAFile, FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            fd = os.open(path, _READ)
            try:
                _check_ours(fd)
                if _locked(fd):
                    os.unlink(path)
            finally:
                os.close(fd)


def _signature(found: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def _check_ours(fd: int) -> None:
    """Refuse a file that others may have left there before the directory was safe."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile("it is not a regular file")
    if found.st_uid not in (0, os.geteuid()):
        raise NotAFile(f"it belongs to user {found.st_uid}")
    if found.st_nlink > 1:
        raise NotAFile("it has another name too")


def _locked(fd: int) -> bool:
    """Lock a file until it is closed; False if another process has locked it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _content(fd: int) -> bytes:
    parts, size = [], 0
    while part := os.read(fd, 1 << 20):
        parts.append(part)
        size += len(part)
        if size > MOST:
            raise NotAFile(f"it has more than {MOST} bytes")
    return b"".join(parts)


def _make_directory(path: str) -> None:
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    check_ownership(above)
    # A daemon's umask is 077.  A process that was killed between mkdir and chmod would leave a
    # directory that only its user can read, for ever, so this one gets its name last.
    made = os.path.join(above, f".twistdp.{os.urandom(8).hex()}")
    os.mkdir(made, 0o700)
    try:
        os.chmod(made, 0o755)  # noqa: S103  # everybody may read what is in it
        os.rename(made, path)
    except OSError:
        os.rmdir(made)
        if not os.path.isdir(path):  # another process may have made it meanwhile
            raise
