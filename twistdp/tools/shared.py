"""One object for each reactor, and what it is about, which all that need it share."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class Shared(Generic[T]):
    """The objects that `make` makes, one for its arguments; each lives while it is referred to."""

    def __init__(self, make: Callable[..., T]) -> None:
        self._make = make
        self._known: WeakValueDictionary[Any, Any] = WeakValueDictionary()

    def of(self, reactor: Any, *about: Hashable) -> T:
        """The one object of a reactor that is about this, as a directory or a socket."""
        key = reactor, *about
        found: T | None = self._known.get(key)
        if found is None:
            found = self._known[key] = self._make(*key)
        return found
