"""One look of a scanner at its hardware."""

from collections.abc import Collection

from twistdp.model import DeviceTree
from twistdp.scan.checks import Checks
from twistdp.scan.scanner import WatchingScanner


def look(scanner: WatchingScanner, changes: Collection[str] | None, checks: Checks) -> DeviceTree:
    """Return what a scanner finds when these paths, or anything (None), may have changed.

    A look that is a whole one lets `checks` forget the devices that it did not ask for.
    """
    follows = changes is not None and type(scanner).follow is not WatchingScanner.follow
    with checks.scan(is_whole=not follows):
        return scanner.discover() if changes is None else scanner.follow(changes)
