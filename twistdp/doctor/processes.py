"""The processes of the host, as its /proc shows them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from twistdp.doctor.host import Host, Unreadable

LONGEST: Final = 64 * 1024
"""Bytes of a command line that are looked at."""


@attrs.frozen
class Process:
    """A process with its command line; `uid` is its effective user."""

    pid: int
    args: tuple[str, ...]
    uid: int
    parent: int = 0

    @property
    def name(self) -> str:
        """The name of its program, as its command line has it."""
        return os.path.basename(self.args[0].split(" ")[0])

    @property
    def flags(self) -> Mapping[str, str]:
        """Its options by name: ``--name=value``, ``--name value``, and ``-n value``."""
        return flags(self.args[1:])


def flags(args: Sequence[str]) -> Mapping[str, str]:
    """Options by name, without the dashes; one that has no value counts as ``true``."""
    found: dict[str, str] = {}
    for index, word in enumerate(args):
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not equals:
            following = args[index + 1] if index + 1 < len(args) else "-"
            value = "true" if following.startswith("-") else following
        found[name] = value
    return found


def processes(host: Host) -> Iterator[Process]:
    """All processes that have a command line; none if the host's /proc is not there."""
    for name in host.names("/proc"):
        if name.isascii() and name.isdigit():
            found = _process(host, int(name))
            if found is not None:
                yield found


def named(host: Host, *names: str, of_root: bool = True) -> list[Process]:
    """The processes that run a program of one of these names.

    Anybody may give a process any name, so only those `of_root` count where that matters.  Those in
    containers, as the nodes of kind, are left out: their files are not the host's.
    """
    return [
        each
        for each in processes(host)
        if each.name in names
        and (each.uid in host.owners or not of_root)
        and _shares_root(host, each.pid)
    ]


def _shares_root(host: Host, pid: int) -> bool:
    try:
        theirs = os.stat(os.path.join(host.entry(f"/proc/{pid}/root"), ""))
        return os.path.samestat(theirs, os.stat(host.root))
    except OSError:  # hidden from us, or in no real /proc
        return True


def _process(host: Host, pid: int) -> Process | None:
    try:
        line = host.head(f"/proc/{pid}/cmdline", LONGEST)
        status = host.head(f"/proc/{pid}/status", LONGEST)
    except Unreadable:  # it has ended, or is hidden from us
        return None
    args = tuple((line or b"").decode(errors="replace").rstrip("\0").split("\0"))
    if not args[0]:
        return None
    return Process(
        pid, args, _number(status or b"", b"Uid:", 2), _number(status or b"", b"PPid:", 1)
    )


def _number(status: bytes, key: bytes, place: int) -> int:
    for line in status.splitlines():
        words = line.split()
        if words[:1] == [key] and len(words) > place and words[place].isdigit():
            return int(words[place])
    return -1
