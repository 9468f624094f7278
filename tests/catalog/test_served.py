"""What containers get of the catalogue's devices, over an emulated kubelet."""

import shutil
import tempfile

from twisted.trial.unittest import TestCase

from tests.catalog.test_entries import root
from tests.support.helpers import failure_of
from tests.support.kubelets import PatientKubelet
from twistdp.catalog.loading import chosen
from twistdp.manager import Manager
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.qat import QatScanner
from twistdp.settings import Settings
from twistdp.testing.endpoint import AdmissionRefused

DOMAIN = "x.example.com"


class ServedTests(TestCase):
    """Entries on trees of hosts that have such devices."""

    def setUp(self) -> None:
        """A directory, and a kubelet in it."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.kubelet = PatientKubelet(self.directory, force=True)

    async def serve(self, name: str, tree: str) -> None:
        """Serve the resources of an entry from a tree."""
        (config,) = chosen([name], DOMAIN).values()
        await self.start(DeclaredScanner(config.resources, root(tree)))

    async def start(self, scanner: DeclaredScanner) -> None:
        """Serve what a scanner finds; nodes are files of a tree, so nothing checks them."""
        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)
        settings = Settings(plugin_dir=self.directory, check_nodes=False, check_paths=False)
        manager = Manager(DOMAIN, scanner, settings=settings, settings_of=scanner.settings_of)
        manager.startService()
        self.addCleanup(manager.stopService)

    async def test_numbered(self) -> None:
        """The variables of QAT devices are numbered over those of the container."""
        await self.serve("intel-qat", "intel-qat")
        await self.kubelet.listed(f"{DOMAIN}/dc", ["0000:6c:00.1", "0000:6c:00.2"])
        container = await self.kubelet.allocate(f"{DOMAIN}/dc", 2)
        self.assertEqual(dict(container.envs), {"QAT0": "0000:6c:00.1", "QAT1": "0000:6c:00.2"})
        self.assertEqual(
            sorted(each.host_path for each in container.devices),
            ["/dev/vfio/42", "/dev/vfio/43", "/dev/vfio/vfio"],
        )

    async def test_numbered_by_scanner(self) -> None:
        """The scanner of the entry numbers them likewise, for each container from 0."""
        await self.start(QatScanner(root=root("intel-qat")))
        resource = f"{DOMAIN}/dc-sym"
        await self.kubelet.listed(resource, ["0000:70:00.1", "0000:70:00.2"])
        for pod in ("one", "other"):
            container = await self.kubelet.allocate(resource, pod=pod)
            self.assertEqual([*container.envs], ["QAT0"], pod)

    async def test_queue_of_the_kernel(self) -> None:
        """A container with a work queue of the kernel gets its name, and no node."""
        await self.serve("intel-dsa", "intel-idxd")
        resource = f"{DOMAIN}/wq-kernel-dedicated"
        await self.kubelet.listed(resource, ["0000:6a:01.0-wq.3"])
        container = await self.kubelet.allocate(resource)
        self.assertEqual(dict(container.envs), {"DSA_WQ0": "wq0.3"})
        self.assertEqual(list(container.devices), [])

    async def test_once(self) -> None:
        """A container that wants the same node twice is refused."""
        await self.serve("kvm", "misc")
        resource = f"{DOMAIN}/kvm"
        await self.kubelet.listed(resource, [f"kvm-{number}" for number in range(110)])
        await self.kubelet.allocate(resource, pod="one")
        await self.kubelet.allocate(resource, pod="other")
        await failure_of(self.kubelet.allocate(resource, 2, pod="both"), AdmissionRefused)
