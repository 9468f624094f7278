"""Shows what containers are given with their devices: in a few words, or all but the values."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

from twistdp.kubelet import AllocateResponse
from twistdp.model import named, printable

MOST: Final = 50
"""Entries of one kind in the full answer of one container, and containers."""

_LONGEST: Final = 300  # characters of a path or a name
_SHORT: Final = 1000  # bytes of an answer


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
    brief: str = ""
    """The answer in a few words; empty if it gives nothing."""

    def facts(self, most: int) -> dict[str, object]:
        """Return the parts that are not empty by name, with at most `most` entries of each list."""
        found: dict[str, object] = {
            "nodes": _all_shown(self.nodes[:most]),
            "mounts": self.mounts,
            "envNames": _all_shown(self.envs[:most]),
            "annotations": self.annotations,
            "cdiDevices": _all_shown(self.cdi[:most]),
        }
        return {key: value for key, value in found.items() if value}


def given_by(answer: bytes) -> Given:
    """Return what the answer to an Allocate gives.

    The results of the last short answers are kept: a node gives the same few devices repeatedly.
    """
    return _kept(answer) if len(answer) <= _SHORT else _read(answer)


def _read(answer: bytes) -> Given:
    nodes: dict[str, None] = {}
    envs: dict[str, None] = {}
    cdi: list[str] = []
    mounts = annotations = 0
    for part in AllocateResponse.FromString(answer).container_responses:
        nodes.update(dict.fromkeys([node.host_path for node in part.devices]))
        mounts += len(part.mounts)
        envs.update(dict.fromkeys(sorted(part.envs)))
        annotations += len(part.annotations)
        cdi += [device.name for device in part.cdi_devices]
    given = Given(list(nodes), mounts, list(envs), annotations, cdi)
    return given._replace(brief=_brief(given))


_kept = lru_cache(128)(_read)


def _brief(given: Given) -> str:
    parts = [_named(given.nodes)] if given.nodes else []
    for count, what in ((given.mounts, "mount"), (given.annotations, "annotation")):
        if count:
            parts.append(f"{count} {what}{'' if count == 1 else 's'}")
    if given.envs:
        parts.append(f"env {_named(given.envs)}")
    if given.cdi:
        parts.append(f"CDI {_named(given.cdi)}")
    return "; ".join(parts)


def whole_answer(answer: bytes) -> list[Mapping[str, list[str]]]:
    """Return what the `answer` to an Allocate has for each container.

    Values are left out: they may be secrets.  Nodes are ``HOST:CONTAINER:PERMISSIONS``, mounts
    ``HOST:CONTAINER:ro`` or ``:rw``.  At most `MOST` entries of each kind.
    """
    return [
        {key: _all_shown(islice(texts, MOST)) for key, texts in _texts(part) if texts}
        for part in AllocateResponse.FromString(answer).container_responses[:MOST]
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


def _named(texts: list[str]) -> str:
    return named(texts, show=_shown)


def _all_shown(texts: Iterable[str]) -> list[str]:
    return [_shown(text) for text in texts]


def _shown(text: str) -> str:
    return printable(text, _LONGEST)
