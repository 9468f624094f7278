"""The texts that a regular expression matches, if they are few."""

import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

import attrs

# The public module has only the compiled form, and this is the parser behind it.
_parser: Final[Any] = getattr(re, "_parser")  # noqa: B009
_LONGEST: Final = 255
_NUMBERS: Final = 32
"""How many numbers stand for digits that may be repeated without end."""


@attrs.frozen
class Texts:
    """Texts that an expression matches."""

    texts: Sequence[str]
    is_cut: bool
    """Whether it matches longer ones too, in which something is repeated."""
    is_loose: bool
    """Whether it matches parts of other texts too, since ``^`` or ``$`` is missing."""


class _TooMany(Exception):
    """There are too many texts, or they cannot be known."""


def texts_of(expression: str, most: int) -> Texts | None:
    """The texts that an expression stands for, at most `most`; None if there are more.

    Digits that may be repeated without end are the first numbers.  Raises ValueError for what is no
    regular expression.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what may mean something else in a later Python
            whole = _parser.parse(expression)
            parsed = list(whole)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None
    walk = _Walk(most)
    ends = {"^": False, "$": False}
    if parsed and _is_end(parsed[0], "AT_BEGINNING"):
        ends["^"] = True
        parsed = parsed[1:]
    if parsed and _is_end(parsed[-1], "AT_END"):
        ends["$"] = True
        parsed = parsed[:-1]
    if whole.state.flags & re.IGNORECASE:
        return None  # each letter stands for two
    try:
        found = list(dict.fromkeys(walk.sequence(parsed)))
    except (_TooMany, RecursionError):
        return None
    texts = [text for text in found if text]
    return Texts(texts, walk.is_cut, not all(ends.values())) if texts else None


def _is_end(step: Any, name: str) -> bool:
    return str(step[0]) == "AT" and str(step[1]).startswith(name)


class _Walk:
    def __init__(self, most: int) -> None:
        self._most = most
        self.is_cut = False

    def sequence(self, steps: Any) -> list[str]:
        choices = [self._few(self._step(str(name), value)) for name, value in steps]
        size = 1
        for each in choices:
            size *= len(each)
            if size > self._most:
                raise _TooMany
        found = ["".join(parts) for parts in product(*choices)]
        if any(len(text) > _LONGEST for text in found):
            raise _TooMany
        return found

    def _few(self, texts: Iterator[str]) -> list[str]:
        found: list[str] = []
        for text in texts:
            found.append(text)
            if len(found) > self._most:
                raise _TooMany
        return found

    def _step(self, name: str, value: Any) -> Iterator[str]:
        if name == "LITERAL":
            yield chr(value)
        elif name == "IN":
            for kind, inner in value:
                yield from self._in_set(str(kind), inner)
        elif name == "SUBPATTERN":
            if value[1] & re.IGNORECASE:
                raise _TooMany
            yield from self.sequence(value[-1])
        elif name == "BRANCH":
            for each in value[1]:
                yield from self.sequence(each)
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            yield from self._repeated(*value)
        else:
            raise _TooMany

    def _in_set(self, kind: str, value: Any) -> Iterator[str]:
        if kind == "LITERAL":
            yield chr(value)
        elif kind == "RANGE":
            if value[1] - value[0] >= self._most:
                raise _TooMany
            yield from map(chr, range(value[0], value[1] + 1))
        elif kind == "CATEGORY" and str(value) == "CATEGORY_DIGIT":
            yield from "0123456789"
        else:
            raise _TooMany

    def _repeated(self, least: int, most: Any, steps: Any) -> Iterator[str]:
        once = self.sequence(steps)
        if str(most) == "MAXREPEAT":
            if sorted(once) != list("0123456789") or least > 1:
                raise _TooMany
            self.is_cut = True
            yield from ("",) * (1 - least)
            yield from map(str, range(_NUMBERS))
            return
        if most > self._most:
            raise _TooMany
        for count in range(least, most + 1):
            if len(once) ** count > self._most:
                raise _TooMany
            yield from map("".join, product(once, repeat=count))
