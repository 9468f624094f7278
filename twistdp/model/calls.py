"""The API's requests and responses as plain values, which hooks receive and return.

Names follow the device plugin API v1beta1, in snake_case.  A request's `raw` is the protobuf
message that the kubelet sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from twistdp.model.devices import DeviceInfo, DeviceSpec, Mount
from twistdp.model.secrecy import names_only


class UseDefaultMethod(Exception):  # the name of Intel's framework
    """Raised or returned by a hook, as class or instance: do what happens without the hook."""


@attrs.frozen
class ContainerAllocateRequest:
    """The devices of one container: their ids in natural order, and what the scanner reported."""

    devices_ids: Sequence[str]
    devices: Mapping[str, DeviceInfo]


@attrs.frozen
class AllocateRequest:
    """Containers of one pod want devices of `resource`; kubelets ask for one at a time."""

    resource: str
    container_requests: Sequence[ContainerAllocateRequest]
    raw: Any = None


@attrs.define
class ContainerAllocateResponse:
    """What one container gets; hooks may change it in place.

    `cdi_devices` are fully qualified CDI names, ``vendor/class=device``.
    """

    envs: dict[str, str] = attrs.field(factory=dict, repr=names_only)
    mounts: list[Mount] = attrs.Factory(list)
    devices: list[DeviceSpec] = attrs.Factory(list)
    annotations: dict[str, str] = attrs.field(factory=dict, repr=names_only)
    cdi_devices: list[str] = attrs.Factory(list)

    def copy(self) -> "ContainerAllocateResponse":
        """Return a response with lists of its own."""
        return ContainerAllocateResponse(
            dict(self.envs),
            list(self.mounts),
            list(self.devices),
            dict(self.annotations),
            list(self.cdi_devices),
        )


@attrs.define
class AllocateResponse:
    """One response for each container request, in the same order.

    `request` is the answered request, if the framework has made the response.
    """

    container_responses: list[ContainerAllocateResponse]
    request: AllocateRequest | None = None


@attrs.frozen
class ContainerPreferredAllocationRequest:
    """Asks which `allocation_size` of the available devices suit one container best.

    `must_include_device_ids` must be among them.  `devices` has what the scanner reported of them.
    """

    available_device_ids: Sequence[str]
    must_include_device_ids: Sequence[str]
    allocation_size: int
    devices: Mapping[str, DeviceInfo]


@attrs.frozen
class PreferredAllocationRequest:
    """Comes before Allocate; the answer is advice."""

    resource: str
    container_requests: Sequence[ContainerPreferredAllocationRequest]
    raw: Any = None


@attrs.frozen
class PreStartContainerRequest:
    """A container that has these devices is about to start."""

    resource: str
    devices_ids: Sequence[str]
    devices: Mapping[str, DeviceInfo]
    raw: Any = None


@attrs.frozen
class ReleasedDevices:
    """Devices of `resource` that a container had, in natural order of their ids.

    `devices` has what the scanner reports of those that are still there.
    """

    resource: str
    devices_ids: Sequence[str]
    devices: Mapping[str, DeviceInfo]
