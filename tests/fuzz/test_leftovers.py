"""Something is in a socket's place: the log names it, and the resource waits for its end."""

import os
import random
import shutil
import socket
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.fuzz.served import RESOURCE, Fixed
from tests.fuzz.support import Lines, check_lines
from tests.support.helpers import soon, temporary_directory
from tests.support.kubelets import PatientKubelet
from twistdp import Manager, Settings
from twistdp.model.names import private_directory, socket_path
from twistdp.rpc.socketfile import BOUND


def _file(path: str) -> None:
    with open(path, "wb") as file:
        file.write(bytes(range(256)))


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _filled(fill: Callable[[str], object], *names: str) -> Callable[[str], None]:
    def make(path: str) -> None:
        os.mkdir(path)
        for name in names:
            fill(os.path.join(path, name))

    return make


NAMES: dict[str, Callable[[str], object]] = {
    "file": _file,
    "directory": os.mkdir,
    "fifo": os.mkfifo,
    "dead socket": _socket,
    "link to itself": lambda path: os.symlink(path, path),
    "link to nowhere": lambda path: os.symlink("/nonexistent/x", path),
}
"""Things that may have the socket's name."""

FILLS: dict[str, Callable[[str], object]] = {
    "file": _file,
    "fifo": os.mkfifo,
    "socket": _socket,
    "link": lambda path: os.symlink("/etc/passwd", path),
    "directory": os.mkdir,
}
"""Things that may be in a directory."""

PLACES: dict[str, Callable[[str], object]] = {
    **NAMES,
    **{f"directory with a {what} as socket": _filled(fill, BOUND) for what, fill in FILLS.items()},
    **{
        f"directory with a {what} more": _filled(fill, BOUND, "caf\udcff\n")
        for what, fill in FILLS.items()
    },
    "link to a directory": lambda path: os.symlink("elsewhere", path),
}
"""Things that may be where the socket is bound."""


OURS = {"dead socket"}
"""Left-overs of an earlier process, which are removed."""

OURS_TO_BIND = {
    "directory",
    *(f"directory with a {what} as socket" for what in FILLS.keys() - {"directory"}),
}
"""And where the socket is bound; a link in there is removed, not followed.

A directory that has anything else in it is named and left as it is.
"""


class LeftoverTests(TestCase):
    """A kubelet gets the devices as soon as nothing is in the way."""

    async def check(self, make: Callable[[str], object], path: str, ours: bool) -> None:
        """Serve while something is there, then without it."""
        lines = Lines(self)
        make(path)
        before = os.lstat(path)
        manager = Manager(
            RESOURCE.partition("/")[0], Fixed(), settings=Settings(plugin_dir=self.directory)
        )
        manager.startService()
        try:
            await self.a_moment()
            check_lines(self, lines.take(), 4)
            self.assertEqual(lines.failures, [])
            if not self.kubelet.allocatable(RESOURCE) and not ours:
                self.assertTrue(os.path.samestat(os.lstat(path), before))
                _remove(path)
            else:
                self.assertTrue(ours, "what is not ours was removed")
            await self.kubelet.until(lambda: self.kubelet.allocatable(RESOURCE) == 5)
        finally:
            await manager.stopService()
        self.assertEqual(os.listdir(self.elsewhere), ["precious"])
        self.assertTrue(os.path.exists("/etc/passwd"))
        await self.kubelet.stop()

    async def a_moment(self) -> None:
        """Time for a few attempts."""
        over: Deferred[None] = Deferred()
        reactor.callLater(0.05, over.callback, None)
        await soon(over)

    async def prepare(self) -> None:
        """A kubelet in a directory."""
        self.patch(random, "uniform", lambda low, high: low)
        self.directory = temporary_directory(self)
        self.elsewhere = os.path.join(self.directory, "elsewhere")
        os.mkdir(self.elsewhere)
        _file(os.path.join(self.elsewhere, "precious"))
        self.kubelet = PatientKubelet(self.directory, force=True)
        await self.kubelet.start()

    async def test_name(self) -> None:
        """Anything that has the socket's name."""
        for what, make in NAMES.items():
            await self.prepare()
            await self.check(make, socket_path(self.directory, RESOURCE), what in OURS)

    async def test_place(self) -> None:
        """Anything where the socket is bound."""
        for what, make in PLACES.items():
            await self.prepare()
            path = private_directory(socket_path(self.directory, RESOURCE))
            await self.check(make, path, what in OURS_TO_BIND)
