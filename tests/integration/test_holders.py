"""What containers have, across restarts of the plugin, with an emulated kubelet."""

import os

from tests.integration.test_life import YELLOW, LifeTestCase, ToldScanner, tree_of
from tests.support.helpers import soon, temporary_directory
from tests.support.kubelets import PatientKubelet
from twistdp.resource.vanished import REASON_BEFORE


class HoldersTestCase(LifeTestCase):
    """A kubelet that does not run yet, with pod-resources."""

    def setUp(self) -> None:
        """Make it."""
        super().setUp()
        self.pods = os.path.join(temporary_directory(self), "pods.sock")
        self.kubelet = PatientKubelet(self.directory, force=True, pod_resources=self.pods)


class GraceTests(HoldersTestCase):
    """The removal grace of devices that containers got from an earlier process."""

    async def test_vanished_meanwhile(self) -> None:
        """A device that a container has and that vanishes while the plugin is down is unhealthy."""
        await self.kubelet.start()
        options = {"removal_grace": 60.0, "pod_resources_socket": self.pods}
        first = self.manage(ToldScanner(tree_of("a", "b")), **options)
        await self.kubelet.listed(YELLOW, ["a", "b"])
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="painter")
        await soon(first.stopService())
        self.manage(ToldScanner(tree_of("b")), **options)
        await self.kubelet.until(
            lambda: self.kubelet.devices(YELLOW) == {"a": "Unhealthy", "b": "Healthy"}
        )
        self.assertEqual(len(self.logged(REASON_BEFORE)), 1)
