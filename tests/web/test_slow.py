"""Tests of peers that are slow, half there, or do not read, on a clock."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import one_turn
from tests.support.logs import observe
from twistdp.status import Events, Kind
from twistdp.web import channel
from twistdp.web.answers import CHUNK, Answer, text
from twistdp.web.channel import IDLE, SLOWEST
from twistdp.web.site import Bounded
from twistdp.web.stream import (
    GATHER,
    MOST_GATHERED,
    MOST_PULSES,
    MOST_WAITING,
    PULSE,
    Streams,
)

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Peer(StringTransportWithDisconnection):
    """A connection to a site, that reads all until it pauses."""

    is_full = False
    """Whether what is written now makes it stop to read."""

    def __init__(self, site: Bounded, clock: Clock) -> None:
        address = IPv4Address("TCP", "127.0.0.1", 9102)
        super().__init__(hostAddress=address, peerAddress=address)
        self.clock = clock
        self.protocol: Any = site.buildProtocol(address)
        self.protocol.makeConnection(self)

    def ask(self, path: str) -> bytes:
        """Make a request, and return what comes at once."""
        self.clear()
        self.send(GET % path.encode())
        one_turn(self.clock)
        return self.written()

    def written(self) -> bytes:
        """All that has come."""
        found: bytes = self.value()
        return found

    def send(self, data: bytes) -> None:
        """Some bytes of a request."""
        self.protocol.dataReceived(data)
        one_turn(self.clock)

    def wait(self, seconds: float) -> None:
        """Let time pass, in steps as a reactor would."""
        self.clock.pump([seconds / 10] * 10)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """See ITransport."""
        super().writeSequence(data)
        if self.is_full:
            self.stop_reading()

    def stop_reading(self) -> None:
        """The buffers are full."""
        self.protocol.pauseProducing()

    def read(self) -> None:
        """They are empty again."""
        self.protocol.resumeProducing()
        one_turn(self.clock)


class SlowCase(SynchronousTestCase):
    """A site, and what it answers with."""

    def setUp(self) -> None:
        """Make them."""
        self.clock = Clock()
        self.made = 0
        self.events = Events()
        self.watched = 0
        self.streams = Streams(self.events, self.clock, self.watch)
        self.site = Bounded(lambda: self, reactor=self.clock, most=10)

    def watch(self) -> Callable[[], None]:
        """Somebody follows events, until what is returned is called."""
        self.watched += 1

        def end() -> None:
            self.watched -= 1

        return end

    def answer(self, request: Any) -> Answer | None:
        """An answer of many pieces, one that breaks, a stream, or a word."""
        if request.path == b"/many":
            return Answer(b"", pieces=self.pieces(1000))
        if request.path == b"/broken":
            return Answer(b"", pieces=self.pieces(2, broken=True))
        if request.path == b"/events":
            return self.streams.begin(request)
        if request.path == b"/large":
            return Answer(b"x" * (3 * CHUNK + 1))
        return text("well")

    def stop(self) -> None:
        """Nothing is under way."""

    def pieces(self, count: int, broken: bool = False) -> Iterator[bytes]:
        """Pieces, counted when they are made."""
        for _ in range(count):
            self.made += 1
            yield b"#" * 1000
        if broken:
            raise ValueError("no more")

    def peer(self) -> Peer:
        """A connection."""
        return Peer(self.site, self.clock)


class TimeTests(SlowCase):
    """Connections that take too long."""

    def test_idle(self) -> None:
        """One on which nothing is asked is closed, before and after a request."""
        peer, busy = self.peer(), self.peer()
        peer.wait(IDLE - 1)
        self.assertIn(b"well", busy.ask("/"))
        peer.wait(2)
        self.assertEqual((peer.connected, busy.connected), (False, True))
        events: list[dict[str, Any]] = []
        observe(self, events.append)
        busy.wait(IDLE)
        self.assertEqual({event["log_level"] for event in events}, {LogLevel.debug})
        self.assertFalse(busy.connected)
        self.assertEqual(self.site.connections, {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_byte_now_and_then(self) -> None:
        """A request that never ends is closed, however busily it goes on."""
        peer = self.peer()
        peer.send(b"GET / HTTP/1.1\r\n")
        for number in range(int(SLOWEST) - 1):
            self.assertTrue(peer.connected, number)
            peer.send(b"x: y\r\n")
            peer.wait(1)
        peer.wait(2)
        self.assertFalse(peer.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_body_that_does_not_come(self) -> None:
        """Its request is not answered, and closed."""
        peer = self.peer()
        peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nab")
        peer.wait(IDLE + 1)
        self.assertEqual((peer.connected, peer.value()), (False, b""))

    def test_each_request_has_its_time(self) -> None:
        """A connection that is used stays open as long as it is."""
        peer = self.peer()
        for _ in range(20):
            self.assertIn(b"well", peer.ask("/"))
            peer.wait(IDLE - 1)
        self.assertTrue(peer.connected)

    def test_an_answer_that_is_not_read(self) -> None:
        """Its connection is closed, and the rest of it is never made."""
        peer = self.peer()
        peer.ask("/many")
        peer.stop_reading()
        made = self.made
        peer.wait(SLOWEST - 1)
        self.assertEqual((peer.connected, self.made), (True, made))
        peer.wait(2)
        self.assertEqual((peer.connected, self.made), (False, made))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_at_once(self) -> None:
        """Of requests that come together, one is answered in a turn, from any peer."""
        many, other = self.peer(), self.peer()
        many.protocol.dataReceived(GET % b"/" * 50)
        other.protocol.dataReceived(GET % b"/")
        one_turn(self.clock)
        self.assertEqual((many.written().count(b"well"), other.written()), (1, b""))
        one_turn(self.clock)
        self.assertIn(b"well", other.written())
        for turn in range(48):
            one_turn(self.clock)
            self.assertEqual(many.written().count(b"well"), turn + 2)

    def test_quick(self) -> None:
        """A short answer waits for no pieces of long ones."""
        many = [self.peer() for _ in range(9)]
        for each in many:
            each.ask("/many")
        quick = self.peer()
        quick.protocol.dataReceived(GET % b"/")
        one_turn(self.clock)
        self.assertIn(b"well", quick.written())

    def test_room(self) -> None:
        """For a connection too many the one that was idle for longest is closed, and none that
        waits for an answer."""
        peers = [self.peer() for _ in range(10)]
        peers[0].ask("/events")
        peers[1].ask("/many")
        peers[1].stop_reading()
        peers[2].ask("/")
        peers[3].send(b"GET / HTTP/1.1\r\n")
        late = [self.peer() for _ in range(3)]
        one_turn(self.clock)
        self.assertEqual([each.connected for each in late], [True] * 3)
        closed = [number for number, each in enumerate(peers) if not each.connected]
        self.assertEqual(closed, [3, 4, 5])
        self.assertEqual(len(self.site.connections), 10)
        for each in [*peers, *late]:
            if each.connected:
                each.ask("/many")
        self.assertIsNone(self.site.buildProtocol(None))

    def test_half_closed(self) -> None:
        """A peer that sends no more gets its whole answer, and no other; a stream ends at once."""
        self.patch(channel, "_is_gone", lambda _: False)
        peer, follower = self.peer(), self.peer()
        peer.ask("/many")
        follower.ask("/events")
        for each in (peer, follower):
            each.protocol.readConnectionLost()
        self.assertEqual((peer.connected, follower.connected), (True, False))
        self.clock.advance(0)
        self.assertTrue(peer.value().endswith(b"0\r\n\r\n"))
        self.assertFalse(peer.connected)

    def test_a_stream_may_stay(self) -> None:
        """An event stream has no end, as long as its peer reads."""
        peer = self.peer()
        self.assertIn(b"retry:", peer.ask("/events"))
        peer.wait(1000 * SLOWEST)
        self.assertTrue(peer.connected)
        self.assertIn(b": still here", peer.value())
        peer.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.streams), 0)


class PieceTests(SlowCase):
    """Large answers."""

    def test_one_piece_a_turn(self) -> None:
        """Whatever is asked, a turn of the reactor makes one piece."""
        peers = [self.peer() for _ in range(3)]
        for peer in peers:
            peer.protocol.dataReceived(GET % b"/many")
        one_turn(self.clock)
        for turn in range(1, 31):
            one_turn(self.clock)
            self.assertEqual(self.made, turn)
        counts = [peer.value().count(b"#" * 1000) for peer in peers]
        self.assertEqual((sum(counts), set(counts) <= {9, 10, 11}), (30, True))

    def test_whole(self) -> None:
        """All of it comes, and the connection serves the next request."""
        peer = self.peer()
        peer.ask("/many")
        self.clock.advance(0)
        self.assertEqual(peer.value().count(b"#"), 1_000_000)
        self.assertTrue(peer.value().endswith(b"0\r\n\r\n"))
        self.assertIn(b"well", peer.ask("/"))
        peer.ask("/large")
        self.clock.advance(0)
        self.assertEqual(peer.value().count(b"x" * CHUNK), 3)
        self.assertTrue(peer.value().endswith(b"xx"))

    def test_read_again_and_again(self) -> None:
        """A peer that pauses and reads often has no more turns than another."""
        restless, calm = self.peer(), self.peer()
        for peer in (restless, calm):
            peer.ask("/many")
        restless.clear()
        calm.clear()
        for _ in range(20):
            restless.stop_reading()
            restless.protocol.resumeProducing()
        for _ in range(10):
            one_turn(self.clock)
        counts = [peer.value().count(b"#" * 1000) for peer in (restless, calm)]
        self.assertEqual(counts, [5, 5])

    def test_paused(self) -> None:
        """It goes on where it was when the peer reads again, and only once."""
        peer = self.peer()
        peer.ask("/many")
        for _ in range(3):
            peer.stop_reading()
            made = self.made
            self.clock.advance(0)
            self.assertEqual(self.made, made)
            peer.protocol.resumeProducing()
            peer.stop_reading()
            peer.read()
            self.assertEqual(self.made, made + 1)
        self.assertEqual(peer.value().count(b"#"), 1000 * self.made)

    def test_gone(self) -> None:
        """A peer that goes away leaves nothing behind."""
        peer = self.peer()
        peer.ask("/many")
        peer.loseConnection()
        self.clock.advance(0)
        self.assertEqual(self.made, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """An answer that fails half-way does not look whole."""
        peer = self.peer()
        peer.ask("/broken")
        self.clock.advance(0)
        self.assertFalse(peer.connected)
        self.assertFalse(peer.value().endswith(b"0\r\n\r\n"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class StreamTests(SlowCase):
    """Event streams that are not read."""

    def emit(self, size: int) -> None:
        """An event of about this size."""
        self.events.emit(Kind.OVERFLOWED, source="x" * size)
        self.clock.advance(GATHER)

    def behind(self) -> Peer:
        """Return a peer with a full connection, for which four fifths of the most wait."""
        peer = self.peer()
        peer.ask("/events")
        peer.is_full = True
        peer.stop_reading()
        for _ in range(4):
            self.emit(MOST_WAITING // 5)
        return peer

    def test_order(self) -> None:
        """What happened meanwhile comes in its order when the peer reads again."""
        peer = self.peer()
        peer.ask("/events")
        self.emit(1)
        peer.stop_reading()
        for _ in range(3):
            self.emit(1)
        self.assertNotIn(b"id: 2\n", peer.value())
        peer.read()
        self.emit(1)
        numbers = [line for line in peer.value().split(b"\n") if b"id: " in line]
        self.assertEqual([line.split()[-1] for line in numbers], [b"1", b"2", b"3", b"4", b"5"])

    def test_gathered(self) -> None:
        """What happens at one time is one write a little later, and past for who comes then."""
        peer, late = self.peer(), self.peer()
        peer.ask("/events")
        for _ in range(3):
            self.events.emit(Kind.OVERFLOWED, source="x")
        self.assertNotIn(b"id: ", peer.written())
        late.ask("/events")
        self.assertEqual(peer.written().count(b"id: "), 3)
        self.events.emit(Kind.OVERFLOWED, source="x")
        self.clock.advance(GATHER)
        self.assertEqual((peer.written().count(b"id: "), late.written().count(b"id: ")), (4, 1))
        self.events.emit(Kind.OVERFLOWED, source="x")
        for each in (peer, late):
            each.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_much(self) -> None:
        """A peer for which too much waits loses its stream, and the others get it all."""
        slow, quick = self.peer(), self.peer()
        slow.ask("/events")
        quick.ask("/events")
        slow.stop_reading()
        for _ in range(9):
            self.emit(MOST_WAITING // 10)
        self.assertTrue(slow.connected)
        for _ in range(2):
            self.emit(MOST_WAITING // 10)
        self.assertEqual((slow.connected, quick.connected), (False, True))
        self.assertIn(b"id: 11\n", quick.value())
        self.assertEqual(len(self.streams), 1)

    def test_headers(self) -> None:
        """Proxies are asked to hold nothing back; HEAD has the headers, and follows nothing."""
        peer = self.peer()
        peer.send(GET.replace(b"GET", b"HEAD") % b"/events")
        self.assertEqual(len(self.streams), 0)
        for _ in range(2):
            self.assertIn(b"Content-Type: text/event-stream; charset=utf-8\r\n", peer.value())
            self.assertIn(b"X-Accel-Buffering: no\r\n", peer.value())
            peer.ask("/events")
        self.assertEqual(len(self.streams), 1)

    def test_end(self) -> None:
        """At the end all streams end, also those that are not read."""
        peers = [self.peer() for _ in range(3)]
        for peer in peers:
            peer.ask("/events")
        peers[0].stop_reading()
        self.streams.stop()
        self.assertEqual([peer.connected for peer in peers], [False] * 3)
        self.assertEqual((len(self.streams), self.watched), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_read_one_by_one(self) -> None:
        """A peer that reads a little at a time gets all that waits, in order and once."""
        peer = self.behind()
        for count in range(1, 5):
            peer.read()
            self.assertEqual(peer.value().count(b"event: "), count)
        self.emit(1)
        numbers = [line for line in peer.value().split(b"\n") if line.startswith(b"id: ")]
        self.assertEqual(numbers, [b"id: 1", b"id: 2", b"id: 3", b"id: 4"])

    def test_read_in_part(self) -> None:
        """Bytes that a peer has not read yet continue to count."""
        peer = self.behind()
        peer.read()
        self.emit(MOST_WAITING // 5)
        self.assertTrue(peer.connected)
        self.emit(MOST_WAITING // 5)
        self.assertFalse(peer.connected)

    def test_a_lot_at_once(self) -> None:
        """Many bytes of events are sent at once, and what follows is gathered again."""
        peer = self.peer()
        peer.ask("/events")
        for count, size in ((0, MOST_GATHERED // 2), (2, MOST_GATHERED // 2), (2, 1)):
            self.events.emit(Kind.OVERFLOWED, source="x" * size)
            self.assertEqual(peer.value().count(b"event: "), count)

    def test_read_now_and_then(self) -> None:
        """A peer that reads in between keeps its stream."""
        peer = self.peer()
        peer.ask("/events")
        for _ in range(3):
            peer.stop_reading()
            self.clock.pump([PULSE] * (MOST_PULSES - 1))
            self.assertTrue(peer.connected)
            peer.read()

    def test_nobody(self) -> None:
        """The last to go ends what was begun for the first; the next one begins again."""
        for _ in range(2):
            peers = [self.peer(), self.peer()]
            for peer in peers:
                peer.ask("/events")
            self.assertEqual(self.watched, 1)
            peers.pop().loseConnection()
            self.assertEqual(self.watched, 1)
            peers.pop().loseConnection()
            self.assertEqual(self.watched, 0)
            self.events.emit(Kind.OVERFLOWED, source="x")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_read(self) -> None:
        """A peer that reads nothing for a minute loses its stream, though nothing happens."""
        peer = self.peer()
        peer.ask("/events")
        peer.stop_reading()
        self.clock.pump([PULSE] * (MOST_PULSES - 1))
        self.assertTrue(peer.connected)
        self.clock.advance(PULSE)
        self.assertFalse(peer.connected)

    def test_what_was_missed_comes_as_it_is_read(self) -> None:
        """A peer that has missed much gets it piece by piece, then what happens meanwhile."""
        for _ in range(40):
            self.emit(MOST_WAITING // 20)
        peer = self.peer()
        peer.is_full = True
        peer.send(GET.replace(b"\r\n\r\n", b"\r\nLast-Event-ID: 0\r\n\r\n") % b"/events")
        self.assertLess(len(peer.value()), MOST_WAITING // 5)
        self.emit(1)
        reads = 0
        while b"id: 41\n" not in peer.value():
            self.assertTrue(peer.connected)
            reads += 1
            peer.read()
        self.assertGreater(reads, 30)
        numbers = [line for line in peer.value().split(b"\n") if line.startswith(b"id: ")]
        self.assertEqual([int(line[4:]) for line in numbers], list(range(1, 42)))
