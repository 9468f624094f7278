"""The sizes that docs/performance.md names, in the memory that the manifests allow."""

import os
import re
import shutil
import tempfile

import yaml
from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from tests.memory.cgroup import MemoryGroup
from tests.memory.scanner import ManyScanner
from tests.support.deployments import ROOT, content, printed
from twistdp.testing.kubelet import FakeKubelet
from twistdp.testing.process import ChildProcess, twistd_command

RESOURCE = f"{ManyScanner.namespace}/device"
CHANGES = 5
WAIT = 120.0
"""Seconds for a list, on a machine that has other things to do too."""

AIR = 0.2
"""The part of the limit that stays free."""


def limit() -> int:
    """The bytes that the manifests allow."""
    documents = yaml.safe_load_all(printed("manifests", "--", "--scanner=nowhere:Scanner"))
    (daemon_set,) = [one for one in documents if one["kind"] == "DaemonSet"]
    (container,) = daemon_set["spec"]["template"]["spec"]["containers"]
    memory = container["resources"]["limits"]["memory"]
    return int(memory.removesuffix("Mi")) << 20


def documented() -> list[tuple[int, int]]:
    """How many devices, with how long ids."""
    text = " ".join(content("docs", "performance.md").split())
    (found,) = re.findall(
        r"some (\d+ \d+) devices with ids of (\d+) characters, "
        r"(\d+ \d+) with the longest ids, of (\d+)",
        text,
    )
    numbers = [int(number.replace(" ", "")) for number in found]
    return [(numbers[0], numbers[1]), (numbers[2], numbers[3])]


class LimitTests(TestCase):
    """The whole service, in a group of its own; the kubelet is outside."""

    timeout = 600

    def setUp(self) -> None:
        """Directories, and the group."""
        if os.geteuid() != 0:
            raise SkipTest("needs root, to make a control group")
        try:
            self.group = MemoryGroup(f"twistdp-{os.getpid()}", limit())
        except OSError as error:
            raise SkipTest(f"no control group of memory can be made here: {error}") from error
        self.addCleanup(self.group.remove)
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.plugins, self.things = (os.path.join(self.directory, name) for name in ("p", "t"))
        os.mkdir(self.plugins)
        os.mkdir(self.things)
        self.kubelet = FakeKubelet(self.plugins, reactor=reactor)

    async def live(self, count: int, length: int) -> None:
        """List so many devices, change the list, restart the kubelet, and change it once more."""
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)
        scanner = f"--scanner={ManyScanner.__module__}:{ManyScanner.__qualname__}"
        values = {"directory": self.things, "count": count, "length": length}
        command = [*twistd_command(), "-n", "--pidfile=", "deviceplugin", scanner]
        command += [f"--set={name}={value}" for name, value in values.items()]
        command += [f"--plugin-dir={self.plugins}", "--status-socket="]
        child = ChildProcess(self.group.command(command), reactor=reactor, path=ROOT)
        child.ended.addCallback(lambda status: self.kubelet.say(f"the plugin ended: {status}"))
        self.addCleanup(lambda: child.ended)

        def end() -> None:
            if child.pid:
                child.signal("TERM")

        self.addCleanup(end)

        def listed(unhealthy: int) -> bool:
            resource = self.kubelet.resources.get(RESOURCE)
            return (
                resource is not None
                and resource.connected
                and self.kubelet.capacity(RESOURCE) == count
                and self.kubelet.allocatable(RESOURCE) == count - unhealthy
            )

        async def until_listed(unhealthy: int) -> None:
            await self.kubelet.until(lambda: not child.pid or listed(unhealthy), WAIT)
            self.assertTrue(child.pid, f"it was killed: {child.output}")

        await until_listed(0)
        for number in range(1, CHANGES + 1):
            os.mkdir(os.path.join(self.things, str(number)))
            await until_listed(number)
        await self.kubelet.restart()
        await until_listed(CHANGES)
        os.mkdir(os.path.join(self.things, "last"))
        await until_listed(CHANGES + 1)
        self.assertLess(self.group.peak() / limit(), 1 - AIR)

    async def test_short_ids(self) -> None:
        """As many devices as possible."""
        await self.live(*documented()[0])

    async def test_long_ids(self) -> None:
        """As long ids as possible."""
        await self.live(*documented()[1])
