"""The rules that values of the file keep; most of them are the device model's own."""

import re
from collections.abc import Sequence, Sized
from functools import partial
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from twistdp.config.fields import Rule
from twistdp.config.templates import OF_DEVICE, check_template, names
from twistdp.errors import BadSetting
from twistdp.model import (
    check_namespace,
    check_path,
    check_permissions,
    check_resource_type,
    checked_env,
)

_LONGEST_DELAY: Final = 604_800
_MOST: Final = 1_000_000
_MOST_COPIES: Final = 100_000
"""Replicas of a device; the kubelet takes no longer list."""
_FILLED: Final = re.compile(r"\{[^{}]*\}")


def _resource_name(name: str) -> None:
    domain, slash, rest = name.rpartition("/")
    if slash:
        check_namespace(domain)
    check_resource_type(rest)


def _template(*extra: str) -> Rule:
    return Rule(partial(check_template, extra=extra), "a text with {words}")


def _path(template: str, extra: tuple[str, ...] = OF_DEVICE, is_place: bool = True) -> None:
    check_template(template, extra)
    first = next(names(template), "")
    if not (template.startswith(f"{{{first}}}") and (first in OF_DEVICE[1:] or ":" in first)):
        check_path("path", _FILLED.sub("x", template), is_place)


def _in(least: float, most: float, what: str = "a number") -> Rule:
    def check(number: float) -> None:
        if not least <= number <= most:
            found = number if isinstance(number, int) else f"{number:g}"
            raise BadSetting(f"expected {wanted}, found {found}")

    wanted = f"{what} from {least} to {most}"
    return Rule(check, wanted, {"minimum": least, "maximum": most})


def _address(text: str) -> None:
    host, colon, port = text.rpartition(":")
    if not (colon and host) or not ("{" in port or (port.isdigit() and 0 < int(port) < 65536)):
        raise BadSetting(f"address {text!r}: write it as host:port, with a port from 1 to 65535")
    check_template(text)


def _url(text: str) -> None:
    check_template(text)
    try:
        parts = urlsplit(_FILLED.sub("1", text))
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not text.isprintable() or " " in text:
        raise BadSetting(f"URL {text!r}: write it as http://host:port/path")


def _not_empty(text: str) -> None:
    if not text:
        raise BadSetting("the text is empty")


def _id(template: str) -> None:
    check_template(template, ())
    if not template.strip():
        raise BadSetting("the id is empty; write a text, as {serial}")


def _variable(template: str, extra: tuple[str, ...] = ()) -> None:
    check_template(template, extra)
    checked_env("variables", {_FILLED.sub("x", template): ""})


def _some(values: Sized) -> None:
    if not values:
        raise BadSetting("there is nothing in it; leave the key out")


def _octal(text: str) -> None:
    if not re.fullmatch("0?[0-7]{3,4}", text):
        raise BadSetting(f"file mode {text!r}: write it in octal digits, as 0660")


def _attribute(name: str) -> None:
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise BadSetting(f"attribute {name!r}: name a file below the device's directory")


Domain: TypeAlias = Annotated[str, Rule(check_namespace, "a domain, as lab.example.com")]
ResourceName: TypeAlias = Annotated[
    str, Rule(_resource_name, "a resource's name, alone or after a domain and '/'")
]
ResourceType: TypeAlias = Annotated[str, Rule(check_resource_type, "a resource's name")]
Word: TypeAlias = Annotated[str, Rule(_not_empty, "a text", {"minLength": 1})]
Template: TypeAlias = Annotated[str, _template(*OF_DEVICE)]
IdTemplate: TypeAlias = Annotated[str, Rule(_id, "a text with {words}", {"minLength": 1})]
Variable: TypeAlias = Annotated[str, Rule(_variable, "a variable's name")]
NumberedVariable: TypeAlias = Annotated[
    str, Rule(partial(_variable, extra=(*OF_DEVICE, "n")), "a variable's name")
]
Numbered: TypeAlias = Annotated[str, _template(*OF_DEVICE, "n")]
NodePlace: TypeAlias = Annotated[
    str, Rule(partial(_path, extra=("id", "index")), "a path in the container")
]
Place: TypeAlias = Annotated[str, Rule(_path, "a path in the container")]
HostPath: TypeAlias = Annotated[
    str, Rule(partial(_path, is_place=False), "an absolute path of the host")
]
Permissions: TypeAlias = Annotated[
    str,
    Rule(
        lambda text: check_permissions("permissions", text),
        "letters of rwm",
        {"pattern": "^[rwm]+$"},
    ),
]
Seconds: TypeAlias = Annotated[float, _in(0, _LONGEST_DELAY, "a number of seconds")]
Interval: TypeAlias = Annotated[float, _in(0.1, _LONGEST_DELAY, "a number of seconds")]
Count: TypeAlias = Annotated[int, _in(1, _MOST, "a whole number")]
Copies: TypeAlias = Annotated[int, _in(1, _MOST_COPIES, "a whole number")]
Status: TypeAlias = Annotated[int, _in(100, 599, "an HTTP status")]
Some: Final = Rule(_some, "a list that is not empty", {"minItems": 1})
Texts: TypeAlias = Annotated[Sequence[str], Some]
Statuses: TypeAlias = Annotated[Sequence[Status], Some]
NumaNode: TypeAlias = Annotated[int, _in(0, 1023, "a NUMA node")]
Address: TypeAlias = Annotated[str, Rule(_address, "an address, as localhost:9100")]
URL: TypeAlias = Annotated[str, Rule(_url, "a URL, as http://localhost:9100/health")]
Amount: TypeAlias = Annotated[int, _in(0, (1 << 32) - 1, "a whole number")]
Octal: TypeAlias = Annotated[str, Rule(_octal, "octal digits, as 0660")]
AttributeName: TypeAlias = Annotated[str, Rule(_attribute, "the name of a file in sysfs")]
