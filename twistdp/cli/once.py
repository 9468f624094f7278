"""Calls a scanner once, and asks it to explain itself."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from twistdp import klog
from twistdp.errors import BadSetting
from twistdp.launch import load_scanner, make
from twistdp.model import DeviceTree, of_error
from twistdp.scan import WatchingScanner, check_scanner
from twistdp.select import Cause, Explanation, Host, Step, Verdict
from twistdp.tools import at


@attrs.frozen
class Once:
    """What a scanner found, and what else it logged.

    `explanations` are its own, or made of that.
    """

    scanner: WatchingScanner
    tree: DeviceTree
    explanations: Sequence[Explanation]
    messages: Sequence[str]


def called_once(
    name: str, settings: Mapping[str, Sequence[str]], host: Host, called: str = ""
) -> Once:
    """Call ``module:Class`` with `settings`; these and `called` are as for `twistdp.launch.make`.

    It looks at `host` if its constructor takes a root.  Raises `BadSetting` for a scanner that
    cannot be called so, or that raises.
    """
    if host.prefix:
        if not _takes_root(name):
            raise BadSetting(
                f"--scanner {name}: it looks at this host, whatever --root says; give its "
                "constructor an argument root, as twistdp.select.Host has"
            )
        settings = {"root": [host.root], **settings}
    scanner = make(name, settings, called)
    check_scanner(scanner)
    if not isinstance(scanner, WatchingScanner):
        raise BadSetting(f"--scanner {name}: it has a loop of its own, which is not run here")
    scanner.may_act = False
    explains = callable(getattr(scanner, "explain", None))
    with _messages(details=not explains) as messages:
        tree = _result(name, scanner, "discover")
        if not isinstance(tree, DeviceTree):
            raise BadSetting(f"--scanner {name}: discover() returned {tree!r} and no DeviceTree")
        if explains:
            explanations = list(_own(name, scanner))
        else:
            explanations = list(_of_tree(tree))
    reasons = {step.reason for each in explanations for step in each.steps
               if step.verdict in (Verdict.LEFT_OUT, Verdict.UNDECIDABLE)}  # fmt: skip
    messages = [text for text in messages if not any(reason in text for reason in reasons)]
    return Once(scanner, tree, explanations, messages)


def _takes_root(name: str) -> bool:
    try:
        return "root" in inspect.signature(load_scanner(name)).parameters
    except ValueError:
        return False  # of something that is written in C
    except BadSetting:
        return True  # which is reported when it is made


@contextmanager
def _messages(details: bool) -> Iterator[list[str]]:
    """What is logged as a warning, or with `details` as one of what is left out."""
    messages: list[str] = []

    @provider(ILogObserver)
    def note(event: LogEvent) -> None:
        what = f": {event['what']}" if "what" in event else ""
        if what or event.get("log_level", LogLevel.info) >= LogLevel.warn:
            messages.append(f"{formatEvent(event)}{what}")

    level = klog.level()
    if details:
        klog.set_level(1)
    globalLogPublisher.addObserver(note)
    try:
        yield messages
    finally:
        globalLogPublisher.removeObserver(note)
        klog.set_level(level)


def _result(name: str, scanner: WatchingScanner, method: str) -> Any:
    try:
        return getattr(scanner, method)()
    except Exception as error:
        raise BadSetting(
            f"--scanner {name}: {method}() raised {of_error(error)}{at(error)}"
        ) from error


def _own(name: str, scanner: WatchingScanner) -> Iterator[Explanation]:
    """The scanner's own explanations; adds why none of the candidates is selected."""
    found = _result(name, scanner, "explain")
    try:
        explanations = list(found)
    except Exception as error:  # a generator runs only now
        raise BadSetting(
            f"--scanner {name}: explain() raised {of_error(error)}{at(error)}"
        ) from error
    for each in explanations:
        if not isinstance(each, Explanation):
            raise BadSetting(
                f"--scanner {name}: explain() gave {each!r}, which is no twistdp.select.Explanation"
            )
        if not each.absent and all(step.verdict is Verdict.NOT_SELECTED for step in each.steps):
            count = len(each.steps)
            text = f"none of {count} candidates is selected" if count else "there is no candidate"
            each = attrs.evolve(each, absent=text)
        yield each


def _of_tree(tree: DeviceTree) -> Iterator[Explanation]:
    """The devices of a scanner that does not explain itself."""
    for kind in tree:
        yield Explanation(kind, tuple(Step.listed(id_, kind, [id_]) for id_ in tree[kind]))
    if not len(tree):
        yield Explanation("", (), "the scanner found no device")


def with_refused(each: Explanation, refused: Mapping[tuple[str, str], str]) -> Explanation:
    """An explanation in which devices that the plugin refuses are left out."""
    if not refused:
        return each
    steps = []
    for step in each.steps:
        reason = next(
            (refused[each.resource, id_] for id_ in step.ids if (each.resource, id_) in refused),
            None,
        )
        if reason is not None:
            step = Step(step.what, Verdict.LEFT_OUT, reason, step.device, cause=Cause.FAULT)
        steps.append(step)
    return attrs.evolve(each, steps=tuple(steps))
