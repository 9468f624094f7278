"""Which objects of each kind exist, so that a new list shows which have vanished."""

from collections.abc import Hashable, Iterable

from twistdp.operator.kinds import Kind


class Lists:
    """The keys of objects by kind, as lists and watches bring them."""

    def __init__(self) -> None:
        self._known: dict[Kind, set[Hashable]] = {}
        self._coming: dict[Kind, set[Hashable]] = {}
        self._listed: set[Kind] = set()

    def begin(self, kind: Kind) -> None:
        """Note that a list begins, and forget what one had that broke off."""
        self._coming[kind] = set()

    def put(self, kind: Kind, key: Hashable, *, of_list: bool) -> None:
        """Note that an object exists; `of_list` if a list says so, and not a watch."""
        if of_list:
            self._coming.setdefault(kind, set()).add(key)
        elif kind in self._coming:
            # A list is under way, and the object may be newer than that.
            self._coming[kind].add(key)
        self._known.setdefault(kind, set()).add(key)

    def drop(self, kind: Kind, key: Hashable) -> None:
        """Note that an object is gone."""
        self._known.get(kind, set()).discard(key)
        self._coming.get(kind, set()).discard(key)

    def listed(self, kind: Kind) -> set[Hashable]:
        """Note that a list is complete; return the keys that it did not have, which are gone."""
        self._listed.add(kind)
        coming = self._coming.pop(kind, set())
        gone = self._known.get(kind, set()) - coming
        self._known[kind] = coming
        return gone

    def all_listed(self, kinds: Iterable[Kind]) -> bool:
        """Whether there has been a list of each of the kinds."""
        return self._listed.issuperset(kinds)
