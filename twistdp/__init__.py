"""Kubernetes device plugins on Twisted.

Write a scanner and run ``twistd deviceplugin --scanner=module:Class``.
"""

from typing import TYPE_CHECKING

import twistdp.klog as klog
from twistdp._version import __version__
from twistdp.errors import (
    AdministratorError,
    AllocationRefused,
    BadDevice,
    BadName,
    BadScanner,
    BadSetting,
    BadTree,
    ConflictingDevices,
    PluginError,
    PodError,
    RetriedError,
    TwistdpError,
    Untrusted,
)
from twistdp.host import check_trusted, entries
from twistdp.manager import Manager
from twistdp.model import (
    AUTO,
    HEALTHY,
    UNHEALTHY,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    Holder,
    IAllocator,
    IContainerPreStarter,
    INotifier,
    IPostAllocator,
    IPreferredAllocator,
    IReleaseObserver,
    IScanner,
    Mount,
    device_id,
)
from twistdp.scan import WatchingScanner
from twistdp.settings import Settings

if TYPE_CHECKING:
    from twistdp.model import (
        AllocateRequest,
        AllocateResponse,
        CDIDevice,
        CDIHook,
        CDIIntelRdt,
        CDIMount,
        CDINetDevice,
        CDINode,
        ContainerAllocateRequest,
        ContainerAllocateResponse,
        ContainerPreferredAllocationRequest,
        HealthGate,
        PreferredAllocationRequest,
        PreStartContainerRequest,
        ReleasedDevices,
        UseDefaultMethod,
    )
else:

    def __getattr__(name):
        """Leave it to `twistdp.model` to import what not every plugin needs."""
        if name in __all__:
            from twistdp import model

            return getattr(model, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AUTO",
    "HEALTHY",
    "UNHEALTHY",
    "AdministratorError",
    "AllocateRequest",
    "AllocateResponse",
    "AllocationRefused",
    "BadDevice",
    "BadName",
    "BadScanner",
    "BadSetting",
    "BadTree",
    "CDIDevice",
    "CDIHook",
    "CDIIntelRdt",
    "CDIMount",
    "CDINetDevice",
    "CDINode",
    "ConflictingDevices",
    "ContainerAllocateRequest",
    "ContainerAllocateResponse",
    "ContainerPreferredAllocationRequest",
    "DeviceInfo",
    "DeviceSpec",
    "DeviceTree",
    "HealthGate",
    "Holder",
    "IAllocator",
    "IContainerPreStarter",
    "INotifier",
    "IPostAllocator",
    "IPreferredAllocator",
    "IReleaseObserver",
    "IScanner",
    "Manager",
    "Mount",
    "PluginError",
    "PodError",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
    "ReleasedDevices",
    "RetriedError",
    "Settings",
    "TwistdpError",
    "Untrusted",
    "UseDefaultMethod",
    "WatchingScanner",
    "__version__",
    "check_trusted",
    "device_id",
    "entries",
    "klog",
]
