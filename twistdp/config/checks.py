"""What a user can say about the health of devices.

`made` makes the checks of `twistdp.health` of it, for one device: with the `words` of its
templates, its `directory` in sysfs, and the `root` below which the host's files are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from twistdp import health
from twistdp.config.fields import key
from twistdp.config.rules import (
    URL,
    Address,
    AttributeName,
    Count,
    HostPath,
    Interval,
    Statuses,
    Template,
    Texts,
)
from twistdp.config.templates import fill, fill_path
from twistdp.errors import BadSetting

Words: TypeAlias = Mapping[str, object]


@attrs.frozen(kw_only=True)
class Check:
    """How often a check runs and when its result counts."""

    every: Interval = key("every", "Seconds between two checks.", 5.0, "10")
    timeout: Interval = key("timeout", "Seconds until a check counts as failed.", 2.0, "1.5")
    healthy_after: Count = key(
        "healthyAfter", "Good checks in a row that make an unhealthy device healthy again.", 1, "2"
    )
    unhealthy_after: Count = key(
        "unhealthyAfter", "Failed checks in a row that make a healthy device unhealthy.", 3, "5"
    )
    recover: bool = key(
        "recover",
        "Whether good checks make the device healthy again; otherwise only a replug does.",
        True,
        "false",
    )
    reason: Template = key(
        "reason",
        "What people read while the device is unhealthy, before what the check found.",
        "",
        "the modem has no signal",
    )

    def made(self, words: Words, directory: str, root: str) -> health.Check | None:
        """The check of one device, None for none.

        Raises `BadSetting` for words that the device lacks.
        """
        raise NotImplementedError

    def common(self, words: Words) -> dict[str, Any]:
        """What checks of all kinds have, as arguments."""
        try:
            reason = fill(self.reason, words)
        except BadSetting:
            reason = ""  # what the check finds can be read all the same
        return {
            "every": self.every,
            "timeout": self.timeout,
            "healthy_after": self.healthy_after,
            "unhealthy_after": self.unhealthy_after,
            "recover": self.recover,
            "reason": reason,
        }


@attrs.frozen(kw_only=True)
class Value(Check):
    """A check of a text: all that is given must hold."""

    equals: Texts = key("equals", "The text, or several that are good.", (), '"1"')
    contains: str = key("contains", "What the text contains.", "", "up")
    at_least: float | None = key("min", "The text is a number, and at least this.", None, "10")
    at_most: float | None = key("max", "The text is a number, and at most this.", None, "85")

    def __attrs_post_init__(self) -> None:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise BadSetting(f"min {self.at_least:g} is more than max {self.at_most:g}")

    def common(self, words: Words) -> dict[str, Any]:
        """What checks of texts have, as arguments."""
        return {
            **super().common(words),
            "equals": self.equals,
            "contains": self.contains,
            "at_least": self.at_least,
            "at_most": self.at_most,
        }


@attrs.frozen(kw_only=True)
class PresentCheck(Check):
    """A path of the host is there."""

    present: HostPath = key("present", "The path.", example='"{node}"')

    def made(self, words: Words, directory: str, root: str) -> health.Check:
        """See `Check.made`."""
        return health.Present(f"{root}{fill_path(self.present, words)}", **self.common(words))


@attrs.frozen(kw_only=True)
class AttributeCheck(Value):
    """A file in sysfs of the device, or of its nearest ancestor that has it, can be read.

    With `equals`, `contains`, `min` or `max` its text must be as these say.
    """

    attribute: AttributeName = key(
        "attribute",
        "The file's name, or a glob of which the first file counts.",
        example="authorized",
    )

    def made(self, words: Words, directory: str, root: str) -> health.Check:
        """See `Check.made`."""
        return health.Attribute(directory, self.attribute, **self.common(words))


@attrs.frozen(kw_only=True)
class FileCheck(Value):
    """A file of the host can be read; with `equals` and so on its text must be as these say."""

    file: HostPath = key(
        "file",
        "The file's path, or a glob of which the first file counts.",
        example="/run/modem/state",
    )
    optional: bool = key(
        "optional", "Whether the device is healthy while the file cannot be read.", False, "true"
    )

    def made(self, words: Words, directory: str, root: str) -> health.Check | None:
        """See `Check.made`."""
        try:
            path = f"{root}{fill_path(self.file, words)}"
        except BadSetting:
            if self.optional:
                return None  # what has no name for this device cannot be read
            raise
        return health.File(path, optional=self.optional, **self.common(words))


@attrs.frozen(kw_only=True)
class CommandCheck(Check):
    """A program ends with status 0 in time.  It runs without a shell."""

    command: Sequence[Template] = key(
        "command", "The program and its arguments.", example='[/usr/bin/probe, "{node}"]'
    )

    def __attrs_post_init__(self) -> None:
        if not self.command or not self.command[0].startswith("/"):
            raise BadSetting("command: give the absolute path of a program, then its arguments")

    def made(self, words: Words, directory: str, root: str) -> health.Check:
        """See `Check.made`."""
        program, *arguments = self.command
        command = [fill_path(program, words), *(fill(each, words) for each in arguments)]
        return health.Command(command, **self.common(words))


@attrs.frozen(kw_only=True)
class TcpCheck(Check):
    """A TCP connection can be opened."""

    tcp: Address = key("tcp", "The address, as host:port.", example="localhost:9100")

    def made(self, words: Words, directory: str, root: str) -> health.Check:
        """See `Check.made`."""
        return health.Tcp(fill(self.tcp, words), **self.common(words))


@attrs.frozen(kw_only=True)
class HttpCheck(Check):
    """A GET request is answered with one of some statuses."""

    http: URL = key("http", "The URL.", example="http://localhost:9100/health")
    status: Statuses = key("status", "The statuses that are good.", (200,), "[200, 204]")

    def made(self, words: Words, directory: str, root: str) -> health.Check:
        """See `Check.made`."""
        return health.Http(fill(self.http, words), status=self.status, **self.common(words))


AnyCheck: TypeAlias = (
    AttributeCheck | FileCheck | CommandCheck | TcpCheck | HttpCheck | PresentCheck
)
