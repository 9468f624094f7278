"""Merges values of the model: an entry of the catalogue with what a file says, two matches."""

from typing import Any, TypeVar

import attrs

from twistdp.config.fields import fields_of
from twistdp.select import Match

_T = TypeVar("_T")


def both(one: Match, other: Match) -> Match:
    """The conditions of both; a key that both have is tested in both."""
    names = set(one.given())
    if names & set(other.given()):
        return attrs.evolve(one, any=(other,))
    return attrs.evolve(other, **{name: getattr(one, name) for name in names})


def _added(entry: Match | None, said: Match | None) -> Match | None:
    """What a device must not meet: what the entry leaves out stays left out."""
    if entry is None or said is None:
        return said or entry
    return Match(any=(entry, said))


def over(entry: _T, said: _T, given: frozenset[str]) -> _T:
    """`entry` with what `said` has under the keys that are `given`, but for `use`."""
    changes: dict[str, Any] = {}
    for field in fields_of(type(entry)).values():
        if field.key not in given or field.key == "use":
            continue
        if field.through is None:
            changes[field.name] = getattr(said, field.name)
        else:
            inner = changes.get(field.through, getattr(entry, field.through))
            value = getattr(getattr(said, field.through), field.name)
            if field.key == "not":
                value = _added(getattr(inner, field.name), value)
            changes[field.through] = attrs.evolve(inner, **{field.name: value})
    return attrs.evolve(entry, **changes)  # type: ignore[misc]
