"""Follows the links of a path below a root directory, as a process does that has it for its own."""

import errno
import os
from typing import Final

MOST_LINKS: Final = 40  # the kernel's own limit (path_resolution(7))


def below(root: str, path: str) -> str:
    """Where `path` leads below `root`; an absolute link begins there again, and ``..`` ends there.

    What is missing has no links.  Raises OSError for too many links.
    """
    here, ahead, links = root, path.split("/")[::-1], 0
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here) if here != root else here
            continue
        there = os.path.join(here, name)
        try:
            target = os.readlink(there)
        except OSError:  # no link, or not there
            here = there
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            here = root
        ahead += target.split("/")[::-1]
    return here
