"""Reads containerd's configuration: versions 1 to 4, with the files that it imports."""

import os
from fnmatch import fnmatchcase
from typing import Any, Final

from twistdp.doctor.documents import merged, read_toml, table
from twistdp.doctor.host import Host, Unreadable
from twistdp.doctor.processes import Process
from twistdp.doctor.runtime import CONTAINERD_FILES, Settings

OLD: Final = "io.containerd.grpc.v1.cri"
"""The plugin that has the settings in configurations of version 2."""

NEW: Final = "io.containerd.cri.v1.runtime"
"""The one of version 3 and later."""

DROP_INS: Final = "/etc/containerd/conf.d/*.toml"
"""What containerd 2.2 and later imports if it has no file."""

DISABLING: Final = ("cri", OLD, NEW)

_KEYS: Final = ("enable_cdi", "cdi_spec_dirs", "device_ownership_from_security_context")
_MOST_FILES: Final = 100


def read_containerd(host: Host, process: Process | None) -> tuple[Settings, dict[str, Any]]:
    """The settings, and all of the configuration.  Raises `Unreadable`."""
    given = {} if process is None else process.flags
    path = given.get("config", given.get("c"))
    if path is None:
        seen = [each for each in CONTAINERD_FILES if host.exists(each)]
        # A running one that names no file reads the first of these.
        path = seen[0] if seen and process is None else CONTAINERD_FILES[0]
    whole: dict[str, Any] = {}
    files: list[str] = []
    pending = [path]
    while pending and len(files) < _MOST_FILES:
        path, *pending = pending
        if path in files or (content := read_toml(host, path)) is None:
            continue
        files.append(path)
        whole = merged(whole, _current(content))
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
        selinux=_flag(found, "enable_selinux"),
    ), whole


def version(config: dict[str, Any]) -> int:
    """The version that a file states; 1 if it states none."""
    found = config.get("version", 1)
    return found if isinstance(found, int) else 1


def misplaced(host: Host, files: list[str]) -> list[tuple[str, str, str, str]]:
    """Settings that containerd does not look at: file, key, table, and the table it looks in."""
    found: list[tuple[str, str, str, str]] = []
    for path in files:
        try:
            content = read_toml(host, path) or {}
        except Unreadable:
            continue
        wrong, right = (NEW, OLD) if version(content) < 3 else (OLD, NEW)
        found += [
            (path, key, wrong, right)
            for key in _KEYS
            if key in table(content, "plugins", wrong)
            and key not in table(content, "plugins", right)
        ]
    return found


def is_disabled(config: dict[str, Any]) -> bool:
    """Whether the part that the kubelet talks to is switched off, as Docker's package has it."""
    disabled = config.get("disabled_plugins")
    return isinstance(disabled, list) and any(each in DISABLING for each in disabled)


def _current(content: dict[str, Any]) -> dict[str, Any]:
    """A file as one of version 3 would have it."""
    plugins = table(content, "plugins")
    number = version(content)
    if number < 3:
        old = table(plugins, "cri" if number < 2 and "cri" in plugins else OLD)
        return {**content, "plugins": {**plugins, NEW: old}}
    return content


def _expanded(host: Host, path: str) -> list[str]:
    """The files of an import, whose last part may be a pattern."""
    directory, name = os.path.split(os.path.normpath(path))
    if "*" not in name:
        return [os.path.join(directory, name)]
    return [os.path.join(directory, n) for n in host.names(directory) if fnmatchcase(n, name)]


def _flag(found: dict[str, Any], key: str) -> bool | None:
    value = found.get(key)
    return value if isinstance(value, bool) else None
