"""Which directories of ``/dev`` a scanner of rules watches."""

import os
from collections.abc import Iterable, Iterator

from twistdp.scanners.declared.rule import Rule
from twistdp.select import Host, path_pattern

MOST = 1000
_NOISY = frozenset({"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/fd"})  # noqa: S108


def watched(rules: Iterable[Rule], host: Host) -> list[str]:
    """The directories below `host` where devices of the rules appear and vanish."""
    tops: dict[str, None] = {}
    for rule in rules:
        for top in _tops(rule):
            tops[top] = None
    found: dict[str, None] = {}
    for top in tops:
        found[host.prefix + top] = None
        for directory in _below(host, top):
            found[host.prefix + directory] = None
            if len(found) >= MOST:
                break
    data = f"{host.prefix}/run/udev/data"
    if host.has_udev:
        found[data] = None
    return list(found)


def _tops(rule: Rule) -> Iterator[str]:
    patterns = [path for match in rule.matches for path in match.path]
    patterns += [path for member in rule.resource.members for path in member.where.path]
    patterns += [path for path in rule.resource.requires
                 if path.startswith("/dev/") and "{" not in path]  # fmt: skip
    for pattern in patterns:
        literal = path_pattern(pattern).literal
        yield os.path.dirname(literal) if literal else path_pattern(pattern).directory
    if not all(match.path for match in rule.matches):
        yield "/dev"


def _below(host: Host, top: str) -> Iterator[str]:
    waiting = [top]
    while waiting:
        directory = waiting.pop()
        if not host.lists(directory):
            continue
        try:
            with os.scandir(host.prefix + directory) as listing:
                names = [each.name for each in listing if each.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # it is not there, or it went away
        for name in sorted(names):
            path = f"{directory}/{name}"
            if path not in _NOISY:
                yield path
                waiting.append(path)
