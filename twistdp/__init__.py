"""Kubernetes device plugins on Twisted.

Write a scanner and run ``twistd deviceplugin --scanner=module:Class``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    IContainerPreStarter,
    INotifier,
    IPostAllocator,
    IPreferredAllocator,
    IScanner,
    Mount,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    UseDefaultMethod,
    device_id,
)
from twistdp.scan import WatchingScanner
from twistdp.settings import Settings

if TYPE_CHECKING:
    from twistdp.health import HealthGate
    from twistdp.model import CDIDevice, CDIHook, CDIIntelRdt, CDIMount, CDINetDevice, CDINode

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
    "IAllocator",
    "IContainerPreStarter",
    "INotifier",
    "IPostAllocator",
    "IPreferredAllocator",
    "IScanner",
    "Manager",
    "Mount",
    "PluginError",
    "PodError",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
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

_USED_BY_FEW = {
    "CDIDevice": "twistdp.cdi",
    "CDIHook": "twistdp.cdi",
    "CDIIntelRdt": "twistdp.cdi",
    "CDIMount": "twistdp.cdi",
    "CDINetDevice": "twistdp.cdi",
    "CDINode": "twistdp.cdi",
    "HealthGate": "twistdp.health",
}
"""Names that are imported when they are asked for: every plugin's start would pay for them."""


def __getattr__(name: str) -> Any:
    if name not in _USED_BY_FEW:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_USED_BY_FEW[name]), name)
