"""Reads files and links of sysfs and of udev's data base: bounded, and never raises OSError.

Sysfs changes while it is read, and attributes may refuse to be read.  A tree that somebody sent may
hold pipes, huge files and links that lead out of it.
"""

import errno
import os
import stat
from typing import Final

import attrs

LONGEST: Final = 4096
"""Bytes of an attribute: the kernel gives no more than a page."""

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@attrs.frozen
class Undecidable:
    """A value that cannot be known here; `reason` says why, for people."""

    reason: str


def read_file(path: str, most: int = LONGEST) -> str | Undecidable | None:
    """The text of a file without the white space and NULs at its ends, at most `most` bytes.

    None if there is no such file; `Undecidable` if it cannot be read.  Follows no link.
    """
    return _decoded(read_bytes(path, most))


def read_entry(path: str) -> str | Undecidable | None:
    """As `read_file`; of a link the name of what it leads to."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            target = read_link(path)
            return os.path.basename(target) if target is not None else None
        return _unopened(path, error)
    return _decoded(_content(path, descriptor, LONGEST))


def read_bytes(path: str, most: int = LONGEST) -> bytes | Undecidable | None:
    """As `read_file`, all bytes as they are."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        return _unopened(path, error)
    return _content(path, descriptor, most)


def _unopened(path: str, error: OSError | ValueError) -> Undecidable | None:
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return None
    # ELOOP is a link where a file should be.
    return None if error.errno == errno.ELOOP else _unreadable(path, error)


def _content(path: str, descriptor: int, most: int) -> bytes | Undecidable | None:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, most)
    except OSError as error:
        return _unreadable(path, error)
    finally:
        os.close(descriptor)


def _decoded(content: bytes | Undecidable | None) -> str | Undecidable | None:
    if not isinstance(content, bytes):
        return content
    return content.decode(errors="replace").strip(" \t\r\n\v\f\0")


def _unreadable(path: str, error: OSError) -> Undecidable:
    return Undecidable(f"cannot read {path}: {error.strerror}")


def read_link(path: str) -> str | None:
    """What a link says, or None if there is none."""
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return None


_OF_NODE: Final = frozenset({"MAJOR", "MINOR", "DEVNAME", "DEVMODE", "DEVUID", "DEVGID"})
"""Keys about the node: the kernel writes them before all others."""


def pairs(text: str, *, from_kernel: bool) -> dict[str, str]:
    """The lines ``KEY=value`` of a uevent file; one `from_kernel` begins with the keys of the node.

    A value may have line breaks, which somebody put into the name of a device.  So a line further
    down does not replace a key, and in a file of the kernel it gives no node.
    """
    found: dict[str, str] = {}
    may_have_node = True
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        is_of_node = key in _OF_NODE
        may_have_node = may_have_node and (is_of_node or not from_kernel)
        if equals and (may_have_node or not is_of_node):
            found.setdefault(key, value)
    return found
