"""Names of the scanners of a process, of which no two have the same."""

from itertools import count
from typing import Final
from weakref import WeakValueDictionary


class Name:
    """The name of a scanner, as long as whatever runs the scanner keeps this."""

    def __init__(self, text: str) -> None:
        self.text: Final = text


class Names:
    """The names that scanners have now: those of their classes, and a number from the second on."""

    def __init__(self) -> None:
        self._of: WeakValueDictionary[int, Name] = WeakValueDictionary()

    def claim(self, scanner: object, kind: str) -> Name:
        """Give a scanner of this class a name, such as ``module:Class`` or ``module:Class#2``.

        Who keeps the name keeps the scanner too.
        """
        taken = {name.text for name in self._of.values()}
        texts = (kind if number == 1 else f"{kind}#{number}" for number in count(1))
        name = self._of[id(scanner)] = Name(next(text for text in texts if text not in taken))
        return name

    def of(self, scanner: object, kind: str) -> str:
        """Return the name of a scanner; that of its class if it has none yet."""
        name = self._of.get(id(scanner))
        return kind if name is None else name.text
