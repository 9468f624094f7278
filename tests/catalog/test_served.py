"""What containers get of the catalogue's devices, over an emulated kubelet."""

import os
import shutil
import tempfile

from twisted.trial.unittest import TestCase

from tests.catalog.test_entries import TREES, page_on_intel, root
from tests.support.helpers import failure_of
from tests.support.kubelets import PatientKubelet
from twistdp.catalog.loading import chosen, load
from twistdp.manager import Manager
from twistdp.recording.layout import lay_out, plug, unplug
from twistdp.recording.root import read_recording
from twistdp.scanners.declared.scanner import DeclaredScanner
from twistdp.scanners.qat import QatScanner
from twistdp.settings import Settings
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.pods import start_problem

DOMAIN = "x.example.com"
ACCELERATOR = "/devices/pci0000:00/0000:00:14.0/usb2/2-1"


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
        self.manager(scanner)

    def manager(self, scanner: DeclaredScanner) -> Manager:
        """A manager that serves what a scanner finds."""
        settings = Settings(plugin_dir=self.directory, check_nodes=False, check_paths=False)
        manager = Manager(DOMAIN, scanner, settings=settings, settings_of=scanner.settings_of)
        manager.startService()
        self.addCleanup(manager.stopService)
        return manager

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

    async def test_gpus_under_wsl(self) -> None:
        """Each GPU is a device under the name that pods know; a container may get shares of both.

        This is what the page on Intel's plugins says.
        """
        config = load(page_on_intel("## GPUs under WSL"))
        await self.start(DeclaredScanner(config.resources, root("intel-gpu")))
        resource = f"{DOMAIN}/dxg"
        await self.kubelet.listed(resource, ["card0-0", "card1-0"])
        for ids, masks in (
            (["card0-0"], {"0"}),
            (["card1-0"], {"1"}),
            (["card0-0", "card1-0"], {"0,1", "1,0"}),
        ):
            container = await self.kubelet.allocate(resource, ids=ids)
            self.kubelet.release("pod")
            self.assertEqual([*container.envs], ["ZE_AFFINITY_MASK"])
            self.assertIn(container.envs["ZE_AFFINITY_MASK"], masks)
            self.assertEqual(
                [(each.host_path, each.permissions) for each in container.devices],
                [("/dev/dxg", "rw")],
            )
            self.assertEqual([each.host_path for each in container.mounts], ["/usr/lib/wsl"])

    async def test_firmware(self) -> None:
        """A container loads a Coral's firmware: the id stays, and only a new pod gets the node.

        So it is when the plugin has restarted, too: the kubelet keeps the old node.
        """
        before, after = (
            read_recording(os.path.join(TREES, f"{name}.umockdev"))
            for name in ("coral", "coral-loaded")
        )
        host = os.path.join(self.directory, "host")
        lay_out(before, host)
        resource, id_ = f"{DOMAIN}/coral-usb", "coral-pci-0000:00:14.0-usbv3-0:1"
        (config,) = chosen(["coral-usb"], DOMAIN).values()

        def serve() -> Manager:
            return self.manager(DeclaredScanner(config.resources, host, self.directory))

        await self.kubelet.start()
        self.addCleanup(self.kubelet.stop)
        manager = serve()
        await self.kubelet.listed(resource, [id_])
        (node,) = (await self.kubelet.allocate(resource)).devices
        self.assertEqual(node.host_path, "/dev/bus/usb/002/003")
        await self.kubelet.start_container()

        states = self.kubelet.resources[resource]
        unplug(before, host, ACCELERATOR)
        manager.rescan()
        await self.kubelet.until(lambda: states.devices == {id_: "Unhealthy"})
        plug(after, host, ACCELERATOR)
        manager.rescan()
        await self.kubelet.until(lambda: states.devices == {id_: "Healthy"})
        self.assertIn("delete the pod", await self.problem())

        await manager.stopService()
        await self.kubelet.until(lambda: not states.connected)
        serve()
        await self.kubelet.until(lambda: states.devices == {id_: "Healthy"})
        self.assertIn("was /dev/bus/usb/002/003 when this pod", await self.problem())
        self.kubelet.release("pod")
        (node,) = (await self.kubelet.allocate(resource, pod="new")).devices
        self.assertEqual(node.host_path, "/dev/bus/usb/002/004")
        await self.kubelet.start_container("new")

    async def problem(self) -> str:
        """Why the container cannot be started now."""
        held = self.kubelet.pods.held("default", "pod", "main")
        return await start_problem(held, self.kubelet.resources)

    async def test_once(self) -> None:
        """A container that wants the same node twice is refused."""
        await self.serve("kvm", "misc")
        resource = f"{DOMAIN}/kvm"
        await self.kubelet.listed(resource, [f"kvm-{number}" for number in range(110)])
        await self.kubelet.allocate(resource, pod="one")
        await self.kubelet.allocate(resource, pod="other")
        await failure_of(self.kubelet.allocate(resource, 2, pod="both"), AdmissionRefused)
