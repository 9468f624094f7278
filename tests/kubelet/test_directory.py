"""Tests for `twistdp.kubelet.directory`: which events concern which resource."""

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import soon, temporary_directory
from twistdp.inotify import inotify_of
from twistdp.kubelet.directory import PluginDirectory
from twistdp.model import private_directory


class PlaceTests(TestCase):
    """Another server's place for a socket."""

    async def test_free(self) -> None:
        """It counts when it is gone, and not when it is made, nor that of another socket."""
        top = temporary_directory(self)
        directory = PluginDirectory(top, inotify_of(reactor), reactor)
        directory.startService()
        self.addCleanup(directory.stopService)
        calls: list[str] = []
        seen: Deferred[None] = Deferred()

        def happened(name: str) -> None:
            calls.append(name)
            if name == "end":
                seen.callback(None)

        paths = {name: os.path.join(top, f"{name}.sock") for name in ("a", "b", "end")}
        for name, path in paths.items():
            directory.subscribe(path, lambda: None, lambda name=name: happened(name))  # type: ignore[misc]
        os.mkdir(private_directory(paths["a"]))
        os.mkdir(private_directory(paths["b"]))
        os.rmdir(private_directory(paths["b"]))
        with open(paths["end"], "w", encoding="ascii"):
            pass
        await soon(seen)
        self.assertEqual(set(calls), {"b", "end"})


class KubeletTests(TestCase):
    """A kubelet that starts."""

    async def test_one_call(self) -> None:
        """It deletes the resource's socket and makes its own, and that is one reason to act."""
        top = temporary_directory(self)
        directory = PluginDirectory(top, inotify_of(reactor), reactor)
        path = os.path.join(top, "a.sock")
        with open(path, "w", encoding="ascii"):
            pass
        directory.startService()
        self.addCleanup(directory.stopService)
        calls: list[str] = []
        seen: Deferred[None] = Deferred()
        directory.subscribe(path, lambda: calls.append("kubelet"), lambda: calls.append("socket"))
        directory.subscribe(os.path.join(top, "b.sock"), lambda: seen.callback(None), lambda: None)
        os.unlink(path)
        with open(directory.kubelet_socket, "w", encoding="ascii"):
            pass
        await soon(seen)
        self.assertEqual(calls, ["kubelet"])
