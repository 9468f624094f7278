"""Finds who serves which devices, from the answers of twistdp's plugins and the checkpoint."""

import json
import os
from collections.abc import Collection, Iterator
from typing import Any, Final

import attrs

from twistdp.doctor.documents import table
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.kubelet import CHECKPOINT

LARGEST: Final = 64 * 1024 * 1024


@attrs.frozen
class Served:
    """A resource that a plugin of twistdp serves to the kubelet of this host."""

    plugin: str
    """The socket on which the plugin answers."""
    name: str
    endpoint: str
    ids: frozenset[str]
    standing: str
    streams: int


def served_by(path: str, state: dict[str, Any], directories: Collection[str]) -> Iterator[Served]:
    """The resources in a plugin's answer whose sockets are in these directories.

    What in the answer makes no sense is left out.
    """
    for each in _tables(state.get("resources")):
        if os.path.dirname(str(each.get("endpoint"))) not in directories:
            continue  # the socket is for an emulated kubelet
        session = table(each, "session")
        streams = session.get("streams")
        yield Served(
            path,
            str(each.get("name")),
            str(each.get("endpoint")),
            frozenset(str(device.get("id")) for device in _tables(each.get("devices"))),
            str(session.get("standing")),
            streams if isinstance(streams, int) else 0,
        )


def _tables(content: Any) -> list[dict[str, Any]]:
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []


def registered(host: Host) -> dict[str, frozenset[str]]:
    """The healthy devices that plugins have listed, as the kubelet has written them down."""
    content = host.read(CHECKPOINT, LARGEST)
    if content is None:
        return {}
    try:
        found = table(json.loads(content), "Data", "RegisteredDevices")
    except (ValueError, RecursionError) as failure:
        raise Unreadable(
            CHECKPOINT,
            f"it is no JSON ({failure}), and a kubelet that starts with it does not know which pod "
            "has which device",
        ) from failure
    return {name: frozenset(map(str, ids)) for name, ids in found.items() if isinstance(ids, list)}
