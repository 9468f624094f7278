"""Values and rules: devices, requests and answers, names, refusals.

Nothing here waits for anything or touches the machine.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from twistdp.model.acceptance import (
    NO_DEVICES,
    NOTHING,
    Accepted,
    Refusal,
    Update,
    Updates,
    accept,
    check_tree,
)
from twistdp.model.allocation import Combined, SharedClaims, combine, listed, select
from twistdp.model.characters import is_plain
from twistdp.model.contract import check_call, hooks_of, method_of, name_of
from twistdp.model.devices import (
    AUTO,
    HEALTHY,
    UNHEALTHY,
    Auto,
    DeviceInfo,
    Devices,
    DeviceSpec,
    DeviceTree,
    Holder,
    Mount,
    Resources,
)
from twistdp.model.interfaces import (
    IAllocator,
    IContainerPreStarter,
    INotifier,
    IPostAllocator,
    IPreferredAllocator,
    IReleaseObserver,
    IScanner,
)
from twistdp.model.names import (
    MAX_SOCKET_PATH,
    PRIVATE,
    check_namespace,
    check_resource_type,
    device_id,
    digest,
    named_socket,
    natural_key,
    private_directory,
    socket_path,
)
from twistdp.model.secrecy import assignment, kind_of
from twistdp.model.text import escape, named, of_error, one_line, printable, shown
from twistdp.model.validate import check_path, check_permissions, checked_env

if TYPE_CHECKING:
    from twistdp.model.calls import (
        AllocateRequest,
        AllocateResponse,
        ContainerAllocateRequest,
        ContainerAllocateResponse,
        ContainerPreferredAllocationRequest,
        PreferredAllocationRequest,
        PreStartContainerRequest,
        ReleasedDevices,
        UseDefaultMethod,
    )
    from twistdp.model.cdi import (
        CDIDevice,
        CDIHook,
        CDIIntelRdt,
        CDIMount,
        CDINetDevice,
        CDINode,
    )
    from twistdp.model.gate import HealthGate, Memory
else:

    def __getattr__(name):
        """Import what CDI parts, hooks and checks of health are made of with its first use.

        Few plugins use CDI, which takes 4 ms of a start, hooks take as long, and checks half one.
        """
        if name in __all__:
            is_gate = name in ("HealthGate", "Memory")
            module = "gate" if is_gate else "cdi" if name.startswith("CDI") else "calls"
            return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AUTO",
    "HEALTHY",
    "MAX_SOCKET_PATH",
    "NOTHING",
    "NO_DEVICES",
    "PRIVATE",
    "UNHEALTHY",
    "Accepted",
    "AllocateRequest",
    "AllocateResponse",
    "Auto",
    "CDIDevice",
    "CDIHook",
    "CDIIntelRdt",
    "CDIMount",
    "CDINetDevice",
    "CDINode",
    "Combined",
    "ContainerAllocateRequest",
    "ContainerAllocateResponse",
    "ContainerPreferredAllocationRequest",
    "DeviceInfo",
    "DeviceSpec",
    "DeviceTree",
    "Devices",
    "HealthGate",
    "Holder",
    "IAllocator",
    "IContainerPreStarter",
    "INotifier",
    "IPostAllocator",
    "IPreferredAllocator",
    "IReleaseObserver",
    "IScanner",
    "Memory",
    "Mount",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
    "Refusal",
    "ReleasedDevices",
    "Resources",
    "SharedClaims",
    "Update",
    "Updates",
    "UseDefaultMethod",
    "accept",
    "assignment",
    "check_call",
    "check_namespace",
    "check_path",
    "check_permissions",
    "check_resource_type",
    "check_tree",
    "checked_env",
    "combine",
    "device_id",
    "digest",
    "escape",
    "hooks_of",
    "is_plain",
    "kind_of",
    "listed",
    "method_of",
    "name_of",
    "named",
    "named_socket",
    "natural_key",
    "of_error",
    "one_line",
    "printable",
    "private_directory",
    "select",
    "shown",
    "socket_path",
]
