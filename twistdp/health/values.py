"""The kinds of health checks, as values.

Each says what must hold, how often that is checked, and how many results in a row count.  Checks
of the configuration file become these, and scanners in Python make them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import attrs

from twistdp.errors import BadSetting

SHORTEST: Final = 0.1
"""Seconds of the shortest interval and the shortest time limit."""


def _seconds(check: object, field: Any, value: float) -> None:
    if not value >= SHORTEST:
        raise BadSetting(f"{field.name}={value!r}: at least {SHORTEST} seconds are needed")


def _count(check: object, field: Any, value: int) -> None:
    if value < 1:
        raise BadSetting(f"{field.name}={value!r}: at least one check is needed")


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _statuses(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _good(check: object, field: Any, value: Sequence[int]) -> None:
    if not value or not all(100 <= status <= 599 for status in value):
        raise BadSetting(f"{field.name}={value!r}: give statuses of HTTP from 100 to 599")


@attrs.frozen(kw_only=True)
class Check:
    """How often a check is made and when its result counts; see the kinds that derive from it.

    `every` and `timeout` are seconds.  `unhealthy_after` failed checks in a row make a healthy
    device unhealthy, and `healthy_after` good ones make it healthy again, unless `recover` is
    false: then only a device that was gone starts again.  The first check decides at once.
    `reason` is what people read before what the check found.

    Raises `twistdp.BadSetting` for values that cannot be used.
    """

    every: float = attrs.field(default=5.0, validator=_seconds)
    timeout: float = attrs.field(default=2.0, validator=_seconds)
    healthy_after: int = attrs.field(default=1, validator=_count)
    unhealthy_after: int = attrs.field(default=3, validator=_count)
    recover: bool = True
    reason: str = ""

    lane: ClassVar[str] = "file"
    """The name of the queue that it waits in: slow checks of one queue do not delay the others."""

    @property
    def what(self) -> str:
        """What is checked, for people."""
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class Text(Check):
    """A check of a text: all that is given must hold."""

    equals: Sequence[str] = attrs.field(default=(), converter=_texts)
    contains: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def problem(self, name: str, value: str) -> str:
        """What is wrong with `value`, which people know as `name`; empty if nothing is."""
        found = f"{name} is {value}"
        if self.equals and value not in self.equals:
            return f"{found}, and must be {' or '.join(self.equals)}"
        if self.contains and self.contains not in value:
            return f"{found}, and must contain {self.contains}"
        if self.at_least is None and self.at_most is None:
            return ""
        try:
            number = float(int(value, 0)) if value.lower().startswith("0x") else float(value)
        except ValueError:
            return f"{found}, which is no number"
        if self.at_least is not None and not number >= self.at_least:
            return f"{found}, less than {self.at_least:g}"
        if self.at_most is not None and not number <= self.at_most:
            return f"{found}, more than {self.at_most:g}"
        return ""


@attrs.frozen
class Present(Check):
    """The path is there."""

    path: str

    @property
    def what(self) -> str:
        """What is checked, for people."""
        return self.path


@attrs.frozen
class Attribute(Text):
    """An attribute of a device in sysfs, or of its nearest ancestor that has it, can be read.

    `device` is the device's directory, or a link to it such as ``/sys/class/tty/ttyUSB0``.
    """

    device: str
    attribute: str

    @property
    def what(self) -> str:
        """What is checked, for people."""
        return f"attribute {self.attribute}"


@attrs.frozen
class File(Text):
    """A file can be read; with `optional`, one that cannot be read is good too.

    `path` may be a glob, which stands for the first file that it matches.
    """

    path: str
    optional: bool = attrs.field(default=False, kw_only=True)

    @property
    def what(self) -> str:
        """What is checked, for people."""
        return self.path


@attrs.frozen
class Command(Check):
    """A program ends with status 0 in time; `command` is its absolute path and its arguments.

    It runs without a shell, in a session of its own, with a clean environment, in ``/``.  When it
    ends, or its time is up, its process group is killed.  Only root and our user may be able to
    change the program.
    """

    command: Sequence[str] = attrs.field(converter=_texts)
    lane: ClassVar[str] = "program"

    def __attrs_post_init__(self) -> None:
        if not self.command or not self.command[0].startswith("/"):
            raise BadSetting("command: give the absolute path of a program, then its arguments")
        if any("\0" in each for each in self.command):
            raise BadSetting("command: no argument can have a NUL in it")

    @property
    def what(self) -> str:
        """What is checked, for people."""
        return f"command {self.command[0]}"


@attrs.frozen
class Tcp(Check):
    """A connection to the address, ``host:port``, can be opened in time."""

    address: str
    lane: ClassVar[str] = "network"

    def __attrs_post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise BadSetting(f"address {self.address!r}: write it as host:port")

    @property
    def what(self) -> str:
        """What is checked, for people."""
        return f"TCP connection to {self.address}"


@attrs.frozen
class Http(Check):
    """A GET request for the URL is answered in time, with one of the statuses in `status`.

    Redirections are not followed, and no proxy is asked.
    """

    url: str
    status: Sequence[int] = attrs.field(
        default=(200,), converter=_statuses, validator=_good, kw_only=True
    )
    lane: ClassVar[str] = "network"

    @property
    def what(self) -> str:
        """What is checked, for people."""
        return "HTTP request"
