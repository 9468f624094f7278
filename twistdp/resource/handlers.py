"""What one resource answers the kubelet: the default, unless the scanner's hooks say otherwise."""

import re
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from google.protobuf.message import Message
from twisted.logger import Logger

from twistdp.cdi import CdiParts
from twistdp.errors import BadDevice, NoRoom, UnreasonableRequest
from twistdp.host import check_present
from twistdp.klog import V
from twistdp.kubelet import messages
from twistdp.model import (
    HEALTHY,
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    DeviceInfo,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    UseDefaultMethod,
    kind_of,
    listed,
    printable,
    shown,
)
from twistdp.resource.hooks import Hooks
from twistdp.resource.inventory import Inventory
from twistdp.resource.policies import choose
from twistdp.resource.room import MOST_BYTES

_log = Logger()

MOST_CONTAINERS: Final = 1000
"""Container requests in one call: kubelets send one, and one message has room for two million."""

MOST_IDS: Final = 210_000
"""Ids in one call: a list has room for so many devices, and a device is in one container."""

_CDI_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+=[\w.:-]+", re.ASCII)
_MOST_SHOWN: Final = 8  # containers of one request in a line of the log
_MOST_TEXT: Final = 600  # characters of it: eight of the longest ids


class Answers:
    """Handlers of the API's unary methods for the devices of `inventory`.

    `policy` is one of `twistdp.settings.POLICIES`.  With `check_nodes`, no container is given a
    node that is not there.  `handed_out` collects the ids that containers were given.
    """

    def __init__(
        self,
        resource: str,
        inventory: Inventory,
        hooks: Hooks,
        cdi: CdiParts,
        policy: str,
        check_nodes: bool = True,
    ) -> None:
        self._resource = resource
        self._inventory = inventory
        self._hooks = hooks
        self._cdi = cdi
        self._policy = policy
        self._check_nodes = check_nodes
        self.handed_out: set[str] = set()

    def options(self) -> messages.DevicePluginOptions:
        """Exactly what there is."""
        return messages.DevicePluginOptions(
            pre_start_required=self._hooks.pre_starts,
            get_preferred_allocation_available=self._hooks.prefers or self._policy != "none",
        )

    def get_options(self, _: messages.Empty) -> messages.DevicePluginOptions:
        """GetDevicePluginOptions."""
        V(4).info("options asked for", resource=self._resource)
        return self.options()

    def allocate(
        self, request: messages.AllocateRequest
    ) -> bytes | Coroutine[Any, Any, bytes | Message]:
        """Allocate: the devices' own parts, joined, where no hook has a say."""
        if V(4):
            V(4).info("allocation asked for", resource=self._resource, ids=_asked_for(request))
        _check_size(request)
        if self._hooks.allocates:
            return self._allocate_with_hooks(request)
        parts = []
        size = 0
        for asked in request.container_requests:
            parts.append(self._container(list(asked.devices_ids)))
            size += len(parts[-1])
            self._check_room(size)  # before the next one is made
        answer = messages.allocate_response(parts)
        self._check_room(len(answer))
        self._gave(request)
        return answer

    def about(
        self,
        request: messages.AllocateRequest
        | messages.PreferredAllocationRequest
        | messages.PreStartContainerRequest,
    ) -> str:
        """What a request is about: the resource, and what there is to say of the devices."""
        if isinstance(request, messages.PreferredAllocationRequest):
            sizes = [str(part.allocation_size) for part in request.container_requests[:_MOST_SHOWN]]
            return f"{self._resource} ({', '.join(sizes)} wanted)"
        return f"{self._resource} ({_shown(request) or 'no devices'})"

    async def preferred(self, request: messages.PreferredAllocationRequest) -> Message:
        """GetPreferredAllocation: the hook's ids, or the policy's."""
        _check_size(request)
        if not self._hooks.prefers:
            return self._by_policy(request)
        values = PreferredAllocationRequest(
            self._resource,
            [
                ContainerPreferredAllocationRequest(
                    self._inventory.natural(part.available_deviceIDs),
                    self._inventory.natural(part.must_include_deviceIDs),
                    part.allocation_size,
                    self._inventory.known(part.available_deviceIDs),
                )
                for part in request.container_requests
            ],
            raw=request,
        )
        ids = await self._hooks.preferred(values)
        return self._by_policy(request) if ids is None else messages.preferred_response(ids)

    async def pre_start(self, request: messages.PreStartContainerRequest) -> Message:
        """PreStartContainer: the hook's."""
        _check_size(request)
        ids = self._inventory.natural(request.devices_ids)
        await self._hooks.pre_start(
            PreStartContainerRequest(self._resource, ids, self._inventory.known(ids), raw=request)
        )
        return messages.pre_start_response()

    def _by_policy(self, request: messages.PreferredAllocationRequest) -> Message:
        return messages.preferred_response(
            choose(
                self._policy,
                self._inventory.candidates(part.available_deviceIDs),
                part.must_include_deviceIDs,
                part.allocation_size,
            )
            for part in request.container_requests
        )

    async def _allocate_with_hooks(self, request: messages.AllocateRequest) -> bytes | Message:
        values = AllocateRequest(
            self._resource,
            [
                ContainerAllocateRequest(
                    self._inventory.natural(part.devices_ids),
                    self._inventory.known(part.devices_ids),
                )
                for part in request.container_requests
            ],
            raw=request,
        )
        hook = "allocate"
        answer = await self._hooks.allocate(values)
        if answer is UseDefaultMethod:
            hook = "post_allocate"
            default = [self._response(part.devices_ids) for part in values.container_requests]
            answer = await self._hooks.post_allocate(
                AllocateResponse([_copy(part) for part in default], values)
            )
            if answer is UseDefaultMethod:
                answer = AllocateResponse(default)
        encoded = self._encoded(answer, hook, len(values.container_requests))
        self._check_room(len(encoded) if isinstance(encoded, bytes) else encoded.ByteSize())
        if self._check_nodes:
            self._check_answer(answer, values)
        self._gave(request)
        return encoded

    def _container(self, ids: Sequence[str]) -> bytes:
        """The default for one container."""
        part = self._inventory.container(ids)
        if self._check_nodes:
            for id_ in ids:
                nodes = self._inventory.devices[id_].nodes
                check_present(self._resource, id_, (node.host_path for node in nodes))
        if self._cdi.used:
            names = self._cdi.names(self._inventory.natural(ids))
            part += messages.container_part(ContainerAllocateResponse(cdi_devices=names))
        return part

    def _response(self, ids: Sequence[str]) -> ContainerAllocateResponse:
        """The default for one container, as a value."""
        response = self._inventory.response(ids)
        response.cdi_devices = self._cdi.names(ids)
        return response

    def _encoded(self, answer: object, hook: str, containers: int) -> bytes | Message:
        """The hook's answer as a message; raises `HookFailed` for one that cannot be used."""
        if not isinstance(answer, AllocateResponse | messages.AllocateResponse):
            raise self._hooks.failed(hook, f"answered {kind_of(answer)}, not an AllocateResponse")
        parts: Any = answer.container_responses
        try:
            count = len(parts)
        except TypeError:
            raise self._hooks.failed(hook, f"answered with {kind_of(parts)}, not a list") from None
        if count != containers:
            raise self._hooks.failed(
                hook, f"answered for {count} containers where {containers} were asked for"
            )
        if isinstance(answer, Message):
            return answer
        try:
            for part in parts:
                _check(part)
        except BadDevice as error:
            raise self._hooks.failed(
                hook, f"answered what no container can get: {error}"
            ) from error
        return messages.allocate_response(messages.container_part(part) for part in parts)

    def _check_room(self, size: int) -> None:
        """Raise `NoRoom` if an answer of so many bytes is too long."""
        if size > MOST_BYTES:
            raise NoRoom(
                f"{self._resource}: the answer would have more than {MOST_BYTES} bytes, and a "
                "kubelet takes no more; ask for fewer devices, or give each fewer nodes, mounts "
                "and variables"
            )

    def _check_answer(self, answer: Any, request: AllocateRequest) -> None:
        """Raise `MissingNode` if a hook's answer has a node that is not there."""
        for part, asked in zip(answer.container_responses, request.container_requests, strict=True):
            paths = [node.host_path for node in part.devices]
            check_present(self._resource, listed(asked.devices_ids), paths)

    def _gave(self, request: messages.AllocateRequest) -> None:
        for part in request.container_requests:
            self.handed_out.update(self._inventory.devices.keys() & part.devices_ids)
        _log.info(
            "{resource}: allocated {ids}",
            resource=self._resource,
            ids=_shown(request) or "nothing",
        )


def _asked_for(
    request: messages.AllocateRequest | messages.PreStartContainerRequest,
) -> list[str]:
    """The first ids of each of the first containers."""
    if isinstance(request, messages.PreStartContainerRequest):
        return [listed(request.devices_ids)]
    return [listed(part.devices_ids) for part in request.container_requests[:_MOST_SHOWN]]


def _shown(request: messages.AllocateRequest | messages.PreStartContainerRequest) -> str:
    """The same as far as one line has room."""
    return printable("; ".join(_asked_for(request)), _MOST_TEXT)


def _check_size(
    request: messages.AllocateRequest
    | messages.PreferredAllocationRequest
    | messages.PreStartContainerRequest,
) -> None:
    if isinstance(request, messages.PreStartContainerRequest):
        ids = len(request.devices_ids)
    else:
        if (count := len(request.container_requests)) > MOST_CONTAINERS:
            raise UnreasonableRequest(
                f"{count} containers in one request: at most {MOST_CONTAINERS} are answered; ask "
                "for them one by one, as kubelets do"
            )
        if isinstance(request, messages.AllocateRequest):
            ids = sum(len(part.devices_ids) for part in request.container_requests)
        else:
            ids = sum(
                len(part.available_deviceIDs) + len(part.must_include_deviceIDs)
                for part in request.container_requests
            )
    if ids > MOST_IDS:
        raise UnreasonableRequest(
            f"{ids} ids in one request: at most {MOST_IDS} are answered; a kubelet takes no "
            "resource of more devices, and asks for one container at a time"
        )


def _check(part: ContainerAllocateResponse) -> None:
    if not isinstance(part, ContainerAllocateResponse):
        raise BadDevice(f"{kind_of(part)} is not a ContainerAllocateResponse")
    DeviceInfo(  # raises for what no device could be
        HEALTHY,
        nodes=part.devices,
        mounts=part.mounts,
        envs=part.envs,
        annotations=part.annotations,
    )
    if not isinstance(part.cdi_devices, list | tuple):
        raise BadDevice(f"cdi_devices: {kind_of(part.cdi_devices)} is not a list")
    for name in part.cdi_devices:
        if not isinstance(name, str):
            raise BadDevice(f"cdi_devices: {kind_of(name)} is not a str")
        if not _CDI_NAME.fullmatch(name):
            raise BadDevice(f"cdi_devices: {shown(name)} is not a name like vendor/class=device")


def _copy(part: ContainerAllocateResponse) -> ContainerAllocateResponse:
    """For a hook that changes it in place and thinks better of it."""
    return ContainerAllocateResponse(
        dict(part.envs),
        list(part.mounts),
        list(part.devices),
        dict(part.annotations),
        list(part.cdi_devices),
    )
