"""Checks that only root and our user decide what a path leads to, and who listens on a socket.

It looks at every component of the path, as sshd does with its files (``StrictModes``), and follows
links by hand: each must belong to root or to us, and others may not put something else in
its place.  A path that passes can be used by its name afterwards: between check and use, nobody but
root and our user can change any part of it.

Users are those of this process's user namespace.  A member of root's group (0) counts as root.  An
access control list (acl(5)) that lets others write counts like a mode that does.
"""

import os
import re
import select
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from errno import ELOOP, ESRCH
from typing import Final, NamedTuple

from twistdp.errors import Untrusted

MOST_LINKS: Final = 40  # the kernel's own limit (path_resolution(7))
_SO_PEERPIDFD: Final = 77
_CREDENTIALS: Final = struct.Struct("3i")

_USERS: Final = "/proc/self/uid_map"
"""The users that the process's user namespace has; see user_namespaces(7)."""

_MOUNTS: Final = "/proc/self/mountinfo"
_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")
"""How spaces and the like are written there."""

_UNKNOWN: Final = 65534
"""The user that the kernel reports for one that the user namespace does not have."""

# As linux/posix_acl_xattr.h has them.
_ACL_HEADER: Final = 4
_ACL_ENTRY: Final = struct.Struct("<HHI")  # tag, rights, user or group
_ACL_USER, _ACL_GROUP = 0x02, 0x08


class Peer(NamedTuple):
    """The process that listens on a socket; `pid` is 0 if it is hidden from us.

    `alive` is False if it has ended and its children keep the socket open.
    """

    pid: int
    uid: int
    gid: int
    alive: bool = True


def check_ownership(path: str) -> None:
    """Raise `Untrusted` if others could change what `path` leads to.

    A directory in which others may write passes if it is sticky, as ``/tmp`` is: an entry that
    belongs to root or us is safe there.  Raises OSError if the path cannot be followed to its end.
    """
    for component, found in _components(path):
        _check(path, component, found, sticky_helps=True)


def check_directory(path: str) -> None:
    """Raise `Untrusted` if others could change what `path` leads to, or add to what is in it.

    For a directory whose entries are all read.  Raises OSError as `check_ownership`.
    """
    check_ownership(path)
    _check(path, path, os.stat(path), sticky_helps=False)


def check_file(path: str) -> None:
    """Raise `Untrusted` if others could change what is read from the file `path`.

    As `check_ownership`, and others may not write to the file either.  In a sticky directory it may
    have no other name, since others could have given it this one.  The mode of a directory that is
    itself mounted read-only does not count: that of a ConfigMap has 0777.  Modes of what is in it
    do: in the systemd unit everything is read-only, but others may write outside of it.
    """
    for component, found in _components(path):
        problem = problem_of(component, found, sticky_helps=True)
        if problem is None and stat.S_ISREG(found.st_mode) and may_others_write(component, found):
            mode = stat.S_IMODE(found.st_mode)
            reason = f"others may write to {component} (user {found.st_uid}, mode {mode:04o})"
            problem = Untrusted(component, reason, f"chmod go-w {component}")
        if problem is None and stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            above = os.path.dirname(component)  # where others may have made a hard link
            problem = problem_of(above, os.lstat(above), sticky_helps=False)
        if problem is not None and not _is_read_only_mount(component, found):
            raise problem.for_path(path)


def make_directory(path: str) -> None:
    """Make a directory, and those above it, if `check_directory` would accept it.

    Only checks an existing one.  Raises `Untrusted`, before it makes anything there, and OSError.
    """
    above, missing = os.path.abspath(path), []
    while not os.path.lexists(above):
        missing.append(above)
        above = os.path.dirname(above)
    check_ownership(above)
    for each in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(each, 0o755)
        check_ownership(each)  # in a sticky directory others may have been faster
    os.makedirs(path, exist_ok=True)  # raises FileExistsError for a file
    check_directory(path)


def close_directory(path: str) -> None:
    """Let nobody else write to our own directory, if it is there; an emptyDir is open to all.

    Raises OSError.
    """
    with suppress(FileNotFoundError):
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o022:
            os.chmod(path, 0o755)  # noqa: S103  # as `make_directory` makes it


def check_server(path: str) -> None:
    """Raise `Untrusted` unless root or we listen on the socket `path`, and others cannot.

    Raises OSError as `check_ownership` and `peer_of` do.  The mode of the socket does not matter
    here: it says who may connect.
    """
    check_ownership(path)
    peer = peer_of(path)
    if peer.uid not in _trusted():
        if peer.uid == _UNKNOWN and _lacks_users():
            raise Untrusted(
                path,
                "this user namespace does not have the user who listens there",
                "run the plugin in the node's own, without hostUsers: false or PrivateUsers=yes",
            )
        raise Untrusted(
            path,
            f"process {peer.pid} of user {peer.uid} listens there, neither root's nor our own "
            f"user's ({os.geteuid()})",
            "end that process",
        )


def peer_of(path: str) -> Peer:
    """Return the process that called listen(2) on the stream socket `path`, as the kernel reports.

    Connects, and disconnects at once without a byte; servers are used to clients that do so.  Does
    not wait: raises ConnectionRefusedError or FileNotFoundError if nobody listens,
    BlockingIOError if the queue of the listener is full, and OSError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        probe.connect(path)
        found = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, gid = _CREDENTIALS.unpack(found)
        return Peer(pid, uid, gid, _is_alive(probe, pid))


def _is_alive(probe: socket.socket, pid: int) -> bool:
    """Whether the process at the other end lives; a zombie does not.

    Before Linux 6.5 the kernel cannot be asked for that very process: then another process that
    has its number by now counts as alive, and so does a hidden one.
    """
    try:
        pidfd = probe.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno == ESRCH:
            return False
        if pid == 0:
            return True
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as gone:
            return gone.errno != ESRCH
    try:
        end = select.poll()
        end.register(pidfd, select.POLLIN)
        return not end.poll(0)
    finally:
        os.close(pidfd)


def _lacks_users() -> bool:
    """Whether the process is in a user namespace in which some of the node's users are missing."""
    try:
        with open(_USERS, encoding="ascii") as file:
            return file.read().split() != ["0", "0", "4294967295"]
    except OSError:
        return False


def _trusted() -> tuple[int, int]:
    return 0, os.geteuid()


def _components(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every directory, link and file on the way to `path`, before following it."""
    yield "/", os.lstat("/")
    here, links = "/", 0
    ahead = os.path.join(os.getcwd(), path).split("/")[::-1]
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)  # no link is left in it
            continue
        there = os.path.join(here, name)
        found = os.lstat(there)
        yield there, found
        if not stat.S_ISLNK(found.st_mode):
            here = there
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(ELOOP, os.strerror(ELOOP), path)
        target = os.readlink(there)
        if target.startswith("/"):
            here = "/"
        ahead += target.split("/")[::-1]


def _is_read_only_mount(path: str, found: os.stat_result) -> bool:
    """Whether a directory of root's or ours, without links on the way, is mounted read-only."""
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in _trusted():
        return False
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY) and path in _mount_points()


def _mount_points() -> frozenset[str]:
    """Where something is mounted; unlike `os.path.ismount` with parts of the same file system."""
    with open(_MOUNTS, "rb") as file:
        places = (line.split(b" ")[4] for line in file)
        return frozenset(os.fsdecode(_ESCAPE.sub(_unescaped, place)) for place in places)


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])


def _check(path: str, component: str, found: os.stat_result, *, sticky_helps: bool) -> None:
    problem = problem_of(component, found, sticky_helps=sticky_helps)
    if problem is not None:
        raise problem.for_path(path)


def problem_of(path: str, found: os.stat_result, *, sticky_helps: bool) -> Untrusted | None:
    """Return what lets others change a path that ends in `path`, or goes through it.

    Looks at nothing but `path` itself; `found` is the result of lstat(2) for it.
    """
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid not in _trusted():
        return Untrusted(
            path,
            f"{path} belongs to user {found.st_uid} (mode {mode:04o}), who could replace it",
            # Entries of a directory are checked one by one; an attacker may have made any other.
            f"chown root {path}, or remove it" if stat.S_ISDIR(found.st_mode) else "remove it",
        )
    if not stat.S_ISDIR(found.st_mode) or (sticky_helps and mode & stat.S_ISVTX):
        return None
    if not may_others_write(path, found):
        return None
    return Untrusted(
        path,
        f"others may write in {path} (user {found.st_uid}, group {found.st_gid}, mode {mode:04o})",
        f"chmod go-w {path}",
    )


def may_others_write(path: str, found: os.stat_result) -> bool:
    """Whether others than root, its group, and the owner may write; not for links.

    `found` is the result of lstat(2) for `path`.
    """
    if found.st_mode & stat.S_IWOTH:
        return True
    # With a list, nobody that the list names has more rights than the group.
    return bool(found.st_mode & stat.S_IWGRP) and (found.st_gid != 0 or _names_others(path))


def _names_others(path: str) -> bool:
    """Whether an access control list lets some user or group write."""
    try:
        acl = os.getxattr(path, "system.posix_acl_access")
    except OSError:
        return False  # there is none
    for tag, rights, id_ in _ACL_ENTRY.iter_unpack(acl[_ACL_HEADER:]):
        trusted = {_ACL_USER: _trusted(), _ACL_GROUP: (0,)}.get(tag)
        if trusted is not None and rights & os.W_OK and id_ not in trusted:
            return True
    return False
