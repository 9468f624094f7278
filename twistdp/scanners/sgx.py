"""Lists the nodes of Intel's SGX as often as pods may have them."""

import os
from typing import Final

import attrs
from twisted.logger import Logger

from twistdp.catalog import Shelf
from twistdp.config import Resource
from twistdp.model import printable
from twistdp.scanners.declared import DeclaredScanner

_log = Logger()

_PODS: Final = 110
"""How many pods a kubelet admits by default."""


class SgxScanner(DeclaredScanner):
    """Lists what the catalogue says, as often as Intel's plugin does.

    `enclave_limit` and `provision_limit` say how often; by default `pods_per_core` times the
    number of processors, else 110.  `pods_per_core` is that of the kubelet, by default what the
    environment has in ``PODS_PER_CORE``.  `root` is where the host's tree is.
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
        resources = {
            kind: _shared(served[kind], each if limit is None else limit)
            for kind, limit in limits.items()
            if limit is None or limit > 0
        }
        super().__init__(resources, root)


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
