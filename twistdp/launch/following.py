"""Follows a configuration file: what changes in it takes effect while the plugin runs."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.config import Config, Resource
from twistdp.errors import BadSetting, BadSettings
from twistdp.inotify import ATTRIBUTES, CONTENTS, ENTRIES, Changes, Watch, inotify_of
from twistdp.launch.configured import by_domain, check_once, read_trusted, refusal
from twistdp.manager import Manager
from twistdp.model import named, printable
from twistdp.scanners.declared import DeclaredScanner
from twistdp.settings import Settings
from twistdp.status import Kind, events_of
from twistdp.tools import Coalescer, Worker

_log = Logger()

PERIOD: Final = 60.0
"""Seconds between two looks at the file that happen anyway: some file systems report nothing."""

SETTLED: Final = 0.05
"""Seconds for which the file must stay as it is: a half that is written may be a file, too."""

PATIENCE: Final = 1.0
"""Seconds of changes after which the file is read all the same, however often it changes."""

_MOST: Final = 20
"""Problems of a file that are logged."""


class ConfigFile(MultiService):
    """Serves the resources of the configuration file at `path`, and follows its changes.

    `config` is what the file has now.  Only resources that differ are touched; a file with
    problems is refused, and the configuration before it stays in force.
    """

    def __init__(self, path: str, config: Config, settings: Settings, reactor: Any) -> None:
        super().__init__()
        self.path = path
        self.managers: list[Manager] = []
        self._settings = settings
        self._reactor = reactor
        self._events = events_of(reactor)
        self._scanners: dict[str, DeclaredScanner] = {}
        self._resources: dict[str, Mapping[str, Resource]] = {}
        self._watches: dict[str, Watch] = {}
        self._worker = Worker(f"configuration {path}", reactor)
        self._coalescer = Coalescer(reactor, self._look)
        self._timer: IDelayedCall | None = None
        self._settling: IDelayedCall | None = None
        self._known: object = None
        self._seen: object = None
        self._unsettled: float | None = None
        self._busy = self._again = False
        self.config = config
        self._waiting: Config | None = None
        """What was read and is refused for a resource that another file has."""
        self._beside: Sequence[ConfigFile] = ()
        self._fixed: Sequence[tuple[str, Config]] = ()
        self._take(config)

    def beside(
        self, files: "Sequence[ConfigFile]", fixed: Sequence[tuple[str, Config]] = ()
    ) -> None:
        """Take no resource that one of these files has, or one of the configurations.

        The configurations never change; each is given with the name of its place.
        """
        self._beside = [each for each in files if each is not self]
        self._fixed = fixed

    def startService(self) -> None:
        """Serve, and follow the file."""
        super().startService()
        self._known = _state(self.path)
        self._watch()
        self._timer = self._reactor.callLater(PERIOD, self._look_anyway)

    def stopService(self) -> Deferred[Any]:
        """Stop all; fires when they have stopped."""
        self._coalescer.stop()
        self._worker.stop()
        self._busy = False
        for call in (self._timer, self._settling):
            if call is not None and call.active():
                call.cancel()
        self._timer = None
        while self._watches:
            self._watches.popitem()[1].stop()
        stopped: Deferred[Any] = super().stopService()
        return stopped

    def read_again(self) -> None:
        """Read the file, whether it seems to have changed or not."""
        self._known = object()
        self._coalescer.event()

    def _look_anyway(self) -> None:
        self._timer = self._reactor.callLater(PERIOD, self._look_anyway)
        self._coalescer.event()

    def _changed(self, _: Changes) -> None:
        self._coalescer.event()

    def _watch(self) -> None:
        """Watch the file's directory, and where links lead: a ConfigMap is switched by a link."""
        wanted = dict.fromkeys(_directories(self.path))
        for directory in [each for each in self._watches if each not in wanted]:
            self._watches.pop(directory).stop()
        inotify = inotify_of(self._reactor)
        for directory in wanted:
            if directory not in self._watches:
                self._watches[directory] = inotify.watch(
                    directory, self._changed, ENTRIES | CONTENTS | ATTRIBUTES
                )

    def _look(self) -> None:
        """Read the file if it is another one than before."""
        if self._busy:
            self._again = True
            return
        self._watch()
        state = _state(self.path)
        if state == self._known:
            self._unsettled = None
            return
        now = self._reactor.seconds()
        if self._unsettled is None:
            self._unsettled = now
        if now - self._unsettled < PATIENCE:
            if state != self._seen:
                self._seen = state
                if self._settling is not None and self._settling.active():
                    self._settling.cancel()
                self._settling = self._reactor.callLater(SETTLED, self._coalescer.event)
                return
            if self._settling is not None and self._settling.active():
                return
        self._unsettled = None
        self._known = state
        self._busy = True
        self._waiting = None
        reading = self._worker.call(lambda: read_trusted(self.path))
        reading.addCallback(self._take_again)
        reading.addErrback(self._refuse)
        reading.addErrback(self._fail)
        reading.addBoth(self._rest)

    def _rest(self, outcome: object) -> None:
        self._busy = False
        if self._again:
            self._again = False
            self._coalescer.event()

    def _refuse(self, failure: Failure) -> None:
        failure.trap(BadSetting)
        error = failure.value
        lines = error.lines if isinstance(error, BadSettings) else (str(error),)
        self._events.emit(Kind.CONFIGURATION_REFUSED, file=self.path, problems=lines[:_MOST])
        for line in lines[:_MOST]:
            _log.error(
                "configuration {file} is refused, and the one before stays in force: {problem}",
                file=printable(self.path),
                problem=_without_file(printable(line), printable(self.path)),
            )
        if len(lines) > _MOST:
            _log.error(
                "configuration {file} has {count} more problems",
                file=printable(self.path),
                count=len(lines) - _MOST,
            )

    def _fail(self, failure: Failure) -> None:
        _log.failure("taking configuration {file}", failure, file=printable(self.path))

    def _take_again(self, config: Config) -> None:
        self._waiting = config
        self._admit()

    def _admit(self) -> None:
        """Take what was read, alone or with what other files wait with.

        Raises `BadSettings` if another file has one of the resources.
        """
        taken = [self]
        try:
            self._check(taken)
        except BadSettings as error:
            taken = [each for each in (self, *self._beside) if each._waiting is not None]
            try:
                self._check(taken)
            except BadSettings:
                raise error from None
        for each in taken:
            each._serve_waiting()
        for each in self._beside:
            each.look_again()

    def _check(self, changing: "Sequence[ConfigFile]") -> None:
        """Check that no resource is there twice once some files have what they wait with."""
        files = [*self._beside, self]
        configs = [(each._waiting if each in changing else None) or each.config for each in files]
        named_so = zip((each.path for each in files), configs, strict=True)
        check_once([*named_so, *self._fixed])

    def _serve_waiting(self) -> None:
        config, self._waiting = self._waiting, None
        assert config is not None
        changed = self._take(config)
        self._events.emit(Kind.CONFIGURATION_READ, file=self.path, changed=list(changed))
        what = "; ".join(
            f"{done} {named(names, most=20)}"
            for done in ("added", "changed", "removed")
            if (names := [name for name, how in changed.items() if how == done])
        )
        _log.info(
            "configuration {file} was read again, and has {what}",
            file=printable(self.path),
            what=what or "changed nothing",
        )

    def look_again(self) -> None:
        """Take what was refused for a resource of another file, if that has it no longer."""
        if self._waiting is not None:
            with suppress(BadSettings):  # it is logged already
                self._admit()

    def _take(self, config: Config) -> Mapping[str, str]:
        """Serve what a configuration has; returns the resources that differ, and how."""
        self.config = config
        wanted = by_domain(config)
        changed: dict[str, str] = {}
        for domain in [*wanted, *(each for each in self._resources if each not in wanted)]:
            now: Mapping[str, Resource] = wanted.get(domain, {})
            before = self._resources.get(domain, {})
            kinds = [kind for kind in {**before, **now} if before.get(kind) != now.get(kind)]
            for kind in kinds:
                how = "changed" if kind in now else "removed"
                changed[f"{domain}/{kind}"] = how if kind in before else "added"
            self._resources[domain] = now
            if domain not in self._scanners:
                self._add(domain, now)
            elif kinds or list(before) != list(now):
                self._scanners[domain].replace(now)
                self._manager_of(domain).rescan()
        return changed

    def _add(self, domain: str, resources: Mapping[str, Resource]) -> None:
        scanner = self._scanners[domain] = DeclaredScanner(
            resources, plugin_dir=self._settings.plugin_dir
        )
        manager = Manager(domain, scanner, settings=self._settings, settings_of=scanner.settings_of)
        self.managers.append(manager)
        manager.setServiceParent(self)

    def _manager_of(self, domain: str) -> Manager:
        return next(each for each in self.managers if each.namespace == domain)


def _without_file(problem: str, path: str) -> str:
    """A problem without the name of its file, which its line has already."""
    problem = problem.removeprefix(f"configuration {path}: ").removeprefix(f"{path}:")
    return re.sub(r"^(\d+):(\d+): ", r"line \1, column \2: ", problem)


def _directories(path: str) -> Iterator[str]:
    """Where something may happen that makes a path another file."""
    for _ in range(16):
        yield os.path.dirname(os.path.abspath(path))
        try:
            target = os.readlink(path)
        except OSError:
            break
        path = os.path.join(os.path.dirname(path), target)
    yield os.path.dirname(os.path.realpath(path))


def _state(path: str) -> tuple[object, ...] | None:
    """What changes with a file's content, or with who may write it; None if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    times = found.st_mtime_ns, found.st_ctime_ns
    return found.st_dev, found.st_ino, *times, found.st_size, refusal(path)
