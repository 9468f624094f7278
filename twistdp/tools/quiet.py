"""Keeps what Twisted itself says of each port that it opens and closes out of the usual log."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.internet.interfaces import IListeningPort
from twisted.python import log

T = TypeVar("T")


def quietly(function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call `function`; what it logs with `twisted.python.log` is shown where debug events are."""
    called: T = log.callWithContext({"logLevel": logging.DEBUG}, function, *args, **options)
    return called


def hushed(port: IListeningPort) -> IListeningPort:
    """The same port, whose end is no line in the usual log."""
    ends: Any = port
    ends.connectionLost = partial(quietly, ends.connectionLost)
    return port
