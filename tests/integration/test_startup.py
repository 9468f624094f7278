"""The start of ``twistd deviceplugin`` imports nothing that is not used."""

from tests.integration.test_process import ProcessTestCase

RESOURCE = "imports.example.com/module"

UNUSED = (
    "click",
    "csv",
    "google.protobuf.json_format",
    "grpc.experimental",
    "importlib.metadata",
    "markdown_it",
    "prometheus_client",
    "pygments",
    "rich",
    "twisted.web",
    "twisted.conch",
    "twistdp.cdi.files",
    "twistdp.cdi.stale",
    "twistdp.cdi.spec",
    "twistdp.cli",
    "twistdp.config",
    "twistdp.conformance",
    "twistdp.health",
    "twistdp.kubelet.checkpoint",
    "twistdp.kubelet.pluginregistration_v1_pb2",
    "twistdp.kubelet.podresources_v1_pb2",
    "twistdp.kubelet.register_by_watcher",
    "twistdp.model.calls",
    "twistdp.model.cdi",
    "twistdp.model.gate",
    "twistdp.resource.baseline",
    "twistdp.resource.blocked",
    "twistdp.resource.hook_answers",
    "twistdp.resource.hooked",
    "twistdp.resource.hooks",
    "twistdp.resource.patience",
    "twistdp.resource.releases",
    "twistdp.resource.tenancies",
    "twistdp.scanners",
    "twistdp.select",
    "twistdp.status.systemd",
    "twistdp.testing",
    "twistdp.uevents",
    "yaml",
)
"""Modules, with what is below them, that a plugin without use for them does not import."""


class ImportTests(ProcessTestCase):
    """A plugin that finds devices and hands one out."""

    def scan(self) -> int:
        """The number of the scan that the last list is of."""
        return max(
            int(name.partition(":")[2])
            for name in self.kubelet.devices(RESOURCE)
            if name.startswith("scan:")
        )

    async def test_only_what_is_used(self) -> None:
        """A plugin imports no code for tests, commands or the web, nor other scanners."""
        await self.kubelet.start()
        # Once without: twistd imports all plugins there are when its own list of them is outdated.
        await self.plugin("--version").ended
        self.plugin("--scanner=tests.support.startup_samples:Imports")
        await self.kubelet.until(lambda: self.kubelet.devices(RESOURCE))
        await self.kubelet.allocate(RESOURCE, ids=["sys"])
        last = self.scan()
        await self.kubelet.until(lambda: self.scan() > last + 1)  # begun after that
        imported = self.kubelet.devices(RESOURCE)
        self.assertIn("grpc.aio", imported)
        self.assertIn("twistdp.resource.handlers", imported)
        unused = [
            name for name in imported if any(f"{name}.".startswith(f"{top}.") for top in UNUSED)
        ]
        self.assertEqual(unused, [])
