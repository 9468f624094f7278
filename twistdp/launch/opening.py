"""The first line of the log: the version, the scanners, and the directory."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from twisted.application.service import Service
from twisted.logger import Logger

from twistdp._version import __version__
from twistdp.model import assignment, named

_log = Logger()

_MOST: Final = 20  # scanners that are named


class Serving(NamedTuple):
    """A scanner or a file, as the command line names it, and the domain of its resources."""

    namespace: str
    scanner: str
    arguments: Mapping[str, Sequence[str]] | None = None
    """None for a file."""

    def __str__(self) -> str:
        if self.arguments is None:
            return f"{self.namespace} from {self.scanner}"
        arguments = ", ".join(assignment(key, values) for key, values in self.arguments.items())
        return f"{self.namespace} from {self.scanner}({arguments})"


class Opening(Service):
    """Logs the version, the scanners with their arguments, and the directory, when it starts.

    Of an argument with the name of a secret, it logs no value.
    """

    def __init__(self, scanners: Sequence[Serving], directory: str) -> None:
        self._scanners = scanners
        self._directory = directory

    def __str__(self) -> str:
        """Name the scanners."""
        return named(map(str, self._scanners), most=_MOST)

    def startService(self) -> None:
        """Log the line."""
        super().startService()
        _log.info(
            "twistdp {version} in {directory} serves {scanners}",
            version=__version__.public(),
            directory=self._directory,
            scanners=str(self),
            log_facts={
                "version": __version__.public(),
                "directory": self._directory,
                "scanners": [str(scanner) for scanner in self._scanners[:_MOST]],
            },
        )
