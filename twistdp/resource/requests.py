"""Bounds the kubelet's requests, and shows in a few words what they are about."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from twistdp.errors import UnreasonableRequest
from twistdp.kubelet import AllocateRequest, PreferredAllocationRequest, PreStartContainerRequest
from twistdp.model import listed, printable

MOST_CONTAINERS: Final = 1000
"""Container requests in one call: kubelets send one, and one message has room for two million."""

MOST_IDS: Final = 210_000
"""Ids in one call: a list has room for so many devices, and a device is in one container."""

_MOST_SHOWN: Final = 8  # containers of one request
_LONGEST_ID: Final = 63  # characters of an id
_MOST_TEXT: Final = 600  # characters: eight of the longest ids
_SHORT: Final = 1000  # bytes of a request

Request: TypeAlias = AllocateRequest | PreferredAllocationRequest | PreStartContainerRequest


def check_size(request: Request) -> None:
    """Raise `UnreasonableRequest` for more containers or ids than a kubelet asks for."""
    if request.ByteSize() < MOST_CONTAINERS:
        return  # each container and each id takes more than a byte
    if isinstance(request, PreStartContainerRequest):
        ids = len(request.devices_ids)
    else:
        if (count := len(request.container_requests)) > MOST_CONTAINERS:
            raise UnreasonableRequest(
                f"{count} containers in one request: at most {MOST_CONTAINERS} are answered; ask "
                "for them one by one, as kubelets do"
            )
        if isinstance(request, AllocateRequest):
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


class Asked(NamedTuple):
    """What an Allocate asks for."""

    ids: list[list[str]]
    """Those of each container; the lists are shared, and not to be changed."""
    shown: str
    """The same, as far as one line has room."""


def asked_by(request: AllocateRequest) -> Asked:
    """Return what a request asks for.

    The results of the last short requests are kept: a node gives the same few devices repeatedly.
    """
    data = request.SerializeToString()
    return _kept(data) if len(data) <= _SHORT else _read(request)


def _read(request: AllocateRequest) -> Asked:
    ids = [list(part.devices_ids) for part in request.container_requests]
    return Asked(ids, shown_ids(ids))


@lru_cache(128)
def _kept(data: bytes) -> Asked:
    return _read(AllocateRequest.FromString(data))


def ids_of(request: AllocateRequest) -> dict[str, object]:
    """Return the number of ids, and the first ids of each of the first containers."""
    parts = [part.devices_ids for part in request.container_requests]
    most = _MOST_TEXT // _LONGEST_ID // max(len(parts), 1) or 1
    first = [[printable(id_, _LONGEST_ID) for id_ in ids[:most]] for ids in parts[:_MOST_SHOWN]]
    return {"count": sum(map(len, parts)), "ids": first}


def shown_ids(parts: Sequence[Sequence[str]]) -> str:
    """Show the ids of each container, as far as one line has room."""
    return printable("; ".join(map(listed, parts[:_MOST_SHOWN])), _MOST_TEXT)


def shown_request(request: Request) -> str:
    """Show the ids that a request is about, or how many are wanted of each container."""
    if isinstance(request, PreStartContainerRequest):
        return shown_ids([request.devices_ids]) or "no devices"
    if isinstance(request, PreferredAllocationRequest):
        parts = request.container_requests[:_MOST_SHOWN]
        return f"{', '.join(str(part.allocation_size) for part in parts)} wanted"
    first = request.container_requests[:_MOST_SHOWN]
    return shown_ids([part.devices_ids for part in first]) or "no devices"
