"""Directories of nodes and containers, as annotations with their rules."""

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

from twistdp.crds.rule import CelRule, count, kept, length, matches, unique
from twistdp.deployment import CONFIG_DIRECTORY, OF_THE_CONTAINER, SCANNER_DIRECTORY
from twistdp.settings import RUN_DIRECTORY

_IN_THE_WAY: Final = sorted(
    {*OF_THE_CONTAINER, *(f"/{name}" for name in ("etc", "tmp", "run", "proc"))}
)
_OWN: Final = [SCANNER_DIRECTORY, CONFIG_DIRECTORY, RUN_DIRECTORY]
"""What the container has in directories of its own."""

_PARTS: Final = r"(/[^/:\x00-\x1f\x7f]+)+"
_IS_PLACE: Final = CelRule(
    rf"self.matches(r'^{_PARTS}$') && !self.matches(r'/\.\.?(/|$)')",
    "a path begins with '/' and has no part that is empty, '.' or '..', no ':', no control "
    "character and no '/' at its end; write it as /dev/dri",
    lambda value: matches(_PARTS, value) and not {".", ".."} & set(value.split("/")),
)
Directory: TypeAlias = Annotated[
    str, length(512), kept(_IS_PLACE, "an absolute path in the container")
]
HostDirectory: TypeAlias = Annotated[
    str,
    length(512),
    kept(_IS_PLACE, "an absolute path of the node"),
    kept(
        CelRule(
            f"!(self in {_IN_THE_WAY}) && "
            f"!{_OWN}.exists(own, self == own || self.startsWith(own + '/'))",
            "mounting this directory of the node would hide the container's own files; name what "
            "is needed in it",
            lambda value: (
                value not in _IN_THE_WAY
                and not any(value == own or value.startswith(f"{own}/") for own in _OWN)
            ),
        ),
        "an absolute path of the node",
    ),
]
KubeletDirectory: TypeAlias = Annotated[HostDirectory, length(75)]
"""As long as it can be for sockets in it; a socket's path has at most 107 bytes."""
HostDirectories: TypeAlias = Annotated[Sequence[HostDirectory], count(32), unique()]
