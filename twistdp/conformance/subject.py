"""Runs the plugin under test."""

from collections.abc import Mapping, Sequence
from typing import Any

from twistdp.conformance.plan import Plan, with_places
from twistdp.conformance.program import Program
from twistdp.settings import PLUGIN_DIRECTORY

_BIND = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Subject(Program):
    """A started plugin; `places` are the paths for its command line."""

    def __init__(self, plan: Plan, places: Mapping[str, str], reactor: Any) -> None:
        command: Sequence[str] = [with_places(word, places) for word in plan.command]
        if plan.bind:
            # In a mount namespace of its own, so that nobody else sees the bound directory.
            command = [
                *("unshare", "--mount", "--propagation", "private"),
                *("sh", "-c", _BIND, "sh", places["plugin_dir"], PLUGIN_DIRECTORY, *command),
            ]
        super().__init__(command, reactor)
