"""What is to be checked: a plugin's command line and what the user tells of it."""

from collections.abc import Mapping

import attrs

from twistdp.errors import BadSetting
from twistdp.settings import PLUGIN_DIRECTORY

PLACES = ("plugin_dir", "registry_dir", "work_dir")
"""What a command may name in braces; each check has its own."""

FEWEST = 17
"""Restarts that tell what grows by one with each from what is allowed."""


@attrs.frozen
class Plan:
    """A plugin's command and the commands that change its devices.

    In all of them ``{plugin_dir}``, ``{registry_dir}`` and ``{work_dir}``, an empty directory,
    stand for the paths of the check that runs.  `add` and `remove` make a device appear and
    disappear, `sicken` and `heal` make one unhealthy and healthy, `namesake` makes one appear
    that has the last name of another, `alias` another name for one that is there, and each of
    these has what takes it back; they are run by a shell.
    `resource` is the one to look at; by default the first that has devices.  `bind` puts the
    plugin directory where plugins expect it, for those that cannot be told.  `patience` is how
    many seconds anything may take, `startup` how many a process may until it registers for the
    first time, `restarts` how many are made to look for leaks.

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
                "the command names no place: write {plugin_dir} where it takes the directory of "
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
                f"{FEWEST}, to tell a leak from what was there"
            )

    def names(self, place: str) -> bool:
        """Whether the plugin's command names one of `PLACES`."""
        return any(f"{{{place}}}" in word for word in self.command)


def filled(text: str, places: Mapping[str, str]) -> str:
    """A word of a command with the places filled in; other braces stay as they are."""
    for name in PLACES:
        text = text.replace(f"{{{name}}}", places[name])
    return text
