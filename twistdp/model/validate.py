"""Checks the fields of a device and of its CDI part.

Each check raises `BadDevice` with the field's name.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from twistdp.errors import BadDevice
from twistdp.model.characters import NOT_UTF8, fault, is_utf8
from twistdp.model.names import is_qualified
from twistdp.model.secrecy import kind_of, variable
from twistdp.model.text import shown

_MOST_NODES: Final = 1 << 10  # the kernel's own limit (CONFIG_NODES_SHIFT)

_ROOT: Final = re.compile(r"(?:/\.?)*")
_SYSTEM: Final = re.compile(r"(?:/\.?)*(?:/(?:dev|proc|sys)(?:/\.?)*)?")
_ENDS: Final = ("/", ".", "/dev", "/proc", "/sys")


def check_type(field: str, value: Any, kind: type[Any], wanted: str) -> None:
    """Refuse a value that is not of a type; `wanted` describes the type."""
    if not isinstance(value, kind):
        raise BadDevice(f"{field}: it must be {wanted}, not {kind_of(value)}")


def check_cdi(value: Any) -> None:
    """Refuse anything but a `twistdp.CDIDevice`."""
    from twistdp.model.cdi import CDIDevice  # most devices have none, and need not import it

    check_type("cdi", value, CDIDevice, "a twistdp.CDIDevice")


def check_choice(field: str, value: Any, choices: tuple[str, ...], wanted: str) -> None:
    """Refuse a value that is none of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise BadDevice(f"{field} {shown(value)}: use {wanted}")


def check_permissions(field: str, permissions: Any) -> None:
    """Refuse anything but letters of ``rwm``."""
    if not isinstance(permissions, str) or not (permissions and set(permissions) <= set("rwm")):
        raise BadDevice(f"{field} {shown(permissions)}: use letters of 'rwm'")


def check_path(field: str, path: Any, is_place: bool = False) -> None:
    """Refuse anything but an absolute path, a path with ``..``, and ``/`` itself.

    A place, which is a path in a container or a node of the host, may not be ``/dev``, ``/proc``
    or ``/sys`` itself either.  In a container it would hide the runtime's own files, and of a
    directory on the host runtimes take all nodes in it.
    """
    if not isinstance(path, str) or path[:1] != "/":
        raise BadDevice(f"{field} {shown(path)}: it must be an absolute path")
    if ".." in path and ".." in path.split("/"):
        raise BadDevice(f"{field} {shown(path)}: '..' is not allowed")
    if not (path.isascii() and path.isprintable()) and (problem := fault(path)):
        raise BadDevice(f"{field} {shown(path)}: {problem}")
    if path.endswith(_ENDS):
        if _ROOT.fullmatch(path):
            raise BadDevice(f"{field} {shown(path)}: it is everything; name what is meant in it")
        if is_place and _SYSTEM.fullmatch(path):
            raise BadDevice(
                f"{field} {shown(path)}: /dev, /proc and /sys themselves are not allowed; name "
                "what is meant in it"
            )


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
    """Return NUMA nodes as a tuple."""
    is_list = isinstance(topology, Sequence) and not isinstance(topology, str)
    nodes = tuple(topology) if is_list else ()
    if not is_list or not all(type(node) is int and 0 <= node < _MOST_NODES for node in nodes):
        raise BadDevice(
            f"topology {shown(topology)}: give a list of NUMA nodes, None for no preference, or "
            "leave it out to have it looked up"
        )
    return nodes


def checked_items(field: str, value: Any, kind: type[Any]) -> tuple[Any, ...]:
    """Return a list of `kind` as a tuple."""
    if type(value) is not tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise BadDevice(f"{field}: {kind_of(value)} is not a list")
        value = tuple(value)
    for item in value:
        if not isinstance(item, kind):
            raise BadDevice(f"{field}: {kind_of(item)} is not a twistdp.{kind.__name__}")
    return value  # type: ignore[no-any-return]


def checked_env(field: str, env: Any) -> Mapping[str, str]:
    """Return a copy of variables; see `check_payload` for their values."""
    return _checked_texts(field, env, _check_variable)


def checked_annotations(field: str, annotations: Any) -> Mapping[str, str]:
    """Return a copy of annotations; see `check_payload` for their values.

    Keys must be valid in Kubernetes.  Keys that name CDI devices are refused: such devices would
    bypass the checks of `twistdp.CDIDevice`.
    """
    return _checked_texts(field, annotations, _check_annotation)


def _checked_texts(
    field: str, texts: Any, check_key: Callable[[str, str], None]
) -> Mapping[str, str]:
    if not isinstance(texts, Mapping):
        raise BadDevice(f"{field}: {kind_of(texts)} is not a dict")
    copied = dict(texts)
    for key, value in copied.items():
        if not isinstance(key, str):
            raise BadDevice(f"{field}: a key must be a str, not {kind_of(key)}")
        check_key(field, key)
        check_payload(f"{field}: the value of {shown(key)}", value)
    return MappingProxyType(copied)


def _check_variable(field: str, key: str) -> None:
    if not key or "=" in key:
        raise BadDevice(f"{field}: key {variable(key)} must be a non-empty str without '='")
    if problem := fault(key):
        raise BadDevice(f"{field}: key {shown(key)}: {problem}")


def _check_annotation(field: str, key: str) -> None:
    lower = key.lower()  # as Kubernetes does
    if not is_qualified(lower):
        raise BadDevice(
            f"{field}: key {variable(key)} must be one of Kubernetes, as 'example.com/name': a "
            "domain and '/', which may be left out, and up to 63 letters, digits, '-', '_' and '.'"
        )
    if lower.startswith("cdi.k8s.io/"):
        raise BadDevice(
            f"{field}: key {shown(key)}: runtimes take CDI devices by it; give the device a "
            "twistdp.CDIDevice instead"
        )


def items(field: str, value: Any, kind: type[Any]) -> tuple[Any, ...]:
    """Return `value` if it is a tuple of `kind`."""
    if not isinstance(value, tuple):
        raise BadDevice(f"{field}: {kind_of(value)} is not a list")
    for item in value:
        if not isinstance(item, kind):
            raise BadDevice(f"{field}: {kind_of(item)} is not a {kind.__name__}")
    return value


def check_name(field: str, text: Any, *, empty: bool = False) -> None:
    """Refuse anything but a text that can name something; an empty one unless `empty`.

    The error does not show the text: an option of a mount may be a secret.
    """
    if not isinstance(text, str) or not (text or empty):
        raise BadDevice(f"{field}: it must be {'a str' if empty else 'a non-empty str'}")
    if problem := fault(text):
        raise BadDevice(f"{field}: {problem}")


def check_payload(field: str, text: Any) -> None:
    """Refuse anything but UTF-8 text without NUL; the rest is up to the program that gets it.

    The error does not show the text: it may be a secret.
    """
    if not isinstance(text, str) or "\0" in text:
        raise BadDevice(f"{field} must be a str without NUL")
    if not is_utf8(text):
        raise BadDevice(f"{field}: {NOT_UTF8}")


def check_number(field: str, number: Any, highest: int, *, lowest: int = 0) -> None:
    """Refuse anything but an integer in this range."""
    if type(number) is not int or not lowest <= number <= highest:
        raise BadDevice(f"{field} {shown(number)}: it must be an int from {lowest} to {highest}")


def check_once(field: str, values: Iterable[Hashable]) -> None:
    """Refuse a value that occurs twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise BadDevice(f"{field} {shown(value)} is given twice")
        seen.add(value)
