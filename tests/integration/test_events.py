"""The events of a manager's life with an emulated kubelet."""

import os
from typing import Any

from twisted.internet import reactor

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import failure_of, until
from twistdp import UNHEALTHY, DeviceTree, INotifier, WatchingScanner
from twistdp.manager import Manager
from twistdp.settings import Settings
from twistdp.status.events import Event, Kind, events_of
from twistdp.status.progress import Progress
from twistdp.testing.endpoint import AdmissionRefused


class Moody(WatchingScanner):
    """Finds a device, or fails if its file says so."""

    def __init__(self, path: str) -> None:
        super().__init__([path])
        self.path = path

    def discover(self) -> DeviceTree:
        """Find it."""
        if os.path.exists(os.path.join(self.path, "broken")):
            raise OSError("the bus is stuck")
        return tree_of("a")


class Loop:
    """Has a loop of its own, which finds a device and fails each time."""

    def __init__(self) -> None:
        self.calls = 0

    def scan(self, notifier: INotifier) -> None:
        """Find a device, and fail."""
        self.calls += 1
        notifier.notify(tree_of(str(self.calls)))
        raise OSError("the bus is stuck")


class EventTests(LifeTestCase):
    """Each kind is emitted with its facts."""

    def setUp(self) -> None:
        """Follow the events."""
        super().setUp()
        self.got: list[Event] = []
        self.events = events_of(reactor)
        self.addCleanup(self.events.follow(self.got.append))

    def facts(self, kind: Kind, **wanted: Any) -> list[dict[str, Any]]:
        """The facts of the events of a kind that have these values."""
        return [
            dict(event.facts)
            for event in self.got
            if event.kind is kind and wanted.items() <= event.facts.items()
        ]

    async def test_session(self) -> None:
        """A registration, a stream, a list; then a restart, and all of it again."""
        await self.kubelet.start()
        self.manage(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        await until(lambda: self.facts(Kind.REGISTERED, resource=YELLOW))
        self.assertEqual(self.facts(Kind.STREAM_OPENED), [{"resource": YELLOW, "kubelets": True}])
        (sent,) = self.facts(Kind.LIST_SENT, resource=YELLOW)
        self.assertGreater(sent["size"], 0)
        self.assertEqual(sent["skipped"], 0)
        (called,) = self.facts(Kind.CALLED, method="GetDevicePluginOptions")
        self.assertEqual((called["resource"], called["status"]), (YELLOW, "OK"))
        self.assertTrue(0 <= called["seconds"] < 30)
        await self.kubelet.restart()
        await until(lambda: len(self.facts(Kind.REGISTERED)) == 2)
        self.assertEqual(self.facts(Kind.STREAM_ENDED), [{"resource": YELLOW, "kubelets": True}])
        self.assertIn({"directory": self.directory}, self.facts(Kind.KUBELET_APPEARED))

    async def test_refusals(self) -> None:
        """Each attempt that fails has its reason."""
        await self.kubelet.start()
        self.kubelet.refusal = "no thanks"
        self.manage(ToldScanner(tree_of("a")))
        await until(lambda: len(self.facts(Kind.REGISTRATION_FAILED)) > 1)
        reason = self.facts(Kind.REGISTRATION_FAILED)[-1]["reason"]
        self.assertEqual(reason, "the kubelet refused: no thanks; trying again")
        self.assertEqual(self.facts(Kind.REGISTERED), [])

    async def test_devices(self) -> None:
        """Devices that come, go, fall ill and recover."""
        await self.kubelet.start()
        scanner = ToldScanner(tree_of("a", "b"))
        self.manage(scanner)
        await self.kubelet.listed(YELLOW, ["a", "b"])
        scanner.tell(tree_of("b", state=UNHEALTHY))
        scanner.tell(tree_of("b"))
        nothing: dict[str, list[str]] = {"came": [], "went": [], "worse": [], "better": []}
        none = {"added": 0, "removed": 0, "unhealthy": 0, "healthy": 0}
        self.assertEqual(
            self.facts(Kind.DEVICES_CHANGED, resource=YELLOW),
            [
                {
                    "resource": YELLOW,
                    **nothing,
                    "came": ["a", "b"],
                    "touched": ["a", "b"],
                    "changes": {**none, "added": 2},
                    "devices": 2,
                    "unhealthy": 0,
                },
                {
                    "resource": YELLOW,
                    **nothing,
                    "went": ["a"],
                    "worse": ["b (worn out)"],
                    "touched": ["b", "a"],
                    "changes": {**none, "removed": 1, "unhealthy": 1},
                    "devices": 1,
                    "unhealthy": 1,
                },
                {
                    "resource": YELLOW,
                    **nothing,
                    "better": ["b"],
                    "touched": ["b"],
                    "changes": {**none, "healthy": 1},
                    "devices": 1,
                    "unhealthy": 0,
                },
            ],
        )

    async def test_allocations(self) -> None:
        """What was given, and a call that was refused."""
        await self.kubelet.start()
        self.manage(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.allocate(YELLOW, 1)
        self.assertEqual(self.facts(Kind.ALLOCATED), [{"resource": YELLOW, "ids": [["a"]]}])
        (called,) = self.facts(Kind.CALLED, method="Allocate")
        self.assertEqual(called["status"], "OK")

    async def test_a_refused_call(self) -> None:
        """It has gRPC's status."""
        await self.kubelet.start()
        self.manage(ToldScanner(tree_of("a")))
        await self.kubelet.listed(YELLOW, ["a"])
        await failure_of(self.kubelet.allocate(YELLOW, ids=["nobody"]), AdmissionRefused)
        self.assertEqual(
            [each["status"] for each in self.facts(Kind.CALLED, method="Allocate")], ["NOT_FOUND"]
        )
        self.assertEqual(self.facts(Kind.ALLOCATED), [])

    async def test_scans(self) -> None:
        """A scan's duration, its failure and its recovery."""
        place = os.path.join(self.directory, "bus")
        os.mkdir(place)
        await self.kubelet.start()
        self.manage(Moody(place))
        await self.kubelet.listed(YELLOW, ["a"])
        self.assertFalse(self.facts(Kind.SCANNED)[0]["failed"])
        broken = os.path.join(place, "broken")
        with open(broken, "w"):
            pass
        await until(lambda: self.facts(Kind.SCANNED, failed=True))
        (failed,) = self.facts(Kind.SCAN_FAILED)
        self.assertIn("the bus is stuck", failed["reason"])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        os.unlink(broken)
        await until(lambda: self.facts(Kind.SCAN_RECOVERED))
        self.assertEqual(self.facts(Kind.SCAN_RECOVERED)[0]["scanner"], failed["scanner"])

    async def test_own_loop(self) -> None:
        """Each tree of a loop counts as a scan, and so does the end of a loop that fails."""
        await self.kubelet.start()
        progress = Progress(self.events)
        self.addCleanup(progress.stop)
        scanner = Loop()
        self.manage(scanner)
        await until(lambda: len(self.facts(Kind.SCAN_FAILED)) == 2)
        self.assertEqual(
            [each["failed"] for each in self.facts(Kind.SCANNED)][:4], [False, True] * 2
        )
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        (found,) = progress.scanners.values()
        self.assertEqual(found.failing, "OSError: the bus is stuck")
        self.assertIsNotNone(found.time)

    async def test_two_of_a_class(self) -> None:
        """Scanners of one class have two names."""

        class Own(Moody):
            """A class that no other test has."""

        await self.kubelet.start()
        places = [os.path.join(self.directory, name) for name in ("one", "two")]
        for number, place in enumerate(places):
            os.mkdir(place)
            manager = Manager(
                f"d{number}.example.com", Own(place), settings=Settings(plugin_dir=self.directory)
            )
            manager.startService()
            self.addCleanup(manager.stopService)
        await until(lambda: len({each["scanner"] for each in self.facts(Kind.SCANNED)}) == 2)
        with open(os.path.join(places[1], "broken"), "w"):
            pass
        await until(lambda: self.facts(Kind.SCAN_FAILED))
        (failed,) = self.facts(Kind.SCAN_FAILED)
        self.assertRegex(failed["scanner"], r":.*\.Own#2$")
        self.flushLoggedErrors(OSError)
