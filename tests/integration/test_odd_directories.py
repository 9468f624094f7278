"""Plugins, registries and CDI specs in directories whose names mean something to URIs or shells."""

import json
import os

from twisted.internet import reactor

from tests.integration.test_life import DOMAIN, YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.integration.test_watcher import WatcherTestCase
from tests.support.kubelets import PatientKubelet
from twistdp import HEALTHY, CDIDevice, CDINode, DeviceInfo, DeviceTree
from twistdp.cdi.files import file_name

ODD = "a b,c#d?e%25%zz\n\"'\\é"


class PluginDirectoryTests(LifeTestCase):
    """With registration at the kubelet's socket."""

    async def test_life(self) -> None:
        """Devices are listed, plugged, allocated and described, over a kubelet's restart."""
        plugins, specs = (os.path.join(self.directory, ODD, name) for name in ("p", "s"))
        os.makedirs(plugins)
        os.mkdir(specs)
        self.kubelet = PatientKubelet(plugins, reactor=reactor)
        await self.kubelet.start()
        self.directory = plugins
        tree = DeviceTree()
        cdi = CDIDevice(nodes=[CDINode("/dev/null")])
        tree.add_device("yellow", "aa", DeviceInfo(HEALTHY, cdi=cdi))
        scanner = ToldScanner(tree)
        self.manage(scanner, cdi_dir=specs)
        await self.kubelet.listed(YELLOW, ["aa"])
        answer = await self.kubelet.allocate(YELLOW, ids=["aa"])
        self.assertEqual([one.name for one in answer.cdi_devices], [f"{YELLOW}=aa"])
        with open(os.path.join(specs, file_name(DOMAIN, "yellow")), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["devices"][0]["name"], "aa")
        await self.kubelet.restart()
        await self.kubelet.listed(YELLOW, ["aa"])
        scanner.tell(tree_of("aa", "b"))
        await self.kubelet.listed(YELLOW, ["aa", "b"])


class RegistryTests(WatcherTestCase):
    """With a kubelet that finds the plugins."""

    async def test_life(self) -> None:
        """It registers, lists and follows."""
        self.registry = os.path.join(self.directory, ODD, "plugins_registry")
        os.makedirs(self.registry)
        plugins = os.path.join(self.directory, "device-plugins")
        self.kubelet = PatientKubelet(plugins, registry_dir=self.registry)
        scanner = await self.listed()
        scanner.tell(tree_of("a", "b"))
        await self.kubelet.listed(YELLOW, ["a", "b"])
