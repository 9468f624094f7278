"""Entries of the catalogue on the devices of this machine, with hot plug of loop devices."""

import errno
import fcntl
import os
import shutil
import stat
import tempfile

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.catalog.test_entries import YIELDS, listed
from tests.support.kubelets import PatientKubelet
from twistdp.catalog.loading import chosen
from twistdp.launch.configured import managers_of
from twistdp.recording.layout import lay_out
from twistdp.recording.recorder import record
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.select.host import Host
from twistdp.settings import Settings

DOMAIN = "here.example.com"
NODES = {"kvm": "/dev/kvm", "fuse": "/dev/fuse", "tun": "/dev/net/tun"}
CONTROL = "/dev/loop-control"
ADD, REMOVE = 0x4C80, 0x4C81  # of <linux/loop.h>
FIRST_FREE = 200


def is_character_device(path: str) -> bool:
    """Whether there is such a node."""
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False


class HereTests(TestCase):
    """Served to an emulated kubelet."""

    def setUp(self) -> None:
        """A kubelet that runs."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.kubelet = PatientKubelet(self.directory, force=True)

    async def serve(self, *names: str) -> None:
        """Serve entries, as ``--catalog`` does."""
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)
        settings = Settings(plugin_dir=self.directory)
        for config in chosen(names, DOMAIN).values():
            for manager in managers_of(config, settings):
                manager.startService()
                self.addCleanup(manager.stopService)

    async def test_nodes(self) -> None:
        """kvm, fuse and tun are listed if this machine has them, and are given as they are."""
        here = {name for name, path in NODES.items() if is_character_device(path)}
        if not here:
            raise SkipTest("this machine has none of kvm, fuse and tun")
        await self.serve(*NODES)
        for name in here:
            wanted = [f"{NODES[name].removeprefix('/dev/').replace('/', '_')}-{number}"
                      for number in range(110)]  # fmt: skip
            await self.kubelet.listed(f"{DOMAIN}/{name}", wanted)
            container = await self.kubelet.allocate(f"{DOMAIN}/{name}", pod=name)
            self.assertEqual(
                [(each.host_path, each.container_path) for each in container.devices],
                [(NODES[name], NODES[name])],
            )

    def test_recorded(self) -> None:
        """A recording of this machine yields the devices that the machine has."""
        directory = os.path.join(self.directory, "replayed")
        lay_out(record(Host()), directory)
        # Other programs may make loop devices meanwhile; a recording has no /usr/lib/wsl.
        names = [name for name in YIELDS if name not in ("loop", "intel-gpu-wsl")]
        for name in names:
            (config,) = chosen([name], DOMAIN).values()
            here, replayed = (
                DeclaredScanner(config.resources, where).discover() for where in ("/", directory)
            )
            self.assertEqual(listed(replayed), listed(here), name)

    async def test_hot_plug(self) -> None:
        """A loop device is listed when it appears, and no more when it is gone."""
        if not (is_character_device(CONTROL) and os.geteuid() == 0):
            raise SkipTest("making a loop device needs root and the loop driver")
        control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
        self.addCleanup(os.close, control)
        await self.serve("loop")
        number = self._add(control)
        self.addCleanup(self._remove, control, number)
        await self._is_listed(f"loop{number}", True)
        self._remove(control, number)
        await self._is_listed(f"loop{number}", False)

    def _is_listed(self, id_: str, wanted: bool) -> Deferred[None]:
        resources = self.kubelet.resources
        return self.kubelet.until(
            lambda: (
                f"{DOMAIN}/loop" in resources
                and (id_ in resources[f"{DOMAIN}/loop"].devices) == wanted
            )
        )

    def _add(self, control: int) -> int:
        for number in range(FIRST_FREE, FIRST_FREE + 100):
            try:
                return int(fcntl.ioctl(control, ADD, number))
            except FileExistsError:
                continue
        raise AssertionError("a hundred loop devices are in use")

    def _remove(self, control: int, number: int) -> None:
        try:
            fcntl.ioctl(control, REMOVE, number)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
