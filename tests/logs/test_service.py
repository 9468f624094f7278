"""Tests for `twistdp.logs.service`."""

import logging
import os
import signal
import sys
import warnings
from typing import Any

from twisted.application.service import Application, IServiceCollection, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.logs import HEADER
from twistdp import klog
from twistdp.logs import service as logs_service
from twistdp.logs.files import FileOutput
from twistdp.logs.output import StreamOutput
from twistdp.logs.service import LESS, MORE, LoggedService, LogOptions, output_for


class Reactor(Clock):
    """Keeps the calls for the reactor's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []

    def callFromThread(self, action: Any) -> None:
        """Keep a call."""
        self.waiting.append(action)

    def turn(self) -> None:
        """Make the calls."""
        while self.waiting:
            self.waiting.pop(0)()


class OutputTests(SynchronousTestCase):
    """`output_for`: where twistd's options send the log."""

    def test_stdout(self) -> None:
        """In the foreground it is standard output, unless a file is named."""
        for options in (
            {"nodaemon": 1},
            {"nodaemon": 1, "logfile": "-"},
            {"nodaemon": 1, "logfile": "/dev/stdout"},
            {},
        ):
            self.assertIsInstance(output_for(options), StreamOutput, options)

    def test_stderr(self) -> None:
        """``/dev/stderr`` stands for standard error, wherever that leads."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with open(writer, "w", encoding="utf-8") as stream:
            self.patch(sys, "stderr", stream)
            output = output_for({"nodaemon": 1, "logfile": "/dev/stderr"})
            assert output is not None
            output.write("E", "x")
        self.assertEqual(os.read(reader, 100), b"x\n")

    def test_file(self) -> None:
        """A file that is named, and twistd.log for a daemon, in the current directory."""
        for options, name in (
            ({"nodaemon": 1, "logfile": "a.log"}, "a.log"),
            ({"nodaemon": 0, "logfile": "a.log"}, "a.log"),
            ({"nodaemon": 0, "logfile": None}, "twistd.log"),
        ):
            output = output_for(options)
            assert isinstance(output, FileOutput), options
            self.assertEqual(output.path, os.path.abspath(name))

    def test_logger(self) -> None:
        """A --logger overrides everything."""
        self.assertIsNone(output_for({"logger": object(), "logfile": "a.log"}))


class OptionsTests(SynchronousTestCase):
    """`LogOptions`: the check of twistd's own options."""

    def check(self, **twistd: object) -> None:
        """Parse an empty command line below twistd's options."""
        options = LogOptions()
        options.parent = dict(twistd)  # type: ignore[assignment]
        options.parseOptions([])

    def test_daemon_without_stdout(self) -> None:
        """A daemon that is to log to stdout is refused, before anything starts."""
        for path in ("-", "/dev/stdout", "/dev/stderr"):
            error = self.assertRaises(UsageError, self.check, nodaemon=0, logfile=path)
            self.assertIn(f"--logfile={path}: a daemon has no", str(error))

    def test_syslog(self) -> None:
        """--syslog is refused, with what to do instead."""
        error = self.assertRaises(UsageError, self.check, nodaemon=0, logfile="-", syslog=1)
        self.assertRegex(str(error), "^--syslog: .*stdout")

    def test_allowed(self) -> None:
        """All other options of twistd are fine."""
        self.check(nodaemon=1, logfile="-")
        self.check(nodaemon=0, debug=True, logfile="-")
        self.check(nodaemon=0, logfile="a.log")


class ServiceTestCase(SynchronousTestCase):
    """Makes services whose output is kept."""

    def setUp(self) -> None:
        """Restore levels and stdout after the test."""
        self.addCleanup(klog.set_level, klog.level())
        self.addCleanup(klog.set_vmodule, "")
        self.stdout = open(  # noqa: SIM115
            os.path.join(temporary_directory(self), "stdout"), "w+", encoding="utf-8"
        )
        self.addCleanup(self.stdout.close)
        self.patch(sys, "stdout", self.stdout)
        self.reactor = Reactor()

    def service(self, *arguments: str, **twistd: object) -> LoggedService:
        """The service of a command line."""
        options = LogOptions()
        options.parent = {"nodaemon": 1, **twistd}  # type: ignore[assignment]
        options.parseOptions(arguments)
        return LoggedService(options, self.reactor)

    def application(self, *arguments: str, **twistd: object) -> Any:
        """An application with the service in it."""
        application = Application("test")
        self.service(*arguments, **twistd).setServiceParent(application)
        return application

    def written(self, *arguments: str, **event: object) -> str:
        """The text that the application's observer writes for an event."""
        observer = self.application(*arguments).getComponent(ILogObserver)
        observer({"log_format": "x", **event})
        self.stdout.seek(0)
        return self.stdout.read()


class ObserverTests(ServiceTestCase):
    """The application logs through the service."""

    def test_a_place_that_others_may_change(self) -> None:
        """Such a log file ends the process with one line; also a daemon's default one."""
        directory = temporary_directory(self)
        os.chmod(directory, 0o777)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)
        path = os.path.join(os.path.realpath(directory), "twistd.log")
        for given in (path, None):
            ended = self.assertRaises(SystemExit, self.application, nodaemon=0, logfile=given)
            self.assertRegex(
                str(ended), f"^deviceplugin: --logfile {path}: others may write in .*; chmod"
            )
        self.assertEqual(os.listdir(directory), [])

    def test_text(self) -> None:
        """By default lines are klog's."""
        self.assertRegex(self.written(), f"^{HEADER.pattern}\n$")

    def test_skip_headers(self) -> None:
        """Headers can be left out, in both spellings."""
        self.assertEqual(self.written("--skip-headers"), "x\n")
        self.assertEqual(self.written("--skip_headers"), "x\nx\n")

    def test_json(self) -> None:
        """Lines can be JSON."""
        self.assertRegex(self.written("--log-format=json"), r'^{"ts":[\d.]+,"caller":.*}\n$')

    def test_levels(self) -> None:
        """The levels hold from then on, and not before."""
        klog.set_level(1)
        service = self.service("-v", "3", "--vmodule=scan=5")
        self.assertEqual(klog.level(), 1)
        service.setServiceParent(Application("test"))
        self.assertEqual(klog.level(), 3)
        self.assertTrue(klog.shown(5, "scan.py"))

    def test_logger(self) -> None:
        """With a --logger the application has no observer of ours, which would double lines."""
        application = self.application("-v2", logger=object())
        self.assertIsNone(application.getComponent(ILogObserver, None))
        self.assertEqual(klog.level(), 2)

    def test_file(self) -> None:
        """The file is opened when the application is made: twistd then goes elsewhere."""
        path = os.path.join(temporary_directory(self), "a.log")
        service = self.service(logfile=path)
        self.assertFalse(os.path.exists(path))
        service.setServiceParent(Application("test"))
        self.assertTrue(os.path.exists(path))
        assert isinstance(service._output, FileOutput)
        service._output.close()

    def test_in_another_service(self) -> None:
        """In another service that one's application logs."""
        parent = MultiService()
        self.service(logfile="/absent/a.log").setServiceParent(parent)
        self.assertEqual(len(list(parent)), 1)


class RunningTests(ServiceTestCase):
    """What is different while the service runs."""

    def running(self, **twistd: object) -> LoggedService:
        """A service that runs until the test ends."""
        service = self.service(**twistd)
        service.startService()
        self.addCleanup(lambda: service.running and service.stopService())
        return service

    def test_bridge(self) -> None:
        """Python's loggers and warnings are bridged until everything has stopped."""
        handlers, show = list(logging.getLogger().handlers), warnings.showwarning
        service = self.running()
        self.assertEqual(len(logging.getLogger().handlers), len(handlers) + 1)
        ended: Deferred[None] = Deferred()
        child = Service()
        child.stopService = lambda: ended  # type: ignore[method-assign]
        child.setServiceParent(service)
        stopped = service.stopService()
        self.assertEqual(len(logging.getLogger().handlers), len(handlers) + 1)
        ended.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(logging.getLogger().handlers, handlers)
        self.assertIs(warnings.showwarning, show)

    def test_level(self) -> None:
        """Signals change the level, in a turn of the reactor's, and not below 0."""
        klog.set_level(0)
        self.running()
        levels = []
        for number in (MORE, MORE, LESS, LESS, LESS, MORE):
            signal.raise_signal(number)
            before = klog.level()
            self.reactor.turn()
            levels.append((before, klog.level()))
        self.assertEqual(levels, [(0, 1), (1, 2), (2, 1), (1, 0), (0, 0), (0, 1)])

    def hangup(self, *, terminal: bool) -> object:
        """The handler of SIGHUP while the service runs."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        self.patch(logs_service, "_has_terminal", lambda: terminal)
        self.running()
        return signal.getsignal(signal.SIGHUP)

    def test_hangup(self) -> None:
        """A service without a terminal survives SIGHUP, and logs what to do instead."""
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self.hangup(terminal=False)
        said: list[Any] = []
        self.patch(klog, "info", said.append)
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(said, [])
        self.reactor.turn()
        self.assertIn("restart", said[0])

    def test_hangup_of_a_terminal(self) -> None:
        """Closing a terminal ends what runs in it, and what nohup started lives on."""
        for handler, terminal in ((signal.SIG_DFL, True), (signal.SIG_IGN, False)):
            signal.signal(signal.SIGHUP, handler)
            self.assertIs(self.hangup(terminal=terminal), handler)

    def test_signals_are_given_back(self) -> None:
        """Once stopped, signals do what they did before."""
        path = os.path.join(temporary_directory(self), "a.log")
        numbers = (MORE, LESS, signal.SIGUSR1, signal.SIGUSR2)
        before = [signal.getsignal(number) for number in numbers]
        service = self.running(logfile=path)
        self.assertNotIn(signal.SIG_DFL, [signal.getsignal(number) for number in numbers])
        self.successResultOf(service.stopService())
        self.assertEqual([signal.getsignal(number) for number in numbers], before)

    def test_user_signals_end_nothing(self) -> None:
        """SIGUSR1 and SIGUSR2 are answered in the log, and leave its file alone."""
        directory = temporary_directory(self)
        service = self.running(logfile=os.path.join(directory, "a.log"))
        service.setServiceParent(Application("test"))
        assert isinstance(service._output, FileOutput)
        self.addCleanup(service._output.close)
        said: list[Any] = []
        self.patch(klog, "info", lambda text, signal: said.append((text, signal)))
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.raise_signal(number)
            self.reactor.turn()
            text, name = said.pop()
            self.assertIn("a signal changes nothing", text)
            self.assertEqual(name, number.name)
        self.assertEqual(os.listdir(directory), ["a.log"])

    def test_on_demand(self) -> None:
        """SIGUSR1 does what it is for, in the reactor's turn."""
        service = self.running(logfile=os.path.join(temporary_directory(self), "a.log"))
        done: list[int] = []
        service.on_demand = lambda: done.append(1)
        signal.raise_signal(signal.SIGUSR1)
        self.assertEqual(done, [])
        self.reactor.turn()
        self.assertEqual(done, [1])

    def test_others_signal(self) -> None:
        """A handler of SIGUSR1 that is there already stays."""

        def another(*_: object) -> None:
            """Handle the signal in another way."""

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, another))
        self.running(logfile=os.path.join(temporary_directory(self), "a.log"))
        self.assertIs(signal.getsignal(signal.SIGUSR1), another)

    def test_children(self) -> None:
        """It is a MultiService like others."""
        service = self.running()
        child = Service()
        child.setServiceParent(service)
        self.assertTrue(child.running)
        self.assertTrue(IServiceCollection.providedBy(service))
