"""What `use` needs of a catalogue."""

from collections.abc import Collection
from typing import Protocol

from twistdp.config.model import Resource


class Catalog(Protocol):
    """Entries that resources can build on."""

    def __contains__(self, name: object) -> bool:
        """Whether `use` can name this; that is faster than `names`."""

    @property
    def names(self) -> Collection[str]:
        """What can stand after `use`."""

    def arguments(self, entry: str) -> Collection[str]:
        """What `--set` gives to an entry, and no key of a resource does; none for others."""

    def applied(self, resource: Resource) -> Resource:
        """The entry that `resource.use`, one of `names`, names, with what the resource has instead.

        Raises `BadSetting` if that selects nothing, or more than anybody can mean.
        """
