"""Our values as the API's messages, and back.

Protobuf messages concatenate: the parts made here for single devices are joined into a whole
message by putting their bytes one after the other.
"""

from collections.abc import Iterable, Mapping, Sequence

from twistdp.calls import ContainerAllocateResponse
from twistdp.devices import DeviceInfo, DeviceSpec
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

__all__ = [
    "AllocateRequest",
    "AllocateResponse",
    "DevicePluginOptions",
    "Empty",
    "PreStartContainerRequest",
    "PreferredAllocationRequest",
    "RegisterRequest",
    "allocate_response",
    "container_part",
    "listed_part",
    "pre_start_response",
    "preferred_response",
]


def listed_part(device_id: str, info: DeviceInfo, numa: Sequence[int] | None = None) -> bytes:
    """A device's part of a ListAndWatchResponse; `numa` are its NUMA nodes, if it has any."""
    device = pb.Device(ID=device_id, health=info.state)
    if numa:  # an empty list would make the kubelet drop the device
        device.topology.nodes.extend(pb.NUMANode(ID=node) for node in numa)
    return pb.ListAndWatchResponse(devices=[device]).SerializeToString()


def container_part(given: ContainerAllocateResponse | DeviceInfo) -> bytes:
    """A ContainerAllocateResponse, or a single device's part of one."""
    nodes: Sequence[DeviceSpec]
    cdi_devices: Sequence[str] = ()
    if isinstance(given, DeviceInfo):
        nodes = given.nodes  # its CDI name is known only when it is handed out
    else:
        nodes, cdi_devices = given.devices, given.cdi_devices
    texts: dict[str, Mapping[str, str]] = {}
    if given.envs:  # for thousands of devices they have none, and it is they that take long
        texts["envs"] = given.envs
    if given.annotations:
        texts["annotations"] = given.annotations
    return pb.ContainerAllocateResponse(
        mounts=[
            pb.Mount(
                host_path=mount.host_path,
                container_path=mount.container_path,
                read_only=mount.read_only,
            )
            for mount in dict.fromkeys(given.mounts)
        ],
        devices=[
            pb.DeviceSpec(
                host_path=node.host_path,
                container_path=node.container_path,
                permissions=node.permissions,
            )
            for node in dict.fromkeys(nodes)
        ],
        cdi_devices=[pb.CDIDevice(name=name) for name in cdi_devices],
        **texts,
    ).SerializeToString()


def allocate_response(containers: Iterable[bytes]) -> bytes:
    """An AllocateResponse of ContainerAllocateResponses that are bytes already."""
    return b"".join(_CONTAINER_TAG + _varint(len(part)) + part for part in containers)


def preferred_response(containers: Iterable[Sequence[str]]) -> pb.PreferredAllocationResponse:
    """A PreferredAllocationResponse of the ids for each container request."""
    return pb.PreferredAllocationResponse(
        container_responses=[
            pb.ContainerPreferredAllocationResponse(deviceIDs=ids) for ids in containers
        ]
    )


def pre_start_response() -> pb.PreStartContainerResponse:
    """A PreStartContainerResponse, which says nothing."""
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
