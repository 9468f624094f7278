"""Writes a unit for systemd, for one command line or as a template."""

import os
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

from twistdp.deployment.sandbox import (
    KUBELET,
    OF_RUN,
    configuration,
    holds,
    in_run,
    is_kubelets,
    kubelet_of,
    made_secrets,
    secrets,
)
from twistdp.deployment.templates import filled
from twistdp.errors import BadSetting
from twistdp.model import printable
from twistdp.settings import RUN_DIRECTORY, Settings

OF_THE_SYSTEM = ("/etc", "/run", "/usr", "/var/lib", "/var/run")
"""Directories that the sandbox must not make writable as a whole, nor their parents."""

HIDDEN = ("/home", "/root", "/run/user", "/var/run/user", "/tmp", "/var/tmp")  # noqa: S108  # named, not used
"""Directories that are empty or replaced in the sandbox."""

_ENVIRONMENT = """\
# TWISTDP_OPTIONS, and variables for the scanner.
EnvironmentFile=/etc/twistdp/%i.env
"""

_OF_THE_NETWORK = ("ssl", "tcp", "tcp6", "tls")
"""Kinds of endpoints that need a network."""

_PRESERVED = "RuntimeDirectoryPreserve=yes\n"
"""Keeps what is in a directory when the plugin ends."""


def render_unit(
    twistd: str,
    options: Sequence[str] = (),
    settings: Settings | None = None,
    python_path: str | None = None,
    configs: Sequence[str] = (),
) -> str:
    """The text of a unit that runs ``twistd deviceplugin`` with `options`, or of the template.

    `twistd` is the absolute path of the program.  `python_path` has the directories of scanners,
    with colons in between, and `configs` are configuration files.  `settings` are the values of
    `options`, and name the directories that are writable in the unit; the template has the default
    ones.  Raises `BadSetting` for what systemd would not load, for directories that the sandbox
    hides, and for those that would open too much of it.
    """
    settings = settings or Settings()
    _check(twistd, options, settings, python_path, configs)
    path = [f"--python-path={python_path}"] if python_path is not None else []
    printing = [
        "twistdp",
        "systemd-unit",
        f"--twistd={twistd}",
        *path,
        *(["--", *options] if options else []),
    ]
    command = [twistd, "-n", "--pidfile=", "deviceplugin", *options]
    quoted = " ".join(map(_argument, command))
    root = kubelet_of(settings)
    written = (root, settings.cdi_dir, *_own_state(settings))
    read = [os.path.dirname(path) for path in (settings.pod_resources_socket, *configs)]
    read += _split(python_path)
    kubelets = list(dict.fromkeys([root, KUBELET])) if is_kubelets(settings) else [KUBELET]
    made = made_secrets(root) if is_kubelets(settings) else []
    # The sandbox hides /run from ExecStartPre= too, so systemd makes the directories there.
    runs = (*written, RUN_DIRECTORY)
    runtime = [path.removeprefix("/run/") for path in in_run(runs)]
    hidden = secrets(kubelets, [*written, *read])
    words = {
        "printing": printable(shlex.join(printing)),
        # %p is the unit's name before the @, %i the part after it.
        "name": "%p" if options else "%i",
        "environment": ("" if options else _ENVIRONMENT)
        + (f"Environment={quote(f'PYTHONPATH={python_path}')}\n" if path else ""),
        "command": quoted if options else f"{quoted} $TWISTDP_OPTIONS",
        "mounts": quote(root),
        "made": " ".join(map(_argument, written)),
        "runtime": f"RuntimeDirectory={' '.join(map(quote, runtime))}\n{_PRESERVED}",
        "hiding": f"ExecStartPre=+/bin/mkdir -p -m 0750 {' '.join(map(_argument, made))}\n"
        if made
        else "",
        "writable": _optional(*runs),
        "configured": _optional(*configuration(kubelets)),
        "inaccessible": "".join(f"InaccessiblePaths={_optional(*paths)}\n" for paths in hidden),
        "bound": _bound("BindPaths", runs),
        "bound_to_read": _bound("BindReadOnlyPaths", (*OF_RUN, *read)),
    }
    return filled("twistdp.deployment", "service", words)


def hidden_by(path: str) -> str | None:
    """The one of the `HIDDEN` directories that holds an absolute path; None if none does."""
    return next((place for place in HIDDEN if holds(place, path)), None)


def unreachable(http: Iterable[str], sockets: Mapping[str, str]) -> Iterator[str]:
    """What nobody outside the sandbox reaches, a line for each.

    `http` are endpoints of HTTP; `sockets` are paths of unix sockets, by their options.
    """
    for endpoint in http:
        if endpoint.removeprefix("haproxy:").partition(":")[0] in _OF_THE_NETWORK:
            yield (
                f"--http {endpoint}: the unit's sandbox has no network; let systemd open the port, "
                "with twistdp@.socket and --http=systemd:domain=INET:name=http"
            )
    for option, path in sockets.items():
        if not holds(RUN_DIRECTORY, os.path.normpath(path)):
            yield (
                f"--{option} {path}: nobody sees it outside the unit's sandbox; give a path in "
                f"{RUN_DIRECTORY}"
            )


def _check(
    twistd: str,
    options: Sequence[str],
    settings: Settings,
    python_path: str | None,
    configs: Sequence[str],
) -> None:
    """Raise `BadSetting` unless systemd loads the unit and its sandbox is complete."""
    for word in (twistd, *options, python_path or ""):
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in word):
            raise BadSetting(
                f"{printable(word)}: control characters, and bytes that are not UTF-8, cannot be "
                "written into a unit; leave them out"
            )
    for option, path in _paths(settings, python_path, configs):
        if place := hidden_by(path):
            what = "file" if option == "--config" else "directory"
            raise BadSetting(
                f"{option} {path}: the unit's sandbox hides {place}; give a {what} elsewhere"
            )
    socket_option = "--plugin-dir" if settings.private_place is None else "--registry-dir"
    for option, path, written in (
        (socket_option, settings.socket_dir, kubelet_of(settings)),
        ("--cdi-dir", settings.cdi_dir, settings.cdi_dir),
        ("--state-dir", settings.state_dir, settings.state_dir),
    ):
        if any(holds(written, directory) for directory in OF_THE_SYSTEM):
            raise BadSetting(
                f"{option} {path}: all of {written} would be writable in the unit's sandbox; give "
                "a directory whose parent is used for nothing else"
            )


def _paths(
    settings: Settings, python_path: str | None, configs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """The directories and files that the plugin needs, each with its option."""
    if settings.private_place is None:
        yield "--plugin-dir", settings.plugin_dir
    else:
        yield "--registry-dir", settings.registry_dir
    yield "--cdi-dir", settings.cdi_dir
    yield "--state-dir", settings.state_dir
    yield "--pod-resources-socket", settings.pod_resources_socket
    places = [("--python-path", path) for path in _split(python_path)]
    for option, path in (*places, *(("--config", path) for path in configs)):
        if not os.path.isabs(path):
            raise BadSetting(f"{option} {path!r}: give an absolute path")
        yield option, os.path.normpath(path)


def _own_state(settings: Settings) -> list[str]:
    """The state directory, unless it is the one that every unit has."""
    return [path for path in [settings.state_dir] if path != RUN_DIRECTORY]


def _split(python_path: str | None) -> list[str]:
    return python_path.split(":") if python_path is not None else []


def _bound(setting: str, paths: Iterable[str]) -> str:
    """The line that makes the `paths` in ``/run`` visible; empty if there are none."""
    found = in_run(paths)
    return f"{setting}={_optional(*found)}\n" if found else ""


def _argument(word: str) -> str:
    """Quote a word of a command, also its ``$``."""
    return quote(word.replace("$", "$$"))


def _optional(*paths: str) -> str:
    """A list of paths that need not exist."""
    return " ".join(quote(f"-{path}") for path in paths)


def quote(word: str) -> str:
    """Quote a word without control characters for a list in a unit; see systemd.syntax(7)."""
    text = word.replace("\\", "\\\\").replace("%", "%%")
    if text and not set(text) & set(" ;\"'\\"):
        return text
    text = text.replace('"', '\\"')
    return f'"{text}"'
