"""What a user can say about the health of devices."""

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from twistdp.config.fields import key
from twistdp.config.rules import (
    URL,
    Address,
    AttributeName,
    Count,
    HostPath,
    Interval,
    Status,
    Template,
)
from twistdp.errors import BadSetting


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


@attrs.frozen(kw_only=True)
class Value(Check):
    """A check of a text: all that is given must hold."""

    equals: Sequence[str] = key("equals", "The text, or several that are good.", (), '"1"')
    contains: str = key("contains", "What the text contains.", "", "up")
    at_least: float | None = key("min", "The text is a number, and at least this.", None, "10")
    at_most: float | None = key("max", "The text is a number, and at most this.", None, "85")

    def __attrs_post_init__(self) -> None:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise BadSetting(f"min {self.at_least:g} is more than max {self.at_most:g}")


@attrs.frozen(kw_only=True)
class PresentCheck(Check):
    """A path of the host is there."""

    present: HostPath = key("present", "The path.", example='"{node}"')


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


@attrs.frozen(kw_only=True)
class FileCheck(Value):
    """A file of the host can be read; with `equals` and so on its text must be as these say."""

    file: HostPath = key("file", "The file's path.", example="/run/modem/state")
    optional: bool = key(
        "optional", "Whether the device is healthy while the file cannot be read.", False, "true"
    )


@attrs.frozen(kw_only=True)
class CommandCheck(Check):
    """A program ends with status 0 in time.  It runs without a shell."""

    command: Sequence[Template] = key(
        "command", "The program and its arguments.", example='[/usr/bin/probe, "{node}"]'
    )

    def __attrs_post_init__(self) -> None:
        if not self.command or not self.command[0].startswith("/"):
            raise BadSetting("command: give the absolute path of a program, then its arguments")


@attrs.frozen(kw_only=True)
class TcpCheck(Check):
    """A TCP connection can be opened."""

    tcp: Address = key("tcp", "The address, as host:port.", example="localhost:9100")


@attrs.frozen(kw_only=True)
class HttpCheck(Check):
    """A GET request is answered with one of some statuses."""

    http: URL = key("http", "The URL.", example="http://localhost:9100/health")
    status: Sequence[Status] = key("status", "The statuses that are good.", (200,), "[200, 204]")


AnyCheck: TypeAlias = (
    AttributeCheck | FileCheck | CommandCheck | TcpCheck | HttpCheck | PresentCheck
)
