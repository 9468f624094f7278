"""Devices that come, go and change, also while no process runs."""

import os
import random
from itertools import count

KINDS = ("camera", "modem", "scope")
"""The resource types."""

EACH = 3
"""Devices of a type at most."""


class Hardware:
    """The files of `directory`, which is made, in the form of `benchmarks.kill.plugin`.

    `there` are the ids of the devices; there is one of each type at first, and always one of the
    first type.
    """

    def __init__(self, directory: str, chance: random.Random) -> None:
        self.there: set[str] = set()
        self._directory = directory
        self._random = chance
        self._serial = count()
        os.mkdir(directory)
        for kind in KINDS:
            self.plug(f"{kind}.0")

    def change(self) -> None:
        """Let a device come, go, or become another one under its name; types come and go too."""
        id_ = f"{self._random.choice(KINDS)}.{self._random.randrange(EACH)}"
        if id_ in self.there and id_ != f"{KINDS[0]}.0" and self._random.random() < 0.6:
            self.unplug(id_)
        else:
            self.plug(id_)

    def plug(self, id_: str) -> None:
        """Make a device with content that no device has had before."""
        # Write it elsewhere first, so that nobody reads half of it.
        new = f"{self._directory}.new"
        with open(new, "w", encoding="ascii") as file:
            file.write(f"version-{next(self._serial)}")
        os.replace(new, os.path.join(self._directory, id_))
        self.there.add(id_)

    def unplug(self, id_: str) -> None:
        """Remove a device."""
        self.there.remove(id_)
        os.unlink(os.path.join(self._directory, id_))
