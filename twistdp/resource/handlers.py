"""Answers the kubelet's calls as the devices say; a scanner's hooks: `twistdp.resource.hooked`."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from google.protobuf.message import Message

from twistdp.cdi import CdiParts
from twistdp.errors import NoRoom
from twistdp.host import check_present
from twistdp.klog import V
from twistdp.kubelet import ALLOCATE, GET_PREFERRED_ALLOCATION, PRE_START_CONTAINER, messages
from twistdp.resource.inventory import Inventory
from twistdp.resource.policies import choose
from twistdp.resource.requests import Request, asked_by, check_size, ids_of, shown_request
from twistdp.resource.room import MOST_BYTES
from twistdp.rpc import Method


class Answers:
    """Handlers of the API's unary methods for the devices of `inventory`.

    `policy` is one of `twistdp.settings.POLICIES`.  With `check_nodes`, no container is given a
    node that is not there.  `handed_out` collects the ids that containers were given.
    """

    def __init__(
        self,
        resource: str,
        inventory: Inventory,
        cdi: CdiParts,
        policy: str,
        check_nodes: bool = True,
    ) -> None:
        self._resource = resource
        self._inventory = inventory
        self._cdi = cdi
        self._policy = policy
        self._check_nodes = check_nodes
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
        """Return the options: only what is offered."""
        return messages.DevicePluginOptions(
            get_preferred_allocation_available=self._policy != "none"
        )

    def get_options(self, _: messages.Empty) -> messages.DevicePluginOptions:
        """Answer GetDevicePluginOptions."""
        V(4).info("options asked for", resource=self._resource)
        return self.options()

    def allocate(
        self, request: messages.AllocateRequest
    ) -> bytes | Coroutine[Any, Any, bytes | Message]:
        """Answer Allocate: with the devices' own parts, joined."""
        self._log_and_check(request)
        parts = []
        given: list[str] = []
        size = 0
        for ids in asked_by(request).ids:
            parts.append(self._container(ids))
            given += ids
            size += len(parts[-1])
            self._check_room(size)  # before the next one is made
        answer = messages.allocate_response(parts)
        self._check_room(len(answer))
        self.handed_out.update(given)
        return answer

    def about(self, request: Request) -> str:
        """Describe the resource and the devices of a request, for the log."""
        return f"{self._resource} ({shown_request(request)})"

    async def preferred(self, request: messages.PreferredAllocationRequest) -> Message:
        """Answer GetPreferredAllocation: with the policy's ids."""
        check_size(request)
        return messages.preferred_response(
            choose(
                self._policy,
                self._inventory.candidates(part.available_deviceIDs),
                part.must_include_deviceIDs,
                part.allocation_size,
            )
            for part in request.container_requests
        )

    async def pre_start(self, request: messages.PreStartContainerRequest) -> Message:
        """Answer PreStartContainer."""
        check_size(request)
        return messages.pre_start_response()

    def _log_and_check(self, request: messages.AllocateRequest) -> None:
        """Begin the answer to Allocate."""
        if V(4):
            V(4).info("allocation asked for", resource=self._resource, **ids_of(request))
        check_size(request)

    def _container(self, ids: Sequence[str]) -> bytes:
        """Return the default answer for one container."""
        part = self._inventory.container(ids)
        if self._check_nodes:
            for id_ in ids:
                nodes = self._inventory.devices[id_].nodes
                check_present(self._resource, id_, (node.host_path for node in nodes))
        if self._cdi.used:
            names = self._cdi.names(self._inventory.natural(ids))
            part += messages.cdi_part(names)
        return part

    def _check_room(self, size: int) -> None:
        """Raise `NoRoom` if an answer of so many bytes is too long."""
        if size > MOST_BYTES:
            raise NoRoom(
                f"{self._resource}: the answer would have more than {MOST_BYTES} bytes, and a "
                "kubelet takes no more; ask for fewer devices, or give each fewer nodes, mounts "
                "and variables"
            )
