"""Tests for `twistdp.resource.releases`."""

import errno
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.support.helpers import temporary_directory
from tests.support.logs import LogTestCase
from twistdp.errors import PeerUnavailable
from twistdp.kubelet.holdings import Holdings
from twistdp.kubelet.podresources import Container, Pod
from twistdp.model import Holder, ReleasedDevices
from twistdp.resource import releases
from twistdp.resource.hooks import Hooks
from twistdp.resource.releases import Releases
from twistdp.settings import Settings
from twistdp.status import Kind, events_of

DOMAIN = "x.example"


def known(ids: object) -> dict[str, Any]:
    """The knowledge of a resource about devices that are gone."""
    return {}


class Scanner:
    """Keeps what is given back."""

    def __init__(self) -> None:
        self.released: list[tuple[str, list[str]]] = []

    def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> None:
        """See `IReleaseObserver`."""
        self.released.append((devices.resource, list(devices.devices_ids)))


class Thread:
    """In place of a worker: `outcomes` come in place of the first calls."""

    def __init__(self) -> None:
        self.outcomes: list[Deferred[Any]] = []
        self.stopped = 0

    def call(self, function: Any) -> Deferred[Any]:
        """Call it now."""
        return self.outcomes.pop(0) if self.outcomes else succeed(function())

    def stop(self) -> None:
        """Count the users of the worker that have stopped."""
        self.stopped += 1


class ReleasesTests(LogTestCase):
    """Scanners on a clock, and a kubelet that lists `pods` and keeps devices for nobody."""

    def setUp(self) -> None:
        """One pod has no devices."""
        super().setUp()
        directory = temporary_directory(self)
        self.settings = Settings(plugin_dir=directory, state_dir=directory)
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.events = events_of(self.clock)
        self.pods = [Pod("kube-system", "dns", [])]
        self.checkpoint: frozenset[tuple[str, str]] | None = frozenset()
        self.thread = Thread()
        self.patch(releases, "Worker", lambda *_: self.thread)
        self.scanners: list[Scanner] = []
        self.running: list[Releases] = []

    def start(self, *groups: str) -> None:
        """A plugin with a scanner of the same class for each string of resources' types."""
        self.holdings = Holdings(self.list_pods, self.clock)
        for group in groups:
            scanner = Scanner()
            hooks = Hooks(scanner, "x:Scanner", self.clock)
            resources = {kind: mock.Mock(**{"inventory.known": known}) for kind in group}
            with mock.patch.object(releases, "holdings_of", lambda *_: self.holdings):
                found = Releases(DOMAIN, resources, hooks, self.settings, self.clock)
            found._checkpoint = mock.Mock(kept_ids=lambda: self.checkpoint)
            self.scanners.append(scanner)
            self.running.append(found)
            found.startService()
        self.pass_time(30.0)

    def list_pods(self) -> Deferred[list[Pod]]:
        """The kubelet's answer."""
        if not self.pods:
            return fail(PeerUnavailable("UNAVAILABLE", "nobody listens"))
        return succeed(self.pods)

    def stop(self) -> None:
        """The plugin ends."""
        before = self.thread.stopped
        stopped = len(self.running)
        while self.running:
            self.running.pop().stopService()
        self.assertEqual(self.thread.stopped, before + stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.scanners.clear()

    def pass_time(self, seconds: float) -> None:
        """Go on in small steps."""
        self.clock.pump([0.25] * int(seconds * 4))

    def test_two_of_a_class(self) -> None:
        """Each scanner learns once over a restart which devices of its own were given back."""
        held = {f"{DOMAIN}/{kind}": frozenset({kind}) for kind in "ab"}
        self.pods.append(Pod("default", "p", [Container("c", held)]))
        self.start("a", "b")
        self.stop()
        self.pods.pop()
        self.start("a", "b")
        self.assertEqual(
            [scanner.released for scanner in self.scanners],
            [[(f"{DOMAIN}/a", ["a"])], [(f"{DOMAIN}/b", ["b"])]],
        )
        self.stop()

    def test_a_stream_that_the_plugin_ended(self) -> None:
        """It is the same kubelet: what it does not list is not in doubt again."""
        for kubelets, released in ((False, 1), (True, 0)):
            self.pods.append(Pod("default", "p", [Container("c", {f"{DOMAIN}/a": frozenset("1")})]))
            self.start("a")
            self.pods.pop()
            self.events.emit(Kind.STREAM_ENDED, resource=f"{DOMAIN}/a", kubelets=kubelets)
            self.pass_time(5.0)
            self.assertEqual(len(self.scanners[0].released), released)
            self.stop()

    def test_several_resources(self) -> None:
        """There is a call for each resource of which a container had devices."""
        held = {f"{DOMAIN}/{kind}": frozenset({kind, f"{kind}{kind}"}) for kind in "ab"}
        self.pods.append(Pod("default", "p", [Container("c", held)]))
        self.start("ab")
        self.pods.pop()
        self.pass_time(30.0)
        (scanner,) = self.scanners
        self.assertEqual(
            sorted(scanner.released),
            [(f"{DOMAIN}/a", ["a", "aa"]), (f"{DOMAIN}/b", ["b", "bb"])],
        )
        self.stop()

    def test_kept_for_nobody(self) -> None:
        """A device in no answer is given back when the kubelet has kept it for nobody for 2 s."""
        reading: Deferred[Any] = Deferred()
        self.thread.outcomes = [reading]
        self.start("a")
        self.events.emit(Kind.ALLOCATED, resource=f"{DOMAIN}/a", ids=[["1"]])
        self.pass_time(10.5)
        self.assertEqual(self.thread.outcomes, [])
        reading.callback(frozenset())
        self.assertEqual(self.scanners[0].released, [])
        self.pass_time(2.5)
        self.assertEqual(self.scanners[0].released, [(f"{DOMAIN}/a", ["1"])])
        self.stop()

    def test_no_checkpoint(self) -> None:
        """While it is not known what the kubelet keeps, nothing is given back for that."""
        self.checkpoint = None
        self.start("a")
        self.events.emit(Kind.ALLOCATED, resource=f"{DOMAIN}/a", ids=[["1"]])
        self.pass_time(60.0)
        self.assertEqual(self.scanners[0].released, [])
        self.checkpoint = frozenset()
        self.pass_time(15.0)
        self.assertEqual(len(self.scanners[0].released), 1)
        self.stop()

    def test_read_too_late(self) -> None:
        """A checkpoint that is read when the plugin has stopped changes nothing any more."""
        reading: Deferred[Any] = Deferred()
        self.thread.outcomes = [succeed(frozenset()), reading]
        self.start("a")
        self.events.emit(Kind.ALLOCATED, resource=f"{DOMAIN}/a", ids=[["1"]])
        self.pass_time(60.0)
        self.assertEqual(self.thread.outcomes, [])
        (scanner,) = self.scanners
        self.stop()
        reading.callback(frozenset())
        self.pass_time(60.0)
        self.assertEqual(scanner.released, [])

    def test_no_answer(self) -> None:
        """A kubelet that does not answer for a minute is logged, once until it does."""
        self.start("a")
        self.pass_time(100.0)
        for _ in range(2):
            pods, self.pods = self.pods, []
            self.holdings.ask_soon()
            self.pass_time(40.0)
            self.assertEqual(self.lines, [])
            self.pass_time(300.0)
            (line,) = self.lines
            self.assertIn("asked which pods hold devices: nobody listens", line)
            self.pods = pods
            self.pass_time(60.0)
            self.assertIn("its post_release is called again", self.lines[-1])
            self.kept.written.clear()
        self.stop()

    def test_no_thread_at_first(self) -> None:
        """The checkpoint is read again if no thread could start, or reading it failed."""
        self.thread.outcomes = [fail(OSError(errno.EAGAIN, "no thread")), fail(MemoryError("full"))]
        self.start("a")
        self.events.emit(Kind.ALLOCATED, resource=f"{DOMAIN}/a", ids=[["1"]])
        self.pass_time(60.0)
        self.assertEqual(self.thread.outcomes, [])
        self.assertEqual(self.scanners[0].released, [(f"{DOMAIN}/a", ["1"])])
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.stop()
