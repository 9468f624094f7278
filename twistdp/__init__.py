"""Kubernetes device plugins on Twisted.

Write a scanner and run ``twistd deviceplugin --scanner=module:Class``.
"""

import twistdp.klog as klog
from twistdp.devices import HEALTHY, UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree, Mount
from twistdp.errors import (
    AllocationRefused,
    BadDevice,
    BadName,
    BadSetting,
    BadTree,
    ConflictingDevices,
    TwistdpError,
)
from twistdp.interfaces import INotifier, IScanner
from twistdp.manager import Manager
from twistdp.settings import Settings
from twistdp.watching import WatchingScanner

__all__ = [
    "HEALTHY",
    "UNHEALTHY",
    "AllocationRefused",
    "BadDevice",
    "BadName",
    "BadSetting",
    "BadTree",
    "ConflictingDevices",
    "DeviceInfo",
    "DeviceSpec",
    "DeviceTree",
    "INotifier",
    "IScanner",
    "Manager",
    "Mount",
    "Settings",
    "TwistdpError",
    "WatchingScanner",
    "klog",
]
