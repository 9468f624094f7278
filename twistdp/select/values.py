"""What a condition reads of a device, so that devices can be looked up by it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from twistdp.select.device import Device
from twistdp.select.reading import Undecidable


@attrs.frozen
class Values:
    """The reading of a condition, and the values with which the condition holds.

    `name` tells the reading apart from others.  If `literals` are given, they alone match.
    """

    name: str
    read: Callable[[Device], str | Undecidable | None]
    matches: Callable[[str], bool]
    literals: Sequence[str] | None

    def index(self, devices: Iterable[Device]) -> Mapping[str | None, Sequence[Device]]:
        """The devices by their values, below None those whose value cannot be known here."""
        found: dict[str | None, list[Device]] = {}
        for device in devices:
            value = self.read(device)
            if value is not None:
                key = None if isinstance(value, Undecidable) else value
                found.setdefault(key, []).append(device)
        return found

    def among(self, index: Mapping[str | None, Sequence[Device]]) -> Iterator[Device]:
        """The devices of an index that the condition does not leave out, each once."""
        values: Iterable[str | None]
        if self.literals is not None:
            values = dict.fromkeys(self.literals)
        else:
            values = [value for value in index if value is not None and self.matches(value)]
        for value in (*values, None):
            yield from index.get(value, ())
