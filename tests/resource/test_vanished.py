"""Tests for `twistdp.resource.vanished`."""

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.model.test_acceptance import apply
from tests.support.updates import Scans
from twistdp.kubelet.holdings import Holdings
from twistdp.kubelet.podresources import Container, Pod
from twistdp.kubelet.questions import AFTER, GAP
from twistdp.model.acceptance import Update
from twistdp.model.devices import HEALTHY, UNHEALTHY, DeviceInfo, Devices, DeviceSpec
from twistdp.resource.vanished import REASON, REASON_BEFORE, Departures
from twistdp.status import Kind, events_of

GRACE = 5.0
RESOURCE = "x.example/a"


def devices(*ids: str) -> Devices:
    """Healthy devices."""
    return {
        id_: DeviceInfo(HEALTHY, [DeviceSpec(f"/dev/{id_}", f"/dev/{id_}")], topology=[1])
        for id_ in ids
    }


class DeparturesTests(SynchronousTestCase):
    """The list of a resource while a scanner's findings change."""

    def use(self, grace: float, *ids: str) -> None:
        """Begin with these devices."""
        self.clock = Clock()
        self.scans = Scans()
        self.pods: list[Pod] = []
        holdings = Holdings(lambda: succeed(self.pods), self.clock)
        self.departures = Departures(RESOURCE, grace, holdings, self.clock, self.list)
        self.addCleanup(self.departures.stop)
        self.listed: dict[str, DeviceInfo] = {}
        self.handed_out: set[str] = set()
        self.lists = 0
        self.find(*ids)

    def begin(self, *held: str) -> None:
        """Begin when a container has these devices."""
        self.give(*held)
        self.departures.begin()
        self.clock.advance(AFTER)

    def give(self, *held: str) -> None:
        """The kubelet reports that a container has these devices, and that there is another pod."""
        devices = {RESOURCE: frozenset(held), "other.example/x": frozenset("z")}
        self.pods = [Pod("n", "p", [Container("c", devices)]), Pod("n", "q", [])]

    def ask(self) -> None:
        """Something happens after which the kubelet is asked."""
        events_of(self.clock).emit(Kind.REGISTERED, resource=RESOURCE)
        self.clock.advance(GAP)

    def list(self, update: Update) -> None:
        """Apply an update; it must lead to its devices."""
        self.update = update
        apply(self.listed, update)
        self.assertEqual(self.listed, update.devices)
        self.lists += 1

    def find(self, *ids: str) -> None:
        """The scanner finds just these."""
        self.list(self.departures.apply(self.scans.update(devices(*ids)), self.handed_out))

    def states(self) -> dict[str, str]:
        """Return the ids and states in the list."""
        return {id_: info.state for id_, info in self.listed.items()}

    def test_no_grace(self) -> None:
        """With a grace of 0 a device that was handed out is dropped at once, without a timer."""
        self.use(0.0, "a", "b")
        self.handed_out.add("a")
        self.find("b")
        self.assertEqual(self.states(), {"b": HEALTHY})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_short_grace(self) -> None:
        """A grace of less than a second is one too."""
        self.use(0.5, "a")
        self.handed_out.add("a")
        self.find()
        self.assertEqual(self.states(), {"a": UNHEALTHY})
        self.clock.advance(0.5)
        self.assertEqual(self.states(), {})

    def test_handed_out(self) -> None:
        """A device that was handed out is listed, unhealthy, for the grace and then dropped."""
        self.use(GRACE, "a", "b")
        before = self.listed["a"]
        self.handed_out.add("a")
        self.find("b")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})
        self.assertEqual(self.listed["a"].reason, REASON)
        self.assertEqual(self.listed["a"].nodes, before.nodes)
        self.clock.advance(GRACE - 0.5)
        self.assertEqual(self.lists, 2)
        self.clock.advance(0.5)
        self.assertEqual(self.lists, 3)
        self.assertEqual(self.states(), {"b": HEALTHY})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_last_one(self) -> None:
        """When the only device leaves, nothing is listed after the grace."""
        self.use(GRACE, "a")
        self.handed_out.add("a")
        self.find()
        self.assertEqual(self.states(), {"a": UNHEALTHY})
        self.clock.advance(GRACE)
        self.assertEqual(self.states(), {})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_handed_out(self) -> None:
        """A device that no container was given is dropped at once."""
        self.use(GRACE, "a", "b", "c")
        self.handed_out.add("a")
        self.find("b")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})
        self.find()
        self.assertEqual(self.states(), {"a": UNHEALTHY})

    def test_handed_out_but_never_listed(self) -> None:
        """An id that was not listed before is not invented."""
        self.use(GRACE, "a")
        self.handed_out.update({"a", "z"})
        self.find("a")
        self.assertEqual(self.states(), {"a": HEALTHY})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_comes_back(self) -> None:
        """A device that comes back within the grace is as it was found, and its timer is gone."""
        self.use(GRACE, "a", "b")
        self.handed_out.add("a")
        self.find("b")
        self.clock.advance(GRACE - 1)
        self.find("a", "b")
        self.assertEqual(self.listed, devices("a", "b"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leaves_twice(self) -> None:
        """Each time that a device vanishes it has the whole grace."""
        self.use(GRACE, "a", "b")
        self.handed_out.add("a")
        for _ in range(3):
            self.find("b")
            self.clock.advance(GRACE - 1)
            self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})
            self.find("a", "b")
        self.find("b")
        self.clock.advance(GRACE)
        self.assertEqual(self.states(), {"b": HEALTHY})
        self.find("a", "b")
        self.assertEqual(self.states(), {"a": HEALTHY, "b": HEALTHY})
        self.find("b")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})

    def test_other_changes_meanwhile(self) -> None:
        """Changes of other devices neither end nor prolong a grace."""
        self.use(GRACE, "a", "b")
        self.handed_out.add("a")
        self.find("b")
        self.clock.advance(GRACE - 1)
        self.find("b", "c")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY, "c": HEALTHY})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(1)
        self.assertEqual(self.states(), {"b": HEALTHY, "c": HEALTHY})

    def test_each_its_own_grace(self) -> None:
        """Devices that vanish one after the other are dropped one after the other."""
        self.use(GRACE, "a", "b", "c")
        self.handed_out.update("ab")
        self.find("b", "c")
        self.clock.advance(2)
        self.find("c")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": UNHEALTHY, "c": HEALTHY})
        self.clock.advance(GRACE - 2)
        self.assertEqual(self.states(), {"b": UNHEALTHY, "c": HEALTHY})
        self.clock.advance(2)
        self.assertEqual(self.states(), {"c": HEALTHY})

    def test_numa(self) -> None:
        """A device that is leaving stays near its NUMA nodes, and has none when it is gone."""
        self.use(GRACE, "a", "b")
        self.handed_out.add("a")
        self.find("b")
        self.assertEqual(self.update.numa, {"a": (1,), "b": (1,)})
        self.clock.advance(GRACE)
        self.assertEqual(self.update.numa, {"b": (1,)})

    def test_once_more(self) -> None:
        """An update that failed and comes again still lists leaving devices."""
        self.use(GRACE, "a")
        self.handed_out.add("a")
        update = self.scans.update({})
        self.departures.apply(update, self.handed_out)
        self.list(self.departures.apply(update, self.handed_out))
        self.assertEqual(self.states(), {"a": UNHEALTHY})
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_vanished_before(self) -> None:
        """A device that a container has and that is gone at the start has the grace, too."""
        self.use(GRACE, "b")
        self.begin("a")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})
        self.assertEqual(self.listed["a"].reason, REASON_BEFORE)
        self.find("b", "c")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY, "c": HEALTHY})
        self.clock.advance(GRACE)
        self.assertEqual(self.states(), {"b": HEALTHY, "c": HEALTHY})
        self.ask()  # a container has it still
        self.assertEqual(self.states(), {"b": HEALTHY, "c": HEALTHY})
        self.find("a", "b")
        self.find("b")
        self.assertEqual(self.listed["a"].reason, REASON)

    def test_given_before(self) -> None:
        """A device that a container got before the start has the grace when it vanishes."""
        self.use(GRACE, "a", "b", "c")
        self.begin("a", "b")
        self.find("b")
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})

    def test_a_kubelet_that_is_late(self) -> None:
        """A kubelet that knows its pods only later is asked again until it does."""
        self.use(GRACE, "b")
        self.departures.begin()
        self.clock.advance(AFTER)
        self.assertEqual(self.states(), {"b": HEALTHY})
        self.give("a")
        self.clock.pump([0.1] * 20)
        self.assertEqual(self.states(), {"a": UNHEALTHY, "b": HEALTHY})

    def test_not_asked(self) -> None:
        """Without a grace nobody asks the kubelet."""
        self.use(0.0, "b")
        self.begin("a")
        self.assertEqual(self.states(), {"b": HEALTHY})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """Stopping leaves no delayed calls and causes no update; stopping twice is harmless."""
        self.use(GRACE, "a", "b")
        self.handed_out.update("ab")
        self.find()
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)
        self.departures.stop()
        self.departures.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.lists, 2)
