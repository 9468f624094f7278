"""The emulated kubelet, with a record of all that a plugin has sent."""

import os
from typing import Any

import attrs

from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    DevicePluginOptions,
    ListAndWatchResponse,
    RegisterRequest,
)
from twistdp.rpc import listener
from twistdp.testing import FakeKubelet


@attrs.frozen
class Arrival:
    """A registration as it came, accepted or not.

    `served`: somebody listened on the plugin's socket at that moment.  `options` are those of
    a Register, None for a plugin that was found in the registry.  `seconds` as the reactor's.
    """

    resource: str
    endpoint: str
    version: str
    options: DevicePluginOptions | None
    served: bool
    seconds: float


@attrs.frozen
class Listed:
    """A list that came over the kubelet's stream."""

    resource: str
    message: ListAndWatchResponse
    seconds: float

    @property
    def health(self) -> dict[str, str]:
        """Ids and health, in the list's order."""
        return {device.ID: device.health for device in self.message.devices}


class RecordingKubelet(FakeKubelet):
    """Keeps what comes, over restarts."""

    def __init__(self, directory: str, reactor: Any, **options: Any) -> None:
        super().__init__(directory, reactor=reactor, force=True, **options)
        self.arrivals: list[Arrival] = []
        """Every registration, oldest first."""
        self.lists: list[Listed] = []
        """Every list, oldest first."""

    def path_of(self, endpoint: str) -> str:
        """The socket of an endpoint as it was registered."""
        # A kubelet's own join, which makes nonsense of an absolute path; only plugins in the
        # registry may give one.
        return endpoint if os.path.isabs(endpoint) else f"{self.directory}/{endpoint}"

    def arrived(self, request: RegisterRequest) -> None:
        """A Register has come."""
        self._arrived(
            request.resource_name,
            request.endpoint,
            request.version,
            request.options,
            listener(f"{self.directory}/{request.endpoint}") is not None,
        )
        self.say(
            f"Register came: {request.resource_name}, version {request.version}, "
            f"endpoint {request.endpoint}, options {shown(request.options)}"
        )

    def record(self, resource: str, endpoint: str, version: str, error: str) -> None:
        """A registration was accepted or refused."""
        if os.path.isabs(endpoint):  # found in the registry: there was no Register
            self._arrived(resource, endpoint, version, None, True)
        super().record(resource, endpoint, version, error)

    def list_taken(self, resource: str, message: ListAndWatchResponse) -> None:
        """A list has come."""
        self.lists.append(Listed(resource, message, self._reactor.seconds()))
        super().list_taken(resource, message)

    def _arrived(
        self,
        resource: str,
        endpoint: str,
        version: str,
        options: DevicePluginOptions | None,
        served: bool,
    ) -> None:
        now = self._reactor.seconds()
        self.arrivals.append(Arrival(resource, endpoint, version, options, served, now))


def shown(options: DevicePluginOptions) -> str:
    """Options in a line for people."""
    names = {
        "PreStartContainer": options.pre_start_required,
        "GetPreferredAllocation": options.get_preferred_allocation_available,
    }
    return " and ".join(name for name, announced in names.items() if announced) or "none"
