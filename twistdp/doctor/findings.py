"""The findings of checks: how bad each is, what was seen, what that means, and what to do."""

from collections.abc import Iterator
from enum import IntEnum
from typing import TypeAlias

import attrs


class Severity(IntEnum):
    """How bad a finding is; the worst one is the greatest."""

    OK = 0
    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """The name that people and programs read."""
        return self.name.lower()


@attrs.frozen
class Finding:
    """A fact about a host.  `meaning` and `remedy` are empty where nothing needs to be done."""

    severity: Severity
    found: str
    meaning: str = ""
    remedy: str = ""
    check: str = ""
    """The check that found it; `examine` fills it in."""


Findings: TypeAlias = Iterator[Finding]


def ok(found: str) -> Finding:
    """A finding that something is as it should be."""
    return Finding(Severity.OK, found)


def info(found: str, meaning: str, remedy: str = "") -> Finding:
    """A finding that nothing is wrong, but some plugins or pods need another setting."""
    return Finding(Severity.INFO, found, meaning, remedy)


def warning(found: str, meaning: str, remedy: str) -> Finding:
    """A finding that something is wrong or risky, and devices still work."""
    return Finding(Severity.WARNING, found, meaning, remedy)


def error(found: str, meaning: str, remedy: str) -> Finding:
    """A finding that device plugins, or pods that ask for devices, do not work."""
    return Finding(Severity.ERROR, found, meaning, remedy)
