"""The host that is examined: its files below a root directory, its programs, its clock.

Nothing here trusts a file.  A read is bounded and never waits for a pipe, and a link that is
absolute leads to a place below the root, as it does for a process of that host.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from twistdp.doctor.links import below
from twistdp.doctor.timex import Timex, kernel_clock
from twistdp.host import ABSENT, Peer, peer_of

MOST: Final = 4 * 1024 * 1024
"""Most bytes that are read of a file, unless a check allows more."""

MOST_NAMES: Final = 100_000


class Unreadable(Exception):
    """A file that is there, and cannot be read or understood; the text says which and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def unknown(_: object) -> Any:
    """Raise OSError: this host cannot be asked."""
    raise OSError(errno.ENOTSUP, "it cannot be asked here")


def _absolute(path: str) -> str:
    return os.path.realpath(path)


@attrs.frozen
class Host:
    """A host; paths are those that its own processes use.

    `ask` returns the state of the plugin that answers HTTP on a socket, and `version` what the
    program of a process prints for ``--version``; both raise OSError.  `owners` are the users that
    may own what only root should change, and `uid` is the user who looks.
    """

    root: str = attrs.field(default="/", converter=_absolute)
    ask: Callable[[str], dict[str, Any]] = unknown
    version: Callable[[int], str] = unknown
    clock: Callable[[], Timex | None] = kernel_clock
    owners: frozenset[int] = frozenset({0})
    uid: int = attrs.field(factory=os.geteuid)

    @property
    def is_this(self) -> bool:
        """Whether it is the host on which this process runs, and not a directory."""
        return self.root == "/"

    def where(self, path: str) -> str:
        """Where `path` is for us; its links are followed below the root.  Raises `Unreadable`."""
        if self.is_this:
            return path
        try:
            return below(self.root, path)
        except OSError as error:
            raise Unreadable(path, _reason(error)) from error

    def entry(self, path: str) -> str:
        """Where `path` is for us, if its last part is not followed."""
        return os.path.join(self.where(os.path.dirname(path)), os.path.basename(path))

    def stat(self, path: str) -> os.stat_result | None:
        """The status of what `path` leads to; None if nothing is there.  Raises `Unreadable`."""
        try:
            return os.stat(self.where(path))
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise Unreadable(path, _reason(error)) from error

    def is_same(self, one: str, other: str) -> bool:
        """Whether two paths lead to the same file, or are the same."""
        first, second = self.stat(one), self.stat(other)
        if first is None or second is None:
            return one == other
        return os.path.samestat(first, second)

    def exists(self, path: str) -> bool:
        """Whether `path` leads to something."""
        return self.stat(path) is not None

    def link(self, path: str) -> str | None:
        """The text of a link, of the kernel's too; None if there is none."""
        try:
            return os.readlink(self.entry(path))
        except OSError:
            return None

    def label(self, path: str) -> str | None:
        """The SELinux label; None if there is none or it cannot be read."""
        try:
            found = os.getxattr(self.where(path), "security.selinux")
        except OSError:
            return None
        return found.rstrip(b"\0").decode(errors="replace")

    def names(self, directory: str) -> list[str]:
        """The names in a directory, sorted; none if it is not there.  Raises `Unreadable`."""
        names: list[str] = []
        try:
            with os.scandir(self.where(directory)) as entries:
                for each in entries:
                    if len(names) == MOST_NAMES:
                        raise Unreadable(directory, f"it has more than {MOST_NAMES} entries")
                    names.append(each.name)
        except OSError as error:
            if error.errno in ABSENT:
                return []
            raise Unreadable(directory, _reason(error)) from error
        return sorted(names)

    def read(self, path: str, most: int = MOST) -> bytes | None:
        """The content of a file; None if there is none.

        Raises `Unreadable`, also if it is longer than `most` bytes or no regular file.
        """
        content = self.head(path, most + 1)
        if content is not None and len(content) > most:
            raise Unreadable(path, f"it has more than {most} bytes")
        return content

    def head(self, path: str, most: int) -> bytes | None:
        """The first bytes of a file; None if there is none.  Raises `Unreadable`."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            with open(os.open(self.where(path), flags), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unreadable(path, "it is no regular file")
                return file.read(most)
        except OSError as error:
            if error.errno in ABSENT or error.errno == errno.ESRCH:  # a process that has ended
                return None
            raise Unreadable(path, _reason(error)) from error

    def line(self, path: str) -> str | None:
        """A short text of the kernel's, without white space around it; None if there is none."""
        content = self.head(path, 4096)
        return None if content is None else content.decode(errors="replace").strip()

    def number(self, path: str) -> int | None:
        """A number of the kernel's; None if there is none."""
        text = self.line(path)
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    @contextmanager
    def short(self, path: str) -> Iterator[str]:
        """A path of a socket that is short enough, also for one far below another root."""
        there = self.entry(path)
        directory = os.open(os.path.dirname(there), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{directory}/{os.path.basename(there)}"
        finally:
            os.close(directory)

    def peer(self, path: str) -> Peer:
        """Who listens on a socket.  Raises as `twistdp.host.peer_of`."""
        with self.short(path) as there:
            return peer_of(there)


def is_socket(found: os.stat_result | None) -> bool:
    """Whether something is a socket."""
    return found is not None and stat.S_ISSOCK(found.st_mode)


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason}; run this as root" if isinstance(error, PermissionError) else reason
