"""Lists the nodes of Intel's SGX as often as pods may have them."""

import os
from collections.abc import Collection, Iterator
from typing import Final

import attrs
from twisted.logger import Logger

from twistdp.catalog import Shelf
from twistdp.config import Resource
from twistdp.model import DeviceTree, printable
from twistdp.scanners.declared import DeclaredScanner
from twistdp.select import Explanation

_log = Logger()

_NODES: Final = ("/dev/sgx_enclave", "/dev/sgx_provision")
_PODS: Final = 110
"""How many pods a kubelet admits by default."""


class SgxScanner(DeclaredScanner):
    """Lists both nodes, or none while one of them is not there.

    `enclave_limit` and `provision_limit` say how often; by default `pods_per_core` times the
    number of processors, else 110.  `pods_per_core` is that of the kubelet, by default what the
    environment has in ``PODS_PER_CORE``.  What a container gets is what the catalogue says.
    `root` is where the host's tree is.
    """

    namespace = "sgx.intel.com"

    def __init__(
        self,
        enclave_limit: int | None = None,
        provision_limit: int | None = None,
        pods_per_core: int | None = None,
        root: str = "/",
    ) -> None:
        each = (pods_per_core or _of_environment()) * len(os.sched_getaffinity(0)) or _PODS
        limits = {"enclave": enclave_limit, "provision": provision_limit}
        served = Shelf().served("intel-sgx")
        self._resources = {
            kind: _shared(served[kind], each if limit is None else limit)
            for kind, limit in limits.items()
            if limit is None or limit > 0
        }
        super().__init__({}, root)
        self._dev = f"{root.rstrip('/')}/dev"
        self._missing = list(_NODES)
        self.paths = [self._dev]

    def discover(self) -> DeviceTree:
        """Look for both nodes."""
        had_both = not self._missing
        self._missing = [
            path for path in _NODES if not os.path.exists(self._dev + path.removeprefix("/dev"))
        ]
        if had_both == bool(self._missing):
            self.replace({} if self._missing else self._resources)
        tree = super().discover()
        self.paths = [self._dev]
        return tree

    def follow(self, changed: Collection[str]) -> DeviceTree:
        """Look for both nodes, if one of them may have changed."""
        if any(path.startswith(f"{self._dev}/sgx_") for path in changed):
            return self.discover()
        return super().follow(changed)

    def explain(self) -> Iterator[Explanation]:
        """What the last look found, or which node is missing."""
        yield from super().explain()
        if self._missing:
            gone = " and ".join(self._missing)
            for kind in self._resources:
                yield Explanation(kind, (), f"no path {gone}; both nodes are needed")


def _shared(resource: Resource, count: int) -> Resource:
    """The resource for so many containers."""
    replicas = resource.replicas
    assert replicas is not None
    return attrs.evolve(resource, replicas=attrs.evolve(replicas, count=count))


def _of_environment() -> int:
    text = os.environ.get("PODS_PER_CORE", "")
    if text.isdecimal():
        return int(text)
    if text:
        _log.warn("PODS_PER_CORE={text} is no whole number; {pods} pods are assumed",
                  text=printable(text), pods=_PODS)  # fmt: skip
    return 0
