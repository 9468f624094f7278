"""Modems with health checks: a program asks each, and a state file must say that it is up."""

import os

from twistdp import DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner, device_id, entries
from twistdp.health import Command, File, HealthChecks


class ModemScanner(WatchingScanner):
    """Finds the nodes in `directory`; `probe` is the program, and `states` has the state files."""

    namespace = "modem.example.com"

    def __init__(
        self,
        directory: str = "/dev/modems",
        probe: str = "/usr/local/bin/modem-probe",
        states: str = "/run/modems",
    ):
        super().__init__(paths=[directory], contents=False)
        self.directory = directory
        self.probe = probe
        self.states = states
        self.checks = HealthChecks()

    def discover(self) -> DeviceTree:
        """Every node is a device, whose checks go on as long as it is here."""
        tree = DeviceTree()
        for name in entries(self.directory):
            path = os.path.join(self.directory, name)
            checks = [
                Command([self.probe, path], every=10, reason="the modem does not answer"),
                File(os.path.join(self.states, name), equals="up", every=1, optional=True),
            ]
            health = self.checks.state(name, checks)
            info = DeviceInfo(health.state, reason=health.reason, nodes=[DeviceSpec(path)])
            tree.add_device("modem", device_id(name), info)
        return tree
