"""Scanner classes, good and bad, for tests that name one on the command line."""

from zope.interface import implementer

from twistdp import DeviceTree, INotifier, IScanner, WatchingScanner

MODULE = __name__


class Plain(WatchingScanner):
    """A scanner without arguments and without a namespace of its own."""

    def discover(self) -> DeviceTree:
        """No devices."""
        return DeviceTree()


class Named(Plain):
    """A scanner that knows its namespace."""

    namespace = "named.example.com"


class BadlyNamed(Plain):
    """A scanner whose own namespace is none."""

    namespace = "Bad/Name"


class WithoutDiscover(WatchingScanner):
    """A scanner whose author forgot the main thing."""

    namespace = "named.example.com"


class WithArguments(Named):
    """A scanner that keeps what it was constructed with."""

    def __init__(self, count: int = 1, names: list[str] | None = None) -> None:
        super().__init__()
        self.count = count
        self.names = names


class Needy(Named):
    """A scanner with an argument that must be given."""

    def __init__(self, port: str) -> None:
        super().__init__()
        self.port = port


class Raising(Named):
    """A scanner whose constructor raises, with a text of several lines."""

    def __init__(self) -> None:
        raise RuntimeError("the first line\n  and the second\n")


class Exiting(Named):
    """A scanner whose constructor wants to end the process."""

    def __init__(self) -> None:
        raise SystemExit(0)


@implementer(IScanner)
class OwnLoop:
    """A scanner of the other kind."""

    namespace = "own.example.com"

    def scan(self, notifier: INotifier) -> None:
        """Find nothing yet."""
        self.notifier = notifier


class NoScanner:
    """A class whose instances are no scanners."""


class Outer:
    """Holds a scanner class."""

    class Inner(Named):
        """A nested scanner class."""


def no_scanner() -> str:
    """A function that does not make a scanner."""
    return "text"


def make_scanner(count: int = 1) -> WithArguments:
    """A function that makes a scanner."""
    return WithArguments(count)


NOT_CALLABLE = 7
