"""Tests for `twistdp.logs.bridge`."""

import logging
import warnings
from io import StringIO

from twisted.logger import Logger, STDLibLogObserver, globalLogPublisher

from tests.support.logs import LogTestCase
from twistdp import klog
from twistdp.logs.bridge import Bridge


class BridgeTests(LogTestCase):
    """Python's loggers and warnings are part of the log."""

    def setUp(self) -> None:
        """Install a bridge."""
        super().setUp()
        self.handlers = list(logging.getLogger().handlers)
        self.bridge = Bridge()
        self.bridge.install()
        self.addCleanup(self.bridge.remove)

    def logger(self, name: str, level: int = logging.DEBUG) -> logging.Logger:
        """A logger of level `level`."""
        logger = logging.getLogger(name)
        self.addCleanup(logger.setLevel, logger.level)
        logger.setLevel(level)
        return logger

    def test_loggers(self) -> None:
        """Records of grpc, asyncio and pyinotify have the logger's name as a field."""
        for name in ("grpc", "grpc._cython.cygrpc", "asyncio", "pyinotify", "some.library"):
            self.kept.written.clear()
            logging.getLogger(name).warning("low on %s", "memory")
            self.assertEqual(self.said(), f'low on memory logger="{name}"')

    def test_severities(self) -> None:
        """Python's levels become severities; DEBUG counts as level 4."""
        logger = self.logger("asyncio")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logger.log(level, "x")
        logger.critical("x")
        self.assertEqual([line[0] for line in self.lines], list("IWEE"))
        self.kept.written.clear()
        klog.set_level(4)
        logger.debug("x")
        self.assertEqual(self.only()["severity"], "I")

    def test_levels_stay(self) -> None:
        """A logger's own level still decides, whatever the log's."""
        klog.set_level(9)
        self.logger("grpc", logging.ERROR).warning("x")
        self.assertEqual(self.lines, [])

    def test_exception(self) -> None:
        """An exception comes with its traceback."""
        try:
            raise ValueError("why")
        except ValueError:
            logging.getLogger("asyncio").exception("failed")
        self.flushLoggedErrors(ValueError)
        first, *more = self.lines[0].split("\n")
        self.assertTrue(first.endswith('] failed logger="asyncio" err="ValueError: why"'), first)
        self.assertEqual(more[-1], "\tbuiltins.ValueError: why")

    def test_exception_without_any(self) -> None:
        """A record whose exception is None is an error like others."""
        logging.getLogger("asyncio").error("failed", exc_info=True)
        self.assertEqual(self.said(), 'failed logger="asyncio"')

    def test_stack(self) -> None:
        """A requested stack follows."""
        logging.getLogger("asyncio").warning("x", stack_info=True)
        self.assertIn("\n\tStack (most recent call last):", self.lines[0])
        self.assertIn("test_stack", self.lines[0])

    def test_broken_arguments(self) -> None:
        """A message that does not fit its arguments is shown with them."""
        logging.getLogger("grpc").warning("%d", "seven")
        self.assertIn("%d ('seven',)", self.said())

    def test_warning(self) -> None:
        """A warning has severity W and its category."""
        self.bridge.remove()  # trial has put its own collector in place since
        self.bridge.install()
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        self.assertEqual((self.only()["severity"], self.said()), ("W", "DeprecationWarning: old"))

    def test_warning_to_a_file(self) -> None:
        """A warning that is meant for a file goes there."""
        self.bridge.remove()
        seen: list[tuple[object, ...]] = []
        self.patch(warnings, "showwarning", lambda *arguments: seen.append(arguments))
        self.bridge.install()
        file = StringIO()
        warnings.showwarning("old", UserWarning, "a.py", 1, file)
        self.assertEqual(seen, [("old", UserWarning, "a.py", 1, file, None)])
        self.assertEqual(self.lines, [])

    def test_once(self) -> None:
        """Installed twice, it logs everything once."""
        self.bridge.install()
        logging.getLogger("grpc").warning("x")
        self.assertEqual(len(self.lines), 1)

    def test_remove(self) -> None:
        """Removing it restores everything, and may be done again."""
        self.bridge.remove()
        self.bridge.remove()
        self.assertEqual(logging.getLogger().handlers, self.handlers)
        logging.getLogger("grpc").warning("x")
        self.assertEqual(self.lines, [])

    def test_remove_after_another(self) -> None:
        """A function that has taken over the warnings since then keeps them."""

        def another(*_: object) -> None:
            """Show a warning in another way."""

        self.patch(warnings, "showwarning", another)
        self.bridge.remove()
        self.assertIs(warnings.showwarning, another)

    def test_observer_that_writes_to_logging(self) -> None:
        """Events that an observer passes to Python's logging do not return for ever."""
        for name, count in (("twisted", 1), ("other", 2)):
            self.kept.written.clear()
            observer = STDLibLogObserver(name)
            self.logger(name)
            globalLogPublisher.addObserver(observer)
            Logger().info("x")
            globalLogPublisher.removeObserver(observer)
            self.assertEqual(len(self.lines), count)
