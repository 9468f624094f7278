"""Answers the kubelet's calls as a scanner's hooks decide.

Imported only for a scanner that has hooks: with what it needs, it takes 4 ms of a plugin's start.
"""

from collections.abc import Coroutine, Sequence
from typing import Any

from google.protobuf.message import Message

from twistdp.cdi import CdiParts
from twistdp.host import check_present
from twistdp.kubelet import messages
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
from twistdp.resource.handlers import Answers
from twistdp.resource.hook_answers import Unusable, encoded
from twistdp.resource.hooks import Hooks
from twistdp.resource.inventory import Inventory
from twistdp.resource.requests import check_size


class HookedAnswers(Answers):
    """Answers in which `hooks` take part; see `Answers`.

    With `pre_start`, the hook before containers start is announced.
    """

    def __init__(
        self,
        resource: str,
        inventory: Inventory,
        cdi: CdiParts,
        policy: str,
        check_nodes: bool,
        *,
        hooks: Hooks,
        pre_start: bool = True,
    ) -> None:
        super().__init__(resource, inventory, cdi, policy, check_nodes)
        self._hooks = hooks
        self._pre_start = pre_start

    def options(self) -> messages.DevicePluginOptions:
        """Return the options: only what the hooks and the policy offer."""
        return messages.DevicePluginOptions(
            pre_start_required=self._pre_start and self._hooks.pre_starts,
            get_preferred_allocation_available=self._hooks.prefers or self._policy != "none",
        )

    def allocate(
        self, request: messages.AllocateRequest
    ) -> bytes | Coroutine[Any, Any, bytes | Message]:
        """Answer Allocate: as the hooks say, with the devices' own parts where there is none."""
        if not self._hooks.allocates:
            return super().allocate(request)
        self._log_and_check(request)
        return self._allocate(request)

    async def preferred(self, request: messages.PreferredAllocationRequest) -> Message:
        """Answer GetPreferredAllocation: with the hook's ids, or the policy's."""
        check_size(request)
        if not self._hooks.prefers:
            return await super().preferred(request)
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
        if ids is None:
            return await super().preferred(request)
        return messages.preferred_response(ids)

    async def pre_start(self, request: messages.PreStartContainerRequest) -> Message:
        """Answer PreStartContainer: let the hook prepare the devices."""
        check_size(request)
        ids = self._inventory.natural(request.devices_ids)
        await self._hooks.pre_start(
            PreStartContainerRequest(self._resource, ids, self._inventory.known(ids), raw=request)
        )
        return messages.pre_start_response()

    async def _allocate(self, request: messages.AllocateRequest) -> bytes | Message:
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
        for part in request.container_requests:  # some devices may be gone by now
            self.handed_out.update(self._inventory.devices.keys() & part.devices_ids)
        return message

    def _response(self, ids: Sequence[str]) -> ContainerAllocateResponse:
        """Return the default answer for one container as a value."""
        response = ContainerAllocateResponse(*self._inventory.combined(ids))
        response.cdi_devices = self._cdi.names(ids)
        return response

    def _check_answer(self, answer: Any, request: AllocateRequest) -> None:
        """Raise `MissingNode` if a hook's answer has a node that is not there."""
        for part, asked in zip(answer.container_responses, request.container_requests, strict=True):
            paths = [node.host_path for node in part.devices]
            check_present(self._resource, listed(asked.devices_ids), paths)
