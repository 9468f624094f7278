"""Why a device is listed, or not: what the rules that the plugin runs with make of one path."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from twistdp.manager import Manager
from twistdp.model import DeviceInfo, name_of
from twistdp.scanners.declared import DeclaredScanner, Rule, Survey, of_device
from twistdp.select import Device, Host, Step, device_at, plain_device, plain_step
from twistdp.tools import Worker
from twistdp.web.answers import Answer, as_json, text

MOST_WAITING: Final = 4
"""Questions that wait for their turn; another one is refused."""

PAUSE: Final = 0.5
"""Seconds between two looks at the host: each keeps a processor busy for a while."""


@attrs.frozen
class _Asked:
    """What one manager serves, to be looked at in another thread."""

    namespace: str
    scanner: str
    rules: Sequence[Rule] | None
    """None for a scanner that is no configuration's."""
    devices: Mapping[str, Mapping[str, DeviceInfo]]
    """What it lists now, by type and id."""


class Explainer:
    """Explains paths, one after the other, by a look at the host in a thread of its own."""

    def __init__(self, served: Callable[[], Sequence[tuple[Manager, str]]], reactor: Any) -> None:
        self._served = served
        self._reactor = reactor
        self._worker = Worker("explain", reactor)
        self._waiting: deque[tuple[str, Deferred[Answer]]] = deque()
        self._is_busy = False
        self._pause: IDelayedCall | None = None

    def explain(self, path: str) -> Answer | Deferred[Answer]:
        """The answer to a question about a path."""
        if not path.startswith("/") or "\0" in path:
            return text("path: give an absolute path, as ?path=/dev/video0\n", 400)
        self._waiting = deque(each for each in self._waiting if not each[1].called)
        if len(self._waiting) >= MOST_WAITING:
            return text("too many ask; come back later\n", 503, retry_after="2")
        done: Deferred[Answer] = Deferred()
        self._waiting.append((path, done))
        self._go_on()
        return done

    def stop(self) -> None:
        """Stop answering."""
        self._worker.stop()
        self._waiting.clear()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _go_on(self) -> None:
        while self._waiting and not self._is_busy:
            path, done = self._waiting.popleft()
            if not done.called:  # the one who asked is still there
                self._is_busy = True
                asked = [_asked(manager) for manager, _ in self._served()]
                self._worker.call(partial(_answer, path, asked)).addBoth(self._ended, done)

    def _ended(self, outcome: Answer | Failure, done: "Deferred[Answer]") -> None:
        self._pause = self._reactor.callLater(PAUSE, self._rested)
        if not done.called:
            done.callback(outcome)

    def _rested(self) -> None:
        self._pause = None
        self._is_busy = False
        self._go_on()


def _asked(manager: Manager) -> _Asked:
    scanner = manager.scanner
    return _Asked(
        manager.namespace,
        name_of(scanner),
        scanner.survey.rules if isinstance(scanner, DeclaredScanner) else None,
        {kind: each.inventory.devices for kind, each in manager.resources.items()},
    )


def _answer(path: str, asked: Sequence[_Asked]) -> Answer:
    host = Host()
    device = device_at(host, path)
    names = {path}
    if device is not None and device.node:
        names |= {device.node, *host.all_links_to(device.node)}
    rules = [rule for each in asked for rule in _rules(each, host, device, path, names)]
    if device is None and not any(rule["candidates"] for rule in rules):
        return text("no device of this host has this path\n", 404)
    about = {} if device is None else {"device": plain_device(device)}
    return as_json({**about, "rules": rules})


def _rules(
    asked: _Asked, host: Host, device: Device | None, path: str, names: set[str]
) -> Iterator[dict[str, Any]]:
    """What each rule made of a device; a scanner without rules has listed it, or has not."""
    if asked.rules is not None:
        if device is not None:
            survey = Survey(asked.rules, asked.devices)
            survey.look(host)
            for rule, steps in of_device(survey, device):
                found = [plain_step(step) for step in steps]
                yield {"resource": f"{asked.namespace}/{rule.name}", "candidates": found}
        return
    for kind, devices in asked.devices.items():
        ids = [id_ for id_, info in devices.items() if names & {n.host_path for n in info.nodes}]
        found = []
        if ids:
            step = Step.listed(path, kind, ids, device, by=f"by {asked.scanner}")
            found.append(plain_step(step))
        yield {"resource": f"{asked.namespace}/{kind}", "candidates": found}
