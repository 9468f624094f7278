"""What is unchanged in a mapping stays the very same object, so that nobody need compare again."""

from collections.abc import Mapping
from itertools import compress, filterfalse, repeat
from operator import is_not
from typing import Final, TypeVar

T = TypeVar("T")

_ABSENT: Final = object()


def changed(found: Mapping[str, T], before: Mapping[str, T]) -> list[str]:
    """The keys of `found` whose values are other ones than in `before`.

    What is the same object is not compared.
    """
    olds = map(before.get, found, repeat(_ABSENT))
    # Nothing is done in Python for what is the same object.
    others = compress(found, map(is_not, olds, found.values()))
    return [key for key in others if key not in before or not _equal(before[key], found[key])]


def keep_unchanged(
    found: Mapping[str, T], before: Mapping[str, T]
) -> tuple[dict[str, T], list[str]]:
    """`found` with the very keys and values of `before` where they are equal; and what `changed`.

    A scan makes new ones of all, and whoever kept an older one of each would fill the memory.
    """
    kept = dict(before)
    for key in list(filterfalse(found.__contains__, before)):
        del kept[key]
    others = changed(found, before)
    for key in others:
        kept[key] = found[key]
    return kept, others


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # of the values' own methods, such as comparing an array
        return False
