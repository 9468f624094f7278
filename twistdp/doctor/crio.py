"""Reads CRI-O's configuration: a file, and a directory of files; the last one counts most."""

import os
from typing import Any

from twistdp.doctor.documents import merged, read_toml, table
from twistdp.doctor.host import Host
from twistdp.doctor.processes import Process
from twistdp.doctor.runtime import CRIO_DIRECTORY, CRIO_FILE, Settings


def read_crio(host: Host, process: Process | None) -> Settings:
    """The settings.  Raises `Unreadable`."""
    given = {} if process is None else process.flags
    directory = given.get("config-dir", given.get("d", CRIO_DIRECTORY))
    paths = [given.get("config", given.get("c", CRIO_FILE))]
    paths += [os.path.join(directory, name) for name in host.names(directory)]
    whole: dict[str, Any] = {}
    files = []
    for path in paths:
        content = read_toml(host, path)
        if content is not None:
            files.append(path)
            whole = merged(whole, content)
    runtime = table(whole, "crio", "runtime")
    directories = runtime.get("cdi_spec_dirs")
    if isinstance(directories, list):
        directories = [*map(str, directories)]
    else:
        directories = None
    return Settings(
        cdi=False if directories == [] else None,
        spec_directories=directories,
        owner_from_pod=runtime.get("device_ownership_from_security_context") is True,
        files=files,
    )
