"""File system events: one inotify descriptor a process, read by the reactor.

An event is a hint that something may have changed, never the truth.  A path may be missing, be
deleted, moved or made anew: it is waited for through its nearest existing ancestor, and whoever
watches it is told that anything may have changed.  Names of any bytes are reported, as
`os.fsdecode` gives them.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

import pyinotify
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

_log = Logger()

# pyinotify writes its log to stderr by itself; its messages go where all logs go.
pyinotify.log.handlers.clear()

ENTRIES: Final = (
    pyinotify.IN_CREATE | pyinotify.IN_DELETE | pyinotify.IN_MOVED_FROM | pyinotify.IN_MOVED_TO
)
"""Names appear in a directory, vanish from it or are renamed."""

ATTRIBUTES: Final = pyinotify.IN_ATTRIB
"""Owner, mode or link count of an entry changes."""

CONTENTS: Final = pyinotify.IN_CLOSE_WRITE
"""An entry that was open for writing is closed; in /dev that is every write to /dev/null."""

_SELF = pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF
_GONE = _SELF | pyinotify.IN_UNMOUNT | pyinotify.IN_IGNORED
_ALWAYS = _SELF | pyinotify.IN_ONLYDIR | pyinotify.IN_MASK_ADD
_HEADER = struct.Struct("iIII")

Changes = frozenset[str] | None
"""The paths that something happened to; None: anything may have changed."""


class Watch:
    """An interest in the directory (or single file) `path`; see `Inotify.watch`."""

    def __init__(
        self, owner: "Inotify", path: str, mask: int, callback: Callable[[Changes], None]
    ) -> None:
        self._owner = owner
        self._callback = callback
        self.path = path
        self.mask = mask
        self.descriptor: int | None = None
        self.identity: tuple[int, int] | None = None
        self.awaited: str | None = None
        """While the path is no directory: the entry of a watched ancestor that is waited for."""

    def verify(self) -> None:
        """Watch anew if the path leads elsewhere by now, which no event may have told."""
        self._owner.verify(self)

    def stop(self) -> None:
        """No more calls."""
        self._owner.forget(self)

    def report(self, changes: Changes) -> None:
        """Call back, and log what the callback raises."""
        with _log.failuresHandled("handling changes in {path}", path=self.path):
            self._callback(changes)


@implementer(IReadDescriptor)
class Inotify:
    """Watches for any number of users; opened by the first watch, closed with the last."""

    def __init__(self, reactor: IReactorFDSet) -> None:
        self._reactor = reactor
        self._manager: pyinotify.WatchManager | None = None
        self._watches: list[Watch] = []
        self._users: dict[int, list[Watch]] = {}
        self._said: set[str] = set()

    def watch(
        self, path: str, callback: Callable[[Changes], None], mask: int = ENTRIES | ATTRIBUTES
    ) -> Watch:
        """Call `callback` in the reactor's thread when something of `mask` happens in `path`.

        Never fails: what cannot be watched is logged once, and slow rescans remain.
        """
        watch = Watch(self, os.path.abspath(path), mask, callback)
        self._watches.append(watch)
        self._arm(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        """End a watch."""
        if watch in self._watches:
            self._watches.remove(watch)
            self._disarm(watch)
        if not self._watches:
            self._close()

    def verify(self, watch: Watch) -> None:
        """Arm a watch anew, and report that anything may have changed, if its path moved."""
        if watch.identity is None or watch.identity != _identity(watch.path):
            before = watch.identity
            self._disarm(watch)
            self._arm(watch)
            if watch.identity != before:
                watch.report(None)

    # IReadDescriptor

    def fileno(self) -> int:
        """The inotify descriptor, -1 while nothing is watched."""
        return -1 if self._manager is None else int(self._manager.get_fd())

    def logPrefix(self) -> str:
        """Name of this descriptor in the reactor's log lines."""
        return "inotify"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor reports a broken descriptor; an inotify descriptor does not break."""
        _log.error("inotify descriptor lost: {reason}", reason=reason.getErrorMessage())

    def doRead(self) -> None:
        """Read what is there, and call each watch that it concerns once."""
        try:
            data = os.read(self.fileno(), 65536)
        except BlockingIOError:
            return
        concerned: dict[Watch, set[str] | None] = {}
        lost: dict[Watch, None] = {}
        for descriptor, mask, name in _events(data):
            if mask & pyinotify.IN_Q_OVERFLOW:
                _log.warn("inotify queue overflow: scanning everything")
                lost.update(dict.fromkeys(self._watches))
            elif mask & _GONE:
                lost.update(dict.fromkeys(self._drop(descriptor, mask)))
            else:
                for watch in self._users.get(descriptor, ()):
                    if watch.awaited is not None:
                        if watch.awaited == name:
                            lost[watch] = None
                    elif mask & watch.mask:
                        paths = concerned.setdefault(watch, set())
                        assert paths is not None
                        paths.add(os.path.join(watch.path, name) if name else watch.path)
        for watch in lost:
            self._disarm(watch)
            self._arm(watch)
            concerned[watch] = None
        for watch, changed in concerned.items():
            if watch in self._watches:
                watch.report(None if changed is None else frozenset(changed))

    # arming

    def _arm(self, watch: Watch) -> None:
        """Watch the path, or the nearest ancestor in which the next part of it can appear."""
        while True:
            identity = _identity(watch.path)
            watch.awaited = None
            child = watch.path
            descriptor = self._add(child, watch.mask)
            while descriptor is None:
                parent = os.path.dirname(child)
                if parent == child:
                    return  # not even the root can be watched; _add has said why
                watch.awaited = os.path.basename(child)
                descriptor = self._add(parent, ENTRIES | ATTRIBUTES | CONTENTS)
                if descriptor is None:
                    child = parent
            watch.descriptor = descriptor
            watch.identity = identity if watch.awaited is None else None
            self._users.setdefault(descriptor, []).append(watch)
            if watch.awaited is None or not os.path.isdir(child) or self._unwatchable(child):
                return
            self._disarm(watch)  # it appeared between the two attempts

    def _disarm(self, watch: Watch) -> None:
        descriptor, watch.descriptor = watch.descriptor, None
        watch.identity = None
        users = self._users.get(descriptor, []) if descriptor is not None else []
        if watch in users:
            users.remove(watch)
            if not users:
                assert descriptor is not None and self._manager is not None
                del self._users[descriptor]
                self._remove(descriptor)

    def _drop(self, descriptor: int, mask: int) -> list[Watch]:
        """Forget a descriptor whose directory is gone; its watches."""
        users = self._users.pop(descriptor, [])
        for watch in users:
            watch.descriptor = None
        if users and self._manager is not None:
            if mask & pyinotify.IN_MOVE_SELF:
                self._remove(descriptor)
            else:
                self._manager.del_watch(descriptor)
        return users

    def _remove(self, descriptor: int) -> None:
        assert self._manager is not None
        # It may be gone already, and the event that tells so not read yet.
        with suppress(pyinotify.WatchManagerError):
            self._manager.rm_watch(descriptor, quiet=False)

    def _add(self, path: str, mask: int) -> int | None:
        try:
            with _encodable(path) as encodable:
                added = self._open().add_watch(encodable, mask | _ALWAYS, quiet=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, pyinotify.WatchManagerError) as error:
            text = str(error)
            if not text.endswith(("(ENOENT)", "(ENOTDIR)")) and path not in self._said:
                self._said.add(path)
                _log.error(
                    "cannot watch {path}, only slow rescans see changes there: {reason}; if a "
                    "limit is reached, raise the sysctls fs.inotify.max_user_instances and "
                    "fs.inotify.max_user_watches",
                    path=path,
                    reason=text,
                )
            return None
        self._said.discard(path)
        return int(next(iter(added.values())))

    def _unwatchable(self, path: str) -> bool:
        return path in self._said

    def _open(self) -> pyinotify.WatchManager:
        if self._manager is None:
            self._manager = pyinotify.WatchManager()
            os.set_blocking(self.fileno(), False)
            os.set_inheritable(self.fileno(), False)
            self._reactor.addReader(self)
        return self._manager

    def _close(self) -> None:
        if self._manager is not None:
            self._reactor.removeReader(self)
            self._manager.close()
            self._manager = None
            self._users.clear()


_SHARED: "WeakKeyDictionary[Any, Inotify]" = WeakKeyDictionary()


def inotify_of(reactor: Any) -> Inotify:
    """The one `Inotify` of a reactor: a user may have only 128 descriptors on a whole node."""
    return _SHARED.setdefault(reactor, Inotify(reactor))


@contextmanager
def _encodable(path: str) -> Iterator[str]:
    """A path that means the same and is UTF-8, which pyinotify insists on."""
    try:
        path.encode()
    except UnicodeEncodeError:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        yield path


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Parse inotify(7) events; pyinotify's own reader raises on a name that is not UTF-8."""
    offset = 0
    while offset < len(data):
        descriptor, mask, _cookie, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        name = data[offset : offset + length].rstrip(b"\0")
        offset += length
        yield descriptor, mask, os.fsdecode(name)
