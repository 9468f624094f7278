"""Checks and makes names: namespaces, resource types, device ids, socket files.

The rules for resource names are the kubelet's: ``requests.<name>`` must be a qualified name,
names under ``kubernetes.io/`` and with the prefix ``requests.`` are refused
(k8s.io/apimachinery `IsQualifiedName`, k8s.io/kubernetes `IsExtendedResourceName`).
"""

import hashlib
import os
import re
import sys

from twistdp.errors import BadName, BadSetting
from twistdp.model.text import shown

MAX_DEVICE_ID = 63
"""Characters in a device id (device plugin API, `Device.ID`)."""

MAX_SOCKET_PATH = 107
"""Bytes in a unix socket's path (``sun_path`` less its final NUL)."""

PRIVATE = ".tdp-"
"""The start of private directories' names; eight hex digits follow."""

_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DEVICE_ID = re.compile(r"[!-~]+")
_DOTS = re.compile(r"(?:^|/)\.+(?:/|$)")
_NUMBER = re.compile(r"[0-9]+")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._:@+-]")
_MAX_DOMAIN = 253 - len("requests.")


def check_namespace(namespace: str) -> str:
    """Return `namespace` if resources of that domain can exist; raise `BadName` otherwise."""
    doing = f"namespace {shown(namespace)}:"
    if not isinstance(namespace, str) or not namespace:
        raise BadName(f"{doing} give a domain of your own, such as 'color.example.com'")
    if "/" in namespace:
        raise BadName(f"{doing} give only the domain, without '/' and the resource's name")
    if len(namespace) > _MAX_DOMAIN:
        raise BadName(f"{doing} {len(namespace)} characters, at most {_MAX_DOMAIN} are allowed")
    if not _DOMAIN.fullmatch(namespace):
        raise BadName(
            f"{doing} a domain consists of lower-case letters, digits, '-' and '.', "
            "and each part starts and ends with a letter or digit"
        )
    if namespace.endswith("kubernetes.io"):
        raise BadName(f"{doing} domains ending in 'kubernetes.io' are reserved; use your own")
    if namespace.startswith("requests."):
        raise BadName(f"{doing} the kubelet refuses the prefix 'requests.'; leave it out")
    return namespace


def check_resource_type(resource_type: str) -> str:
    """Return `resource_type`, a resource's name after the slash; raise `BadName` for a bad one."""
    doing = f"resource {shown(resource_type)}:"
    if not isinstance(resource_type, str) or not resource_type:
        raise BadName(f"{doing} give a name, such as 'yellow'")
    if len(resource_type) > 63:
        raise BadName(f"{doing} {len(resource_type)} characters, at most 63 are allowed")
    if not _NAME.fullmatch(resource_type):
        raise BadName(
            f"{doing} a resource's name consists of letters, digits, '-', '_' and '.', "
            "and starts and ends with a letter or digit; the namespace is given separately"
        )
    return resource_type


def is_qualified(name: str) -> bool:
    """Return whether `name` is a qualified name: optionally a domain and ``/``, and a name."""
    domain, slash, rest = name.rpartition("/")
    if slash and not (len(domain) <= 253 and _DOMAIN.fullmatch(domain)):
        return False
    return len(rest) <= 63 and _NAME.fullmatch(rest) is not None


def check_device_id(device_id: str) -> str:
    """Return `device_id` if the API allows it; raise `BadName` otherwise.

    The kubelet itself checks nothing and would count an empty or unprintable id as a device.
    """
    if not isinstance(device_id, str):
        raise BadName(f"device id {shown(device_id)}: it must be a str")
    if len(device_id) > MAX_DEVICE_ID:
        raise BadName(
            f"device id {shown(device_id)}: {len(device_id)} characters, "
            f"at most {MAX_DEVICE_ID} are allowed"
        )
    if not _DEVICE_ID.fullmatch(device_id):
        raise BadName(
            f"device id {shown(device_id)}: it must consist of printable ASCII characters "
            "without spaces, at least one"
        )
    if (device_id[-1] == "." or "./" in device_id) and _DOTS.search(device_id):
        raise BadName(
            f"device id {shown(device_id)}: '.' and '..' would lead elsewhere in a path; use a "
            "name, or twistdp.device_id() of it"
        )
    return device_id


def digest(text: str, digits: int = 8) -> str:
    """Return the first hex digits of the SHA-256 of `text`, which may be any file name."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:digits]


def device_id(path_or_text: str | os.PathLike[str]) -> str:
    """Return a valid device id for a path or any other text, the same for the same text.

    A path below ``/dev`` is taken relative to it: ``/dev/ttyUSB0`` gives ``ttyUSB0``.  A
    text of at most 63 letters, digits and ``._:@+-`` is its own id, unless it is dots alone.  In
    any other, odd characters become ``-``, it is cut, and eight hex digits of a SHA-256 of the
    whole text follow, so that two texts have two ids: ``/dev/bus/usb/001/004`` gives
    ``bus-usb-001-004-9e3296d2``.

    The id depends on the text alone.  So give what belongs to the device for good: its serial
    number or its name below ``/dev/serial/by-id``, not a number that the kernel counts.
    Raises `BadName` for what is no text, or an empty one.
    """
    text = os.fspath(path_or_text) if isinstance(path_or_text, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise BadName(f"device id for {shown(path_or_text)}: give a path or another text")
    if text.startswith("/"):
        path = os.path.normpath(f"/{text.lstrip('/')}")
        text = path.removeprefix("/dev/").lstrip("/") or path
    plain = _NOT_PLAIN.sub("-", text)
    if plain == text and len(text) <= MAX_DEVICE_ID and text.strip("."):
        return text
    try:
        suffix = f"-{digest(text)}"
    except UnicodeEncodeError:
        raise BadName(
            f"device id for {shown(path_or_text)}: it is no Unicode text; give another one"
        ) from None
    return plain[: MAX_DEVICE_ID - len(suffix)] + suffix


def private_directory(path: str, place: str | None = None) -> str:
    """Return where the server of the socket `path` binds before the name appears.

    It is a hidden directory beside the socket, or in `place`, where sockets of several directories
    may be bound.
    """
    directory, name = os.path.split(path)
    if place is not None:
        return os.path.join(place, PRIVATE + digest(path))
    return os.path.join(directory, PRIVATE + digest(name))


def named_socket(directory: str, stem: str, name: str, spare: int = 0) -> str:
    """Return ``<directory>/<stem>.sock``, of no more than `MAX_SOCKET_PATH` bytes less `spare`.

    A stem for which there is no room is cut and ends in a digest of `name`.
    """
    path = os.path.join(directory, f"{stem}.sock")
    excess = len(os.fsencode(path)) - MAX_SOCKET_PATH + spare
    if excess > 0:
        suffix = f"-{digest(name)}"
        stem = stem[: max(0, len(stem) - excess - len(suffix))] + suffix
        path = os.path.join(directory, f"{stem}.sock")
    return path


def socket_path(directory: str, resource_name: str, place: str | None = None) -> str:
    """Return the path of a resource's socket: ``<directory>/<domain>_<name>.sock``.

    ``_`` cannot occur in a domain, so two resources never share a file.  A name that would
    make the path longer than `MAX_SOCKET_PATH` bytes is cut and ends in a digest.  Raises
    `BadSetting` when even that does not fit, or the private directory does not; for `place` see
    `private_directory`.
    """
    path = named_socket(directory, resource_name.replace("/", "_", 1), resource_name)
    bound = os.path.join(private_directory(path, place), "s")
    too_long = max(len(os.fsencode(path)), len(os.fsencode(bound))) - MAX_SOCKET_PATH
    if too_long > 0:
        what = "plugin directory" if place is None else "registry directory"
        raise BadSetting(
            f"{what} {directory}: its path is {too_long} bytes too long for a unix socket in it "
            f"({MAX_SOCKET_PATH} bytes in all); use a shorter path"
        )
    return path


def natural_key(text: str) -> str:
    """Return a sort key under which ``loop2`` comes before ``loop10``."""
    # A text: it is kept for each of thousands of devices, and a tuple is ten times as large.
    return _NUMBER.sub(_comparable, text)


def _comparable(number: re.Match[str]) -> str:
    """Return a number's digits behind their count: int() refuses more than 4300 digits.

    No name has a NUL, which therefore sorts numbers before letters and marks their end.
    """
    digits = number[0].lstrip("0")
    return f"\0{chr(min(len(digits), sys.maxunicode))}{digits}{number[0]}\0"
