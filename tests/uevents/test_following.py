"""Tests for `twistdp.uevents`, with the kernel's own messages."""

import errno
import gc
import os
import shutil
import socket
import subprocess
import sys
import weakref
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.support.helpers import Recorder
from tests.support.uevents import FAMILY, a_block_device, make_event, message, require_events, send
from twistdp.klog import set_level
from twistdp.status import Tallies, events_of
from twistdp.uevents.following import REST, Uevents, uevents_of
from twistdp.uevents.message import EVERY
from twistdp.uevents.socket import MOST, UeventSocket

OURS = "twistdp-test"
PATH = "/devices/virtual/block/twistdp-test"
NOT_ALLOWED = (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


class KernelTests(TestCase):
    """`Uevents` on a real socket."""

    def setUp(self) -> None:
        """A socket of the test's own."""
        require_events()
        self.uevents = Uevents(reactor)

    def follow(self, *subsystems: str, uevents: Uevents | None = None) -> Recorder:
        """Follow subsystems until the test ends."""
        recorder = Recorder()
        self.addCleanup((uevents or self.uevents).follow(subsystems, recorder).stop)
        return recorder

    def port(self) -> int:
        """The port of the socket, to which others may send."""
        number = self.uevents.fileno()
        with socket.fromfd(number, socket.AF_NETLINK, socket.SOCK_RAW, FAMILY) as same:
            return int(same.getsockname()[0])

    async def test_device(self) -> None:
        """An event of a real device is reported to those that follow its subsystem."""
        path = a_block_device()
        block, every, ours = self.follow("block"), self.follow(EVERY), self.follow(OURS)
        make_event(path)
        for recorder in (block, every):
            await recorder.until(lambda calls: any(f"/sys{path}" in each for each in calls))
        self.assertEqual(ours.calls, [])

    async def test_move(self) -> None:
        """Both paths of a device that moved are reported."""
        recorder = self.follow(OURS)
        send(message("move", PATH, OURS, {"DEVPATH_OLD": f"{PATH}-old"}))
        await recorder.until(bool)
        self.assertEqual(recorder.calls, [{f"/sys{PATH}", f"/sys{PATH}-old"}])

    async def test_forged(self) -> None:
        """What a process sends has no effect, to the socket's own port or to the kernel's group."""
        recorder = self.follow(OURS)
        send(message("add", f"{PATH}-1", OURS), port=self.port())
        send(message("add", f"{PATH}-2", OURS), groups=1)
        send(message("add", PATH, OURS))
        await recorder.until(bool)
        self.assertEqual(recorder.calls, [{f"/sys{PATH}"}])

    async def test_forged_by_a_user(self) -> None:
        """The kernel does not let a user without privileges send anything."""
        recorder = self.follow(OURS)
        program = f"""
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sender = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, {FAMILY})
for address in (({self.port()}, 0), (0, 1)):
    try:
        sender.sendto({message("add", PATH, OURS)!r}, address)
    except PermissionError:
        print("refused")
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
        self.assertEqual(done.stdout, b"refused\n" * 2)
        send(message("add", f"{PATH}-2", OURS))
        await recorder.until(bool)
        self.assertEqual(recorder.calls, [{f"/sys{PATH}-2"}])

    async def test_malformed(self) -> None:
        """Messages that are no events are passed over."""
        recorder = self.follow(EVERY)
        for text in (b"x", b"add@", b"libudev\0\xfe\xed", b"\xff" * 1500, b"add@/a/../b\0"):
            send(text)
        send(message("add", PATH, OURS))
        await recorder.until(lambda calls: any(f"/sys{PATH}" in each for each in calls))
        self.assertFalse([name for each in recorder.calls for name in each if ".." in name])

    async def test_overflow(self) -> None:
        """When events are lost, anything may have changed, and later events are reported."""
        uevents = Uevents(reactor, UeventSocket(buffer=4096))
        recorder = self.follow(OURS, uevents=uevents)
        other = self.follow("net", uevents=uevents)
        with capturedLogs() as events:
            for number in range(100):
                send(message("add", f"{PATH}-{number}", OURS))
            for each in (recorder, other):
                await each.until(lambda calls: None in calls)
        texts = [formatEvent(event) for event in events]
        self.assertIn("the kernel's events overflow: scanning everything", texts)
        send(message("add", PATH, OURS))
        await recorder.until(lambda calls: {f"/sys{PATH}"} in calls)

    async def test_bounded(self) -> None:
        """A turn of the reactor reads some of the events, and none is lost."""
        recorder = self.follow(OURS)
        paths = {f"{PATH}-{number}" for number in range(3 * MOST)}
        for path in paths:
            send(message("add", path, OURS))
        await recorder.until(lambda calls: len(frozenset().union(*calls)) == len(paths))
        self.assertLessEqual(max(map(len, recorder.calls)), MOST)
        self.assertLess(len(recorder.calls), 10)

    async def test_raises(self) -> None:
        """What one user raises is logged, and the others get their events."""

        def fail(_: object) -> None:
            raise ValueError("user")

        self.addCleanup(self.uevents.follow([OURS], fail).stop)
        recorder = self.follow(OURS)
        send(message("add", PATH, OURS))
        await recorder.until(bool)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    async def test_stops_another(self) -> None:
        """A user that another has stopped gets nothing more."""
        other = Recorder()
        first = self.uevents.follow([OURS], lambda _: second.stop())
        second = self.uevents.follow([OURS], other)
        self.addCleanup(first.stop)
        last = self.follow(OURS)
        send(message("add", PATH, OURS))
        await last.until(bool)
        self.assertEqual(other.calls, [])

    def test_closed_with_the_last(self) -> None:
        """The socket is open while somebody follows, and a child does not inherit it."""
        first = self.uevents.follow(["net"], Recorder())
        second = self.uevents.follow(["pci"], Recorder())
        self.assertFalse(os.get_inheritable(self.uevents.fileno()))
        first.stop()
        self.assertIn(self.uevents, reactor.getReaders())
        second.stop()
        self.assertEqual(self.uevents.fileno(), -1)
        self.assertNotIn(self.uevents, reactor.getReaders())
        second.stop()

    def test_one_for_a_reactor(self) -> None:
        """A reactor has one socket, for as long as it is used."""
        found = uevents_of(reactor)
        verifyObject(IReadDescriptor, found)
        self.assertEqual(found.logPrefix(), "uevents")
        self.assertIs(uevents_of(reactor), found)
        self.assertIsNot(uevents_of(MemoryReactorClock()), found)
        gone = weakref.ref(found)
        del found
        gc.collect()
        self.assertIsNone(gone())


LISTENER = """
import sys
from twistdp.uevents.socket import UeventSocket
kernel = UeventSocket()
kernel.open()
print("deaf" if kernel.is_deaf() else "hears", flush=True)
sys.stdin.readline()
print("nothing" if kernel.read() == ([], False) else "something", flush=True)
"""


class NamespaceTests(SynchronousTestCase):
    """A socket in a network namespace other than the node's own."""

    def listen(self, *options: str) -> list[str]:
        """What a process in other namespaces knows, and what it gets of an event."""
        path = a_block_device()
        if shutil.which("unshare") is None:
            raise SkipTest("needs unshare(1)")
        if subprocess.run(["unshare", *options, "true"], check=False).returncode:
            raise SkipTest(f"unshare {' '.join(options)} is not allowed here")
        with subprocess.Popen(
            ["unshare", *options, sys.executable, "-c", LISTENER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            knows = child.stdout.readline().strip()
            make_event(path)
            return [knows, child.communicate("go\n", timeout=30)[0].strip()]

    def test_of_a_pod(self) -> None:
        """A pod's network namespace, which is the node's user's, gets the events."""
        self.assertEqual(self.listen("--net"), ["hears", "something"])

    def test_of_a_user_namespace(self) -> None:
        """One of a user namespace gets none, and the socket knows."""
        found = self.listen("--user", "--map-root-user", "--net")
        self.assertEqual(found, ["deaf", "nothing"])

    def test_user_namespace_alone(self) -> None:
        """A user namespace in the node's network namespace gets the events."""
        self.assertEqual(self.listen("--user", "--map-root-user"), ["hears", "something"])


class FakeSocket:
    """A socket that cannot be opened while there is an `error`."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.deaf = False
        self.reading: list[Any] = []
        self.opened = 0
        self.number = -1

    def fileno(self) -> int:
        """A number that is never used."""
        return self.number

    def open(self) -> None:
        """Open it."""
        self.opened += 1
        if self.error is not None:
            raise self.error
        self.number = 1000

    def close(self) -> None:
        """Close it."""
        self.number = -1

    def is_deaf(self) -> bool:
        """Whether no events reach it."""
        return self.deaf

    def read(self) -> Any:
        """Give the next of `reading`."""
        result = self.reading.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


class WithoutTests(SynchronousTestCase):
    """`Uevents` where there is no such socket."""

    def setUp(self) -> None:
        """A socket of the test's own, and a log that shows level 1."""
        self.reactor = MemoryReactorClock()
        self.kernel = FakeSocket()
        self.uevents = Uevents(self.reactor, self.kernel)  # type: ignore[arg-type]
        set_level(1)
        self.addCleanup(set_level, 0)

    def test_not_allowed(self) -> None:
        """It is logged once, at level 1, and not tried again by itself."""
        for number in NOT_ALLOWED:
            self.kernel.error = OSError(number, os.strerror(number))
            with capturedLogs() as events:
                interests = [self.uevents.follow(["pci"], Recorder()) for _ in range(3)]
            self.assertEqual(len(events), 1)
            self.assertIn(os.strerror(number), str(events[0]))
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.assertEqual(self.reactor.getReaders(), [])
            for interest in interests:
                interest.stop()
        set_level(0)
        with capturedLogs() as events:
            self.uevents.follow(["pci"], Recorder()).stop()
        self.assertEqual(list(events), [])

    def test_deaf(self) -> None:
        """A socket that nothing reaches is logged once, at level 1, and read all the same."""
        self.kernel.deaf = True
        with capturedLogs() as events:
            interests = [self.uevents.follow(["pci"], Recorder()) for _ in range(3)]
        (event,) = events
        self.assertIn("no events of the kernel", formatEvent(event))
        self.assertIn("user namespace", event["reason"])
        self.assertNotIn("AF_NETLINK", event["remedy"])
        self.assertEqual(self.reactor.getReaders(), [self.uevents])
        for interest in interests:
            interest.stop()

    def test_run_out(self) -> None:
        """Where a descriptor is missing it is tried again, and then anything may have changed."""
        self.kernel.error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        recorder = Recorder()
        with capturedLogs() as events:
            interest = self.uevents.follow(["pci"], recorder)
            other = self.uevents.follow(["net"], recorder)
            for _ in range(5):
                self.reactor.advance(1.0)
        self.assertEqual((len(events), self.kernel.opened, recorder.calls), (1, 6, []))
        self.kernel.error = None
        self.reactor.advance(1.0)
        self.assertEqual(recorder.calls, [None, None])
        self.assertEqual(self.reactor.getReaders(), [self.uevents])
        interest.stop()
        other.stop()
        self.assertEqual((self.reactor.getReaders(), self.reactor.getDelayedCalls()), ([], []))

    def test_stopped_while_waiting(self) -> None:
        """Nothing is tried again when nobody follows any more."""
        self.kernel.error = OSError(errno.ENFILE, os.strerror(errno.ENFILE))
        self.uevents.follow(["pci"], Recorder()).stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_storm(self) -> None:
        """Every overflow is reported, and logged once a minute."""
        recorder = Recorder()
        interest = self.uevents.follow(["pci"], recorder)
        self.kernel.reading = [([], True)] * 20
        with capturedLogs() as events:
            for _ in range(20):
                self.uevents.doRead()
                self.reactor.advance(REST / 10)
        self.assertEqual((len(recorder.calls), len(events)), (20, 2))
        interest.stop()

    def test_counted(self) -> None:
        """All that was read is counted, whether somebody wants it or not; so are overflows."""
        events = events_of(self.reactor)
        tallies = Tallies(events, list)
        interest = self.uevents.follow(["pci"], Recorder())
        others = [message("add", PATH, OURS)] * 3
        self.kernel.reading = [(others, False), (others, True)]
        self.uevents.doRead()
        with capturedLogs():
            self.uevents.doRead()
        self.assertEqual(events.counts, {("event", "uevents"): 6})
        self.assertEqual(tallies.overflows, {"uevents": 1})
        interest.stop()

    def test_breaks(self) -> None:
        """A socket that fails is closed, anything may have changed, and the next user opens one."""
        recorder = Recorder()
        interest = self.uevents.follow(["pci"], recorder)
        self.kernel.reading = [OSError(errno.ENETDOWN, "down")]
        self.uevents.doRead()
        self.assertEqual((recorder.calls, self.kernel.number), ([None], -1))
        self.assertEqual(self.reactor.getReaders(), [])
        other = self.uevents.follow(["pci"], recorder)
        self.assertEqual(self.reactor.getReaders(), [self.uevents])
        interest.stop()
        other.stop()
