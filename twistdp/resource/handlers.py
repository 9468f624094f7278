"""Answers the kubelet's calls: by default, or as the scanner's hooks decide."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from google.protobuf.message import Message

from twistdp.cdi import CdiParts
from twistdp.errors import NoRoom
from twistdp.host import check_present
from twistdp.klog import V
from twistdp.kubelet import ALLOCATE, GET_PREFERRED_ALLOCATION, PRE_START_CONTAINER, messages
from twistdp.model import (
    AllocateRequest,
    AllocateResponse,
    ContainerAllocateRequest,
    ContainerAllocateResponse,
    ContainerPreferredAllocationRequest,
    PreferredAllocationRequest,
    PreStartContainerRequest,
    UseDefaultMethod,
    listed,
)
from twistdp.resource.hook_answers import Unusable, encoded
from twistdp.resource.hooks import Hooks
from twistdp.resource.inventory import Inventory
from twistdp.resource.policies import choose
from twistdp.resource.requests import Request, check_size, ids_of, shown_request
from twistdp.resource.room import MOST_BYTES
from twistdp.rpc import Method


class Answers:
    """Handlers of the API's unary methods for the devices of `inventory`.

    `policy` is one of `twistdp.settings.POLICIES`.  With `check_nodes`, no container is given a
    node that is not there; with `pre_start`, the hook before containers start is announced.
    `handed_out` collects the ids that containers were given.
    """

    def __init__(
        self,
        resource: str,
        inventory: Inventory,
        hooks: Hooks,
        cdi: CdiParts,
        policy: str,
        check_nodes: bool = True,
        pre_start: bool = True,
    ) -> None:
        self._resource = resource
        self._inventory = inventory
        self._hooks = hooks
        self._cdi = cdi
        self._policy = policy
        self._check_nodes = check_nodes
        self._pre_start = pre_start
        self.handed_out: set[str] = set()

    @property
    def methods(self) -> list[Method]:
        """The methods that are about devices."""
        answers: list[tuple[str, type[Message], Callable[[Any], Any]]] = [
            (ALLOCATE, messages.AllocateRequest, self.allocate),
            (GET_PREFERRED_ALLOCATION, messages.PreferredAllocationRequest, self.preferred),
            (PRE_START_CONTAINER, messages.PreStartContainerRequest, self.pre_start),
        ]
        return [Method(path, kind, answer, about=self.about) for path, kind, answer in answers]

    def options(self) -> messages.DevicePluginOptions:
        """Return the options: only what the hooks and the policy offer."""
        return messages.DevicePluginOptions(
            pre_start_required=self._pre_start and self._hooks.pre_starts,
            get_preferred_allocation_available=self._hooks.prefers or self._policy != "none",
        )

    def get_options(self, _: messages.Empty) -> messages.DevicePluginOptions:
        """Answer GetDevicePluginOptions."""
        V(4).info("options asked for", resource=self._resource)
        return self.options()

    def allocate(
        self, request: messages.AllocateRequest
    ) -> bytes | Coroutine[Any, Any, bytes | Message]:
        """Answer Allocate: with the devices' own parts, joined, where there is no hook."""
        if V(4):
            V(4).info("allocation asked for", resource=self._resource, **ids_of(request))
        check_size(request)
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
        self._note(request)
        return answer

    def about(self, request: Request) -> str:
        """Describe the resource and the devices of a request, for the log."""
        return f"{self._resource} ({shown_request(request)})"

    async def preferred(self, request: messages.PreferredAllocationRequest) -> Message:
        """Answer GetPreferredAllocation: with the hook's ids, or the policy's."""
        check_size(request)
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
        """Answer PreStartContainer: let the hook prepare the devices."""
        check_size(request)
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
                AllocateResponse([part.copy() for part in default], values)
            )
            if answer is UseDefaultMethod:
                answer = AllocateResponse(default)
        try:
            message = encoded(answer, len(values.container_requests))
        except Unusable as error:
            raise self._hooks.failed(hook, str(error)) from error
        self._check_room(len(message) if isinstance(message, bytes) else message.ByteSize())
        if self._check_nodes:
            self._check_answer(answer, values)
        self._note(request)
        return message

    def _container(self, ids: Sequence[str]) -> bytes:
        """Return the default answer for one container."""
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
        """Return the same as a value."""
        response = self._inventory.response(ids)
        response.cdi_devices = self._cdi.names(ids)
        return response

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

    def _note(self, request: messages.AllocateRequest) -> None:
        for part in request.container_requests:
            self.handed_out.update(self._inventory.devices.keys() & part.devices_ids)
