"""Checks of what a device, or a CDI part of one, consists of.

Each raises `BadDevice` with the field's name.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from twistdp.errors import BadDevice
from twistdp.legible import shown
from twistdp.secrecy import kind_of, variable

_MOST_NODES: Final = 1 << 10  # the kernel's own limit (CONFIG_NODES_SHIFT)

_NOT_UNICODE: Final = (
    "not UTF-8, which the device plugin API cannot carry; use a link or a name without such bytes"
)


def check_type(field: str, value: Any, kind: type[Any], wanted: str) -> None:
    """Refuse what is not of a type; `wanted` says what it must be."""
    if not isinstance(value, kind):
        raise BadDevice(f"{field}: it must be {wanted}, not {kind_of(value)}")


def check_choice(field: str, value: Any, choices: tuple[str, ...], wanted: str) -> None:
    """Refuse what is none of some texts."""
    if not isinstance(value, str) or value not in choices:
        raise BadDevice(f"{field} {shown(value)}: use {wanted}")


def check_permissions(field: str, permissions: Any) -> None:
    """Refuse what are no letters of ``rwm``."""
    if not isinstance(permissions, str) or not (permissions and set(permissions) <= set("rwm")):
        raise BadDevice(f"{field} {shown(permissions)}: use letters of 'rwm'")


def check_paths(host_path: Any, container_path: Any) -> None:
    """Refuse what are no absolute paths, or lead out of where they say they are."""
    _check_device_path("host_path", host_path)
    if container_path is not host_path:
        _check_device_path("container_path", container_path)


def _check_device_path(field: str, path: Any) -> None:
    if not isinstance(path, str) or path[:1] != "/":
        raise BadDevice(f"{field} {shown(path)}: it must be an absolute path")
    if "\0" in path or (".." in path and ".." in path.split("/")):
        raise BadDevice(f"{field} {shown(path)}: '..' and NUL are not allowed")
    if not path.isascii() and not is_unicode(path):
        raise BadDevice(f"{field} {shown(path)}: {_NOT_UNICODE}")


def check_places(parts: Iterable[Any]) -> None:
    """Refuse two different nodes or mounts at one path of the container."""
    taken: dict[str, Any] = {}
    for part in parts:
        other = taken.setdefault(part.container_path, part)
        if other is not part and other != part:
            raise BadDevice(
                f"container_path {shown(part.container_path)}: given to two different nodes or "
                "mounts"
            )


def checked_topology(topology: Any) -> tuple[int, ...]:
    """NUMA nodes, as a tuple."""
    is_list = isinstance(topology, Sequence) and not isinstance(topology, str)
    nodes = tuple(topology) if is_list else ()
    if not is_list or not all(type(node) is int and 0 <= node < _MOST_NODES for node in nodes):
        raise BadDevice(
            f"topology {shown(topology)}: give a list of NUMA nodes, None for no preference, or "
            "leave it out to have it looked up"
        )
    return nodes


def checked_items(field: str, value: Any, kind: type[Any]) -> tuple[Any, ...]:
    """A list of `kind`, as a tuple."""
    if type(value) is not tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise BadDevice(f"{field}: {kind_of(value)} is not a list")
        value = tuple(value)
    for item in value:
        if not isinstance(item, kind):
            raise BadDevice(f"{field}: {kind_of(item)} is not a twistdp.{kind.__name__}")
    return value  # type: ignore[no-any-return]


def checked_texts(field: str, texts: Any, forbidden: str) -> Mapping[str, str]:
    """A copy of variables or annotations; their keys have none of the `forbidden` letters."""
    if not isinstance(texts, Mapping):
        raise BadDevice(f"{field}: {kind_of(texts)} is not a dict")
    copied = dict(texts)
    for key, value in copied.items():
        if not isinstance(key, str):
            raise BadDevice(f"{field}: a key must be a str, not {kind_of(key)}")
        if not key or any(letter in key for letter in forbidden):
            raise BadDevice(
                f"{field}: key {variable(key)} must be a non-empty str without {forbidden!r}"
            )
        if not isinstance(value, str) or "\0" in value:
            raise BadDevice(f"{field}: the value of {shown(key)} must be a str without NUL")
        if not (key.isascii() and value.isascii()) and not is_unicode(key + value):
            raise BadDevice(f"{field}: {shown(key)}: {_NOT_UNICODE}")
    return MappingProxyType(copied)


def is_unicode(text: str) -> bool:
    """Whether UTF-8 has all of a text; names of files need not be such."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
