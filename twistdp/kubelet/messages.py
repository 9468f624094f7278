"""Our values as the API's messages.

Protobuf messages concatenate: the parts made here for single devices are joined into a whole
message by putting their bytes one after the other.
"""

from collections.abc import Iterable

from twistdp.allocation import Allocation
from twistdp.devices import DeviceInfo
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateResponse,
    Device,
    DevicePluginOptions,
    DeviceSpec,
    Empty,
    ListAndWatchResponse,
    Mount,
    RegisterRequest,
)

__all__ = [
    "AllocateRequest",
    "DevicePluginOptions",
    "Empty",
    "RegisterRequest",
    "allocate_response",
    "container_part",
    "listed_part",
]


def listed_part(device_id: str, info: DeviceInfo) -> bytes:
    """A device's part of a ListAndWatchResponse."""
    device = Device(ID=device_id, health=info.state)
    return ListAndWatchResponse(devices=[device]).SerializeToString()


def container_part(given: Allocation | DeviceInfo) -> bytes:
    """A ContainerAllocateResponse, or a single device's part of one."""
    return ContainerAllocateResponse(
        envs=given.envs,
        annotations=given.annotations,
        mounts=[
            Mount(
                host_path=mount.host_path,
                container_path=mount.container_path,
                read_only=mount.read_only,
            )
            for mount in dict.fromkeys(given.mounts)
        ],
        devices=[
            DeviceSpec(
                host_path=node.host_path,
                container_path=node.container_path,
                permissions=node.permissions,
            )
            for node in dict.fromkeys(given.nodes)
        ],
    ).SerializeToString()


def allocate_response(containers: Iterable[bytes]) -> bytes:
    """An AllocateResponse of ContainerAllocateResponses that are bytes already."""
    return b"".join(_CONTAINER_TAG + _varint(len(part)) + part for part in containers)


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
