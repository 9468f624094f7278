"""Checks at the start that an object is a scanner that can be run."""

from inspect import iscoroutinefunction
from typing import Any

from twistdp.errors import BadScanner
from twistdp.model import IScanner, check_call, hooks_of, kind_of, method_of
from twistdp.scan.attributes import ATTRIBUTES, check_attributes
from twistdp.scan.checks import checks_of
from twistdp.scan.scanner import WatchingScanner


def check_scanner(candidate: object) -> None:
    """Raise `BadScanner` unless `scan_service` can run the object, now and later."""
    hooks_of(candidate)
    checks_of(candidate)
    if isinstance(candidate, WatchingScanner):
        check_attributes(candidate, ATTRIBUTES)
        _check_discover(candidate)
    elif method_of(candidate, "scan", IScanner, 1) is None:
        raise BadScanner(
            "not a scanner; derive it from twistdp.WatchingScanner or implement twistdp.IScanner"
        )
    else:
        check_attributes(candidate, ["join"])


def _check_discover(scanner: WatchingScanner) -> None:
    for name, arguments in (("discover", 0), ("follow", 1)):
        method: Any = getattr(scanner, name)
        if not callable(method):
            raise BadScanner(f"its {name} is {kind_of(method)}; define a method {name}()")
        if iscoroutinefunction(method):
            raise BadScanner(
                f"its {name}() is a coroutine, and is called in a thread: define it without "
                "async, or implement twistdp.IScanner"
            )
        check_call(method, name, arguments)
    if getattr(scanner.discover, "__func__", None) is WatchingScanner.discover:
        raise BadScanner("it does not define discover(), which finds the devices; define it")
