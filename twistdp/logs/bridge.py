"""Python's `logging` and `warnings` as log events."""

import logging
import threading
import warnings
from typing import TextIO

from twisted.logger import LogLevel
from twisted.python.failure import Failure

from twistdp.klog import publish
from twistdp.logs.record import plain

OBSERVER = "twisted"
"""The logger to which Twisted's own observer writes events, which are logged already."""


class Bridge:
    """Publishes the records of all Python loggers, such as those of grpc, asyncio and pyinotify.

    Their levels stay as they are; a record below INFO has verbosity 4.
    """

    def __init__(self) -> None:
        self._handler: logging.Handler | None = None
        self._before = warnings.showwarning

    def install(self) -> None:
        """Begin; a second time does nothing."""
        if self._handler is None:
            self._handler = _Handler()
            logging.getLogger().addHandler(self._handler)
            self._before = warnings.showwarning
            warnings.showwarning = self._show

    def remove(self) -> None:
        """End, and restore what was there before."""
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            self._handler = None
            if warnings.showwarning == self._show:
                warnings.showwarning = self._before

    def _show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None:
            self._before(message, category, filename, lineno, file, line)
        else:
            text = f"{category.__name__}: {plain(message)}"
            publish(LogLevel.warn, text, (filename, lineno), {}, namespace="warnings")


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._inside = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        # An observer that writes to a logger would receive its own records for ever.
        if record.name == OBSERVER or getattr(self._inside, "busy", False):
            return
        self._inside.busy = True
        try:
            self._publish(record)
        finally:
            self._inside.busy = False

    def _publish(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            level = LogLevel.error
        elif record.levelno >= logging.WARNING:
            level = LogLevel.warn
        elif record.levelno >= logging.INFO:
            level = LogLevel.info
        else:
            level = LogLevel.debug
        try:
            text = record.getMessage()
        except Exception:
            text = f"{plain(record.msg)} {plain(record.args)}"
        if record.stack_info:
            text = f"{text}\n{record.stack_info}"
        event = {}
        if record.exc_info and record.exc_info[1] is not None:
            kind, error, traceback = record.exc_info
            event["log_failure"] = Failure(error, kind, traceback)
        publish(
            level,
            text,
            (record.pathname, record.lineno),
            {"logger": record.name},
            namespace=record.name,
            **event,
        )
