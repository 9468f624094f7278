"""Reads from the kubelet's checkpoint which nodes of the host it keeps for containers."""

import base64
import json
import os
import re
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, Final

from google.protobuf.message import DecodeError
from twisted.logger import Logger

from twistdp.errors import Untrusted
from twistdp.host import check_ownership, problem_of
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse

_log = Logger()

CHECKPOINT: Final = "kubelet_internal_checkpoint"
"""The file in which a kubelet keeps what Allocate answered, over its restarts and reboots."""

LARGEST: Final = 64 * 1024 * 1024
"""Bytes that are read of it."""

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_ENTRIES: Final = re.compile(r'"PodDeviceEntries"\s*:\s*(null|\[\s*\]|\[)\s*')
_NEXT: Final = re.compile(r"\s*([],])\s*")

_UNKNOWN: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    DecodeError,
    RecursionError,
)
"""The exceptions that reading a file of another format raises."""


class Checkpoint:
    """The checkpoint of the kubelet with this directory."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, CHECKPOINT)
        self._problem = ""

    def kept_nodes(self, resource: str, ids: Collection[str]) -> list[frozenset[str]]:
        """The host paths of nodes that are kept for containers with exactly these devices.

        A container that starts again gets what Allocate answered when its pod was admitted.
        Several containers can be there, since a pod that has ended stays in the file for a while.
        Empty if there is none, or if the file cannot be read, trusted or understood: its format is
        the kubelet's own.

        Takes seconds for a large file, so call it in a thread, and not in several at once.
        """
        with suppress(*_UNKNOWN):
            content = self._content()
            if content is not None:
                return list(_nodes(content, resource, frozenset(ids)))
        return []

    def kept_ids(self) -> frozenset[tuple[str, str]] | None:
        """All devices that are kept for containers, as pairs of resource and id.

        Unlike the pod-resources API this has those of init containers.  None if the file cannot
        be read, trusted or understood as a whole.  Call it in a thread, too.
        """
        with suppress(*_UNKNOWN):
            content = self._content()
            if content is not None:
                return frozenset(
                    (entry["ResourceName"], id_)
                    for entry in _entries(content.decode())
                    for id_ in _ids(entry)
                )
        return None

    def _content(self) -> bytes | None:
        """The content of the file; None, which is logged once, for one that is not the kubelet's.

        In a sticky directory others may have made it.
        """
        try:
            check_ownership(os.path.dirname(self._path))
            with open(os.open(self._path, _FLAGS), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    self._report("it is no regular file; remove it")
                    return None
                problem = problem_of(self._path, found, sticky_helps=False)
                if problem is not None:
                    raise problem
                content = file.read(LARGEST + 1)
        except Untrusted as error:
            self._report(f"{error.reason}; {error.remedy}")
            return None
        too_large = len(content) > LARGEST
        self._report(f"it has more than {LARGEST >> 20} MiB" if too_large else "")
        return None if too_large else content

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            _log.warn(
                "{path} is not read: {problem}; containers of pods that started before this plugin "
                "start again without a check that they have the nodes of their devices; delete the "
                "pod of a container that cannot open its device",
                path=self._path,
                problem=problem,
            )
        self._problem = problem


def _nodes(content: bytes, resource: str, ids: frozenset[str]) -> Iterator[frozenset[str]]:
    for entry in _entries(content.decode()):
        if entry["ResourceName"] != resource or not entry["AllocResp"]:
            continue
        if _ids(entry) == ids:
            answer = ContainerAllocateResponse.FromString(base64.b64decode(entry["AllocResp"]))
            yield frozenset(node.host_path for node in answer.devices)


def _ids(entry: Any) -> set[str]:
    return {id_ for per_node in entry["DeviceIDs"].values() for id_ in per_node}


def _entries(text: str) -> Iterator[Any]:
    """The entries, one by one: no other thread runs while Python parses a whole text.

    Raises ValueError if their list has no beginning, or no end.
    """
    decoder = json.JSONDecoder()
    found = _ENTRIES.search(text)
    while found is not None and found[1] in "[,":
        entry, end = decoder.raw_decode(text, found.end())
        yield entry
        found = _NEXT.match(text, end)
    if found is None:
        raise ValueError("the entries have no beginning, or no end")
