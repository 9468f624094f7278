"""Udev's data base, ``/run/udev/data``: properties, tags and links that udev gave to devices."""

import os
from collections import defaultdict
from functools import cached_property
from typing import Final

import attrs

from twistdp.select.reading import Undecidable, read_file

_LONGEST: Final = 65536
_MOST: Final = 100_000
"""Entries that are read to find out which devices claim a link."""


@attrs.frozen
class Entry:
    """What udev knows of one device."""

    links: tuple[str, ...] = ()
    properties: dict[str, str] = attrs.Factory(dict)
    tags: frozenset[str] = frozenset()
    """Those that the device has now, where the data base tells them from those it once had."""
    is_there: bool = True
    """Whether the data base has an entry, and it can be read."""


class UdevData:
    """The data base below `root`; each entry is read once."""

    def __init__(self, root: str) -> None:
        self._directory = os.path.join(root, "run/udev/data")
        self._entries: dict[str, Entry] = {}

    @cached_property
    def is_there(self) -> bool:
        """Whether there is a data base; a container often has none."""
        return os.path.isdir(self._directory)

    def entry(self, key: str) -> Entry:
        """What the data base has under `key`, as ``c189:5`` or ``+usb:1-2``; nothing if absent."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._read(key)
        return entry

    def prepare(self) -> None:
        """Find out which devices claim which links, and keep no more than that."""
        self.claims  # noqa: B018  # it is read when it is asked for
        self._entries.clear()

    def forget(self, key: str) -> None:
        """Read an entry again when it is asked for."""
        self._entries.pop(key, None)
        if "claims" in self.__dict__ and key[:1] in ("b", "c"):
            for link in [link for link, keys in self.claims.items() if key in keys]:
                self.claims[link].remove(key)
            for link in self.entry(key).links:
                self.claims.setdefault(link, []).append(key)

    def _read(self, key: str) -> Entry:
        if "/" in key or not self.is_there:
            return Entry(is_there=False)
        text = read_file(os.path.join(self._directory, key), _LONGEST)
        if text is None or isinstance(text, Undecidable):
            return Entry(is_there=False)
        links, properties = [], {}
        tags: dict[str, set[str]] = {"G": set(), "Q": set()}
        for line in text.split("\n"):
            kind, _, value = line.partition(":")
            if kind == "S":
                links.append(value)
            elif kind == "E":
                name, equals, content = value.partition("=")
                if equals:
                    properties[name] = content
            elif kind in tags:
                tags[kind].add(value)
        return Entry(tuple(links), properties, frozenset(tags["Q"] or tags["G"]))

    @cached_property
    def claims(self) -> dict[str, list[str]]:
        """The keys of the devices that claim each link, which is given relative to ``/dev``."""
        claims = defaultdict(list)
        try:
            with os.scandir(self._directory) as listing:
                for number, entry in enumerate(listing):
                    if number >= _MOST:
                        break
                    if entry.name[:1] in ("b", "c"):
                        for link in self.entry(entry.name).links:
                            claims[link].append(entry.name)
        except OSError:
            return {}  # without a data base nothing is claimed
        return dict(claims)
