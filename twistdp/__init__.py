"""Kubernetes device plugins on Twisted.

Write a scanner and run ``twistd deviceplugin --scanner=module:Class``.
"""

import twistdp.klog as klog
from twistdp.calls import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    UseDefaultMethod,
)
from twistdp.cdi import (
    CDIDevice,
    CDIHook,
    CDIIntelRdt,
    CDIMount,
    CDINetDevice,
    CDINode,
)
from twistdp.devices import AUTO, HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.errors import (
    AdministratorError,
    AllocationRefused,
    BadDevice,
    BadName,
    BadSetting,
    BadTree,
    ConflictingDevices,
    PluginError,
    PodError,
    RetriedError,
    TwistdpError,
)
from twistdp.health import HealthGate
from twistdp.interfaces import (
    IAllocator,
    IContainerPreStarter,
    INotifier,
    IPostAllocator,
    IPreferredAllocator,
    IScanner,
)
from twistdp.manager import Manager
from twistdp.settings import Settings
from twistdp.watching import WatchingScanner

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
    "UseDefaultMethod",
    "WatchingScanner",
    "klog",
]
