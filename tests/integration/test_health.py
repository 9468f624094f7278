"""Health checks of a served plugin, up to the kubelet."""

import os
import threading
from collections.abc import Collection
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support.helpers import PATIENCE, stopped, temporary_directory, until
from tests.support.kubelets import PatientKubelet
from twistdp.health import Command, File, HealthChecks, lanes, making
from twistdp.launch.configured import managers_of, read_config
from twistdp.manager import Manager
from twistdp.model.devices import HEALTHY, DeviceInfo, DeviceTree
from twistdp.model.interfaces import INotifier
from twistdp.scan.scanner import WatchingScanner
from twistdp.settings import Settings

GOOD, BAD = {"a": "Healthy"}, {"a": "Unhealthy"}


class Modems(WatchingScanner):
    """One device for each file, with a check of its content."""

    def __init__(self, directory: str) -> None:
        super().__init__([directory], contents=False)
        self.directory = directory
        self.checks = HealthChecks()

    def discover(self) -> DeviceTree:
        """Look at the directory."""
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            check = File(f"{self.directory}/{name}", equals="up", every=0.2, unhealthy_after=1)
            health = self.checks.state(name, [check])
            info = DeviceInfo(health.state, reason=health.reason, envs={"MODEM": name})
            tree.add_device("modem", name, info)
        return tree


class OwnLoop:
    """The same with a loop of its own."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.checks = HealthChecks(self.look)

    def scan(self, notifier: INotifier) -> Deferred[None]:
        """Look, and go on until it is cancelled."""
        self.notifier = notifier
        self.look()
        return Deferred()

    def look(self) -> None:
        """Report the one device."""
        check = File(f"{self.directory}/a", equals="up", every=0.2, unhealthy_after=1)
        health = self.checks.state("a", [check])
        tree = DeviceTree()
        tree.add_device("modem", "a", DeviceInfo(health.state, reason=health.reason))
        self.notifier.notify(tree)


class Hanging(WatchingScanner):
    """Its one device has a check that hangs, and its children too."""

    def __init__(self, directory: str) -> None:
        super().__init__()
        self.checks = HealthChecks()
        note = f"echo $$ >>{directory}/pids"
        script = f"{note}; setsid sh -c '{note}; exec sleep 600' & wait"
        self.check = Command(["/bin/sh", "-c", script], timeout=600.0)

    def discover(self) -> DeviceTree:
        """Report it."""
        tree = DeviceTree()
        tree.add_device("modem", "a", DeviceInfo(self.checks.state("a", [self.check]).state))
        return tree


class ServedTests(TestCase):
    """Scanners with `HealthChecks`, and a kubelet."""

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        """A kubelet, and a directory for devices."""
        directory = temporary_directory(self)
        self.devices, self.plugins = os.path.join(directory, "d"), os.path.join(directory, "p")
        os.mkdir(self.devices)
        os.mkdir(self.plugins)
        self.kubelet = PatientKubelet(self.plugins, force=True)
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)

    def serve(self, scanner: object) -> Manager:
        """Serve what a scanner finds."""
        settings = Settings(plugin_dir=self.plugins)
        manager = Manager("x.example.com", scanner, settings=settings)  # type: ignore[arg-type]
        manager.startService()
        self.addCleanup(stopped, manager)
        return manager

    def write(self, text: str) -> None:
        """The state of the modem."""
        Path(self.devices, "a").write_text(text)

    async def reaches(self, states: Collection[str], resource: str = "modem") -> None:
        """Wait until the kubelet knows these states."""
        name = f"x.example.com/{resource}"
        await self.kubelet.until(lambda: self.kubelet.devices(name) == states)

    async def test_scanner(self) -> None:
        """A result reaches the kubelet at once, without an event and long before a rescan."""
        self.write("up")
        self.serve(Modems(self.devices))
        await self.reaches(GOOD)
        self.assertEqual(self.kubelet.resources["x.example.com/modem"].lists, 1)
        self.write("down")
        await self.reaches(BAD)
        self.write("up")
        await self.reaches(GOOD)

    async def test_own_loop(self) -> None:
        """A scanner with a loop of its own is called when a state has changed."""
        self.write("up")
        self.serve(OwnLoop(self.devices))
        await self.reaches(GOOD)
        self.write("down")
        await self.reaches(BAD)

    async def test_configured(self) -> None:
        """A command of a configuration file decides the state of its device."""
        self.write("up")
        path = Path(self.devices, "devices.yaml")
        path.write_text(
            "domain: x.example.com\nresources:\n  null: {path: /dev/null, id: a, health: "
            f"{{command: [/bin/grep, -q, up, {self.devices}/a], every: 0.2, unhealthyAfter: 1}}}}\n"
        )
        for manager in managers_of(read_config(str(path)), Settings(plugin_dir=self.plugins)):
            manager.startService()
            self.addCleanup(stopped, manager)
        await self.reaches(GOOD, "null")
        self.write("down")
        await self.reaches(BAD, "null")
        self.write("up")
        await self.reaches(GOOD, "null")

    async def test_stop(self) -> None:
        """When the plugin stops, commands end with all that they have started."""
        manager = self.serve(Hanging(self.devices))
        await self.reaches(BAD)
        path = Path(self.devices, "pids")
        await until(lambda: path.exists() and len(path.read_text().split()) == 2)
        await manager.stopService()
        pids = path.read_text().split()
        await until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))

    async def test_many_commands(self) -> None:
        """However many devices have commands, some run at a time and all are made."""
        count = 300
        running = most = 0
        lock = threading.Lock()

        def counted(*arguments: object) -> str | None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return making.make(*arguments)  # type: ignore[arg-type]
            finally:
                with lock:
                    running -= 1

        self.patch(lanes, "make", counted)

        class Many(WatchingScanner):
            def __init__(self) -> None:
                super().__init__()
                self.checks = HealthChecks()

            def discover(self) -> DeviceTree:
                tree = DeviceTree()
                wanted = {
                    f"d{number}": [Command(["/bin/true", str(number)], timeout=PATIENCE)]
                    for number in range(count)
                }
                for id_, health in self.checks.states(wanted).items():
                    tree.add_device("modem", str(id_), DeviceInfo(health.state))
                return tree

        self.serve(Many())
        await self.reaches({f"d{number}": HEALTHY for number in range(count)})
        self.assertEqual(most, 8)
