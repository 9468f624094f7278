"""A Python prompt for a connection; the only module that knows twisted.conch."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.manhole import Manhole
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure


class _Prompt(Manhole):
    """Ends at exit() and Ctrl-D; both end the connection and never the process."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        # The built-in ones would close the standard input of the process.
        super().__init__({**names, "exit": self.handle_QUIT, "quit": self.handle_QUIT})

    def lineReceived(self, line: bytes) -> None:
        """Run what was typed."""
        try:
            super().lineReceived(line)
        except SystemExit:
            self.handle_QUIT()


class _Terminal(ServerProtocol):
    """Reports its beginning and its end."""

    def __init__(self, made_by: "PromptFactory", names: Mapping[str, Any]) -> None:
        super().__init__(_Prompt, names)
        self._made_by = made_by

    def connectionMade(self) -> None:
        """Begin."""
        self._made_by.opened(self.transport)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End."""
        self._made_by.closed(self.transport)
        super().connectionLost(reason)


class PromptFactory(Factory):
    """Makes prompts with the names that `names` returns.

    `opened` and `closed` are called with the transport of each.
    """

    noisy = False

    def __init__(
        self,
        names: Callable[[], Mapping[str, Any]],
        opened: Callable[[Any], None],
        closed: Callable[[Any], None],
    ) -> None:
        self._names = names
        self.opened = opened
        self.closed = closed

    def buildProtocol(self, address: IAddress | None) -> Any:
        """Make a prompt for a connection."""
        return _Terminal(self, self._names())
