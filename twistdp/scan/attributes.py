"""What a scanner says of itself in attributes: their types and ranges, and a last good value."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

from twisted.logger import Logger

from twistdp.errors import BadScanner
from twistdp.model import kind_of, of_error, shown

_log = Logger()

T = TypeVar("T")

SHORTEST: Final = 0.01
"""Seconds between two rescans at least."""

LONGEST: Final = 366 * 24 * 3600.0
"""And at most; a year, for those who want none."""


def check_paths(paths: Any) -> tuple[str, ...]:
    """Return the paths to watch, each a text; raise `BadScanner` for what are none."""
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    if not isinstance(paths, Collection) or isinstance(paths, bytes | Mapping):
        raise BadScanner(f"paths: {kind_of(paths)} is no list of paths")
    # After every scan, and there may be thousands: what is a text is looked at no closer here.
    found = tuple(path if type(path) is str else _path(path) for path in paths)
    if not all(found) or "\0" in "".join(found):
        wrong = next(path for path in found if not path or "\0" in path)
        raise BadScanner(f"paths: {shown(wrong)} is no path")
    return found


def _path(path: Any) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str):
        raise BadScanner(f"paths: {shown(path)} is no path")
    return text


def check_interval(seconds: Any) -> float:
    """Return a rescan interval in seconds; raise `BadScanner` for one that cannot be kept."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not SHORTEST <= seconds <= LONGEST:
        raise BadScanner(
            f"rescan_interval {shown(seconds)}: it must be a number of seconds from {SHORTEST:g} "
            f"to {LONGEST:.0f}, which is a year"
        )
    return float(seconds)


def check_contents(contents: Any) -> bool:
    """Return whether written contents matter; raise `BadScanner` for no bool."""
    if not isinstance(contents, bool):
        raise BadScanner(f"contents {shown(contents)}: use True or False")
    return contents


def check_join(join: Any) -> Mapping[str, str]:
    """Return what may be joined, see `twistdp.model.allocation.combine`, or raise `BadScanner`."""
    if not isinstance(join, Mapping):
        raise BadScanner(f"join: {kind_of(join)} is not a dict")
    for item in join.items():
        for text in item:
            if not isinstance(text, str):
                raise BadScanner(f"join: {kind_of(text)} is not a str")
    return dict(join)


ATTRIBUTES: Final[Mapping[str, Callable[[Any], object]]] = {
    "paths": check_paths,
    "rescan_interval": check_interval,
    "contents": check_contents,
    "join": check_join,
}
"""A watching scanner's attributes, and what each is checked by; any scanner may have a `join`."""


_ABSENT: Final[Any] = object()


def check_attributes(scanner: object, names: Iterable[str]) -> None:
    """Raise `BadScanner` for a wrong attribute of these names; a missing one is right.

    What the code of a property raises is left to when it is read: hardware may be missing.
    """
    for name in names:
        value = _ABSENT
        with suppress(Exception):
            value = getattr(scanner, name, _ABSENT)
        if value is not _ABSENT:
            ATTRIBUTES[name](value)


class Attribute(Generic[T]):
    """An attribute of a scanner, as it was when it was last right.

    `name` is the attribute's, `about` the scanner's, for the log.  `check` returns what is right
    and raises `BadScanner` for all else.
    """

    def __init__(
        self, scanner: object, name: str, check: Callable[[Any], T], default: T, about: str
    ) -> None:
        self._scanner = scanner
        self._name = name
        self._check = check
        self._value = default
        self._default = default
        self._about = about
        self._said = ""

    def read(self) -> T:
        """Look at it again; a value that is wrong is logged, once, and not taken."""
        try:
            self._value = self._check(getattr(self._scanner, self._name, self._default))
        except Exception as error:  # also of a property's own code
            reason = str(error) if isinstance(error, BadScanner) else of_error(error)
            if reason != self._said:
                self._said = reason
                _log.error(
                    "scanner {scanner}: its attribute {attribute} cannot be used, and stays as it "
                    "was: {reason}",
                    scanner=self._about,
                    attribute=self._name,
                    reason=reason,
                )
        else:
            self._said = ""
        return self._value
