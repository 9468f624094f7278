"""Tests for twistdp.inotify, on real directories."""

import errno
import gc
import os
import shutil
import struct
import weakref
from typing import Any

import pyinotify
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface.verify import verifyObject

from tests.support.helpers import Recorder, one_turn, temporary_directory
from tests.support.limits import tmpfs
from twistdp.inotify import descriptor as inotify_descriptor
from twistdp.inotify.descriptor import ATTRIBUTES, CONTENTS, ENTRIES
from twistdp.inotify.watch import Watch
from twistdp.inotify.watches import LOOKS, SLICE, Inotify, inotify_of


def create(path: str | bytes) -> None:
    """Make an empty file."""
    with open(path, "x"):
        pass


def descriptors() -> int:
    """How many inotify descriptors the process has."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify"
        except FileNotFoundError:  # the listing's own
            continue
    return count


def kernel_watches(inotify: Inotify) -> int:
    """How many watches the kernel has on its descriptor."""
    with open(f"/proc/self/fdinfo/{inotify.fileno()}") as file:
        return sum(line.startswith("inotify ") for line in file)


class InotifyCase(TestCase):
    """An Inotify of its own, and a directory."""

    def setUp(self) -> None:
        """Make both; each watch is stopped after the test."""
        self.top = temporary_directory(self)
        self.inotify = Inotify(reactor)
        self.watches: list[Watch] = []
        self.addCleanup(self.stop_all)

    def stop_all(self) -> None:
        """Stop all watches."""
        for watch in self.watches:
            watch.stop()

    def watch(self, path: str, callback: Any = None, **options: Any) -> Recorder:
        """Watch a path."""
        recorder = Recorder()
        self.watches.append(self.inotify.watch(path, callback or recorder, **options))
        return recorder

    def seen(self, recorder: Recorder, path: str) -> Deferred[None]:
        """Fires when a change of just this path was reported."""
        return recorder.until(lambda calls: any(path in (changes or ()) for changes in calls))

    def lost(self, recorder: Recorder, count: int = 1) -> Deferred[None]:
        """Fires when it was reported that anything may have changed."""
        return recorder.until(lambda calls: calls.count(None) >= count)

    async def assert_sees(self, recorder: Recorder, directory: str, name: str = "probe") -> None:
        """The watch of `directory` reports a new entry with its full path."""
        create(f"{directory}/{name}")
        await self.seen(recorder, f"{directory}/{name}")

    def paths(self, recorder: Recorder) -> set[str]:
        """All single paths that were reported."""
        return {path for changes in recorder.calls if changes for path in changes}


class EventTests(InotifyCase):
    """Tests for what is reported of a directory that is there."""

    async def test_create(self) -> None:
        """A new entry is reported with its full path."""
        recorder = self.watch(self.top)
        create(f"{self.top}/a")
        await self.seen(recorder, f"{self.top}/a")
        self.assertEqual(recorder.calls, [frozenset([f"{self.top}/a"])])

    async def test_delete(self) -> None:
        """A removed entry is reported."""
        create(f"{self.top}/a")
        recorder = self.watch(self.top)
        os.unlink(f"{self.top}/a")
        await self.seen(recorder, f"{self.top}/a")

    async def test_rename(self) -> None:
        """A rename is reported with both names, in one call."""
        create(f"{self.top}/a")
        recorder = self.watch(self.top)
        os.rename(f"{self.top}/a", f"{self.top}/b")
        await self.seen(recorder, f"{self.top}/b")
        self.assertEqual(recorder.calls, [frozenset([f"{self.top}/a", f"{self.top}/b"])])

    async def test_rename_out_and_in(self) -> None:
        """Names that leave for, or come from, elsewhere are reported."""
        elsewhere = temporary_directory(self)
        create(f"{self.top}/out")
        create(f"{elsewhere}/in")
        recorder = self.watch(self.top)
        os.rename(f"{self.top}/out", f"{elsewhere}/out")
        await self.seen(recorder, f"{self.top}/out")
        os.rename(f"{elsewhere}/in", f"{self.top}/in")
        await self.seen(recorder, f"{self.top}/in")

    async def test_mode(self) -> None:
        """A changed mode is reported."""
        create(f"{self.top}/a")
        recorder = self.watch(self.top)
        os.chmod(f"{self.top}/a", 0o600)
        await self.seen(recorder, f"{self.top}/a")

    async def test_contents_only_when_asked_for(self) -> None:
        """A file written to is reported to the watch that asked for it, and to no other."""
        create(f"{self.top}/a")
        without = self.watch(self.top)
        both = self.watch(self.top, mask=ENTRIES | ATTRIBUTES | CONTENTS)
        after = self.watch(self.top)
        with open(f"{self.top}/a", "w") as file:
            file.write("text")
        await self.seen(both, f"{self.top}/a")
        self.assertEqual(without.calls + after.calls, [])

    async def test_contents_while_another_wants_them(self) -> None:
        """One of two watches that want contents goes, and the other gets them as before."""
        create(f"{self.top}/a")
        for _ in range(2):
            recorder = self.watch(self.top, mask=ENTRIES | CONTENTS)
        self.watches[0].stop()
        with open(f"{self.top}/a", "w") as file:
            file.write("text")
        await self.seen(recorder, f"{self.top}/a")

    async def test_many_changes_are_few_calls(self) -> None:
        """Everything that is there to be read makes one call of a watch."""
        recorder = self.watch(self.top)
        for number in range(100):
            create(f"{self.top}/{number}")
        await self.seen(recorder, f"{self.top}/99")
        self.assertEqual(len(self.paths(recorder)), 100)
        self.assertEqual(len(recorder.calls), 1)

    async def test_names_of_any_bytes(self) -> None:
        """A name that is not UTF-8 is reported as os.fsdecode gives it, and hides no other."""
        recorder = self.watch(self.top)
        name = b"\xff\xfe"
        create(os.path.join(os.fsencode(self.top), name))
        create(f"{self.top}/after")
        await self.seen(recorder, f"{self.top}/after")
        self.assertEqual(
            self.paths(recorder), {f"{self.top}/{os.fsdecode(name)}", f"{self.top}/after"}
        )

    def test_directory_of_any_bytes(self) -> None:
        """A directory whose name is not UTF-8 is watched, or reported in plain UTF-8."""
        path = os.path.join(os.fsencode(self.top), b"\xff\xfe")
        os.mkdir(path)
        with capturedLogs() as events:
            self.watch(os.fsdecode(path))
        said = [event for event in events if "path" in event]
        self.assertLessEqual(len(said), 1)
        for event in said:
            self.assertIn("cannot watch", formatEvent(event).encode().decode())

    async def test_change_of_the_directory_itself(self) -> None:
        """A changed mode of the directory itself is reported with the watched path."""
        recorder = self.watch(self.top)
        os.chmod(self.top, 0o711)
        await recorder.until(bool)
        self.assertEqual(recorder.calls, [frozenset([self.top])])

    async def test_relative_path(self) -> None:
        """A relative path is taken from where the process is at the time of the call."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.top)
        os.mkdir("d")
        recorder = self.watch("d")
        os.chdir("/")
        await self.assert_sees(recorder, f"{self.top}/d")

    async def test_file(self) -> None:
        """A single file may be watched: writing, removing and remaking it are reported."""
        path = f"{self.top}/file"
        create(path)
        recorder = self.watch(path, mask=ENTRIES | ATTRIBUTES | CONTENTS)
        create(f"{self.top}/another")
        with open(path, "w") as file:
            file.write("text")
        await self.lost(recorder, 1)
        os.unlink(path)
        await self.lost(recorder, 2)
        create(path)
        await self.lost(recorder, 3)
        self.assertEqual(set(recorder.calls), {None})

    async def test_contents_of_a_file_only_when_asked_for(self) -> None:
        """Writing to a watched file wakes nobody who did not ask for contents."""
        path = f"{self.top}/node"
        create(path)
        plain = self.watch(path)
        with open(path, "a"):
            pass
        self.assertEqual(list(self.inotify._kernel.read()), [])
        os.chmod(path, 0o600)
        await self.lost(plain)
        wanted = self.watch(path, mask=ENTRIES | CONTENTS)
        with open(path, "a"):
            pass
        await self.lost(wanted)

    async def test_contents_above_a_missing_directory(self) -> None:
        """Writes and reads in a directory above the missing path do not even reach the process."""
        with open(f"{self.top}/null", "w") as file:
            file.write("text")
        for path in ("missing/below", "missing", "null/below"):
            mask = ENTRIES | ATTRIBUTES | (CONTENTS if "/" in path else 0)
            recorder = self.watch(f"{self.top}/{path}", mask=mask)
            for _ in range(100):
                with open(f"{self.top}/null", "r+") as file:
                    file.write(file.read(1))
            self.assertEqual(list(self.inotify._kernel.read()), [], path)
            self.assertEqual(recorder.calls, [])

    async def test_contents_end_with_who_asked_for_them(self) -> None:
        """When the last one stops that wants contents, the kernel reports no more of them."""
        create(f"{self.top}/null")
        recorder = self.watch(self.top)
        for _ in range(2):
            wanting = self.inotify.watch(self.top, lambda _: None, ENTRIES | CONTENTS)
            with open(f"{self.top}/null", "a"):
                pass
            self.assertEqual(len(list(self.inotify._kernel.read())), 1)
            wanting.stop()
            with open(f"{self.top}/null", "a"):
                pass
            self.assertEqual(list(self.inotify._kernel.read()), [])
        await self.assert_sees(recorder, self.top)

    async def test_file_replaced_by_a_rename(self) -> None:
        """A file replaced in one step, as editors and kubelets do it, is reported."""
        path = f"{self.top}/file"
        create(path)
        recorder = self.watch(path)
        create(f"{self.top}/new")
        self.assertEqual(recorder.calls, [])
        os.rename(f"{self.top}/new", path)
        await self.lost(recorder)


class MissingTests(InotifyCase):
    """Tests for paths that are missing, vanish and come back."""

    async def test_missing(self) -> None:
        """A missing directory is waited for."""
        path = f"{self.top}/a"
        recorder = self.watch(path)
        os.mkdir(path)
        await self.lost(recorder)
        await self.assert_sees(recorder, path)

    async def test_neighbours_of_a_missing_one(self) -> None:
        """While a path is waited for, its neighbours are nothing to report."""
        recorder = self.watch(f"{self.top}/a")
        neighbours = self.watch(self.top)
        create(f"{self.top}/b")
        await self.seen(neighbours, f"{self.top}/b")
        self.assertEqual(recorder.calls, [])

    async def test_several_levels_at_once(self) -> None:
        """Several missing levels that appear at once are all passed."""
        path = f"{self.top}/a/b/c"
        recorder = self.watch(path)
        os.makedirs(path)
        await self.lost(recorder)
        await self.assert_sees(recorder, path)

    async def test_several_levels_one_by_one(self) -> None:
        """Several missing levels that appear one by one are followed."""
        recorder = self.watch(f"{self.top}/a/b")
        os.mkdir(f"{self.top}/a")
        await self.lost(recorder, 1)
        os.mkdir(f"{self.top}/a/b")
        await self.lost(recorder, 2)
        await self.assert_sees(recorder, f"{self.top}/a/b")

    async def test_appears_while_it_is_looked_for(self) -> None:
        """A directory that appears just before its parent is watched instead is not missed."""
        recorder = self.watch_what_appears(f"{self.top}/a")
        self.assertEqual(kernel_watches(self.inotify), 1)  # not its parent's any more
        await self.assert_sees(recorder, f"{self.top}/a")

    async def test_appears_beside_another_watch(self) -> None:
        """Then its parent's own watch goes on."""
        parents = self.watch(self.top)
        recorder = self.watch_what_appears(f"{self.top}/a")
        await self.assert_sees(parents, self.top)
        await self.assert_sees(recorder, f"{self.top}/a")

    def watch_what_appears(self, path: str) -> Recorder:
        """Watch a directory that appears while its parent is about to be watched for it."""
        add_watch = pyinotify.WatchManager.add_watch

        def add(manager: Any, added: str, *arguments: Any, **options: Any) -> Any:
            if added == self.top:
                os.mkdir(path)
            return add_watch(manager, added, *arguments, **options)

        patch = self.patch(pyinotify.WatchManager, "add_watch", add)
        recorder = self.watch(path)
        patch.restore()
        return recorder

    async def test_ancestor_removed_while_waiting(self) -> None:
        """When the ancestor where a path is waited for vanishes, the next one up takes over."""
        os.mkdir(f"{self.top}/a")
        recorder = self.watch(f"{self.top}/a/b")
        os.rmdir(f"{self.top}/a")
        await self.lost(recorder)
        os.makedirs(f"{self.top}/a/b")
        await self.lost(recorder, 2)
        await self.assert_sees(recorder, f"{self.top}/a/b")

    async def test_deleted_and_made_anew(self) -> None:
        """A directory that is deleted and made again is seen again, any number of times."""
        path = f"{self.top}/a"
        os.mkdir(path)
        recorder = self.watch(path)
        for turn in range(1, 4):
            os.rmdir(path)
            await self.lost(recorder, 2 * turn - 1)
            os.mkdir(path)
            await self.lost(recorder, 2 * turn)
            await self.assert_sees(recorder, path, str(turn))
            os.unlink(f"{path}/{turn}")
            await recorder.until(lambda calls: calls[-1] is not None)

    async def test_deleted_and_made_anew_in_one_go(self) -> None:
        """The same when both happen before any event is read."""
        path = f"{self.top}/a"
        os.mkdir(path)
        recorder = self.watch(path)
        os.rmdir(path)
        os.mkdir(path)
        await self.lost(recorder)
        await self.assert_sees(recorder, path)

    async def test_moved_away_and_replaced(self) -> None:
        """A directory moved away is not followed; the one made in its place is watched."""
        path, away = f"{self.top}/a", f"{self.top}/away"
        os.mkdir(path)
        recorder = self.watch(path)
        os.rename(path, away)
        os.mkdir(path)
        await self.lost(recorder)
        create(f"{away}/not-ours")
        await self.assert_sees(recorder, path)
        self.assertEqual(self.paths(recorder), {f"{path}/probe"})

    async def test_moved_away_and_back(self) -> None:
        """A directory that comes back is watched again."""
        path, away = f"{self.top}/a", f"{self.top}/away"
        os.mkdir(path)
        recorder = self.watch(path)
        os.rename(path, away)
        await self.lost(recorder)
        os.rename(away, path)
        await self.lost(recorder, 2)
        await self.assert_sees(recorder, path)

    async def test_file_becomes_a_directory(self) -> None:
        """A path that is a file and then a directory is watched as what it is."""
        path = f"{self.top}/a"
        create(path)
        recorder = self.watch(path)
        os.unlink(path)
        os.mkdir(path)
        await self.lost(recorder)
        await self.assert_sees(recorder, path)

    async def test_path_below_a_file(self) -> None:
        """A path that cannot exist, below a file, is waited for without a word."""
        create(f"{self.top}/a")
        with capturedLogs() as events:
            recorder = self.watch(f"{self.top}/a/b")
        self.assertEqual(events, [])
        os.unlink(f"{self.top}/a")
        os.makedirs(f"{self.top}/a/b")
        await self.lost(recorder)
        await self.assert_sees(recorder, f"{self.top}/a/b")


class SharingTests(InotifyCase):
    """Tests for several watches of one descriptor."""

    async def test_one_of_two_stops(self) -> None:
        """Of two watches on a directory, one goes on when the other stops."""
        first, second = self.watch(self.top), self.watch(self.top)
        self.watches[0].stop()
        await self.assert_sees(second, self.top)
        self.assertEqual(first.calls, [])

    async def test_symlink(self) -> None:
        """Two paths to one directory are reported each with its own path."""
        path, link = f"{self.top}/a", f"{self.top}/link"
        os.mkdir(path)
        os.symlink("a", link)
        direct, linked = self.watch(path), self.watch(link)
        create(f"{path}/probe")
        await self.seen(direct, f"{path}/probe")
        await self.seen(linked, f"{link}/probe")
        self.assertEqual(self.paths(direct), {f"{path}/probe"})
        self.assertEqual(self.paths(linked), {f"{link}/probe"})

    async def test_awaiting_watch_beside_another(self) -> None:
        """A watch that waits in a directory goes, and the directory's own watch stays."""
        waiting, own = self.watch(f"{self.top}/a"), self.watch(self.top)
        os.mkdir(f"{self.top}/a")
        await self.lost(waiting)
        await self.seen(own, f"{self.top}/a")
        self.watches[0].stop()
        await self.assert_sees(own, self.top)

    async def test_all_watches_of_a_deleted_directory(self) -> None:
        """Each watch on a directory that is deleted and created again goes on."""
        path = f"{self.top}/a"
        os.mkdir(path)
        recorders = [self.watch(path) for _ in range(3)]
        os.rmdir(path)
        os.mkdir(path)
        for recorder in recorders:
            await self.lost(recorder)
        create(f"{path}/probe")
        for recorder in recorders:
            await self.seen(recorder, f"{path}/probe")

    async def test_callback_that_raises(self) -> None:
        """An error of a callback is logged, and the other callbacks run nevertheless."""

        def broken(changes: object) -> None:
            raise ZeroDivisionError("by zero")

        self.watch(self.top, broken)
        recorder = self.watch(self.top)
        await self.assert_sees(recorder, self.top, "one")
        await self.assert_sees(recorder, self.top, "two")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    async def test_callback_that_stops_the_others(self) -> None:
        """A watch that a callback stops is not called any more, not even by this event."""
        called = Recorder()

        def stop(changes: object) -> None:
            for watch in self.watches[1:]:
                watch.stop()
            reactor.callLater(0.0, called, changes)  # when all have been called

        self.watch(self.top, stop)
        others = [self.watch(self.top), self.watch(self.top)]
        await self.assert_sees(called, self.top)
        self.assertEqual([other.calls for other in others], [[], []])

    async def test_callback_that_stops_everything(self) -> None:
        """A callback may stop the last watch, which closes the descriptor."""
        called = Recorder()
        before = descriptors()

        def stop(changes: object) -> None:
            self.stop_all()
            reactor.callLater(0.0, called, changes)

        self.watch(self.top, stop)
        await self.assert_sees(called, self.top)
        self.assertEqual(descriptors(), before)


class LeftoverTests(InotifyCase):
    """Nothing is kept of what is watched no more, by the kernel or here."""

    def assert_one(self) -> None:
        """Just one directory is watched."""
        self.assertEqual(kernel_watches(self.inotify), 1)
        assert self.inotify._kernel._manager is not None
        self.assertEqual(len(self.inotify._kernel._manager.watches), 1)
        self.assertEqual(len(self.inotify._places._users), 1)

    async def test_deleted(self) -> None:
        """A directory that was deleted, and the one above in which it was waited for."""
        path = f"{self.top}/a"
        os.mkdir(path)
        recorder = self.watch(path)
        self.assert_one()
        for turn in (1, 2, 3):
            os.rmdir(path)
            await self.lost(recorder, 2 * turn - 1)
            self.assert_one()
            os.mkdir(path)
            await self.lost(recorder, 2 * turn)
            self.assert_one()

    async def test_moved(self) -> None:
        """A directory that lives on under another name."""
        path = f"{self.top}/a"
        os.mkdir(path)
        recorder = self.watch(path)
        os.rename(path, f"{self.top}/away")
        os.mkdir(path)
        await self.lost(recorder)
        self.assert_one()

    async def test_stopped(self) -> None:
        """A directory whose last watch was stopped, while another is watched."""
        os.mkdir(f"{self.top}/a")
        for path in (self.top, f"{self.top}/a", f"{self.top}/a"):
            self.watch(path)
        for watch in self.watches[1:]:
            watch.stop()
        self.assert_one()


class DescriptorTests(InotifyCase):
    """Tests for the one descriptor."""

    def test_interface(self) -> None:
        """It is what a reactor takes for a reader."""
        self.assertTrue(verifyObject(IReadDescriptor, self.inotify))

    def test_closed_with_the_last_watch(self) -> None:
        """The descriptor is opened by the first watch, shared, and closed with the last."""
        before = descriptors()
        self.assertEqual(self.inotify.fileno(), -1)
        self.watch(self.top)
        self.watch(f"{self.top}/missing")
        self.assertEqual(descriptors(), before + 1)
        self.assertIn(self.inotify, reactor.getReaders())
        self.watches[0].stop()
        self.watches[0].stop()
        self.assertEqual(descriptors(), before + 1)
        self.watches[1].stop()
        self.assertEqual(descriptors(), before)
        self.assertEqual(self.inotify.fileno(), -1)
        self.assertNotIn(self.inotify, reactor.getReaders())

    async def test_opened_again(self) -> None:
        """After the last watch there can be a new first one."""
        self.watch(self.top)
        self.watches[0].stop()
        await self.assert_sees(self.watch(self.top), self.top)

    def test_stop_after_a_deletion_that_was_not_read_yet(self) -> None:
        """Stopping the watch of a directory that has just been deleted is nothing to log."""
        path = f"{self.top}/a"
        os.mkdir(path)
        self.watch(path)
        os.rmdir(path)
        with self.assertNoLogs(), capturedLogs() as events:
            self.watches[0].stop()
        self.assertEqual(events, [])

    def test_not_inherited_and_never_blocking(self) -> None:
        """Child processes do not get the descriptor, and reading it never blocks."""
        self.watch(self.top)
        self.assertFalse(os.get_inheritable(self.inotify.fileno()))
        self.assertFalse(os.get_blocking(self.inotify.fileno()))
        self.inotify.doRead()

    def test_one_object_a_reactor(self) -> None:
        """A reactor has one Inotify, another reactor has another."""
        self.assertIs(inotify_of(reactor), inotify_of(reactor))
        other = Clock()
        self.assertIsNot(inotify_of(other), inotify_of(reactor))
        held = inotify_of(other)
        self.assertIs(held, inotify_of(other))

    def test_forgotten_with_its_users(self) -> None:
        """The Inotify of a reactor that is gone is gone too."""
        gone = weakref.ref(inotify_of(Clock()))
        gc.collect()
        self.assertIsNone(gone())

    async def test_real_overflow(self) -> None:
        """More changes than the kernel keeps events of: all is reported as changed, and goes on."""
        with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as file:
            most = int(file.read())
        if most > 100_000:
            raise SkipTest("fs.inotify.max_queued_events is too large for a test")
        recorder = self.watch(self.top)
        idle = self.watch("/")
        for number in range(most // 2 + 1):
            create(f"{self.top}/{number}")
            os.unlink(f"{self.top}/{number}")
        with capturedLogs() as events:
            await self.lost(idle)
        self.assertEqual(recorder.calls[-1], None)
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["inotify queue overflow: scanning everything"],
        )
        await self.assert_sees(recorder, self.top)

    async def test_overflow(self) -> None:
        """After an overflow of the queue everything may have changed, and all goes on."""
        recorders = [
            self.watch(self.top),
            self.watch(self.top),
            self.watch(f"{self.top}/missing"),
            self.watch("/"),
        ]
        event = struct.pack("iIII", -1, pyinotify.IN_Q_OVERFLOW, 0, 0)
        patch = self.patch(os, "read", lambda *_: event)
        with capturedLogs() as events:
            self.inotify.doRead()
        patch.restore()
        self.assertEqual([recorder.calls for recorder in recorders], [[None]] * 4)
        self.assertEqual(len(events), 1)
        self.assertIn("overflow", events[0]["log_format"])
        await self.assert_sees(recorders[0], self.top)
        await self.seen(recorders[1], f"{self.top}/probe")
        os.mkdir(f"{self.top}/missing")
        await self.lost(recorders[2], 2)


class DoubtTests(InotifyCase):
    """Tests for losses that concern more watches than one turn of the reactor is enough for."""

    def setUp(self) -> None:
        """Watch many directories for two users."""
        super().setUp()
        self.clock = Clock()
        self.inotify = Inotify(ClockedReactor(self.clock))
        self.paths_watched = [f"{self.top}/{number}" for number in range(3 * SLICE)]
        self.users = [Recorder(), Recorder()]
        for number, path in enumerate(self.paths_watched):
            os.mkdir(path)
            self.watch(path, self.users[number % 2])
        add_watch = pyinotify.WatchManager.add_watch
        self.attempts: list[str] = []

        def counted(manager: Any, path: str, *arguments: Any, **options: Any) -> Any:
            self.attempts.append(path)
            return add_watch(manager, path, *arguments, **options)

        self.patch(pyinotify.WatchManager, "add_watch", counted)

    def overflow(self) -> list[str]:
        """Lose all events up to now; returns what is logged."""
        while list(self.inotify._kernel.read()):
            pass
        event = struct.pack("iIII", -1, pyinotify.IN_Q_OVERFLOW, 0, 0)
        patch = self.patch(os, "read", lambda *_: event)
        with capturedLogs() as events:
            self.inotify.doRead()
        patch.restore()
        return [str(formatEvent(event)) for event in events]

    def replace(self, path: str) -> None:
        """Remove a directory and make it again, often with the same inode number."""
        os.rmdir(path)
        os.mkdir(path)

    def calls(self) -> list[list[Any]]:
        """The changes that were reported to the users."""
        return [user.calls for user in self.users]

    def test_looked_at_in_slices(self) -> None:
        """Each callback runs once, at once; the watches are checked in slices."""
        self.overflow()
        self.assertEqual(self.calls(), [[None], [None]])
        for count in (SLICE, 2 * SLICE, 3 * SLICE, 3 * SLICE):
            self.assertEqual(self.attempts, self.paths_watched[:count])
            one_turn(self.clock)
        self.assertEqual(self.calls(), [[None], [None]])
        self.assertEqual(kernel_watches(self.inotify), 3 * SLICE)

    async def test_replaced(self) -> None:
        """A directory that was replaced unseen is watched when its turn comes, and reported."""
        replaced = self.paths_watched[-1]
        self.replace(replaced)
        self.overflow()
        one_turn(self.clock)
        self.assertEqual(self.calls(), [[None], [None]])
        one_turn(self.clock)
        self.assertEqual(self.calls(), [[None], [None, None]])
        await self.assert_sees(self.users[1], replaced)

    async def test_many_replaced(self) -> None:
        """For a slice with many such directories each callback runs once."""
        for path in self.paths_watched:
            self.replace(path)
        self.overflow()
        for _ in range(3):
            one_turn(self.clock)
        self.assertEqual(self.calls(), [[None] * 3] * 2)
        await self.assert_sees(self.users[0], self.paths_watched[0])
        await self.assert_sees(self.users[1], self.paths_watched[-1])

    async def test_removed_at_once(self) -> None:
        """Directories that vanish together, without an overflow, are waited for in slices too."""
        for path in self.paths_watched:
            os.rmdir(path)
        self.inotify.doRead()
        self.assertEqual(self.calls(), [[None], [None]])
        self.assertLess(len(set(self.attempts)), SLICE + 2)  # and that above them
        for _ in range(3):
            one_turn(self.clock)
        self.assertEqual(len(set(self.attempts)), 3 * SLICE + 1)
        count = len(self.users[1].calls)
        os.mkdir(self.paths_watched[-1])
        await self.lost(self.users[1], count + 1)
        await self.assert_sees(self.users[1], self.paths_watched[-1])

    def test_two_overflows(self) -> None:
        """A second overflow begins with all watches again, and each has its turn."""
        self.overflow()
        self.overflow()
        for _ in range(4):
            one_turn(self.clock)
        self.assertEqual(set(self.attempts), set(self.paths_watched))
        self.assertEqual(self.calls(), [[None, None]] * 2)

    def test_often(self) -> None:
        """A user who makes and removes files all the time does not fill the log."""
        lines = [line for _ in range(99) for line in self.overflow()]
        self.assertEqual(lines[:4], ["inotify queue overflow: scanning everything"] * 4)
        self.assertEqual(
            [line.rpartition("everything")[2] for line in lines[4:]],
            [f" (the {number}th of the kind within a minute, of which few are logged)"
             for number in (5, 10)],
        )  # fmt: skip

    def test_stop(self) -> None:
        """A stop drops what is due."""
        self.overflow()
        self.watches.pop().stop()
        one_turn(self.clock)
        self.stop_all()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.inotify.fileno(), -1)


class LookTests(InotifyCase):
    """Tests for `Inotify.look`, which finds every second the changes that have no event."""

    async def test_switched_symlink(self) -> None:
        """After a link in the path was switched, which has no event, the new place is watched."""
        for name in "ab":
            os.makedirs(f"{self.top}/{name}/d")
        os.symlink("a", f"{self.top}/link")
        path = f"{self.top}/link/d"
        recorder = self.watch(path)
        os.unlink(f"{self.top}/link")
        os.symlink("b", f"{self.top}/link")
        self.inotify.look()
        self.assertEqual(recorder.calls, [None])
        create(f"{self.top}/a/d/not-ours")
        await self.assert_sees(recorder, path)
        self.assertEqual(self.paths(recorder), {f"{path}/probe"})

    async def test_unchanged(self) -> None:
        """While the path leads to the same place, a look reports nothing and loses nothing."""
        recorder = self.watch(self.top)
        self.inotify.look()
        self.assertEqual(recorder.calls, [])
        await self.assert_sees(recorder, self.top)

    async def test_missing(self) -> None:
        """A look at a path that is still missing reports nothing and goes on waiting."""
        recorder = self.watch(f"{self.top}/a/b")
        self.inotify.look()
        self.assertEqual(recorder.calls, [])
        os.makedirs(f"{self.top}/a/b")
        await self.lost(recorder)

    async def test_moved_ancestor(self) -> None:
        """When an ancestor was moved away, a look finds the path missing and waits for it."""
        os.makedirs(f"{self.top}/a/b")
        path = f"{self.top}/a/b"
        recorder = self.watch(path)
        os.rename(f"{self.top}/a", f"{self.top}/away")
        self.inotify.look()
        self.assertEqual(recorder.calls, [None])
        os.makedirs(path)
        await self.lost(recorder, 2)
        await self.assert_sees(recorder, path)

    async def test_target_of_a_dangling_link(self) -> None:
        """The target of a dangling link may appear unseen; a look finds it."""
        elsewhere = temporary_directory(self)
        os.symlink(f"{elsewhere}/target", f"{self.top}/link")
        recorder = self.watch(f"{self.top}/link")
        os.mkdir(f"{elsewhere}/target")
        self.inotify.look()
        self.assertEqual(recorder.calls, [None])
        await self.assert_sees(recorder, f"{self.top}/link")

    async def test_every_second(self) -> None:
        """Looking is what happens by itself, a second after the last look, while watches are."""
        clock = Clock()
        self.inotify = Inotify(ClockedReactor(clock))
        os.mkdir(f"{self.top}/a")
        recorder = self.watch(f"{self.top}/link")
        os.symlink("missing", f"{self.top}/link")
        await self.lost(recorder)
        os.mkdir(f"{self.top}/missing")
        clock.advance(0.9)
        self.assertEqual(recorder.calls, [None])
        clock.advance(0.1)
        self.assertEqual(recorder.calls, [None, None])
        for _ in range(3):
            clock.advance(1.0)
        self.assertEqual(recorder.calls, [None, None])
        self.stop_all()
        self.assertEqual(clock.getDelayedCalls(), [])

    async def test_mounted_over(self) -> None:
        """A file system that is mounted over a watched directory, and unmounted, is noticed."""
        if os.geteuid() != 0:
            raise SkipTest("needs root to mount")
        recorder = self.watch(self.top)
        with tmpfs(self.top):
            self.inotify.look()
            self.assertEqual(recorder.calls, [None])
            await self.assert_sees(recorder, self.top)
            # Still in use, so that it lives on unseen and no event comes.
            held = os.open(self.top, os.O_RDONLY)
            self.addCleanup(os.close, held)
        self.inotify.look()
        self.assertEqual(recorder.calls[-1], None)
        await self.assert_sees(recorder, self.top, "after")

    async def test_many(self) -> None:
        """Of very many watches as many have their turn each second as of few, one after another."""
        clock = Clock()
        self.inotify = Inotify(ClockedReactor(clock))
        for name in "ab":
            os.makedirs(f"{self.top}/{name}/d")
        os.symlink("a", f"{self.top}/link")
        recorders = [self.watch(f"{self.top}/link/d") for _ in range(4 * LOOKS)]
        os.unlink(f"{self.top}/link")
        os.symlink("b", f"{self.top}/link")
        for seconds in (1, 2, 3, 4):
            clock.advance(1.0)
            self.assertEqual(sum(len(one.calls) for one in recorders), LOOKS * seconds)
        self.assertTrue(all(one.calls == [None] for one in recorders))


class ClockedReactor:
    """The reactor with another clock."""

    def __init__(self, clock: Clock) -> None:
        self.callLater = clock.callLater
        self.seconds = clock.seconds
        self.addReader = reactor.addReader
        self.removeReader = reactor.removeReader


class UnwatchableTests(InotifyCase):
    """Tests for what the kernel refuses to watch."""

    def refuse(self, *paths: str, errno: str = "ENOSPC") -> Any:
        """Let the kernel refuse these paths, or all, from now on."""
        add_watch = pyinotify.WatchManager.add_watch

        def refuse(manager: Any, path: str, *arguments: Any, **options: Any) -> Any:
            if not paths or path in paths:
                raise pyinotify.WatchManagerError(
                    f"add_watch: cannot watch {path} WD=-1, Errno=whatever ({errno})", {}
                )
            return add_watch(manager, path, *arguments, **options)

        return self.patch(pyinotify.WatchManager, "add_watch", refuse)

    def test_logged_once(self) -> None:
        """A limit that is reached is logged once, whatever number of paths it concerns."""
        self.refuse()
        with capturedLogs() as events:
            self.watch(self.top)
            self.watch("/")
            self.inotify.look()
        (event,) = events
        self.assertEqual(event["path"], self.top)
        self.assertEqual(event["reason"], "No space left on device")
        self.assertEqual(event["remedy"], "raise the sysctl fs.inotify.max_user_watches")
        self.assertEqual(event["log_level"].name, "error")

    def test_other_reasons(self) -> None:
        """An error that is no limit is logged once a path, and the path is polled too."""
        self.refuse(errno="EACCES")
        with capturedLogs() as events:
            recorders = [self.watch(self.top), self.watch("/")]
            self.inotify.look()
        self.assertEqual([event["path"] for event in events], [self.top, "/"])
        self.assertIn("let the plugin read it", formatEvent(events[0]))
        self.assertEqual([recorder.calls for recorder in recorders], [[None], [None]])

    async def test_polled(self) -> None:
        """A path that cannot be watched may have changed at each look, until it can be watched."""
        patch = self.refuse(self.top)
        with capturedLogs() as events:
            recorder = self.watch(self.top)
            self.assertEqual(recorder.calls, [])
            for turn in range(1, 4):
                self.inotify.look()
                self.assertEqual(recorder.calls, [None] * turn)
            patch.restore()
            self.inotify.look()
            self.assertEqual(recorder.calls, [None] * 4)
            self.inotify.look()
        self.assertEqual(recorder.calls, [None] * 4)
        self.assertEqual(
            [event["log_format"] for event in events][1:], ["inotify watches everything again"]
        )
        await self.assert_sees(recorder, self.top)

    def test_one_report_for_each_user(self) -> None:
        """For thousands of refused paths, a callback runs once a second."""
        clock = Clock()
        self.inotify = Inotify(ClockedReactor(clock))
        patch = self.refuse()
        attempts: list[str] = []
        refuse = pyinotify.WatchManager.add_watch

        def counted(manager: Any, path: str, *arguments: Any, **options: Any) -> Any:
            attempts.append(path)
            return refuse(manager, path, *arguments, **options)

        for name in range(4 * LOOKS):
            os.mkdir(f"{self.top}/{name}")
        users = [Recorder(), Recorder()]
        with capturedLogs() as events:
            for name in range(4 * LOOKS):
                self.watch(f"{self.top}/{name}", users[name % 2])
            counting = self.patch(pyinotify.WatchManager, "add_watch", counted)
            for seconds in (1, 2, 3):
                clock.advance(1.0)
                self.assertEqual([user.calls for user in users], [[None] * seconds] * 2)
            self.assertEqual(len(attempts), 6)
            self.assertEqual(len(set(attempts)), 6)
            counting.restore()
            patch.restore()
            for _ in range(4):
                clock.advance(1.0)
        self.assertFalse(any(watch.polled for watch in self.watches))
        self.assertEqual(
            [event["log_format"] for event in events][1:], ["inotify watches everything again"]
        )

    def test_logged_again(self) -> None:
        """A limit that is reached again after it was raised is logged again."""
        for _ in range(2):
            patch = self.refuse(self.top)
            with capturedLogs() as events:
                self.watch(self.top)
                patch.restore()
                self.inotify.look()
            self.assertEqual(len(events), 2)

    def test_logged_again_after_the_last_watch(self) -> None:
        """After the last watch has stopped, a new one logs the limit again."""
        self.refuse()
        with capturedLogs() as events:
            for _ in range(2):
                self.watch(self.top)
                self.stop_all()
        self.assertEqual(len(events), 2)

    def test_stopped_while_it_is_polled(self) -> None:
        """A watch that a callback stops is polled no more, and stopping works unarmed too."""
        self.refuse()
        with capturedLogs():
            self.watch(self.top, lambda changes: self.stop_all())
            recorder = self.watch(self.top)
            self.inotify.look()
        self.assertEqual(recorder.calls, [])
        self.assertEqual(self.inotify.fileno(), -1)

    def no_instance(self) -> Any:
        """Let there be no inotify instance from now on."""

        def refuse() -> None:
            raise OSError("Cannot initialize new instance of inotify, Errno=Too many (EMFILE)")

        return self.patch(pyinotify, "WatchManager", refuse)

    async def test_no_instance_left(self) -> None:
        """Without an inotify instance everything is polled, and the limit is named."""
        patch = self.no_instance()
        with capturedLogs() as events:
            recorder = self.watch(self.top)
            self.inotify.look()
        self.assertEqual(recorder.calls, [None])
        (event,) = events
        self.assertEqual(event["remedy"], "raise the sysctl fs.inotify.max_user_instances")
        patch.restore()
        self.inotify.look()
        await self.assert_sees(recorder, self.top)

    def test_no_descriptor_left(self) -> None:
        """If the process has no descriptor left, the message says so."""
        self.no_instance()

        def full() -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        self.patch(inotify_descriptor, "check_descriptors", full)
        with capturedLogs() as events:
            self.watch(self.top)
        self.assertIn("LimitNOFILE", events[0]["remedy"])

    async def test_refused_after_a_loss(self) -> None:
        """A refusal on rearming leaves the other watches as they are."""
        path = f"{self.top}/a"
        os.mkdir(path)
        recorder, other = self.watch(path), self.watch(self.top)
        patch = self.refuse(path)
        shutil.rmtree(path)
        os.mkdir(path)
        with capturedLogs() as events:
            await self.lost(recorder)
        self.assertEqual([event["path"] for event in events], [path])
        await self.assert_sees(other, self.top)
        patch.restore()
        self.inotify.look()
        await self.assert_sees(recorder, path)

    def test_no_path(self) -> None:
        """Text that can be no path causes no message: it never appears."""
        with capturedLogs() as events:
            recorders = [self.watch(f"{self.top}/{name}") for name in ("\ud800", "x" * 300)]
            self.inotify.look()
        self.assertEqual([recorder.calls for recorder in recorders], [[], []])
        self.assertEqual(events, [])
