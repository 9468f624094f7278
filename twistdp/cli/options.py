"""What options of ``twistd deviceplugin`` come to, for commands that only write about them."""

from collections.abc import Sequence

from twisted.python import usage

from twistdp.settings import Settings
from twistdp.tap import Options


class _Unchecked(Options):
    """The scanner's module need not be here, nor the kubelet's directories."""

    def postOptions(self) -> None:
        """Only what is written depends on."""
        if not self._choices:
            raise usage.UsageError("--scanner is missing: name one, as --scanner=module:Class")
        self.settings = Settings(**self._common())


def settings_of(options: Sequence[str]) -> Settings:
    """The settings, as far as this machine need not know; SystemExit with what is wrong."""
    parsed = _Unchecked()
    parsed.parseOptions(list(options))
    return parsed.settings
