"""The commands to the emulated kubelet, as values."""

from typing import TypeAlias

import attrs


@attrs.frozen
class Allocate:
    """Admit a container with `count` devices, or with those in `ids` if there are any.

    With `init` it is an ordinary init container.
    """

    resource: str
    count: int
    ids: tuple[str, ...]
    namespace: str
    pod: str
    container: str
    init: bool


@attrs.frozen
class Run:
    """Admit a container without devices; a `static` pod is one of a file."""

    namespace: str
    pod: str
    container: str
    static: bool


@attrs.frozen
class Release:
    """End a pod, which is forgotten a moment later, or, with `force`, at once."""

    namespace: str
    pod: str
    force: bool


@attrs.frozen
class List:
    """Show the resources with their numbers."""


@attrs.frozen
class Show:
    """Show the devices of a resource, or of all."""

    resource: str | None


@attrs.frozen
class Wait:
    """Wait until `count` devices are allocatable, at most for `timeout` seconds."""

    resource: str
    count: int
    timeout: float


@attrs.frozen
class Restart:
    """Restart the kubelet."""


@attrs.frozen
class ApiServer:
    """Let the API server answer, or not."""

    answers: bool


@attrs.frozen
class ReplaceSocket:
    """Replace ``kubelet.sock`` alone."""


@attrs.frozen
class Refuse:
    """Refuse all registrations with a text; None accepts them again."""

    text: str | None


@attrs.frozen
class KillStreams:
    """End the ListAndWatch stream of a resource, or of all."""

    resource: str | None


@attrs.frozen
class Help:
    """List the commands."""


Command: TypeAlias = (
    Allocate
    | ApiServer
    | Help
    | KillStreams
    | List
    | Refuse
    | Release
    | ReplaceSocket
    | Restart
    | Run
    | Show
    | Wait
)
