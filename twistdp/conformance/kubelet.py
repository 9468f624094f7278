"""An emulated kubelet that records everything that a plugin sends."""

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
    """A registration, accepted or not.

    `served` is whether somebody listened on the plugin's socket at that moment.  `options` are
    those of a Register, and None for a plugin that was found in the registry.  `seconds` is the
    reactor's time.
    """

    resource: str
    endpoint: str
    version: str
    options: DevicePluginOptions | None
    served: bool
    seconds: float


@attrs.frozen
class Listed:
    """A list from the kubelet's stream."""

    resource: str
    message: ListAndWatchResponse
    seconds: float

    @property
    def health(self) -> dict[str, str]:
        """Ids and health, in the list's order."""
        return {device.ID: device.health for device in self.message.devices}


class RecordingKubelet(FakeKubelet):
    """Records registrations and lists, over restarts."""

    def __init__(self, directory: str, reactor: Any, **options: Any) -> None:
        super().__init__(directory, reactor=reactor, force=True, **options)
        self.arrivals: list[Arrival] = []
        """Every registration, oldest first."""
        self.lists: list[Listed] = []
        """Every list, oldest first."""

    def path_of(self, endpoint: str) -> str:
        """The path of a registered endpoint's socket."""
        # A kubelet joins an absolute path to its directory too, to no avail; only plugins in the
        # registry may give one.
        return endpoint if os.path.isabs(endpoint) else f"{self.directory}/{endpoint}"

    def arrived(self, request: RegisterRequest) -> None:
        """Record a Register call."""
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
        """Record that a registration was accepted or refused."""
        if os.path.isabs(endpoint):  # found in the registry: there was no Register
            self._arrived(resource, endpoint, version, None, True)
        super().record(resource, endpoint, version, error)

    def list_taken(self, resource: str, message: ListAndWatchResponse) -> None:
        """Record a list."""
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
    """Options as text for people."""
    names = {
        "PreStartContainer": options.pre_start_required,
        "GetPreferredAllocation": options.get_preferred_allocation_available,
    }
    return " and ".join(name for name, announced in names.items() if announced) or "none"
