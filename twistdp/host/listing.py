"""What a directory holds, and how the kernel says that there is nothing."""

import errno
import os
from typing import Final

from twistdp.model import is_plain, natural_key

ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""What says that a path leads nowhere."""


def entries(directory: str | os.PathLike[str]) -> list[str]:
    """The names in `directory` in natural order (``tty2`` before ``tty10``).

    Empty when there is no such directory: udev removes ``/dev/serial/by-id`` together with the last
    link in it, so a scanner that raised then would keep the vanished devices listed.  Raises
    OSError for any other reason, such as missing permission: a directory that cannot be read need
    not be empty, and the devices had better stay as they were.  Names that are not UTF-8 or have
    control characters are left out: `twistdp.DeviceSpec` would raise for them.
    """
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(filter(is_plain, names), key=natural_key)
