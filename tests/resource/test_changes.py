"""Tests for `twistdp.resource.changes` and `twistdp.resource.crowd`, on a clock."""

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.support.logs import HEADER, LogTestCase
from tests.support.updates import first
from twistdp import HEALTHY, UNHEALTHY, DeviceInfo
from twistdp.errors import PeerUnavailable
from twistdp.kubelet.holdings import Holdings
from twistdp.kubelet.podresources import Container, Pod
from twistdp.kubelet.questions import AFTER
from twistdp.logs.format import as_json
from twistdp.model import Devices, Update
from twistdp.resource.changes import FIRST, LONGEST, SHORTEST, SOON, WITHIN, ChangeLog
from twistdp.resource.crowd import AT_ONCE, PERIOD
from twistdp.resource.inventory import Inventory
from twistdp.resource.summary import change

WELL = DeviceInfo(HEALTHY)
HOT = DeviceInfo(UNHEALTHY, reason="hot")


class One:
    """A resource with these devices, whose changes are logged."""

    def __init__(
        self,
        name: str,
        holdings: Holdings,
        clock: Clock,
        earlier: dict[str, Any],
        **devices: DeviceInfo,
    ) -> None:
        self.inventory = Inventory(name, first({}))
        self.log = ChangeLog(name, self.inventory, holdings, clock, earlier)
        self.become(**devices)

    def become(self, **devices: DeviceInfo) -> None:
        """Have other devices."""
        before: Devices = self.inventory.devices
        changed = [id_ for id_, info in devices.items() if before.get(id_) != info]
        update = Update(devices, changed, [id_ for id_ in before if id_ not in devices])
        self.inventory.update(update)
        self.log.look(before, change(before, update))


class ChangesTestCase(LogTestCase):
    """Resources on a clock, and a kubelet."""

    def setUp(self) -> None:
        """No pod has a device."""
        super().setUp()
        self.clock = Clock()
        self.pods: Deferred[list[Pod]] = fail(PeerUnavailable("UNAVAILABLE", ""))
        self.asked = 0
        self.earlier: dict[str, Any] = {}
        self.holdings = Holdings(self.list_pods, self.clock)

    def list_pods(self) -> Deferred[list[Pod]]:
        """Return the kubelet's answer."""
        self.asked += 1
        return self.pods

    def give(self, *ids: str) -> None:
        """A pod has these devices."""
        self.pods.addErrback(lambda failure: None)
        self.pods = succeed([Pod("ns", "p", [Container("main", {"a/x": frozenset(ids)})])])

    def one(self, name: str = "a/x", **devices: DeviceInfo) -> One:
        """Return a resource with these devices."""
        return One(name, self.holdings, self.clock, self.earlier, **devices)

    def logged(self) -> list[str]:
        """Return the lines since the last call: severities and texts."""
        found = [HEADER.fullmatch(line) for line in self.lines]
        self.kept.written.clear()
        return [f"{each['severity']} {each['rest']}" for each in found if each]

    def tearDown(self) -> None:
        """Handle the failure."""
        self.pods.addErrback(lambda failure: None)


class GatheringTests(ChangesTestCase):
    """One resource whose devices change often."""

    def flap(self, one: One, times: int, every: float) -> None:
        """Have the device b come and go."""
        for _ in range(times):
            one.become(a=WELL)
            self.clock.advance(every / 2)
            one.become(a=WELL, b=WELL)
            self.clock.advance(every / 2)

    def test_bounded(self) -> None:
        """A device that flaps for an hour is some lines, with the number of its changes."""
        one = self.one(a=WELL, b=WELL)
        self.logged()
        self.flap(one, 3600, 1.0)
        lines = self.logged()
        self.assertLess(len(lines), 75)
        self.assertEqual(lines[: FIRST - 1], ["I a/x: 1 device (-b)", "I a/x: 2 devices (+b)"] * 2)
        self.assertRegex(lines[-1], r"^W a/x: .*; 120 changes in .* s: b 120 times$")

    def test_the_last_state(self) -> None:
        """The result of gathered changes is logged, and nothing after that."""
        one = self.one(a=WELL, b=WELL)
        self.flap(one, FIRST, 0.1)
        one.become(a=WELL, b=HOT)
        self.logged()
        self.clock.advance(SHORTEST)
        (line,) = self.logged()
        self.assertRegex(
            line, r"^W a/x: 2 devices, 1 unhealthy \(unhealthy: b \(hot\)\); 7 changes"
        )
        self.clock.pump([1.0] * int(3 * LONGEST))
        self.assertEqual(self.logged(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        one.become(a=WELL)
        self.assertEqual(self.logged(), ["I a/x: 1 device, (-b)".replace(",", "")], "at once again")

    def test_nothing_left(self) -> None:
        """Changes that cancel out are a line, too; one that flaps is a warning."""
        one = self.one(a=WELL, b=WELL)
        self.flap(one, FIRST, 0.1)
        self.logged()
        self.clock.advance(SHORTEST)
        self.assertEqual(self.logged(), ["W a/x: 2 devices; 6 changes in 2.3 s: b 6 times"])

    def test_why(self) -> None:
        """The line has the last reason of a device that is healthy again."""
        one = self.one(a=WELL, b=WELL)
        self.flap(one, FIRST, 0.1)
        one.become(a=WELL, b=HOT)
        one.become(a=WELL, b=WELL)
        self.logged()
        self.clock.advance(SHORTEST)
        (line,) = self.logged()
        self.assertTrue(line.endswith(": b 8 times; unhealthy at last: b (hot)"), line)

    def test_few(self) -> None:
        """Changes of many devices once each are no flapping; a single change is as usual."""
        one = self.one()
        for number in range(FIRST - 1):
            one.become(**{f"b{number}": WELL})
        self.logged()
        one.become(b0=WELL)
        one.become(b0=WELL, c=WELL)
        self.clock.advance(SHORTEST)
        (line,) = self.logged()
        self.assertRegex(line, r"^I a/x: 2 devices \(\+b0 \+c -b3\); 2 changes in 2 s$")
        one.become(b0=WELL)
        self.clock.advance(2 * SHORTEST)
        self.assertEqual(self.logged(), ["I a/x: 1 device (-c)"])

    def test_another_device(self) -> None:
        """While one flaps, the change of another is logged soon."""
        one = self.one(a=WELL, b=WELL)
        self.flap(one, 60, 1.0)
        self.logged()
        one.become(a=HOT, b=WELL)
        self.clock.advance(SOON)
        (line,) = self.logged()
        self.assertIn("unhealthy: a (hot)", line)

    def test_slow(self) -> None:
        """Changes that are rare are logged one by one."""
        one = self.one(a=WELL)
        self.clock.advance(WITHIN)
        self.flap(one, 20, 2 * WITHIN / FIRST + 1)
        self.assertEqual(len(self.logged()), 41)

    def test_stop(self) -> None:
        """The end of the resource logs the rest, and leaves nothing planned."""
        one = self.one(a=WELL, b=WELL)
        self.flap(one, FIRST, 0.1)
        self.logged()
        one.log.stop()
        self.assertEqual(len(self.logged()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class EndingTests(ChangesTestCase):
    """A resource that ends with its only device, and is there again with it."""

    def flap(self, times: int) -> None:
        """Have the device come and go."""
        for _ in range(times):
            one = self.one(a=WELL)
            self.clock.advance(0.05)
            one.become()
            one.log.stop()
            self.clock.advance(0.05)

    def test_bounded(self) -> None:
        """Such a resource has as few lines as another one, and its end is logged."""
        self.flap(600)
        self.clock.pump([1.0] * int(3 * LONGEST))
        lines = self.logged()
        self.assertLess(len(lines), 14)
        self.assertEqual(lines[:2], ["I a/x: 1 device (+a)", "I a/x: 0 devices (-a)"])
        self.assertRegex(lines[-1], r"^W a/x: 0 devices.*; \d+ changes in .* s: a \d+ times$")
        counts = [int(line.split(" changes")[0].split()[-1]) for line in lines if "changes" in line]
        self.assertEqual(sum(counts) + len(lines) - len(counts), 1200)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_back_while_many_change(self) -> None:
        """What waits for the line of many when the device is back is logged once."""
        self.flap(10)
        self.clock.advance(SHORTEST - 0.8)
        for number in range(AT_ONCE):
            self.one(f"b/{number}", a=WELL)
        self.clock.advance(0.1)  # what was gathered is due now
        self.one(a=WELL)
        self.clock.pump([1.0] * int(3 * LONGEST))
        lines = [line for line in self.logged() if "a/x" in line]
        counts = [int(line.split(" changes")[0].split()[-1]) for line in lines if "changes" in line]
        self.assertEqual(sum(counts) + len(lines) - len(counts), 21, lines)

    def test_calm_again(self) -> None:
        """Long after that, it is logged at once."""
        self.flap(10)
        self.clock.pump([1.0] * int(3 * LONGEST))
        self.logged()
        self.flap(1)
        self.assertEqual(len(self.logged()), 2)

    def test_close(self) -> None:
        """Where all ends, the rest is logged, and nothing is planned."""
        self.flap(10)
        self.logged()
        self.earlier.popitem()[1].close()
        self.assertEqual(len(self.logged()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_forgotten(self) -> None:
        """Resources that are gone for long are not remembered."""
        for number in range(10):
            one = self.one(f"a/x-{number}", a=WELL)
            one.become()
            one.log.stop()
            self.clock.advance(WITHIN)
        self.assertLess(len(self.earlier), 3)

    def test_stays(self) -> None:
        """If the device stays, that is the last line."""
        self.flap(10)
        self.logged()
        self.one(a=WELL)
        self.clock.pump([1.0] * int(3 * LONGEST))
        self.assertRegex(self.logged()[-1], r"^W a/x: 1 device.*; 16 changes in .* s: a \d+ times$")


class CrowdTests(ChangesTestCase):
    """Many resources that change at the same time."""

    def setUp(self) -> None:
        """There are 200 of them."""
        super().setUp()
        self.all = [self.one(f"a/x-{n}", **{f"b{n}": WELL}) for n in range(200)]

    def test_first_lists(self) -> None:
        """Some have a line each, the others one together."""
        self.assertEqual(len(self.logged()), AT_ONCE)
        self.clock.advance(PERIOD)
        (line,) = self.logged()
        self.assertRegex(line, r"^I 190 more resources have changed, a/x-10, .* and 184 more: 190 ")
        self.assertIn("190 devices (+b10 +b11 ", line)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unhealthy(self) -> None:
        """The line of many is a warning, with reasons."""
        self.clock.advance(PERIOD)
        self.clock.advance(PERIOD)
        self.logged()
        for n, one in enumerate(self.all):
            one.become(**{f"b{n}": HOT})
        self.logged()
        self.clock.advance(PERIOD)
        lines = self.logged()
        self.assertEqual(len(lines), 1)
        self.assertRegex(
            lines[0], r"^W 190 .*: 190 devices, 190 unhealthy \(unhealthy: b10 \(hot\)"
        )

    def test_few(self) -> None:
        """A few that are too many at once have a line each."""
        self.clock.advance(2 * PERIOD)
        self.clock.advance(PERIOD)
        self.logged()
        for one in self.all[: AT_ONCE + 2]:
            one.become()
        self.assertEqual(len(self.logged()), AT_ONCE)
        self.clock.advance(PERIOD)
        self.assertEqual(len(self.logged()), 2)

    def test_stop(self) -> None:
        """The end of all logs the rest in one line, and leaves nothing planned."""
        for one in self.all:
            one.log.stop()
        *_, line = lines = self.logged()
        self.assertEqual(len(lines), AT_ONCE + 1)
        self.assertRegex(line, r"^I 190 more resources have changed, a/x-10, .*: 190 devices ")
        self.assertEqual(self.clock.getDelayedCalls(), [])


class InUseTests(ChangesTestCase):
    """Devices that containers have."""

    def test_known(self) -> None:
        """Where the kubelet's answer is known, the line names the container and is a warning."""
        self.give("b", "c")
        self.addCleanup(self.holdings.follow())
        self.clock.advance(AFTER)
        one = self.one(a=WELL, b=WELL, c=WELL)
        self.logged()
        one.become(c=WELL)
        self.assertEqual(self.logged(), ["W a/x: 1 device (-a -b); in use: b by ns/p (main)"])
        one.become(c=HOT)
        (line,) = self.logged()
        self.assertTrue(line.endswith("(unhealthy: c (hot)); in use: c by ns/p (main)"), line)

    def test_asked(self) -> None:
        """Otherwise the kubelet is asked, and a second line names it."""
        self.give("b")
        one = self.one(a=WELL, b=WELL)
        self.clock.advance(1)
        self.assertEqual(self.asked, 0, "the first list asks nobody")
        self.logged()
        one.become()
        self.assertEqual(self.logged(), ["I a/x: 0 devices (-a -b)"])
        self.clock.advance(AFTER)
        text = "W a/x: devices that are gone or unhealthy are in use: b by ns/p (main)"
        self.assertEqual(self.logged(), [text])
        self.assertEqual(self.asked, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_resources(self) -> None:
        """The line of many resources names the containers, too."""
        self.give("b")
        self.addCleanup(self.holdings.follow())
        self.clock.advance(AFTER)
        others = [self.one(f"a/x-{n}", b=WELL) for n in range(AT_ONCE + 3)]
        one = self.one(b=WELL)
        self.clock.advance(PERIOD)
        self.clock.advance(PERIOD)
        self.logged()
        for each in (*others, one):
            each.become()
        self.clock.advance(PERIOD)
        line = self.logged()[-1]
        self.assertTrue(line.startswith("W 4 more resources have changed"), line)
        self.assertTrue(line.endswith("; in use: b by ns/p (main)"), line)

    def test_many_resources_asked(self) -> None:
        """Where the answer is not known, one question brings one line for all of them."""
        self.pods.addErrback(lambda failure: None)
        held = {f"a/x-{n}": frozenset("b") for n in range(2 * AT_ONCE)}
        self.pods = succeed([Pod("ns", "p", [Container("main", held)])])
        every = [self.one(f"a/x-{n}", b=WELL) for n in range(2 * AT_ONCE)]
        self.clock.pump([PERIOD] * 2)
        self.assertEqual(self.asked, 0, "the first lists ask nobody")
        self.logged()
        for each in every:
            each.become()
        self.clock.advance(AFTER)
        self.logged()
        self.asked = 0
        self.clock.advance(PERIOD)
        self.clock.advance(PERIOD)
        gathered, in_use = self.logged()
        self.assertTrue(gathered.startswith("I 10 more resources have changed"), gathered)
        self.assertEqual(
            in_use,
            "W a/x-10, a/x-11, a/x-12, a/x-13, a/x-14, a/x-15 and 4 more: devices that are gone or "
            "unhealthy are in use: " + ", ".join(["b by ns/p (main)"] * 6) + " and 4 more",
        )
        self.assertEqual(self.asked, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_resources_stop(self) -> None:
        """The end of the resources ends their questions."""
        every = [self.one(f"a/x-{n}", b=WELL) for n in range(2 * AT_ONCE)]
        self.clock.pump([PERIOD] * 2)
        for each in every:
            each.become(b=HOT)
        self.clock.advance(PERIOD)
        for each in every:
            each.log.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_in_use(self) -> None:
        """Nothing more is logged of others, nor if the kubelet does not answer."""
        nobody: Deferred[list[Pod]] = succeed([])
        for pods in (self.pods, nobody):
            self.pods = pods
            one = self.one(a=WELL)
            one.become()
            self.logged()
            self.clock.advance(2)
            self.assertEqual(self.logged(), [])

    def test_stop(self) -> None:
        """The end of the resource ends the question."""
        one = self.one(a=WELL, b=WELL)
        one.become(a=WELL)
        one.log.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_last_device(self) -> None:
        """A resource ends when its last device is gone, and who has that is logged."""
        self.give("b")
        one = self.one(b=WELL)
        one.become()
        one.log.stop()
        self.logged()
        self.clock.advance(AFTER)
        text = "W a/x: devices that are gone or unhealthy are in use: b by ns/p (main)"
        self.assertEqual(self.logged(), [text])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FactsTests(ChangesTestCase):
    """The same for programs."""

    form = staticmethod(as_json)

    def test_facts(self) -> None:
        """Constant messages, and values as fields."""
        self.give("b")
        self.addCleanup(self.holdings.follow())
        self.clock.advance(AFTER)
        one = self.one(a=WELL, b=WELL)
        one.become(a=WELL)
        line = json.loads(self.lines[-1])
        user = {"id": "b", "namespace": "ns", "pod": "p", "container": "main"}
        self.assertEqual(
            (line["msg"], line["went"], line["inUse"]), ("devices changed", ["b"], [user])
        )
        for _ in range(FIRST):
            one.become(a=WELL, c=WELL)
            one.become(a=WELL)
        self.clock.advance(SHORTEST)
        line = json.loads(self.lines[-1])
        self.assertEqual((line["changes"], line["often"]), (7, {"c": 7}))
        for n in range(2 * AT_ONCE):
            self.one(f"a/x-{n}", **{f"b{n}": HOT})
        self.clock.advance(PERIOD)
        line = json.loads(self.lines[-1])
        self.assertEqual(line["msg"], "devices of many resources changed")
        count = AT_ONCE + 1  # with a/x itself
        self.assertEqual((line["count"], line["unhealthy"]), (count, count))
        self.assertEqual(line["changes"]["added"], count)
