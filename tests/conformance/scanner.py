"""A scanner with everything that the suite checks: health, hooks, nodes, mounts and variables."""

import os

from zope.interface import implementer

from twistdp import (
    HEALTHY,
    UNHEALTHY,
    AllocateRequest,
    AllocateResponse,
    AllocationRefused,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    IContainerPreStarter,
    Mount,
    PreStartContainerRequest,
    UseDefaultMethod,
    WatchingScanner,
    device_id,
    entries,
)


class FolderScanner(WatchingScanner):
    """Files, also in subdirectories, are devices; one that contains ``ill`` is unhealthy.

    Links are none.  It has no hooks.
    """

    namespace = "check.example.com"

    def __init__(self, directory: str):
        super().__init__(paths=[directory, os.path.join(directory, "x")])
        self.directory = directory

    def discover(self) -> DeviceTree:
        """Look at all files."""
        tree = DeviceTree()
        places = [self.directory, os.path.join(self.directory, "x")]
        paths = [os.path.join(place, name) for place in places for name in entries(place)]
        for path in paths:
            if os.path.islink(path) or os.path.isdir(path):
                continue
            with open(path, encoding="ascii") as file:
                state = UNHEALTHY if file.read().strip() == "ill" else HEALTHY
            name = device_id(os.path.relpath(path, self.directory))
            info = DeviceInfo(
                state,
                nodes=[DeviceSpec("/dev/null", f"/dev/{name}")],
                mounts=[Mount(path, f"/run/{name}", read_only=True)],
                envs={f"THING_{name.upper()}": path},
                reason="it says so",
            )
            tree.add_device("thing", name, info)
        return tree


@implementer(IAllocator)
class SingleScanner(FolderScanner):
    """Gives a container only one device."""

    def allocate(self, request: AllocateRequest) -> AllocateResponse:
        """Refuse more; the rest is as usual."""
        if any(len(one.devices_ids) > 1 for one in request.container_requests):
            raise AllocationRefused("a container may have one thing only; ask for one")
        raise UseDefaultMethod


@implementer(IContainerPreStarter)
class HookedScanner(FolderScanner):
    """The same, asked before each start of a container."""

    def pre_start_container(self, request: PreStartContainerRequest) -> None:
        """Nothing to do."""
