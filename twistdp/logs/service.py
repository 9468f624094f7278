"""Sets up a process's log as its command line says: options, the observer, signals."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from getopt import GetoptError
from typing import Any, NamedTuple

from twisted.application.service import IServiceCollection, MultiService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.components import Componentized

import twistdp.klog as klog
from twistdp.errors import Untrusted
from twistdp.host import DescriptorWatch, raise_limit
from twistdp.logs.bridge import Bridge
from twistdp.logs.files import FileOutput
from twistdp.logs.format import as_json, as_text
from twistdp.logs.output import Observer, Output, StreamOutput, is_journal
from twistdp.tools import meant

MORE = signal.SIGRTMIN + 1
"""The signal that raises the level by one; SIGUSR1 and SIGUSR2 mean other things."""

LESS = signal.SIGRTMIN + 2
"""The signal that lowers it by one, down to 0."""


class LogSettings(NamedTuple):
    """The options of the log, parsed."""

    level: int = 0
    vmodule: str = ""
    headers: bool = True
    json: bool = False


class LogOptions(usage.Options):
    """The options of logging, as Kubernetes components have them."""

    def __init__(self) -> None:
        super().__init__()
        # Without it, --v would be an abbreviation of --version.
        self.longOpt.append("v=")
        self.log = LogSettings()
        """The options, once they are parsed."""

    def opt_v(self, level: str) -> None:
        """Show messages up to this level: 0 for operators (default), 4 for developers; also -v N"""
        try:
            self.log = self.log._replace(level=klog.parse_level(level.removeprefix("=")))
        except ValueError as error:
            raise usage.UsageError(f"-v {error}") from None

    def opt_vmodule(self, levels: str) -> None:
        """Levels of single source files, as pattern=N,pattern=N; a pattern is a name without .py"""
        try:
            klog.parse_vmodule(levels)
        except ValueError as error:
            raise usage.UsageError(f"--vmodule {error}") from None
        self.log = self.log._replace(vmodule=levels)

    def opt_skip_headers(self) -> None:
        """Leave out time, thread, file and line"""
        self.log = self.log._replace(headers=False)

    def opt_log_format(self, form: str) -> None:
        """How lines look, text (default) or json"""
        if form not in ("text", "json"):
            raise usage.UsageError(f"--log-format {form}: choose text or json")
        self.log = self.log._replace(json=form == "json")

    def parseOptions(self, options: Any = None) -> None:
        """Parse; ``--skip_headers`` is understood too."""
        if options is not None:
            options = ["--skip-headers" if o == "--skip_headers" else o for o in options]
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            if isinstance(error.__context__, GetoptError):
                raise usage.UsageError(self._explained(error.__context__)) from error
            raise

    def _explained(self, error: GetoptError) -> str:
        """What is wrong with an option, and which one was probably meant."""
        option = f"--{error.opt}" if len(error.opt) > 1 else f"-{error.opt}"
        if "not recognized" not in error.msg:
            return f"{error.msg.removeprefix('option ')}; --help lists all options"
        twistds = {name.rstrip("=") for name in self.parent.longOpt} if self.parent else set()
        if error.opt in twistds:
            return f"{option}: it is twistd's own; write it before the command's name"
        known = [f"--{name.rstrip('=')}" for name in self.longOpt if not name.startswith("_")]
        return f"{option}: there is no such option{meant(option, known) or '; --help lists all'}"

    def postOptions(self) -> None:
        """Check twistd's own options of logging."""
        twistd: Mapping[str, Any] = self.parent or {}
        if twistd.get("syslog"):
            raise usage.UsageError(
                "--syslog: the log does not go there; leave it out and run with -n, so that the "
                "journal or the container's runtime takes the log from stdout"
            )
        daemon = not (twistd.get("nodaemon", True) or twistd.get("debug"))
        path = twistd.get("logfile")
        if daemon and path in _STREAMS:
            raise usage.UsageError(
                f"--logfile={path}: a daemon has no {_STREAMS[path]}; add -n, or name a file"
            )


_STREAMS = {"-": "stdout", "/dev/stdout": "stdout", "/dev/stderr": "stderr"}
"""File names that mean a stream of this process."""


def output_for(twistd: Mapping[str, Any]) -> Output | None:
    """The output that twistd's options name, not opened yet; None if they have a ``--logger``."""
    if twistd.get("logger"):
        return None
    path = twistd.get("logfile")
    if not path:
        path = "-" if twistd.get("nodaemon", True) else "twistd.log"
    if path in _STREAMS:
        stream = getattr(sys, _STREAMS[path])
        return StreamOutput(stream, priorities=is_journal(stream.fileno()))
    return FileOutput(path, twistd.get("umask"))


class LoggedService(MultiService):
    """The services of a process, and its log.

    An application that it is added to logs through it, unless twistd has a ``--logger``.  While it
    runs, the log includes Python's loggers and warnings, and reports when the process has no
    descriptor left, and signals change the level.  SIGUSR1, SIGUSR2 and SIGHUP, which make other
    services rotate files or read options again, do not end the process, unless SIGHUP means the end
    of its terminal, and are answered in the log.
    """

    def __init__(self, options: LogOptions, reactor: Any) -> None:
        super().__init__()
        self._settings = options.log
        self._reactor = reactor
        DescriptorWatch(reactor).setServiceParent(self)
        self._output = output_for(options.parent or {})
        self._bridge = Bridge()
        self._handlers: dict[int, Any] = {}
        self.hangup: Callable[[], object] = _answer_hangup
        """What SIGHUP does."""
        self.on_demand: Callable[[], object] = lambda: _answer(signal.SIGUSR1)
        """What SIGUSR1 does."""

    def setServiceParent(self, parent: Componentized | IServiceCollection) -> None:
        """Become a part of `parent`, and its log.

        Only the application's own observer replaces twistd's; one that is added later would write
        a second line for each event.
        """
        klog.set_level(self._settings.level)
        klog.set_vmodule(self._settings.vmodule)
        if self._output is not None and isinstance(parent, Componentized):
            text = partial(as_text, headers=self._settings.headers)
            form: Callable[..., str] = as_json if self._settings.json else text
            if isinstance(self._output, FileOutput):
                _open(self._output)
            parent.setComponent(ILogObserver, Observer(self._output, form))
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Start all services; from now on everything is logged."""
        raise_limit()
        self._bridge.install()
        self._on_signal(MORE, lambda: _change_level(1))
        self._on_signal(LESS, lambda: _change_level(-1))
        for number, action in (
            (signal.SIGUSR1, lambda: self.on_demand()),
            (signal.SIGUSR2, lambda: _answer(signal.SIGUSR2)),
        ):
            if not signal.getsignal(number):
                self._on_signal(number, action)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL and not _has_terminal():
            self._on_signal(signal.SIGHUP, lambda: self.hangup())
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """Stop all services; fires when they have stopped and Python's loggers are restored."""
        stopped: Deferred[Any] = super().stopService()
        return stopped.addBoth(self._stopped)

    def _stopped(self, outcome: Any) -> Any:
        while self._handlers:
            signal.signal(*self._handlers.popitem())
        self._bridge.remove()
        return outcome

    def _on_signal(self, number: int, action: Callable[[], object]) -> None:
        # In the reactor's turn: a handler may interrupt anything, even a log line.
        self._handlers[number] = signal.signal(
            number, lambda *_: self._reactor.callFromThread(action)
        )


def _open(output: FileOutput) -> None:
    try:
        output.open()
    except OSError as error:
        raise SystemExit(f"deviceplugin: --logfile {output.path}: {error.strerror}") from error
    except Untrusted as error:
        raise SystemExit(
            f"deviceplugin: --logfile {output.path}: {error.reason}; {error.remedy}"
        ) from error


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal: see tty(4)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _answer_hangup() -> None:
    klog.info("SIGHUP changes nothing: options are read at the start only; restart for new ones")


def _answer(number: signal.Signals) -> None:
    klog.info(
        "a signal changes nothing: rotate a log file from outside, with logrotate's copytruncate",
        signal=number.name,
    )


def _change_level(step: int) -> None:
    klog.set_level(klog.level() + step)
    klog.info("the log level has changed", level=klog.level())
