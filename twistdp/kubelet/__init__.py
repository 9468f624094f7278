"""The kubelet's API: messages, both ways to register, the session, its directory, pod-resources."""

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
from twistdp.kubelet.podresources import Held, PodResourcesClient, node_names, only_static
from twistdp.kubelet.register_by_socket import SocketRegistration
from twistdp.kubelet.registrar import Registrar
from twistdp.kubelet.strategy import RegistrationStrategy
from twistdp.kubelet.streams import ListStreams

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
    "node_names",
    "only_static",
    "register_by_watcher",
]
