"""Regular expressions of users, without those that a text could keep busy for ever.

Python's `re` tries every way to match, and holds the interpreter meanwhile.  The texts come from
devices, and somebody can make one whose name takes longer than anybody lives.
"""

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from re import _parser as parser  # type: ignore[attr-defined]  # there is no public one
from typing import Any, Final

from twistdp.errors import BadSetting

_MOST: Final = 4.0
"""The power of a text's length that the time must stay below."""

_LENGTH: Final = 128
"""Characters of a device's longest text: a repetition without a limit has so many ways to end."""

_STEPS: Final = 2.0**28
"""Steps of a search that take about a second, or a few."""

_FEW: Final = 10
"""Repetitions that count as a few."""


def regular(text: str, doing: str, flags: int = 0) -> Callable[[str], bool]:
    """Whether a regular expression finds something in a text.

    One with several repetitions looks at the first characters of a very long text only, at least
    128: so many are soon tried.
    Raises `BadSetting` for what is none, and for what may take too long: a repetition in another
    one, alternatives in one that begin alike, or too many repetitions after one another.
    """
    try:
        compiled = re.compile(text, flags)
        power = _power(parser.parse(text, flags))
    except (re.error, RecursionError, OverflowError) as error:
        raise BadSetting(f"{doing} /{text}/: no regular expression: {error}") from None
    if power == math.inf:
        raise BadSetting(
            f"{doing} /{text}/: a repetition in a repetition may take for ever; make the inner one "
            "possessive, as in (a++b)*, or begin alternatives with different letters"
        )
    if power >= _MOST:
        raise BadSetting(
            f"{doing} /{text}/: so many repetitions may take for ever; make some possessive, as a++"
        )
    # The search begins at each character, too.
    most = max(_LENGTH, int(_STEPS ** (1 / (power + 1)))) if power else sys.maxsize
    return lambda value: compiled.search(value, 0, most) is not None


def _power(parts: Iterable[tuple[Any, Any]]) -> float:
    """How many ways there are at most to match one text, as a power of its length."""
    return sum(_power_of(operation, argument) for operation, argument in parts)


def _power_of(operation: Any, argument: Any) -> float:
    if operation in (parser.ATOMIC_GROUP, parser.POSSESSIVE_REPEAT):
        # Of these one way is kept; inside, there may be many all the same.
        inside = sum(map(_power, _inner(argument)))
        return inside if inside >= _MOST else 0
    if operation in (parser.MAX_REPEAT, parser.MIN_REPEAT):
        least, most, body = argument
        inside = _power(body)
        if inside and most >= _FEW:
            return math.inf
        ways = _LENGTH if most is parser.MAXREPEAT else min(_LENGTH, most - least + 1)
        return float(inside * most + math.log(ways, _LENGTH))
    inside = sum(map(_power, _inner(argument)))
    if operation is parser.BRANCH and not _differ(argument[1]):
        return inside + math.log(len(argument[1]), _LENGTH)
    return inside


def _differ(alternatives: Iterable[Any]) -> bool:
    """Whether the first letter decides for one alternative."""
    begins = [each[0] if len(each) else (None, 0) for each in alternatives]
    letters = {chr(value).lower() for kind, value in begins if kind is parser.LITERAL}
    return len(letters) == len(begins)


def _inner(argument: Any) -> Iterator[Any]:
    """The expressions in the argument of an operation."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for each in argument:
            yield from _inner(each)
