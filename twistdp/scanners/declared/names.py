"""Names by keys, where nearly every key has one name."""

from collections.abc import KeysView


class Names:
    """The names of each key; a single one, the usual case, needs no tuple."""

    def __init__(self) -> None:
        self._of: dict[str, str | tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def __contains__(self, key: str) -> bool:
        return key in self._of

    def keys(self) -> KeysView[str]:
        """The keys that have names."""
        return self._of.keys()

    def of(self, key: str) -> tuple[str, ...]:
        """The names of a key, in the order in which they were added."""
        return _several(self._of.get(key, ()))

    def add(self, key: str, name: str) -> None:
        """Add a name that the key does not have."""
        others = self.of(key)
        self._of[key] = (*others, name) if others else name

    def remove(self, key: str, name: str) -> None:
        """Remove a name that the key has."""
        others = tuple(each for each in self.of(key) if each != name)
        if others:
            self._of[key] = others[0] if len(others) == 1 else others
        else:
            del self._of[key]

    def pop(self, key: str) -> tuple[str, ...]:
        """Remove all names of a key, and return them."""
        return _several(self._of.pop(key, ()))

    def clear(self) -> None:
        """Remove everything."""
        self._of.clear()


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
