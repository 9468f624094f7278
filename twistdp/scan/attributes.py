"""Reads the attributes of a scanner: checks their types and ranges, and keeps a last good value."""

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
"""Shortest time between two rescans, in seconds."""

LONGEST: Final = 366 * 24 * 3600.0
"""Longest time, a year: in effect no rescan."""


def check_paths(paths: Any) -> tuple[str, ...]:
    """Return the paths to watch as texts; raise `BadScanner` for anything else."""
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    if not isinstance(paths, Collection) or isinstance(paths, bytes | Mapping):
        raise BadScanner(f"paths: {kind_of(paths)} is no list of paths")
    # This runs after every scan, for thousands of paths: texts are checked all at once.
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


def check_uevents(subsystems: Any) -> tuple[str, ...]:
    """Return the subsystems as texts; raise `BadScanner` for anything else."""
    if isinstance(subsystems, str):
        subsystems = [subsystems]
    if not isinstance(subsystems, Collection) or isinstance(subsystems, bytes | Mapping):
        raise BadScanner(f"uevents: {kind_of(subsystems)} is no list of subsystems")
    for name in subsystems:
        if not isinstance(name, str) or not name:
            raise BadScanner(f"uevents: {shown(name)} is no subsystem")
    return tuple(subsystems)


def check_interval(seconds: Any) -> float:
    """Return a rescan interval in seconds; raise `BadScanner` if it is out of range."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not SHORTEST <= seconds <= LONGEST:
        raise BadScanner(
            f"rescan_interval {shown(seconds)}: it must be a number of seconds from {SHORTEST:g} "
            f"to {LONGEST:.0f}, which is a year"
        )
    return float(seconds)


def check_contents(contents: Any) -> bool:
    """Return whether written contents matter; raise `BadScanner` for anything but a bool."""
    if not isinstance(contents, bool):
        raise BadScanner(f"contents {shown(contents)}: use True or False")
    return contents


def check_join(join: Any) -> Mapping[str, str]:
    """Return the joined keys, see `twistdp.model.allocation.combine`; raise `BadScanner`."""
    if not isinstance(join, Mapping):
        raise BadScanner(f"join: {kind_of(join)} is not a dict")
    for item in join.items():
        for text in item:
            if not isinstance(text, str):
                raise BadScanner(f"join: {kind_of(text)} is not a str")
    return dict(join)


ATTRIBUTES: Final[Mapping[str, Callable[[Any], object]]] = {
    "paths": check_paths,
    "uevents": check_uevents,
    "rescan_interval": check_interval,
    "contents": check_contents,
    "join": check_join,
}
"""A watching scanner's attributes and their checks; any scanner may have a `join`."""


_ABSENT: Final[Any] = object()


def check_attributes(scanner: object, names: Iterable[str]) -> None:
    """Raise `BadScanner` for a wrong attribute of these names; each may be missing.

    An exception of a property is ignored here, because hardware may be missing.
    """
    for name in names:
        value = _ABSENT
        with suppress(Exception):
            value = getattr(scanner, name, _ABSENT)
        if value is not _ABSENT:
            ATTRIBUTES[name](value)


class Attribute(Generic[T]):
    """An attribute of a scanner, with the last value that was right.

    `name` is the attribute's, `about` the scanner's, for the log.  `check` returns the value to use
    and raises `BadScanner` for a wrong one.
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
        self._logged = ""

    def read(self) -> T:
        """Read it again, and return the last right value; a wrong one is logged once."""
        try:
            self._value = self._check(getattr(self._scanner, self._name, self._default))
        except Exception as error:  # also of a property's own code
            reason = str(error) if isinstance(error, BadScanner) else of_error(error)
            if reason != self._logged:
                self._logged = reason
                _log.error(
                    "scanner {scanner}: cannot use its attribute {attribute}, which stays as it "
                    "was: {reason}",
                    scanner=self._about,
                    attribute=self._name,
                    reason=reason,
                )
        else:
            self._logged = ""
        return self._value
