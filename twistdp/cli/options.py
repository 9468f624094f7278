"""Reads options of ``twistd deviceplugin`` for commands that write files about a plugin."""

import re
from collections.abc import Mapping, Sequence

import attrs
from twisted.python import usage

from twistdp.catalog import chosen
from twistdp.errors import BadName, BadSetting, TwistdpError
from twistdp.logs import LogOptions
from twistdp.model import check_namespace
from twistdp.settings import Settings
from twistdp.tap import Options

_PATHS = ("plugin-dir", "registry-dir", "cdi-dir", "pod-resources-socket")


class _Unchecked(Options):
    """The options, without a need for the scanner's module or the kubelet's directories."""

    def opt_help(self) -> None:
        """Refuse it: the plugin would serve nothing."""
        raise usage.UsageError("--help: the plugin would only print its help; leave it out")

    opt_h = opt_help

    def opt_version(self) -> None:
        """Refuse it likewise."""
        raise usage.UsageError("--version: the plugin would only print its version; leave it out")

    def opt_http(self, endpoint: str) -> None:
        """Let it be a socket of systemd's, which is there only when that starts the plugin."""
        if endpoint.removeprefix("haproxy:").startswith("systemd:"):
            self.http.append(endpoint)
        else:
            super().opt_http(endpoint)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the options, and leave errors to the caller."""
        LogOptions.parseOptions(self, options)

    def postOptions(self) -> None:
        """Check everything that does not depend on the scanners or on this machine."""
        if not (self.choices or self._configs or self.entries):
            raise usage.UsageError(
                "--scanner is missing: name one, as --scanner=module:Class, or a --config=FILE, or "
                "entries of the --catalog"
            )
        chosen(self.entries, self.defaults.get("namespace"))
        for name in _PATHS:
            # POSIX gives two slashes at the beginning a meaning of their own.
            if not re.match("/(?!/)", self[name]):
                raise usage.UsageError(
                    f"--{name} {self[name]!r}: give an absolute path, since the plugin may start "
                    "in any directory"
                )
        for choice in self.choices:
            if not re.fullmatch(r"[^\s:]+:[^\W\d]\w*(\.[^\W\d]\w*)*", choice.name):
                raise usage.UsageError(f"--scanner {choice.name}: write it as module:Class")
            settings = {**self.defaults, **choice.options}
            if (namespace := settings.pop("namespace", None)) is not None:
                try:
                    check_namespace(namespace)
                except BadName as error:
                    raise usage.UsageError(f"--{error}") from error
            Settings(**settings)
        sockets = {"status-socket": self.status_socket, "manhole": self.manhole}
        self.given = Given(
            Settings(**self._common()),
            tuple(self._configs),
            bool(self.entries),
            tuple(self.http),
            {name: path for name, path in sockets.items() if path},
        )


@attrs.frozen
class Given:
    """The values that the options give."""

    settings: Settings
    configs: tuple[str, ...]
    """The configuration files."""
    uses_catalog: bool
    """Whether entries of the catalogue are served."""
    http: tuple[str, ...]
    """Endpoints for HTTP."""
    sockets: Mapping[str, str]
    """Paths of unix sockets for people, by their options."""


def read(options: Sequence[str]) -> Given:
    """What these options give.  Raises `BadSetting` for options that cannot work."""
    parsed = _Unchecked()
    try:
        parsed.parseOptions(options)
    except (usage.UsageError, TwistdpError) as error:
        raise BadSetting(" ".join(str(error).split())) from error
    return parsed.given
