"""Streams that follow one list."""

import tracemalloc
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import NoRoom
from twistdp.kubelet.streams import MOST_CALLERS, MOST_STREAMS, ListStreams
from twistdp.status import Event, Kind, events_of


class Reader:
    """Reads a stream on demand; `end` is its end."""

    def __init__(self, stream: Any) -> None:
        self.got: list[bytes] = []
        self.ended = False
        self._stream = stream
        self._pending: Deferred[None] | None = None

    def read(self) -> Deferred[None]:
        """Ask for the next list; it may come later."""

        async def following() -> None:
            try:
                self.got.append(await anext(self._stream))
            except (StopAsyncIteration, CancelledError):
                self.ended = True

        self._pending = Deferred.fromCoroutine(following())
        return self._pending

    def cancel(self) -> None:
        """The peer goes away while it waits."""
        assert self._pending is not None
        self._pending.cancel()


class ListStreamsTests(SynchronousTestCase):
    """Generations, the kubelet's own stream, and ends."""

    def setUp(self) -> None:
        """Streams of one list."""
        self.clock = Clock()
        self.lost = 0
        self.streams = ListStreams(b"0", self.clock, self._lose, "x/y")

    def _lose(self) -> None:
        self.lost += 1

    def reader(self, caller: str = "") -> Reader:
        """A stream that has received the first list."""
        reader = Reader(self.streams.follow(caller))
        reader.read()
        return reader

    def test_too_many(self) -> None:
        """The number of streams is limited; one that ends makes room for another."""
        first = self.reader("kubelet")
        first.read()
        for _ in range(MOST_STREAMS - 1):
            self.reader().read()
        self.failureResultOf(Reader(self.streams.follow()).read(), NoRoom)
        first.cancel()
        last = self.reader()
        self.assertEqual(last.got, [b"0"])
        self.failureResultOf(Reader(self.streams.follow()).read(), NoRoom)

    def test_events(self) -> None:
        """Each stream and each list that is sent has an event, with how many lists it left out."""
        events: list[Event] = []
        self.addCleanup(events_of(self.clock).follow(events.append))
        reader = self.reader()
        for value in (b"1", b"2", b"300"):
            self.streams.publish(value)
        reader.read()
        reader.read()
        self.streams.publish(b"50000")
        self.end(reader)
        self.assertEqual(reader.got, [b"0", b"300", b"50000"])
        self.assertEqual(
            [(event.kind, event.facts) for event in events],
            [
                (Kind.STREAM_OPENED, {"resource": "x/y", "kubelets": True}),
                (Kind.LIST_SENT, {"resource": "x/y", "size": 1, "skipped": 0}),
                (Kind.LIST_SENT, {"resource": "x/y", "size": 3, "skipped": 2}),
                (Kind.LIST_SENT, {"resource": "x/y", "size": 5, "skipped": 0}),
                (Kind.STREAM_ENDED, {"resource": "x/y", "kubelets": True}),
            ],
        )

    def test_sends_the_list_and_changes(self) -> None:
        """The list comes at once, and the next one when it is published."""
        reader = self.reader()
        reader.read()
        self.assertEqual(reader.got, [b"0"])
        self.streams.publish(b"1")
        self.assertEqual(reader.got, [b"0", b"1"])

    def test_a_slow_reader_gets_the_newest(self) -> None:
        """Lists that nobody asked for are skipped, and another reader is not delayed."""
        slow, fast = self.reader(), self.reader()
        for value in (b"1", b"2", b"3"):
            fast.read()
            self.streams.publish(value)
        slow.read()
        self.assertEqual(fast.got, [b"0", b"1", b"2", b"3"])
        self.assertEqual(slow.got, [b"0", b"3"])

    def test_the_kubelets_stream_is_the_first(self) -> None:
        """The end of the first stream is reported; that of another one is not."""
        first, second = self.reader(), self.reader()
        self.assertTrue(self.streams.kubelets)
        second.read()
        second.cancel()
        self.assertEqual(self.lost, 0)
        first.read()
        first.cancel()
        self.assertEqual(self.lost, 1)
        self.assertFalse(self.streams.kubelets)
        self.assertTrue(self.streams.kubelets_over)
        self.streams.end_generation(1.0)
        self.assertFalse(self.streams.kubelets_over)

    def end(self, reader: Reader) -> None:
        """The peer goes away."""
        reader.read()
        reader.cancel()

    def test_the_kubelet_asks_first(self) -> None:
        """A stranger's stream, before the kubelet's or after its question, is not the kubelet's."""
        older = self.reader("somebody")
        self.streams.asked("kubelet")
        self.assertFalse(self.streams.kubelets)
        between = self.reader("somebody")
        self.assertFalse(self.streams.kubelets)
        kubelets, later = self.reader("kubelet"), self.reader("kubelet")
        self.assertTrue(self.streams.kubelets)
        for reader in (older, between, later):
            self.end(reader)
        self.assertEqual(self.lost, 0)
        self.assertFalse(self.streams.kubelets_over)
        self.end(kubelets)
        self.assertEqual(self.lost, 1)
        self.assertTrue(self.streams.kubelets_over)

    def test_somebody_who_was_taken_for_the_kubelet(self) -> None:
        """When a kubelet asks at last, an end that came before means nothing."""
        self.end(self.reader("somebody"))
        self.assertTrue(self.streams.kubelets_over)
        self.streams.asked("kubelet")
        self.assertFalse(self.streams.kubelets_over)

    def test_a_kubelet_that_asks_later(self) -> None:
        """Its stream counts, also when it is older than the question."""
        kubelets = self.reader("kubelet")
        self.streams.asked("kubelet")
        self.assertTrue(self.streams.kubelets)
        self.end(kubelets)
        self.assertEqual(self.lost, 1)

    def test_two_connections_of_a_kubelet(self) -> None:
        """If the kubelet goes on with a registration that was dropped, both streams count."""
        self.streams.asked("kubelet")
        self.streams.end_generation(1.0)
        self.streams.asked("kubelet")
        for reader in [self.reader("kubelet"), self.reader("kubelet")]:
            self.end(reader)
        self.assertEqual(self.lost, 2)

    def test_missing(self) -> None:
        """A kubelet that dialled twice and opened one stream may lack the one that counts."""
        open_: list[Reader] = []
        self.assertTrue(self.streams.kubelets_missing)
        self.streams.asked("kubelet")
        self.streams.asked("somebody")
        self.assertTrue(self.streams.kubelets_missing)
        open_.append(self.reader("kubelet"))
        self.assertFalse(self.streams.kubelets_missing)
        self.streams.end_generation(1.0)
        self.streams.asked("kubelet")
        self.streams.asked("kubelet")
        open_.append(self.reader("kubelet"))
        self.assertTrue(self.streams.kubelets_missing)
        open_.append(self.reader("kubelet"))
        self.assertFalse(self.streams.kubelets_missing)

    def test_settled(self) -> None:
        """A stream that a kubelet has asked for and not opened is not awaited for ever."""
        self.streams.asked("kubelet")
        self.streams.settled()
        self.end(self.reader("kubelet"))
        self.assertEqual(self.lost, 0)

    def test_many_callers(self) -> None:
        """Only the newest callers that asked and opened no stream are kept, in little memory."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.streams.asked("0")
        for number in range(MOST_CALLERS - 1):
            self.streams.asked(f"{number:>1000}")
        kept = self.reader("0")
        self.assertEqual(self.streams.kubelets, 1)
        self.streams.asked("0")
        for number in range(MOST_CALLERS * 3):
            self.streams.asked(f"{number:>1001}")
        forgotten = self.reader("0")
        self.assertEqual(self.streams.kubelets, 1)
        self.assertEqual(kept.got, forgotten.got)
        self.assertLess(tracemalloc.get_traced_memory()[0], MOST_CALLERS * 1500)

    def test_a_new_generation_ends_the_old_streams(self) -> None:
        """Old streams end without being reported as lost; then the Deferred fires."""
        readers = [self.reader(), self.reader()]
        for reader in readers:
            reader.read()
        gone = self.streams.end_generation(1.0)
        self.assertTrue(all(reader.ended for reader in readers))
        self.successResultOf(gone)
        self.assertEqual(self.lost, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        new = self.reader()
        self.assertEqual(new.got, [b"0"])
        self.assertTrue(self.streams.kubelets)

    def test_a_stuck_stream_is_not_waited_for_long(self) -> None:
        """A stream that is not read delays only its own generation's end, and not for long."""
        stuck = self.reader()  # never asks for more: it is stuck in a send
        gone = self.streams.end_generation(0.05)
        self.assertNoResult(gone)
        self.clock.advance(0.05)
        self.assertIsNone(self.successResultOf(gone))
        self.successResultOf(self.streams.end_generation(0.05))
        self.assertFalse(stuck.ended)

    def test_finish_sends_the_newest_first(self) -> None:
        """A stream gets the last list and then ends; nothing is reported as lost."""
        reader = self.reader()
        reader.read()
        self.streams.publish(b"last")
        gone = self.streams.finish(1.0)
        self.assertNoResult(gone)
        reader.read()
        self.assertEqual(reader.got, [b"0", b"last"])
        self.assertTrue(reader.ended)
        self.successResultOf(gone)
        self.assertEqual(self.lost, 0)

    def test_finish_sends_the_newest_to_a_slow_stream(self) -> None:
        """A stream that asks after the last list was published still gets it."""
        slow = self.reader()
        self.streams.publish(b"last")
        gone = self.streams.finish(1.0)
        slow.read()
        self.assertEqual(slow.got, [b"0", b"last"])
        self.assertFalse(slow.ended)
        self.assertNoResult(gone)
        slow.read()
        self.assertTrue(slow.ended)
        self.successResultOf(gone)

    def test_finish_without_streams(self) -> None:
        """Without streams the end comes at once."""
        self.successResultOf(self.streams.finish(1.0))
