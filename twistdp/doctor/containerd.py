"""Reads containerd's configuration: versions 1 to 4, with the files that it imports."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from twistdp.doctor.documents import merged, read_toml, table
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.processes import Process
from twistdp.doctor.runtime import CONTAINERD_FILES, Settings
from twistdp.doctor.versions import Version

OLD: Final = "io.containerd.grpc.v1.cri"
"""The plugin that has the settings in configurations of version 2."""

NEW: Final = "io.containerd.cri.v1.runtime"
"""The plugin that has them in version 3 and later."""

DROP_INS: Final = "/etc/containerd/conf.d/*.toml"
"""The files that containerd 2.2 and later imports if it has none of its own."""

MERGES: Final = (2, 0)
"""The first containerd that joins the tables of a plugin."""

_VERSION_4: Final = (2, 3)
"""The first containerd that reads files of version 4."""

DISABLING: Final = ("cri", OLD, NEW)

_KEYS: Final = ("enable_cdi", "cdi_spec_dirs", "device_ownership_from_security_context")
_MOST_FILES: Final = 100


def read_containerd(
    host: Host, process: Process | None, seen: Version | None = None
) -> tuple[Settings, dict[str, Any]]:
    """The settings, and all of the configuration.  Raises `Unreadable`.

    Before version 2.0 of the program, which is `seen`, a file that is imported replaces the whole
    table of a plugin.
    """
    given = {} if process is None else process.flags
    path = given.get("config", given.get("c"))
    if path is None:
        there = [each for each in CONTAINERD_FILES if host.exists(each)]
        # A running one that names no file reads the first of these.
        path = there[0] if there and process is None else CONTAINERD_FILES[0]
    whole: dict[str, Any] = {}
    files: list[str] = []
    pending = [path]
    while pending and len(files) < _MOST_FILES:
        path, *pending = pending
        if path in files or (content := read_toml(host, path)) is None:
            continue
        files.append(path)
        content = _current(content, seen)
        if seen is not None and seen < MERGES:
            kept = {k: v for k, v in table(whole, "plugins").items() if k not in content["plugins"]}
            whole = {**whole, "plugins": kept}
        whole = merged(whole, content)
        imports = content.get("imports")
        for each in imports if isinstance(imports, list) else ():
            pending += _expanded(host, os.path.join(os.path.dirname(path), str(each)))
    found = table(whole, "plugins", NEW)
    directories = found.get("cdi_spec_dirs")
    return Settings(
        cdi=_flag(found, "enable_cdi"),
        spec_directories=[*map(str, directories)] if isinstance(directories, list) else None,
        owner_from_pod=_flag(found, "device_ownership_from_security_context"),
        files=files,
    ), whole


def version(config: dict[str, Any]) -> int:
    """The version that a file states; 1 if it states none."""
    found = config.get("version", 1)
    return found if isinstance(found, int) else 1


def misplaced(host: Host, files: Sequence[str], seen: Version) -> list[tuple[str, str, str, str]]:
    """Settings that containerd does not read: file, key, table, and the table that it reads."""
    found: list[tuple[str, str, str, str]] = []
    for path in files:
        try:
            content = read_toml(host, path) or {}
        except Unreadable:
            continue
        counting = _counting(content, seen)
        wrong, right = (NEW, OLD) if NEW not in counting else (OLD, NEW)
        given = {key for name in counting for key in table(content, "plugins", name)}
        found += [
            (path, key, wrong, right)
            for key in _KEYS
            if wrong not in counting
            and key in table(content, "plugins", wrong)
            and key not in given
        ]
    return found


def is_disabled(config: dict[str, Any]) -> bool:
    """Whether the part that the kubelet talks to is switched off, as Docker's package has it."""
    disabled = config.get("disabled_plugins")
    return isinstance(disabled, list) and any(each in DISABLING for each in disabled)


def _counting(content: dict[str, Any], seen: Version | None) -> list[str]:
    """The tables of a file that containerd looks at; the last one counts most.

    It converts files of an older version than its own.  A version that is not `seen` is 2.0.
    """
    stated = version(content)
    old = "cri" if stated < 2 and "cri" in table(content, "plugins") else OLD
    if seen is not None and seen < MERGES:
        return [old]
    newest = 4 if seen is not None and seen >= _VERSION_4 else 3
    return [old, NEW] if stated < newest else [NEW]


def _current(content: dict[str, Any], seen: Version | None) -> dict[str, Any]:
    """A file as its newest version would have it."""
    plugins = table(content, "plugins")
    now: dict[str, Any] = {}
    for name in _counting(content, seen):
        now = merged(now, table(plugins, name))
    others = {key: value for key, value in plugins.items() if key != NEW}
    return {**content, "plugins": {**others, NEW: now} if now else others}


def _expanded(host: Host, path: str) -> list[str]:
    """The files of an import, whose last part may be a pattern."""
    directory, name = os.path.split(os.path.normpath(path))
    if "*" not in name:
        return [os.path.join(directory, name)]
    return [os.path.join(directory, n) for n in host.names(directory) if fnmatchcase(n, name)]


def _flag(found: dict[str, Any], key: str) -> bool | None:
    value = found.get(key)
    return value if isinstance(value, bool) else None
