"""The words of a device for templates."""

from collections.abc import Iterator, Mapping
from typing import Final

from twistdp.errors import BadSetting
from twistdp.select import WORDS, Device, Undecidable, word

NUMBER: Final = "\0"
"""Stands in a filled template for the number of a device among those of a container."""


class Words(Mapping[str, object]):
    """What templates may name of a device: the vocabulary, `more`, attributes and properties.

    A word without a value is not there.  A property that is undecidable raises `BadSetting`.
    """

    def __init__(self, device: Device, **more: object) -> None:
        self._device = device
        self._more = more

    def with_more(self, **more: object) -> "Words":
        """The same words and `more`."""
        return Words(self._device, **{**self._more, **more})

    def __getitem__(self, name: str) -> object:
        value = self._find(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in (*self._more, *WORDS) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _find(self, name: str) -> object:
        if name in self._more:
            return self._more[name]
        source, colon, rest = name.partition(":")
        value: object = None
        if not colon:
            value = word(self._device, name) if name in WORDS else None
        elif source == "attribute":
            value = self._device.reading(rest)
        elif source == "property":
            value = self._device.property(rest)
        else:
            value = self._device.uevent.get(rest)
        if isinstance(value, Undecidable):
            raise BadSetting(f"{{{name}}} is undecidable: {value.reason}")
        if isinstance(value, str) and NUMBER in value:
            raise BadSetting(f"{{{name}}} has a NUL in it")
        return value
