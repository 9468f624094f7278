"""Every example runs against a kubelet and does what it says."""

import json
import os
import shutil
import tempfile
from typing import Any

from twisted.trial.unittest import TestCase

from examples.camera import CameraScanner
from examples.fpga import FpgaScanner
from examples.gpu import GpuScanner
from examples.modem import ModemScanner
from examples.reserving import ReservingScanner
from examples.resetting import ResettingScanner
from tests.support.kubelets import PatientKubelet
from twistdp import Manager, Settings
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.kubelet import FakeKubelet


class ExampleTests(TestCase):
    """Plain files stand for device nodes: the plugins only look at names."""

    def setUp(self) -> None:
        """A kubelet's directory, one for devices and one for CDI specs."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        for name in ("plugins", "devices", "cdi"):
            os.mkdir(os.path.join(self.directory, name))
        self.devices = os.path.join(self.directory, "devices")
        self.cdi = os.path.join(self.directory, "cdi")

    def make(self, *names: str) -> None:
        """Files in the devices' directory."""
        for name in names:
            with open(os.path.join(self.devices, name), "w", encoding="ascii"):
                pass

    async def serve(self, scanner: Any, resource: str, **settings: Any) -> FakeKubelet:
        """Have a scanner's devices listed."""
        plugins = os.path.join(self.directory, "plugins")
        kubelet = PatientKubelet(plugins)
        await kubelet.start()
        self.addCleanup(kubelet.stop)
        manager = Manager(
            scanner.namespace,
            scanner,
            settings=Settings(plugin_dir=plugins, cdi_dir=self.cdi, check_nodes=False, **settings),
        )
        manager.startService()
        self.addCleanup(manager.stopService)
        await kubelet.until(lambda: kubelet.allocatable(resource) > 0)
        return kubelet

    async def test_modem(self) -> None:
        """A modem is given while its program says so and its state file does not deny it."""
        self.make("m0", "m1")
        probe = os.path.join(self.directory, "probe")
        with open(probe, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\ncase $1 in *m1) echo no carrier; exit 1;; esac\n")
        os.chmod(probe, 0o755)
        scanner = ModemScanner(self.devices, probe, self.directory)
        resource = "modem.example.com/modem"
        kubelet = await self.serve(scanner, resource)
        await kubelet.until(
            lambda: kubelet.devices(resource) == {"m0": "Healthy", "m1": "Unhealthy"}
        )
        refused = "the modem does not answer: the command exited with status 1: no carrier"
        self.assertEqual(scanner.discover()["modem"]["m1"].reason, refused)
        with open(os.path.join(self.directory, "m0"), "w", encoding="ascii") as file:
            file.write("down")
        await kubelet.until(
            lambda: kubelet.devices(resource) == {"m0": "Unhealthy", "m1": "Unhealthy"}
        )

    async def test_gpu(self) -> None:
        """Shares of one card are taken first, and a container of two cards sees both numbers."""
        self.make("card0", "renderD129", "card1", "renderD128", "card2")
        sysfs = os.path.join(self.directory, "sys")
        for card, names in (("card0", ("card0", "renderD129")), ("card1", ("card1", "renderD128"))):
            for name in (*names, "version"):
                os.makedirs(os.path.join(sysfs, "class/drm", card, "device/drm", name))
        found = GpuScanner(self.devices, sysfs=sysfs).discover()["card"]
        self.assertEqual([len(info.nodes) for info in found.values()], [2, 2, 1])
        os.unlink(os.path.join(self.devices, "card2"))
        resource = "gpu.example.com/card"
        scanner = GpuScanner(self.devices, shares=2, sysfs=sysfs)
        kubelet = await self.serve(scanner, resource, preferred="numa")
        self.assertEqual(kubelet.capacity(resource), 4)
        answer = await kubelet.allocate(resource, 2, pod="one")
        self.assertEqual(dict(answer.envs), {"VISIBLE_CARDS": "0"})
        self.assertEqual(
            [os.path.basename(node.host_path) for node in answer.devices], ["card0", "renderD129"]
        )
        kubelet.release("one")
        answer = await kubelet.allocate(resource, 3, pod="two")
        self.assertEqual(dict(answer.envs), {"VISIBLE_CARDS": "0,1"})

    async def test_fpga(self) -> None:
        """The mode is added to the annotations that are there."""
        self.make("port0")
        kubelet = await self.serve(FpgaScanner(self.devices), "fpga.example.com/af")
        answer = await kubelet.allocate("fpga.example.com/af")
        self.assertEqual(
            dict(answer.annotations),
            {"fpga.example.com/port0": "present", "fpga.example.com/mode": "af"},
        )

    async def test_reserving(self) -> None:
        """What cannot be reserved is refused with the reason; otherwise the default answers."""
        self.make("scope0", "scope1", "scope1.reserved")
        resource = "lab.example.com/scope"
        kubelet = await self.serve(ReservingScanner(self.devices), resource)
        answer = await kubelet.allocate(resource, ids=["scope0"])
        self.assertEqual(os.path.basename(answer.devices[0].host_path), "scope0")
        self.assertTrue(os.path.exists(os.path.join(self.devices, "scope0.reserved")))
        refused = await self.assertFailure(
            kubelet.allocate(resource, ids=["scope1"]), AdmissionRefused
        )
        self.assertIn("scope1 is reserved by somebody outside Kubernetes", str(refused))

    async def test_resetting(self) -> None:
        """A device is reset before its container starts."""
        self.make("modem0")
        resource = "modem.example.com/modem"
        kubelet = await self.serve(ResettingScanner(self.devices), resource)
        await kubelet.resources[resource].start_container(["modem0"])
        self.assertTrue(os.path.exists(os.path.join(self.devices, "modem0.reset")))

    async def test_camera(self) -> None:
        """The name that a container gets is described in the spec, with the owner asked for."""
        self.make("video0")
        resource = "camera.example.com/camera"
        kubelet = await self.serve(CameraScanner(self.devices, uid=1234), resource)
        answer = await kubelet.allocate(resource)
        (name,) = [device.name for device in answer.cdi_devices]
        (file,) = [n for n in os.listdir(self.cdi) if n.endswith(".json")]
        with open(os.path.join(self.cdi, file), encoding="utf-8") as text:
            spec = json.load(text)
        (device,) = spec["devices"]
        self.assertEqual(name, f"{spec['kind']}={device['name']}")
        (node,) = device["containerEdits"]["deviceNodes"]
        self.assertEqual((node["path"], node["uid"]), ("/dev/video0", 1234))

    async def test_camera_without_its_spec(self) -> None:
        """A pod is refused with the reason rather than started without its camera."""
        self.make("video0")
        resource = "camera.example.com/camera"
        shutil.rmtree(self.cdi)
        with open(self.cdi, "w", encoding="ascii"):
            kubelet = await self.serve(CameraScanner(self.devices), resource)
        refused = await self.assertFailure(kubelet.allocate(resource), AdmissionRefused)
        self.assertIn("FAILED_PRECONDITION", str(refused))
        self.assertIn("CDI spec", str(refused))
        os.unlink(self.cdi)
        answer = await kubelet.allocate(resource)
        self.assertEqual(len(answer.cdi_devices), 1)
