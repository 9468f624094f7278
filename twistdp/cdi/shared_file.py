"""A file that several processes may replace, whole and one after the other.

A new content is written under a hidden name, ``.<file>.tmp``, and renamed: a crash leaves the old
file or the new one, and at most a hidden file that the next writer takes over.

Two locks (flock(2), so that a crash frees them) keep processes apart: who holds the hidden file's
may read and replace the file; who put a file in its place holds that one's as long as it wants
others to know that the file is in use.

Who else could write in the directory could have all readers take what it wants them to; so that
is refused, and so is a file that somebody has left there before.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from twistdp.host import check_directory, check_path, keep_from_children

MODE = 0o644
"""Of the files: everybody may read them."""

TEMPORARY = ".tmp"
"""What the hidden name ends in."""

MOST = 8_000_000
"""Bytes that a file may have: what has more is none of ours, and is neither read nor written."""

_ATTEMPTS = 10


class NotAFile(ValueError):
    """Something that cannot be one of ours, or of root's, has the file's name."""


class Turn:
    """The right to look at a file and to replace it; made by `SharedFile.turn`.

    `data` is the file's content, None if there is no file; `in_use` whether another owner holds
    it.
    """

    def __init__(self, file: "SharedFile", hidden: int, found: int) -> None:
        self._file = file
        self._hidden = hidden
        self._found = found
        self.data: bytes | None = None
        self.in_use = False
        if found >= 0:
            self.data = _read(found)
            self.in_use = not (file.holds(found) or _locked(found))

    @property
    def descriptors(self) -> tuple[int, int]:
        """What is open for it; -1 for nothing."""
        return self._hidden, self._found

    def put(self, data: bytes) -> None:
        """Make `data` the content, and hold the file; raises OSError, and then all is as it was.

        A file that has this content already is left as it is.
        """
        if len(data) > MOST:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        if data == self.data and not self.in_use and _mode(self._found) == MODE:
            if not self._file.holds(self._found):
                self._file.hold(self._found)
                self._found = -1
            return
        os.ftruncate(self._hidden, 0)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._hidden, rest) :]
        os.fchmod(self._hidden, MODE)
        os.fsync(self._hidden)
        os.replace(self._file.hidden, self._file.path)
        self._file.hold(self._hidden)
        self._hidden = -1
        _sync(os.path.dirname(self._file.path))

    def remove(self) -> None:
        """Let there be no file; raises OSError."""
        if self.data is not None:
            os.unlink(self._file.path)
        self._file.close()

    def end(self) -> None:
        """Let others have their turn."""
        try:
            if self._found >= 0:
                os.close(self._found)
        finally:
            if self._hidden >= 0:
                # While it is still locked: the next in turn makes another.
                with suppress(OSError):
                    os.unlink(self._file.hidden)
                os.close(self._hidden)


class SharedFile:
    """The file `path`.  Not for use by several threads at once."""

    def __init__(self, path: str) -> None:
        directory, name = os.path.split(path)
        self.path = path
        self.hidden = os.path.join(directory, f".{name}{TEMPORARY}")
        self._fd = -1
        self._turn: Turn | None = None
        keep_from_children(self)
        self._signature: tuple[int, ...] = ()

    def descriptors(self) -> tuple[int, ...]:
        """See `twistdp.host.children.Owner`."""
        turn = () if self._turn is None else self._turn.descriptors
        return tuple(fd for fd in (self._fd, *turn) if fd >= 0)

    def exists(self) -> bool:
        """Whether there is a file, or something left of a writer that died."""
        return os.path.lexists(self.path) or os.path.lexists(self.hidden)

    def untouched(self) -> bool:
        """Whether we hold the file and it is as we left it."""
        with suppress(OSError):
            return self._fd >= 0 and _signature(os.lstat(self.path)) == self._signature
        return False

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Have a turn.

        Makes the directory, mode 0755, but not those above it.  Raises OSError, BlockingIOError
        when another process has its turn, `NotAFile`, and `twistdp.errors.Untrusted` if others
        may write in the directory.
        """
        directory = os.path.dirname(self.path)
        _make_directory(directory)
        check_directory(directory)
        hidden = self._take()
        found = -1
        try:
            found = self._open()
            turn = Turn(self, hidden, found)
        except BaseException:
            if found >= 0:
                os.close(found)
            with suppress(OSError):
                os.unlink(self.hidden)
            os.close(hidden)
            raise
        self._turn = turn
        try:
            yield turn
        finally:
            self._turn = None
            turn.end()

    def holds(self, fd: int) -> bool:
        """Whether the open file `fd` is the one that we hold."""
        return self._fd >= 0 and os.path.samestat(os.fstat(fd), os.fstat(self._fd))

    def hold(self, fd: int) -> None:
        """Hold the open and locked file `fd` instead of what was held before."""
        before, self._fd = self._fd, fd
        self._signature = _signature(os.fstat(fd)) if fd >= 0 else ()
        if before >= 0:
            with suppress(OSError):  # closed it is in any case
                os.close(before)

    def close(self) -> None:
        """Leave the file as it is, to whoever comes next."""
        self.hold(-1)

    def _take(self) -> int:
        for _ in range(_ATTEMPTS):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                fd = os.open(self.hidden, flags, 0o600)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise NotAFile(f"{self.hidden} is a link") from error
                raise
            try:
                _check_ours(fd, self.hidden)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it before may have renamed it, and then it is not to be written to.
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), os.lstat(self.hidden)):
                        return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))

    def _open(self) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                raise NotAFile("it is not a regular file")
            fd = os.open(self.path, flags)
        except FileNotFoundError:
            return -1
        try:
            _check_ours(fd, self.path)
        except NotAFile:
            os.close(fd)
            raise
        return fd


def _signature(found: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def _mode(fd: int) -> int:
    return stat.S_IMODE(os.fstat(fd).st_mode)


def _check_ours(fd: int, path: str) -> None:
    """Refuse what somebody may have left there before the directory was safe."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(f"{path} is not a regular file")
    if found.st_uid not in (0, os.geteuid()):
        raise NotAFile(f"{path} belongs to user {found.st_uid}")
    if found.st_nlink > 1:
        raise NotAFile(f"{path} is a file that has another name too")


def _locked(fd: int) -> bool:
    """Lock a file until it is closed; False if somebody else has."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(fd: int) -> bytes:
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
    check_path(above)
    # It appears with its mode, also where a daemon has a umask of 077 and when this process ends
    # in between.  The umask itself is the process's, and other threads make files too.
    made = os.path.join(above, f".{secrets.token_hex(8)}")
    os.mkdir(made, 0o700)
    try:
        os.chmod(made, 0o755)  # noqa: S103  # everybody may read what is in it
        os.rename(made, path)
    except OSError:
        os.rmdir(made)
        if not os.path.isdir(path):  # which another process has made meanwhile
            raise


def _sync(directory: str) -> None:
    """Make a rename survive a power failure, where the file system can."""
    with suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
