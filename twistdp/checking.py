"""Checks of what a CDI part consists of; each raises `BadDevice` with the field's name."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from twistdp.errors import BadDevice
from twistdp.legible import shown
from twistdp.secrecy import kind_of, variable


def items(field: str, value: Any, kind: type[Any]) -> tuple[Any, ...]:
    """Return `value` if it is a tuple of `kind`."""
    if not isinstance(value, tuple):
        raise BadDevice(f"{field}: {kind_of(value)} is not a list")
    for item in value:
        if not isinstance(item, kind):
            raise BadDevice(f"{field}: {kind_of(item)} is not a {kind.__name__}")
    return value


def check_path(field: str, path: Any) -> None:
    """Refuse what is no absolute path, or one that leads out of where it says it is."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise BadDevice(f"{field} {shown(path)}: it must be an absolute path")
    if "\0" in path or ".." in path.split("/"):
        raise BadDevice(f"{field} {shown(path)}: '..' and NUL are not allowed")
    check_text(f"{field} {shown(path)}", path)


def check_env(field: str, env: Any) -> None:
    """Refuse what is no environment: names without ``=``, both without NUL."""
    if not isinstance(env, Mapping):
        raise BadDevice(f"{field}: {kind_of(env)} is not a dict")
    for name, value in env.items():
        if not isinstance(name, str):
            raise BadDevice(f"{field}: a name must be a str, not {kind_of(name)}")
        if not name or "=" in name:
            raise BadDevice(f"{field}: name {variable(name)} must be a non-empty str without '='")
        check_text(f"{field}: name {shown(name)}", name)
        check_text(f"{field}: value of {shown(name)}", value, empty=True)


def check_text(field: str, text: Any, *, empty: bool = False) -> None:
    """Refuse what is no text of UTF-8 without NUL; `empty` text if it is not allowed.

    The text itself is not told: it may be a secret.
    """
    if not isinstance(text, str) or "\0" in text or not (text or empty):
        wanted = "a str" if empty else "a non-empty str"
        raise BadDevice(f"{field}: it must be {wanted} without NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadDevice(
            f"{field}: not UTF-8, which a CDI spec cannot carry; "
            "use a link or a name without such bytes"
        ) from None


def check_number(field: str, number: Any, highest: int, *, lowest: int = 0) -> None:
    """Refuse what is no integer of that range."""
    if type(number) is not int or not lowest <= number <= highest:
        raise BadDevice(f"{field} {shown(number)}: it must be an int from {lowest} to {highest}")


def check_once(field: str, values: Iterable[Hashable]) -> None:
    """Refuse a value that is there twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise BadDevice(f"{field} {shown(value)} is given twice")
        seen.add(value)
