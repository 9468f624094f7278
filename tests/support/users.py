"""Acts of other users, for tests that run as root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

NEEDS_ROOT = None if os.geteuid() == 0 else "needs root, to make files that belong to others"
"""For the attribute `skip` of tests that make or become other users; None as root."""

ALICE, ALICES_GROUP = 31001, 31002
"""An unprivileged user; without an entry in any data base, so that none is asked."""

BOB = 31003
"""Another one, of no group of Alice's."""


@contextmanager
def acting_as(uid: int, gid: int | None = None) -> Iterator[None]:
    """Be another user, of one group and without capabilities, for as long as the block runs."""
    groups, old_gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(uid if gid is None else gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(old_gid)
        os.setgroups(groups)


def given_to(path: str, uid: int, mode: int, gid: int = 0) -> str:
    """`path`, which belongs to that user and group now, and has that mode."""
    os.lchown(path, uid, gid)
    if not os.path.islink(path):
        os.chmod(path, mode)
    return path
