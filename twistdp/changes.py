"""What is unchanged in a mapping stays the very same object, so that nobody need compare again."""

from collections.abc import Mapping
from itertools import compress, repeat
from operator import is_not
from typing import Final, TypeVar

T = TypeVar("T")

_ABSENT: Final = object()


def keep_unchanged(found: dict[str, T], before: Mapping[str, T]) -> list[str]:
    """Put the objects of `before` into `found` where equal ones are; the keys of all others.

    What is the same object already is not compared.
    """
    olds = map(before.get, found, repeat(_ABSENT))
    changed = []
    # Nothing is done in Python for what is the same object.
    for key in list(compress(found, map(is_not, olds, found.values()))):
        if key in before and _equal(before[key], found[key]):
            found[key] = before[key]
        else:
            changed.append(key)
    return changed


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # of the values' own methods, such as comparing an array
        return False
