"""Makes the checks of paths, attributes and files."""

import errno
import os
import stat
from collections.abc import Callable
from typing import Final

from twistdp.errors import Untrusted
from twistdp.health.values import Attribute, File, Present
from twistdp.host import check_directory, check_ownership, expanded, remedy_for

LONGEST: Final = 4096
"""Bytes that are read of a file: the kernel gives no more than a page of an attribute."""

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def of_path(check: Present) -> str:
    """What is wrong; empty if nothing is."""
    return "" if os.path.lexists(check.path) else f"{check.path} is not there"


def of_file(check: File) -> str:
    """What is wrong; empty if nothing is."""
    path = expanded("/", check.path)
    try:
        value = _read(path, _open_safely)
    except OSError as error:
        if remedy_for(error) is not None:
            raise
        return "" if check.optional else f"cannot read {path}: {error.strerror}"
    if value is None:
        return "" if check.optional else f"{path} is no file that is there"
    return check.problem(path, value)


def of_attribute(check: Attribute) -> str:
    """What is wrong; empty if nothing is."""
    directory = check.device
    if "/sys/devices/" not in directory:
        directory = os.path.realpath(directory)
    while "/sys/devices/" in directory:
        path = f"{directory}/{expanded(directory, check.attribute)}"
        try:
            value = _read(path)
        except OSError as error:
            if remedy_for(error) is not None:
                raise
            return f"cannot read {path}: {error.strerror}"
        if value is None and os.path.islink(path):
            value = os.path.basename(os.readlink(path))  # as that of the driver
        if value is not None:
            return check.problem(f"attribute {check.attribute}", value)
        directory = os.path.dirname(directory)
    return f"there is no attribute {check.attribute}"


def _open(path: str) -> int:
    return os.open(path, _FLAGS)


def _open_safely(path: str) -> int:
    """Open a file; where others may make links, none is followed: it could lead to any file.

    Nor is a file opened there that has other names: a hard link leads to any file too.
    """
    *parents, name = os.path.abspath(path).split("/")[1:]
    directory, way = os.open("/", _DIRECTORY), ""
    try:
        for part in parents:
            way += f"/{part}"
            flags = _DIRECTORY if _is_ours(way) else _DIRECTORY | os.O_NOFOLLOW
            below = os.open(part, flags, dir_fd=directory)
            os.close(directory)
            directory = below
        descriptor = os.open(name, _FLAGS, dir_fd=directory)
    finally:
        os.close(directory)
    if os.fstat(descriptor).st_nlink > 1 and not _is_ours(way or "/", check_directory):
        os.close(descriptor)
        raise FileNotFoundError
    return descriptor


def _is_ours(path: str, check: Callable[[str], object] = check_ownership) -> bool:
    try:
        check(path)
    except (Untrusted, OSError):
        return False
    return True


def _read(path: str, opened: Callable[[str], int] = _open) -> str | None:
    """The text of a file without white space at its ends; None if there is none, or it is a link.

    Raises OSError if it cannot be read.
    """
    try:
        descriptor = opened(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, LONGEST).decode(errors="replace").strip(" \t\r\n\v\f\0")
    finally:
        os.close(descriptor)
