"""Lists directories, and knows the errors that mean that a path leads nowhere."""

import errno
import os
from glob import glob
from typing import Final

from twistdp.model import is_plain, natural_key

ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""The errors that mean that a path leads nowhere."""


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

    A name without ``*`` is returned as it is, and so is one that matches nothing.
    """
    if "*" not in name:
        return name
    return min(filter(is_plain, glob(name, root_dir=directory)), key=natural_key, default=name)
