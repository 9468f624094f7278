"""Shows what containers are given with their devices: in a few words, or all but the values."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from twistdp.kubelet import AllocateResponse
from twistdp.model import named, printable

MOST: Final = 50
"""Entries of one kind in the full answer of one container, and containers."""

_LONGEST: Final = 300  # characters of a path or a name


class Given(NamedTuple):
    """What all containers of an answer are given."""

    nodes: list[str]
    """Paths of device nodes on the host, each once."""
    mounts: int
    envs: list[str]
    """Names of environment variables, each once."""
    annotations: int
    cdi: list[str]
    """Names of CDI devices."""

    def __str__(self) -> str:
        """Describe it in a few words; empty if it is nothing."""
        parts = [named(self.nodes)] if self.nodes else []
        for count, what in ((self.mounts, "mount"), (self.annotations, "annotation")):
            if count:
                parts.append(f"{count} {what}{'' if count == 1 else 's'}")
        if self.envs:
            parts.append(f"env {named(self.envs)}")
        if self.cdi:
            parts.append(f"CDI {named(self.cdi)}")
        return "; ".join(parts)

    def facts(self, most: int) -> dict[str, object]:
        """Return what there is of it by name, of each list `most` entries."""
        found: dict[str, object] = {
            "nodes": self.nodes[:most],
            "mounts": self.mounts,
            "envNames": self.envs[:most],
            "annotations": self.annotations,
            "cdiDevices": self.cdi[:most],
        }
        return {key: value for key, value in found.items() if value}


def given_by(answer: AllocateResponse) -> Given:
    """Return what `answer` gives."""
    parts = answer.container_responses
    return Given(
        list(dict.fromkeys(_shown(node.host_path) for part in parts for node in part.devices)),
        sum(len(part.mounts) for part in parts),
        list(dict.fromkeys(_shown(name) for part in parts for name in sorted(part.envs))),
        sum(len(part.annotations) for part in parts),
        [_shown(device.name) for part in parts for device in part.cdi_devices],
    )


def whole_answer(answer: AllocateResponse) -> list[Mapping[str, list[str]]]:
    """Return what `answer` has for each container, without values: they may be secrets.

    Nodes are ``HOST:CONTAINER:PERMISSIONS``, mounts ``HOST:CONTAINER:ro`` or ``:rw``.  At most
    `MOST` entries of each kind.
    """
    return [
        {
            key: [_shown(text) for text in islice(texts, MOST)]
            for key, texts in _texts(part)
            if texts
        }
        for part in answer.container_responses[:MOST]
    ]


def _texts(part: Any) -> Iterable[tuple[str, list[str]]]:
    return (
        (
            "devices",
            [f"{node.host_path}:{node.container_path}:{node.permissions}" for node in part.devices],
        ),
        (
            "mounts",
            [
                f"{mount.host_path}:{mount.container_path}:{'ro' if mount.read_only else 'rw'}"
                for mount in part.mounts
            ],
        ),
        ("envNames", sorted(part.envs)),
        ("annotationNames", sorted(part.annotations)),
        ("cdiDevices", [device.name for device in part.cdi_devices]),
    )


def _shown(text: str) -> str:
    return printable(text, _LONGEST)
