"""``twistd deviceplugin`` as a process whose wall clock is set."""

import signal
import time

from twisted.internet.defer import TimeoutError

from tests.integration.test_process import FOLDER, ProcessTestCase
from tests.support.clocks import STEPS, WallClock, reactors_wall_clock
from tests.support.helpers import soon
from twistdp import Manager, Settings
from twistdp.scanners.globbing import GlobScanner


class ClockTests(ProcessTestCase):
    """Steps of seconds to years, before the start and later, forward and back."""

    timeout = 300

    async def follow(self, clock: WallClock) -> None:
        """Set the clock again and again; each device is listed in time nevertheless."""
        plugin = self.folder_plugin(env=clock.env)
        for number, step in enumerate(STEPS):
            self.make(f"{number}")
            # The first time, the plugin starts meanwhile.
            await self.kubelet.listed(FOLDER, [str(n) for n in range(number + 1)], 20.0)
            clock.set(step)
        await self.kubelet.restart()
        await self.kubelet.listed(FOLDER, [str(n) for n in range(len(STEPS))])
        plugin.signal("TERM")
        self.assertEqual(await plugin.ended, -signal.SIGTERM, plugin.output)
        self.assertNotRegex(plugin.output, r"(?m)^E")

    async def test_plugin(self) -> None:
        """A plugin sees hot plug and kubelets at once, whenever the clock is set."""
        await self.kubelet.start()
        await self.follow(WallClock(self.directory))

    async def test_plugin_that_starts_with_a_wrong_clock(self) -> None:
        """So does one that has started ten years ago, by its clock."""
        await self.kubelet.start()
        await self.follow(WallClock(self.directory, min(STEPS)))

    async def test_manager_in_an_application(self) -> None:
        """A manager in another Twisted application, whose reactor is Twisted's, does as well."""
        await self.kubelet.start()
        set_clock = reactors_wall_clock(self)
        manager = Manager(
            "folder.example.com",
            GlobScanner("file", f"{self.devices}/*", nodes_only=False),
            settings=Settings(plugin_dir=self.plugins),
        )
        manager.startService()
        self.addCleanup(manager.stopService)
        self.make("a")
        await self.kubelet.listed(FOLDER, "a")
        set_clock(-3600.0)
        self.make("b")
        await self.kubelet.listed(FOLDER, "ab")

    async def test_emulated_kubelet(self) -> None:
        """The emulated kubelet waits as long as it announces."""
        set_clock = reactors_wall_clock(self)
        await self.kubelet.start()
        begun, waiting = time.monotonic(), self.kubelet.until(lambda: False, 0.2)
        set_clock(-3600.0)
        await self.assertFailure(soon(waiting), TimeoutError)
        self.assertLess(time.monotonic() - begun, 25.0)
