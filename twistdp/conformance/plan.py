"""What to check: a plugin's command line and the user's other choices."""

from collections.abc import Mapping

import attrs

from twistdp.errors import BadSetting
from twistdp.settings import PLUGIN_DIRECTORY

PLACES = ("plugin_dir", "registry_dir", "work_dir")
"""Names that a command may have in braces; their paths differ from check to check."""

FEWEST = 17
"""Restarts after which growth by one with each exceeds what is allowed."""


@attrs.frozen
class Plan:
    """A plugin's command and the commands that change its devices.

    In all of them ``{plugin_dir}``, ``{registry_dir}`` and ``{work_dir}``, an empty directory,
    stand for the paths of the running check.  A shell runs the commands: `add` and `remove` make a
    device appear and disappear, `sicken` and `heal` make one unhealthy and healthy, `namesake`
    makes one appear with the file name of another, and `alias` makes another name for an existing
    device; `namesake_gone` and `alias_gone` undo the last two.
    `resource` is the one to check; by default the first that has devices.  `bind` binds the plugin
    directory to the usual path, for plugins that insist on it.  `patience` is the time for each
    step in seconds, `startup` that for a new process to register, and `restarts` the number of
    restarts when looking for leaks.

    Raises `BadSetting`.
    """

    command: tuple[str, ...]
    resource: str | None = None
    add: str | None = None
    remove: str | None = None
    sicken: str | None = None
    heal: str | None = None
    namesake: str | None = None
    namesake_gone: str | None = None
    alias: str | None = None
    alias_gone: str | None = None
    bind: bool = False
    patience: float = 10.0
    startup: float = 30.0
    restarts: int = 50

    def __attrs_post_init__(self) -> None:
        if not self.command:
            raise BadSetting("no command: put the plugin's command line after --")
        where = self.names("plugin_dir") or self.names("registry_dir")
        if not where and not self.bind:
            raise BadSetting(
                "the command names no directory: write {plugin_dir} for the directory of "
                f"kubelet.sock, or use --bind for a plugin that insists on {PLUGIN_DIRECTORY}"
            )
        for do, undo, options in (
            (self.add, self.remove, "--hotplug-add and --hotplug-remove"),
            (self.sicken, self.heal, "--make-unhealthy and --make-healthy"),
            (self.namesake, self.namesake_gone, "--namesake-add and --namesake-remove"),
            (self.alias, self.alias_gone, "--alias-add and --alias-remove"),
        ):
            if (do is None) != (undo is None):
                raise BadSetting(f"{options} belong together: give both")
        if min(self.patience, self.startup) <= 0 or self.restarts < FEWEST:
            raise BadSetting(
                "patience and startup must be more than 0 seconds, and restarts at least "
                f"{FEWEST}, so that a leak shows"
            )

    def names(self, place: str) -> bool:
        """Whether the plugin's command names one of `PLACES`."""
        return any(f"{{{place}}}" in word for word in self.command)


def with_places(text: str, places: Mapping[str, str]) -> str:
    """A word of a command with the places filled in; other braces stay as they are."""
    for name in PLACES:
        text = text.replace(f"{{{name}}}", places[name])
    return text
