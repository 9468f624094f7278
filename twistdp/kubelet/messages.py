"""Our values as the API's messages.

Protobuf messages concatenate: the bytes made here for single devices, one after the other, are a
whole message.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from twistdp.kubelet import deviceplugin_v1beta1_pb2 as pb
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    DevicePluginOptions,
    Empty,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    RegisterRequest,
)
from twistdp.model import Combined, DeviceInfo, DeviceSpec

if TYPE_CHECKING:
    from twistdp.model import ContainerAllocateResponse

__all__ = [
    "AllocateRequest",
    "AllocateResponse",
    "DevicePluginOptions",
    "Empty",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
    "RegisterRequest",
    "allocate_response",
    "cdi_part",
    "container_part",
    "listed_part",
    "pre_start_response",
    "preferred_response",
]


T = TypeVar("T")


def listed_part(device_id: str, info: DeviceInfo, numa: Sequence[int] = ()) -> bytes:
    """A device's part of a ListAndWatchResponse; `numa` are its NUMA nodes, if it has any."""
    answer = pb.ListAndWatchResponse()
    device = answer.devices.add(ID=device_id, health=info.state)
    if numa:  # an empty list would make the kubelet drop the device
        device.topology.nodes.extend(pb.NUMANode(ID=node) for node in numa)
    return answer.SerializeToString()


def container_part(given: "ContainerAllocateResponse | Combined | DeviceInfo") -> bytes:
    """A ContainerAllocateResponse of what a hook, or devices together, or a device, give."""
    nodes: Sequence[DeviceSpec]
    cdi_devices: Sequence[str] = ()
    if isinstance(given, DeviceInfo | Combined):
        nodes = given.nodes  # the CDI names are known only when they are allocated
    else:
        nodes, cdi_devices = given.devices, given.cdi_devices
    # Thousands of devices are encoded at once: what a device lacks must cost nothing.
    answer = pb.ContainerAllocateResponse()
    if given.envs:
        answer.envs.update(given.envs)
    if given.annotations:
        answer.annotations.update(given.annotations)
    for mount in _unique(given.mounts):
        answer.mounts.add(
            host_path=mount.host_path,
            container_path=mount.container_path,
            read_only=mount.read_only,
        )
    for node in _unique(nodes):
        answer.devices.add(
            host_path=node.host_path,
            container_path=node.container_path,
            permissions=node.permissions,
        )
    part = answer.SerializeToString()
    return part + cdi_part(cdi_devices) if cdi_devices else part


def cdi_part(names: Iterable[str]) -> bytes:
    """A ContainerAllocateResponse's part with the CDI devices of these names."""
    answer = pb.ContainerAllocateResponse()
    for name in names:
        answer.cdi_devices.add(name=name)
    return answer.SerializeToString()


def _unique(parts: Sequence[T]) -> Iterable[T]:
    """Each part once, in their order."""
    return dict.fromkeys(parts) if len(parts) > 1 else parts


def allocate_response(containers: Iterable[bytes]) -> bytes:
    """An AllocateResponse of encoded ContainerAllocateResponses."""
    return b"".join(_CONTAINER_TAG + _varint(len(part)) + part for part in containers)


def preferred_response(containers: Iterable[Sequence[str]]) -> pb.PreferredAllocationResponse:
    """A PreferredAllocationResponse of the ids for each container request."""
    return pb.PreferredAllocationResponse(
        container_responses=[
            pb.ContainerPreferredAllocationResponse(deviceIDs=ids) for ids in containers
        ]
    )


def pre_start_response() -> pb.PreStartContainerResponse:
    """A PreStartContainerResponse, which has no content."""
    return pb.PreStartContainerResponse()


_CONTAINER_TAG = bytes(
    [AllocateResponse.DESCRIPTOR.fields_by_name["container_responses"].number << 3 | 2]
)


def _varint(number: int) -> bytes:
    """Base-128 varint (protobuf encoding); there is no public function for it."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
