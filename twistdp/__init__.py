"""Kubernetes device plugins on Twisted.

Write a scanner and run ``twistd deviceplugin --scanner=module:Class``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from twistdp._version import __version__

if TYPE_CHECKING:
    import twistdp.klog as klog
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
        CDIDevice,
        CDIHook,
        CDIIntelRdt,
        CDIMount,
        CDINetDevice,
        CDINode,
        ContainerAllocateRequest,
        ContainerAllocateResponse,
        ContainerPreferredAllocationRequest,
        DeviceInfo,
        DeviceSpec,
        DeviceTree,
        HealthGate,
        Holder,
        IAllocator,
        IContainerPreStarter,
        INotifier,
        IPostAllocator,
        IPreferredAllocator,
        IReleaseObserver,
        IScanner,
        Mount,
        PreferredAllocationRequest,
        PreStartContainerRequest,
        ReleasedDevices,
        UseDefaultMethod,
        device_id,
    )
    from twistdp.scan import WatchingScanner
    from twistdp.settings import Settings
else:
    _PLACES = ("errors", "model", "settings", "host", "scan", "manager")  # none imports a later one

    def __getattr__(name):
        """Import what is asked for: most commands need little of it."""
        if name == "klog":
            return import_module(f"{__name__}.klog")
        if name in __all__:
            for module in map(import_module, (f"{__name__}.{place}" for place in _PLACES)):
                if hasattr(module, name):
                    globals()[name] = getattr(module, name)
                    return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        """Name also what is not imported yet, for those who explore."""
        return sorted({*globals(), *__all__})


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
