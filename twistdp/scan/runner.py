"""Chooses the service that runs a scanner, by the scanner's kind."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import IService

from twistdp.inotify import Inotify
from twistdp.model import IScanner, Updates, name_of
from twistdp.scan.discovery import Discovery
from twistdp.scan.notifier import Notifier
from twistdp.scan.own_loop import OwnLoop
from twistdp.scan.prepare import Preparation
from twistdp.scan.scanner import WatchingScanner


def scan_service(
    scanner: IScanner | WatchingScanner,
    new_preparation: Callable[[], Preparation],
    deliver: Callable[[Updates], None],
    *,
    reactor: Any,
    inotify: Inotify,
    scan_timeout: float,
) -> IService:
    """Return the service that runs `scanner` and calls `deliver` with what its scans change.

    Each start begins with a preparation of its own, to which all devices are new.
    """
    if not isinstance(scanner, WatchingScanner):
        notifier = Notifier(name_of(scanner), new_preparation, deliver, reactor)
        return OwnLoop(scanner, notifier, reactor=reactor)
    return Discovery(
        scanner,
        new_preparation,
        deliver,
        reactor=reactor,
        inotify=inotify,
        scan_timeout=scan_timeout,
    )
