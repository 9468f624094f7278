"""One object for each reactor, which all that need it share."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class Shared(Generic[T]):
    """The objects that `make` makes, one for each reactor; each lives while it is referred to."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._known: WeakValueDictionary[Any, Any] = WeakValueDictionary()

    def of(self, reactor: Any) -> T:
        """The one object of a reactor."""
        found: T | None = self._known.get(reactor)
        if found is None:
            found = self._known[reactor] = self._make(reactor)
        return found
