"""Umockdev's text format for recordings of devices: read and written.

A device is a block of lines, with an empty line after it:

- ``P: /devices/...``, the path in sysfs, always first;
- ``N: ttyUSB0``, the node below ``/dev``, and after ``=`` its content in hexadecimal;
- ``S: serial/by-id/...``, a link to the node;
- ``E: KEY=value``, a key of ``uevent`` or a property of udev;
- ``A: name=value``, an attribute, with ``\\n`` for a line's end and ``\\\\`` for a backslash;
- ``H: name=6162``, an attribute that is no text, in hexadecimal;
- ``L: name=target``, a link.

The format has no place for the owner, group and mode of a node.  They are properties whose names
begin with ``__DEV``, as umockdev's own for SELinux does, which other readers leave alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from twistdp.errors import BadSetting

LONGEST: Final = 64 * 1024 * 1024
"""Bytes of a recording."""

_LINE: Final = re.compile(r"([PNSEAHL]): ?(.*)", re.DOTALL)
_MOST: Final = 200_000
_MOST_LINES: Final = 100_000
"""Lines of one device."""

_LONGEST_NAME: Final = 255
_LONGEST_PATH: Final = 1024
_LONGEST_LINK: Final = 4095
"""Bytes of what a link says."""


class BadRecording(BadSetting):
    """A recording that cannot be read; the text says where and why."""


@attrs.frozen
class Recorded:
    """One device of a recording."""

    path: str
    """``/devices/...``, without ``/sys``."""
    node: str | None = None
    """The node, relative to ``/dev``."""
    content: bytes = b""
    """What reading the node gives."""
    claims: tuple[str, ...] = ()
    """Links to the node, relative to ``/dev``."""
    properties: Mapping[str, str] = attrs.Factory(dict)
    attributes: Mapping[str, bytes] = attrs.Factory(dict)
    links: Mapping[str, str] = attrs.Factory(dict)

    @property
    def name(self) -> str:
        """The name of the directory in sysfs."""
        return self.path.rpartition("/")[2]

    @property
    def subsystem(self) -> str:
        """The kernel's subsystem; an empty text if it is not recorded."""
        return self.properties.get("SUBSYSTEM", "")


def parse(text: str, name: str = "recording") -> tuple[Recorded, ...]:
    """The devices of a recording.

    Raises `BadRecording` with `name` and the number of the line for the first line that cannot be
    read.
    """
    found: list[Recorded] = []
    paths: set[str] = set()
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise BadRecording(f"{name}:{number}: there is a NUL in the line; write H: for such bytes")
    for number, block in _blocks(name, _lines_of(text)):
        device = _device(name, number, block)
        if device.path in paths:
            raise BadRecording(f"{name}:{number}: {device.path} is there twice; leave one out")
        paths.add(device.path)
        found.append(device)
        if len(found) > _MOST:
            raise BadRecording(f"{name}:{number}: more than {_MOST} devices; split the recording")
    return tuple(found)


_Lines: TypeAlias = list[tuple[int, str]]


def _lines_of(text: str) -> Iterator[str]:
    """The lines of a text, one at a time: a list of all takes many times as much memory."""
    begin = 0
    while (end := text.find("\n", begin)) >= 0:
        yield text[begin:end]
        begin = end + 1
    yield text[begin:]


def _blocks(name: str, lines: Iterable[str]) -> Iterator[tuple[int, _Lines]]:
    block: _Lines = []
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r")
        if line.startswith("#"):
            continue
        if line:
            block.append((number, line))
            if len(block) > _MOST_LINES:
                raise BadRecording(f"{name}:{number}: a device has more than {_MOST_LINES} lines")
        elif block:
            yield block[0][0], block
            block = []
    if block:
        yield block[0][0], block


def _device(name: str, begin: int, block: _Lines) -> Recorded:
    path, node, content = "", None, b""
    claims: list[str] = []
    pairs: dict[str, dict[str, str]] = {kind: {} for kind in "EAHL"}
    for number, line in block:
        at = f"{name}:{number}"
        found = _LINE.fullmatch(line)
        if found is None:
            raise BadRecording(
                f"{at}: a line begins with P:, N:, S:, E:, A:, H: or L:, not with {line[:20]!r}"
            )
        kind, value = found[1], found[2]
        if (kind == "P") != (number == begin):
            raise BadRecording(f"{at}: a device begins with its only P: line, after an empty line")
        if kind == "P":
            path = _inside(at, value, "/devices/")
        elif kind == "N":
            node, _, digits = value.partition("=")
            node, content = _inside(at, node), _bytes(at, digits)
        elif kind == "S":
            claims.append(_inside(at, value))
        else:
            key, equals, rest = value.partition("=")
            if not key or not equals:
                raise BadRecording(f"{at}: write {kind}: name=value")
            pairs[kind][key if kind == "E" else _inside(at, key)] = rest
            if kind == "L" and not 0 < len(rest.encode()) <= _LONGEST_LINK:
                raise BadRecording(
                    f"{at}: a link says 1 to {_LONGEST_LINK} bytes, not {len(rest.encode())}"
                )
            if key == "SUBSYSTEM" and len(rest.encode()) > _LONGEST_NAME:
                raise BadRecording(f"{at}: a subsystem's name has at most {_LONGEST_NAME} bytes")
            if kind == "H":
                _bytes(at, rest)
    attributes = {key: _unescaped(value).encode() for key, value in pairs["A"].items()}
    attributes |= {key: bytes.fromhex(value) for key, value in pairs["H"].items()}
    return Recorded(path, node, content, tuple(claims), pairs["E"], attributes, pairs["L"])


def _inside(at: str, path: str, top: str = "") -> str:
    """A path that stays where it belongs: recordings come from strangers."""
    rest = path.removeprefix(top)
    if not path.startswith(top) or not rest or "\0" in rest:
        raise BadRecording(f"{at}: {path[:80]!r} is no path below {top or 'the directory'}")
    parts = rest.split("/")
    bad = any(part in ("", ".", "..") or len(part.encode()) > _LONGEST_NAME for part in parts)
    if bad or len(parts) > 64 or len(path.encode()) > _LONGEST_PATH:
        raise BadRecording(
            f"{at}: {path[:80]!r} leads elsewhere, or far; write it without '..' and double "
            f"'/', in at most {_LONGEST_PATH} bytes"
        )
    return path


def _bytes(at: str, digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise BadRecording(f"{at}: {digits[:20]!r} is no hexadecimal text") from None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def write(devices: Iterable[Recorded]) -> str:
    """The text of a recording."""
    return "\n".join("".join(f"{line}\n" for line in _lines(device)) for device in devices)


def _lines(device: Recorded) -> Iterator[str]:
    yield f"P: {device.path}"
    if device.node is not None:
        digits = f"={device.content.hex().upper()}" if device.content else ""
        yield f"N: {device.node}{digits}"
    for link in device.claims:
        yield f"S: {link}"
    for key, value in device.properties.items():
        yield f"E: {key}={value}"
    for name, content in sorted(device.attributes.items()):
        yield _attribute(name, content)
    for key, target in sorted(device.links.items()):
        yield f"L: {key}={target}"


def _attribute(name: str, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        return f"A: {name}={_escaped(text)}"
    return f"H: {name}={content.hex().upper()}"
