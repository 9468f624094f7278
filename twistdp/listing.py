"""What a directory holds."""

import os

from twistdp.naming import natural_key


def entries(directory: str | os.PathLike[str]) -> list[str]:
    """The names in `directory` in natural order (``tty2`` before ``tty10``).

    Empty when there is no such directory: udev removes ``/dev/serial/by-id`` together with the last
    link in it, so a scanner that raised then would keep the vanished devices listed.  Raises
    OSError for any other reason, such as missing permission: a directory that cannot be read need
    not be empty, and the devices had better stay as they were.
    """
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(names, key=natural_key)
