"""Lists directories, and knows the errors that mean that a path leads nowhere."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from glob import has_magic
from typing import Final

from twistdp.model import is_plain, natural_key

ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""The errors that mean that a path leads nowhere."""

MOST_EXPANDED: Final = 10_000
"""Entries of directories that are looked at for a glob."""


def entries(directory: str | os.PathLike[str]) -> list[str]:
    """Return the names in `directory` in natural order (``tty2`` before ``tty10``).

    A missing directory has none: udev removes ``/dev/serial/by-id`` together with the last link
    in it, so a scanner that raised an error would keep the vanished devices listed.  Raises OSError
    for any other reason, such as missing permission: a directory that cannot be read may not
    be empty, and the devices should stay as they were.  Leaves out names that are not UTF-8 or have
    control characters: `twistdp.DeviceSpec` would raise for them.
    """
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(filter(is_plain, names), key=natural_key)


def expanded(directory: str, name: str) -> str:
    """The first path below `directory`, in natural order, that the glob `name` matches.

    A name without ``*`` is returned as it is, and so is one that matches nothing.  Looks at
    `MOST_EXPANDED` entries of directories at most: others may have made any number, and links among
    them that lead anywhere.
    """
    if "*" not in name:
        return name
    found, left = ["/" if name.startswith("/") else ""], iter(range(MOST_EXPANDED))
    for part in filter(None, name.split("/")):
        found = [path for above in found for path in _matching(directory, above, part, left)]
    return min(filter(is_plain, found), key=natural_key, default=name)


def _matching(directory: str, above: str, part: str, left: Iterator[int]) -> Iterator[str]:
    """The entries of the directory `above` that a part of a glob matches, while some are `left`."""
    where = os.path.join(directory, above)
    if not has_magic(part):
        if os.path.lexists(os.path.join(where, part)):
            yield os.path.join(above, part)
        return
    with suppress(OSError), os.scandir(where) as entries:
        for entry, _ in zip(entries, left, strict=False):
            is_hidden = entry.name.startswith(".") and not part.startswith(".")
            if not is_hidden and fnmatchcase(entry.name, part):
                yield os.path.join(above, entry.name)
