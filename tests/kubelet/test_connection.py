"""Tests for `twistdp.kubelet.connection`: who shares a connection, and who gets another one."""

import os
import socket
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp.errors import KubeletAbsent
from twistdp.kubelet import connection
from twistdp.kubelet.connection import AT_ONCE, Connections
from twistdp.kubelet.presence import check_kubelet


class FakeChannel:
    """A channel that records its end."""

    def __init__(self, path: str, *, reactor: object) -> None:
        self.closed = False

    def close(self) -> Deferred[None]:
        """It ends."""
        self.closed = True
        return succeed(None)


class Borrower:
    """Someone who borrows a connection, and keeps it until `fire` ends."""

    def __init__(self, connections: Connections) -> None:
        self.channel: Any = None
        self.fire: Deferred[None] = Deferred()
        self.done = Deferred.fromCoroutine(self._borrow(connections))

    async def _borrow(self, connections: Connections) -> None:
        async with connections.borrowed(None) as self.channel:
            await self.fire


class ConnectionsTests(SynchronousTestCase):
    """Connections to a socket."""

    def setUp(self) -> None:
        """A kubelet."""
        self.patch(connection, "Channel", FakeChannel)
        self.checks: list[str] = []

        def check(path: str) -> None:
            self.checks.append(path)
            check_kubelet(path)

        self.patch(connection, "check_kubelet", check)
        self.path = f"{temporary_directory(self)}/kubelet.sock"
        self.listen()
        self.connections = Connections(self.path)

    def listen(self) -> None:
        """Listen as a kubelet that starts does."""
        if os.path.lexists(self.path):
            os.unlink(self.path)
        kubelet = socket.socket(socket.AF_UNIX)
        self.addCleanup(kubelet.close)
        kubelet.bind(self.path)
        kubelet.listen()

    def borrow(self) -> Borrower:
        """Borrow a connection."""
        return Borrower(self.connections)

    def test_shared(self) -> None:
        """Those who borrow at the same time share one, checked once; the last one closes it."""
        first, second = self.borrow(), self.borrow()
        self.assertIs(first.channel, second.channel)
        self.assertEqual(len(self.checks), 1)
        first.fire.callback(None)
        third = self.borrow()
        self.assertIs(third.channel, second.channel)
        second.fire.callback(None)
        self.assertFalse(third.channel.closed)
        third.fire.callback(None)
        self.assertTrue(third.channel.closed)
        for borrower in (first, second, third):
            self.successResultOf(borrower.done)
        fourth = self.borrow()
        self.assertIsNot(fourth.channel, third.channel)
        self.assertEqual(len(self.checks), 2)

    def test_another_kubelet(self) -> None:
        """After a kubelet has made its socket again, the old connection is lent to nobody."""
        first = self.borrow()
        self.listen()
        second, third = self.borrow(), self.borrow()
        self.assertIsNot(second.channel, first.channel)
        self.assertIs(third.channel, second.channel)
        self.assertEqual(len(self.checks), 2)
        first.fire.callback(None)
        self.assertTrue(first.channel.closed)
        self.assertFalse(second.channel.closed)
        self.assertIs(self.borrow().channel, second.channel)

    def test_failure(self) -> None:
        """A connection with which something went wrong is lent to nobody else, but lives on."""
        first, second = self.borrow(), self.borrow()
        first.fire.errback(KubeletAbsent("no answer"))
        self.failureResultOf(first.done, KubeletAbsent)
        self.assertFalse(second.channel.closed)
        self.assertIsNot(self.borrow().channel, second.channel)
        second.fire.callback(None)
        self.assertTrue(second.channel.closed)

    def test_no_kubelet(self) -> None:
        """Without a kubelet nothing is lent, and the turn is free again."""
        os.unlink(self.path)
        for _ in range(2 * AT_ONCE):
            failure = self.failureResultOf(self.borrow().done, KubeletAbsent)
            self.assertIn(f"waiting for {self.path} to appear", failure.getErrorMessage())

    def test_turns(self) -> None:
        """A limited number borrow at once; a dropped turn is free."""
        borrowers = [self.borrow() for _ in range(AT_ONCE + 3)]
        *_, waits, next_one, last = borrowers

        def served() -> list[Borrower]:
            return [one for one in borrowers if one.channel is not None]

        self.assertEqual(len(served()), AT_ONCE)
        waits.done.cancel()
        self.failureResultOf(waits.done, CancelledError)
        self.assertEqual(len(served()), AT_ONCE)
        borrowers[0].done.cancel()
        self.failureResultOf(borrowers[0].done, CancelledError)
        self.assertIn(next_one, served())
        borrowers[1].fire.callback(None)
        self.assertIn(last, served())

    def test_hundreds_at_once(self) -> None:
        """Hundreds that wait for their turn may all fail at once: the stack has room for them."""
        held = [self.borrow() for _ in range(AT_ONCE)]
        waiting = [self.borrow() for _ in range(1000)]
        os.unlink(self.path)
        held[0].fire.callback(None)
        for borrower in waiting:
            self.failureResultOf(borrower.done, KubeletAbsent)
