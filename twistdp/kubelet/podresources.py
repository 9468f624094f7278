"""Asks the kubelet which devices pods hold (pod-resources API v1)."""

from typing import Any

from twistdp.errors import CallFailed, MalformedMessage
from twistdp.host import check_server
from twistdp.kubelet.api import POD_RESOURCES_LIST
from twistdp.rpc import Channel

MAX_ANSWER = 64 * 1024 * 1024
"""Most bytes of an answer: a full node's exceeds gRPC's usual 4 MiB."""

TIMEOUT = 5.0
"""Seconds for the kubelet to answer."""


async def holders(
    socket_path: str, *, reactor: Any, timeout: float = TIMEOUT
) -> dict[str, set[str]] | None:
    """The ids of devices that pods hold, by resource name; None when that cannot be known.

    That is so if nobody listens on `socket_path`, or the answer is an error, too large, or later
    than `timeout` seconds.  It is so too if there is no pod in it at all: a kubelet that has
    started answers that for about a second, and for as long as it gets no answer from the API
    server, whatever its pods hold.  Resources of which pods hold nothing are left out.  A pod's
    devices appear shortly after Allocate has returned for it.  Ordinary init containers are not in
    the answer.  Raises `Untrusted` if another user than root or ours listens there.
    """
    try:
        check_server(socket_path)
    except OSError:
        return None
    # Imported here because most plugins never ask.
    from twistdp.kubelet.podresources_v1_pb2 import (
        ListPodResourcesRequest,
        ListPodResourcesResponse,
    )

    channel = Channel(socket_path, reactor=reactor, max_receive=MAX_ANSWER)
    try:
        answer = await channel.unary(
            POD_RESOURCES_LIST, ListPodResourcesRequest(), ListPodResourcesResponse, timeout
        )
    except (CallFailed, MalformedMessage):
        return None
    finally:
        await channel.close()
    if not answer.pod_resources:
        return None
    held: dict[str, set[str]] = {}
    for pod in answer.pod_resources:
        for container in pod.containers:
            for entry in container.devices:
                held.setdefault(entry.resource_name, set()).update(entry.device_ids)
    return held
