"""What a check is, and what comes of one."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from inspect import cleandoc
from typing import Any

import attrs


class Verdict(Enum):
    """What a check comes to."""

    PASS = "pass"  # noqa: S105  # no password
    WARN = "warn"
    """Works with today's kubelets, but users will feel it."""
    SKIP = "skip"
    """Not tried; the reason says what is missing."""
    FAIL = "fail"


class Failed(Exception):
    """The plugin does not do what the check asks for; the text says what it did instead."""


class Skipped(Exception):
    """The check cannot be made here; the text says why."""


class CommandFailed(Exception):
    """A command of the user's did not work, so the check has shown nothing of the plugin."""


@attrs.frozen
class Check:
    """One thing that a device plugin should do.

    `id` never changes.  `source` is where it is written or was seen that it matters.  `run` is
    called with a `twistdp.conformance.bench.Bench`; it returns, or raises `Failed`, `Skipped` or
    `CommandFailed`.
    `after` are the ids of checks without which this one would only fail for the same reason:
    it is skipped when one of them has failed.  `registered`: it needs a plugin that the kubelet
    has accepted.
    """

    id: str
    title: str
    source: str
    run: Callable[[Any], Awaitable[None]]
    after: tuple[str, ...] = ()
    registered: bool = True

    @property
    def explanation(self) -> str:
        """A paragraph that says what is checked and why."""
        return " ".join(cleandoc(self.run.__doc__ or "").split())


def check(
    id_: str, title: str, *, source: str, after: Sequence[str] = (), registered: bool = True
) -> Callable[[Callable[[Any], Awaitable[None]]], Check]:
    """Makes a coroutine function a `Check`; its docstring is the explanation."""

    def decorate(function: Callable[[Any], Awaitable[None]]) -> Check:
        return Check(id_, title, source, function, tuple(after), registered)

    return decorate


@attrs.frozen
class Evidence:
    """What was seen, `seconds` after the check began."""

    seconds: float
    text: str


@attrs.frozen
class Result:
    """What came of a check; `reason` is empty when it passed, `seconds` how long it took."""

    check: Check
    verdict: Verdict
    reason: str
    seconds: float
    evidence: tuple[Evidence, ...]
