"""Reads from the kubelet's checkpoint which nodes of the host it keeps for containers."""

import base64
import json
import os
from collections.abc import Collection, Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError

from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse

CHECKPOINT: Final = "kubelet_internal_checkpoint"
"""The file in which a kubelet keeps what Allocate answered, over its restarts and reboots."""

LARGEST: Final = 64 * 1024 * 1024
"""Bytes that are read of it."""


def kept_nodes(directory: str, resource: str, ids: Collection[str]) -> list[frozenset[str]]:
    """The host paths of nodes that the kubelet keeps for containers with exactly these devices.

    A container that starts again gets what Allocate answered when its pod was admitted.  Several
    containers can be there, since a pod that has ended stays in the file for a while.  Empty if
    there is none, or if the file cannot be read or understood: its format is the kubelet's own.
    """
    try:
        with open(os.path.join(directory, CHECKPOINT), "rb") as file:
            entries = json.loads(file.read(LARGEST))["Data"]["PodDeviceEntries"]
        return list(_nodes(entries or (), resource, frozenset(ids)))
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        DecodeError,
        RecursionError,
    ):
        return []


def _nodes(entries: Any, resource: str, ids: frozenset[str]) -> Iterator[frozenset[str]]:
    for entry in entries:
        if entry["ResourceName"] != resource or not entry["AllocResp"]:
            continue
        if {id_ for per_node in entry["DeviceIDs"].values() for id_ in per_node} == ids:
            answer = ContainerAllocateResponse.FromString(base64.b64decode(entry["AllocResp"]))
            yield frozenset(node.host_path for node in answer.devices)
