"""The kubelet's API: messages, both ways to register, the session, its directory, pod-resources."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twistdp.kubelet import messages
    from twistdp.kubelet.api import (
        ALLOCATE,
        GET_INFO,
        GET_OPTIONS,
        GET_PREFERRED_ALLOCATION,
        KUBELET_SOCKET,
        LIST_AND_WATCH,
        NOTIFY_STATUS,
        PLUGIN_TYPE,
        POD_RESOURCES_ALLOCATABLE,
        POD_RESOURCES_GET,
        POD_RESOURCES_LIST,
        PRE_START_CONTAINER,
        REGISTER,
        VERSION,
    )
    from twistdp.kubelet.directory import PluginDirectory
    from twistdp.kubelet.holdings import Holdings, holdings_of
    from twistdp.kubelet.messages import (
        AllocateRequest,
        AllocateResponse,
        DevicePluginOptions,
        Empty,
        PreferredAllocationRequest,
        PreStartContainerRequest,
        container_part,
        listed_part,
    )
    from twistdp.kubelet.podresources import Held, PodResourcesClient
    from twistdp.kubelet.register_by_socket import SocketRegistration
    from twistdp.kubelet.registrar import Registrar
    from twistdp.kubelet.strategy import RegistrationStrategy
    from twistdp.kubelet.streams import ListStreams
else:
    _MODULES = (
        "api",
        "messages",
        "strategy",
        "podresources",
        "holdings",
        "streams",
        "directory",
        "register_by_socket",
        "registrar",
    )

    def __getattr__(name):
        """Import what is asked for: the emulated kubelet needs only the names of the API."""
        if name in ("checkpoint", "messages", "register_by_watcher"):
            return import_module(f"{__name__}.{name}")
        if name in __all__:
            for module in map(import_module, (f"{__name__}.{each}" for each in _MODULES)):
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ALLOCATE",
    "GET_INFO",
    "GET_OPTIONS",
    "GET_PREFERRED_ALLOCATION",
    "KUBELET_SOCKET",
    "LIST_AND_WATCH",
    "NOTIFY_STATUS",
    "PLUGIN_TYPE",
    "POD_RESOURCES_ALLOCATABLE",
    "POD_RESOURCES_GET",
    "POD_RESOURCES_LIST",
    "PRE_START_CONTAINER",
    "REGISTER",
    "VERSION",
    "AllocateRequest",
    "AllocateResponse",
    "DevicePluginOptions",
    "Empty",
    "Held",
    "Holdings",
    "ListStreams",
    "PluginDirectory",
    "PodResourcesClient",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
    "Registrar",
    "RegistrationStrategy",
    "SocketRegistration",
    "checkpoint",
    "container_part",
    "holdings_of",
    "listed_part",
    "messages",
    "register_by_watcher",
]
