"""Two plugins for the same resources at once, as while an update surges: the second stands by."""

import os
import shutil
import signal

from twisted.internet import reactor

from tests.integration.test_children import descendants
from tests.integration.test_process import FOLDER, ProcessTestCase
from tests.support.helpers import slowness
from tests.support.http import Reply, ask
from tests.support.kubelets import PatientKubelet
from twistdp.testing.process import ChildProcess

GAP = 0.25
"""Seconds that a kubelet may be without a plugin, at most."""

POD = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""Runs a command in a pid namespace of its own, as pods are."""


class SurgeTests(ProcessTestCase):
    """Real processes and the emulated kubelet."""

    within: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    serving = "process {} serves this resource already"

    def setUp(self) -> None:
        """See `ProcessTestCase`."""
        super().setUp()
        self.sockets_in = self.plugins

    def end(self, child: ChildProcess) -> None:
        """Have a plugin end, as a kubelet does."""
        child.signal("TERM")

    async def readiness(self) -> Reply:
        """What the second plugin answers to its probe."""
        return await ask(f"unix:{self.directory}/http", "/readyz?verbose")

    async def pair(self) -> tuple[ChildProcess, ChildProcess]:
        """A plugin that is registered, and one that stands by."""
        count = len(self.kubelet.registrations)
        first = self.folder_plugin(*self.options, within=self.within)
        await self.kubelet.until(lambda: len(self.kubelet.registrations) > count)
        await self.kubelet.listed(FOLDER, ["a"])
        http = f"--http=unix:{self.directory}/http:mode=600"
        second = self.folder_plugin(http, *self.options, within=self.within)
        await self.printed(second, "waiting until it ends")
        return first, second

    async def test_stands_by(self) -> None:
        """The second is ready although it is not registered, and says so; then it is."""
        await self.kubelet.start()
        self.make("a")
        first, _ = await self.pair()
        reply = await self.readiness()
        self.assertEqual(reply.status, 200, reply.body)
        text = reply.body.decode()
        self.assertIn(f"[+]{FOLDER} ok: standing by: {self.sockets_in}/", text)
        self.assertIn(self.serving.format(first.pid), text)
        self.assertEqual(len(self.kubelet.registrations), 1)
        self.end(first)
        await self.kubelet.until(lambda: len(self.kubelet.registrations) == 2)
        await self.kubelet.listed(FOLDER, ["a"])
        # The kubelet may have the list before the plugin has the answer to its registration.
        while f"[+]{FOLDER} ok\n".encode() not in (reply := await self.readiness()).body:
            pass
        self.assertEqual(reply.status, 200, reply.body)

    async def test_takes_over(self) -> None:
        """The kubelet is without a plugin for milliseconds."""
        await self.kubelet.start()
        self.make("a")
        gaps: list[float] = []
        while min(gaps, default=GAP) >= GAP and len(gaps) < 5:  # this machine may be busy
            first, second = await self.pair()
            count = len(self.kubelet.registrations)
            self.end(first)
            await self.kubelet.until(lambda: not self.kubelet.allocatable(FOLDER))
            begin = reactor.seconds()
            await self.kubelet.until(lambda: len(self.kubelet.registrations) > count)  # noqa: B023
            gaps.append((reactor.seconds() - begin) / slowness())
            self.end(second)
            await second.ended
        self.assertLess(min(gaps), GAP)


class PodSurgeTests(SurgeTests):
    """The same in pods, which do not see each other's processes."""

    if os.geteuid() != 0 or shutil.which("unshare") is None:
        skip = "needs root and unshare(1) for a pid namespace"
    within = POD
    serving = "another process serves this resource already"

    def end(self, child: ChildProcess) -> None:
        """See `SurgeTests.end`; unshare(1) passes no signal on."""
        os.kill(descendants(child.pid)[0], signal.SIGTERM)


class WatcherSurgeTests(SurgeTests):
    """The same with plugins that the kubelet finds."""

    def setUp(self) -> None:
        """A kubelet with a plugins registry."""
        super().setUp()
        self.sockets_in = os.path.join(self.directory, "plugins_registry")
        os.mkdir(self.sockets_in)
        self.kubelet = PatientKubelet(self.plugins, registry_dir=self.sockets_in, force=True)
        self.options = ("--registration=watcher", f"--registry-dir={self.sockets_in}")
