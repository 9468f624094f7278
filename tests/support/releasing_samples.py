"""A scanner with post_release for tests with child processes, which need not wait for long."""

import json
import os

from twistdp import HEALTHY, DeviceInfo, DeviceTree, Holder, ReleasedDevices, WatchingScanner
from twistdp.kubelet import holdings
from twistdp.resource import tenancies

tenancies.CONFIRMED = 0.1  # type: ignore[misc]
tenancies.SETTLED = 0.5  # type: ignore[misc]
holdings.AGAIN = 0.1  # type: ignore[misc]


class Releasing(WatchingScanner):
    """The files of `directory` are devices of `resource`; the file `log` has what comes back."""

    def __init__(self, directory: str, resource: str, log: str) -> None:
        super().__init__([directory])
        self.directory = directory
        self.resource = resource
        self.log = log

    def discover(self) -> DeviceTree:
        """See `WatchingScanner`."""
        tree = DeviceTree()
        for name in os.listdir(self.directory):
            tree.add_device(self.resource, name, DeviceInfo(HEALTHY))
        return tree

    def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> None:
        """See `IReleaseObserver`."""
        whose = None if pod is None else f"{pod.namespace}/{pod.pod}/{pod.container}"
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps([devices.resource, list(devices.devices_ids), whose]) + "\n")
