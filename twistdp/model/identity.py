"""Keeps what is unchanged in a mapping as the very same object, so that it is compared once."""

from collections.abc import Mapping
from itertools import compress, filterfalse, repeat
from operator import is_not
from typing import Final, TypeVar

T = TypeVar("T")

_ABSENT: Final = object()


def keep_unchanged(
    found: Mapping[str, T], before: Mapping[str, T]
) -> tuple[dict[str, T], list[str]]:
    """Return `found` with the keys and values of `before` where they are equal, and what differs.

    The latter are the keys of `found` whose value is new or not equal to that in `before`, in
    order.  A scan makes all values again, and holding an older one of each would fill the memory.
    """
    kept = dict(before)
    for key in list(filterfalse(found.__contains__, before)):
        del kept[key]
    olds = map(before.get, found, repeat(_ABSENT))
    # Python code runs only for values that are not the very same object.
    others = compress(found, map(is_not, olds, found.values()))
    changed = [key for key in others if key not in before or not _equal(before[key], found[key])]
    for key in changed:
        kept[key] = found[key]
    return kept, changed


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # of the values' own methods, such as comparing an array
        return False
