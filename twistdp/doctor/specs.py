"""Reads CDI specs, as far as the checks need them."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import attrs

from twistdp.doctor.documents import read_yaml
from twistdp.doctor.host import Host, Unreadable

LARGEST: Final = 32 * 1024 * 1024
OURS: Final = "twistdp."
"""What the names of twistdp's own specs begin with."""


@attrs.frozen
class Spec:
    """A spec that was read; `paths` are the nodes and hooks of the host that it names."""

    path: str
    kind: str
    devices: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether twistdp wrote it."""
        return os.path.basename(self.path).startswith(OURS)


def read_spec(host: Host, path: str) -> Spec:
    """Read a spec.  Raises `Unreadable` for what runtimes leave out."""
    content = read_yaml(host, path, LARGEST)
    if not isinstance(content, dict):
        raise Unreadable(path, "it is no CDI spec")
    kind, devices = content.get("kind"), content.get("devices")
    if not isinstance(content.get("cdiVersion"), str):
        raise Unreadable(path, "it is no CDI spec: it has no cdiVersion")
    if not isinstance(kind, str) or kind.count("/") != 1 or not all(kind.split("/")):
        raise Unreadable(path, "it is no CDI spec: its kind is not VENDOR/CLASS")
    if not isinstance(devices, list) or not all(isinstance(each, dict) for each in devices):
        raise Unreadable(path, "it is no CDI spec: it has no list of devices")
    parts = [content, *devices]
    names = tuple(str(each.get("name")) for each in devices)
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise Unreadable(path, f"it has the device {twice[0]!r} twice")
    paths = dict.fromkeys(path for each in parts for path in _paths(each.get("containerEdits")))
    return Spec(path, kind, names, tuple(paths))


def _paths(edits: Any) -> Iterator[str]:
    """The nodes whose numbers a runtime takes from the host, and the programs of hooks."""
    for node in _tables(edits, "deviceNodes"):
        if not (node.get("type") and node.get("major")):
            yield str(node.get("hostPath") or node.get("path"))
    for hook in _tables(edits, "hooks"):
        yield str(hook.get("path"))


def _tables(edits: Any, key: str) -> Iterator[dict[str, Any]]:
    found = edits.get(key) if isinstance(edits, dict) else None
    yield from (
        each for each in (found if isinstance(found, list) else ()) if isinstance(each, dict)
    )
