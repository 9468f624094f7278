"""What options of ``twistd deviceplugin`` come to, for commands that only write about them."""

import re
from collections.abc import Sequence

from twisted.python import usage

from twistdp.errors import BadName, BadSetting, TwistdpError
from twistdp.logs import LogOptions
from twistdp.model import check_namespace
from twistdp.settings import Settings
from twistdp.tap import Options

_PATHS = ("plugin-dir", "registry-dir", "cdi-dir", "pod-resources-socket")


class _Unchecked(Options):
    """The scanner's module need not be here, nor the kubelet's directories."""

    def opt_help(self) -> None:
        """Refused: a plugin that is told so serves nothing."""
        raise usage.UsageError("--help: the plugin would only print its help; leave it out")

    opt_h = opt_help

    def opt_version(self) -> None:
        """Refused likewise."""
        raise usage.UsageError("--version: the plugin would only print its version; leave it out")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse; the error is for whoever writes about them to tell."""
        LogOptions.parseOptions(self, options)

    def postOptions(self) -> None:
        """Check all that can be known without the scanners, and elsewhere."""
        if not self._choices:
            raise usage.UsageError("--scanner is missing: name one, as --scanner=module:Class")
        for name in _PATHS:
            # Two slashes at the beginning are a thing of their own, says POSIX.
            if not re.match("/(?!/)", self[name]):
                raise usage.UsageError(
                    f"--{name} {self[name]!r}: give an absolute path, since it is not known where "
                    "the plugin will be started"
                )
        for choice in self._choices:
            if not re.fullmatch(r"[^\s:]+:[^\W\d]\w*(\.[^\W\d]\w*)*", choice.name):
                raise usage.UsageError(f"--scanner {choice.name}: write it as module:Class")
            settings = {**self._defaults, **choice.options}
            if (namespace := settings.pop("namespace", None)) is not None:
                try:
                    check_namespace(namespace)
                except BadName as error:
                    raise usage.UsageError(f"--{error}") from error
            Settings(**settings)
        self.settings = Settings(**self._common())


def settings_of(options: Sequence[str]) -> Settings:
    """The settings, as far as this machine need not know; `BadSetting` for what cannot work."""
    parsed = _Unchecked()
    try:
        parsed.parseOptions(options)
    except (usage.UsageError, TwistdpError) as error:
        raise BadSetting(" ".join(str(error).split())) from error
    return parsed.settings
