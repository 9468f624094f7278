"""Defines checks and their results."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from inspect import cleandoc
from typing import Any

import attrs


class Verdict(Enum):
    """The outcome of a check."""

    PASS = "pass"  # noqa: S105  # no password
    WARN = "warn"
    """Works with today's kubelets, but users will notice it."""
    SKIP = "skip"
    """Not tried; the reason says what is missing."""
    FAIL = "fail"


class Failed(Exception):
    """The plugin does not pass the check; the text says what it did instead."""


class Skipped(Exception):
    """The check cannot be made here; the text gives the reason."""


class CommandFailed(Exception):
    """A command of the user failed, so the check shows nothing about the plugin."""


@attrs.frozen
class Check:
    """One thing that a device plugin should do.

    `id` never changes.  `source` names the specification or the observation behind the check.
    `run` is called with a `twistdp.conformance.bench.Bench`; it returns, or raises `Failed`,
    `Skipped` or `CommandFailed`.  `after` are the ids of other checks: if one of them fails, this
    one is skipped, since it would only fail for the same reason.  With `registered` it needs a
    plugin that the kubelet has accepted.
    """

    id: str
    title: str
    source: str
    run: Callable[[Any], Awaitable[None]]
    after: tuple[str, ...] = ()
    registered: bool = True

    @property
    def explanation(self) -> str:
        """A paragraph about what is checked and why."""
        return " ".join(cleandoc(self.run.__doc__ or "").split())


def check(
    id_: str, title: str, *, source: str, after: Sequence[str] = (), registered: bool = True
) -> Callable[[Callable[[Any], Awaitable[None]]], Check]:
    """Make a coroutine function a `Check`, whose explanation is the docstring."""

    def decorate(function: Callable[[Any], Awaitable[None]]) -> Check:
        return Check(id_, title, source, function, tuple(after), registered)

    return decorate


@attrs.frozen
class Evidence:
    """An observation, `seconds` after the check began."""

    seconds: float
    text: str


@attrs.frozen
class Result:
    """The result of a check; `reason` is empty if it passed, and `seconds` its duration."""

    check: Check
    verdict: Verdict
    reason: str
    seconds: float
    evidence: tuple[Evidence, ...]
