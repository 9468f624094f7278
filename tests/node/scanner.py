"""What the node's plugin finds: files, whose words say what is special of them."""

import os
from pathlib import Path

from zope.interface import implementer

from twistdp import (
    HEALTHY,
    UNHEALTHY,
    AllocateRequest,
    AllocateResponse,
    AllocationRefused,
    CDIDevice,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    Holder,
    IAllocator,
    IContainerPreStarter,
    IPostAllocator,
    IReleaseObserver,
    Mount,
    PreStartContainerRequest,
    ReleasedDevices,
    UseDefaultMethod,
    WatchingScanner,
    device_id,
    entries,
)
from twistdp.model.cdi import CDINode


class Things(WatchingScanner):
    """Files are devices; one may say that it is ``ill``, or near a NUMA node as in ``numa=1``."""

    namespace = "node-test.twistdp.example"

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Look at all files."""
        tree = DeviceTree()
        for name in entries(self.directory):
            path = os.path.join(self.directory, name)
            words = Path(path).read_text(encoding="ascii").split()
            tree.add_device("thing", device_id(name), self.info(name, path, words))
        return tree

    def info(self, name: str, path: str, words: list[str]) -> DeviceInfo:
        """One device."""
        numa = [int(word.removeprefix("numa=")) for word in words if word.startswith("numa=")]
        return DeviceInfo(
            UNHEALTHY if "ill" in words else HEALTHY,
            nodes=[DeviceSpec("/dev/null", f"/dev/{name}")],
            mounts=[Mount(path, f"/run/thing/{name}", read_only=True)],
            envs={f"THING_{name}": "here"},
            topology=numa or None,
            reason="its file says so",
        )


class Described(Things):
    """The same by CDI."""

    def info(self, name: str, path: str, words: list[str]) -> DeviceInfo:
        """A node and a variable that the runtime adds."""
        node = CDINode(f"/dev/{name}", "/dev/null", file_mode=0o640, gid=44)
        cdi = CDIDevice(nodes=[node], env={f"CDI_{name}": "here"})
        return DeviceInfo(HEALTHY, topology=None, cdi=cdi)


@implementer(IAllocator, IPostAllocator, IContainerPreStarter)
class Hooked(Things):
    """Has hooks; what goes wrong in them is what a device's file says."""

    def words(self, name: str) -> list[str]:
        """Those of a device."""
        return Path(self.directory, name).read_text(encoding="ascii").split()

    def allocate(self, request: AllocateRequest) -> AllocateResponse:
        """Refuse what says so."""
        for container in request.container_requests:
            for name in container.devices_ids:
                if "taken" in self.words(name):
                    raise AllocationRefused(f"{name} is on somebody's bench; ask Ada for it")
        raise UseDefaultMethod

    def post_allocate(self, response: AllocateResponse) -> AllocateResponse:
        """Add a variable to each container."""
        for container in response.container_responses:
            container.envs["BENCH"] = "seven"
        return response

    def pre_start_container(self, request: PreStartContainerRequest) -> None:
        """Fail until the device is warm."""
        for name in request.devices_ids:
            if "cold" in self.words(name):
                raise RuntimeError(f"{name} is cold")


@implementer(IReleaseObserver)
class Observing(Things):
    """The file `log` has what comes back."""

    def __init__(self, directory: str, log: str) -> None:
        super().__init__(directory)
        self.log = log

    def post_release(self, devices: ReleasedDevices, pod: Holder | None) -> None:
        """A line for each call."""
        whose = "nobody known" if pod is None else f"{pod.namespace}/{pod.pod}/{pod.container}"
        with open(self.log, "a", encoding="ascii") as file:
            file.write(f"{' '.join(devices.devices_ids)} of {whose}\n")


class Many(WatchingScanner):
    """So many devices as the file ``count`` in `directory` says."""

    namespace = Things.namespace

    def __init__(self, directory: str) -> None:
        super().__init__(paths=[directory])
        self.file = Path(directory, "count")

    def discover(self) -> DeviceTree:
        """Make them up."""
        tree = DeviceTree()
        info = DeviceInfo(HEALTHY, nodes=[DeviceSpec("/dev/null", "/dev/one")], topology=None)
        count = int(self.file.read_text(encoding="ascii"))
        tree.add_devices("thing", {f"thing-{number}": info for number in range(count)})
        return tree
