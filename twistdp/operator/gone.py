"""Which objects are gone, so that a late answer to a request does not bring one back."""

from typing import Final

KEPT: Final = 1000
"""Objects that are remembered; an answer is late by seconds, and few requests are under way."""


class Gone:
    """The uids of the objects that went last; no other object ever gets one of them."""

    def __init__(self) -> None:
        self._uids: dict[str, None] = {}

    def add(self, uid: str) -> None:
        """Note that an object is gone; does nothing without a uid."""
        if uid:
            self._uids[uid] = None
        if len(self._uids) > KEPT:
            del self._uids[next(iter(self._uids))]

    def discard(self, uid: str) -> None:
        """Note that an object is there after all."""
        self._uids.pop(uid, None)

    def __contains__(self, uid: str) -> bool:
        return uid in self._uids
