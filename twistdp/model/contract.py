"""Checks the methods of a scanner before it runs."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from zope.interface.interface import InterfaceClass

from twistdp.errors import BadScanner
from twistdp.model.interfaces import (
    IAllocator,
    IContainerPreStarter,
    IPostAllocator,
    IPreferredAllocator,
    IReleaseObserver,
)
from twistdp.model.secrecy import kind_of

HOOKS: Final = {
    "allocate": IAllocator,
    "post_allocate": IPostAllocator,
    "get_preferred_allocation": IPreferredAllocator,
    "pre_start_container": IContainerPreStarter,
    "post_release": IReleaseObserver,
}
"""The optional methods of a scanner, and the interfaces that describe them."""


def name_of(scanner: object) -> str:
    """Return ``module:Class`` of a scanner, as on the command line."""
    return f"{type(scanner).__module__}:{type(scanner).__qualname__}"


def method_of(scanner: object, name: str, interface: InterfaceClass, arguments: int) -> Any:
    """Return a scanner's method of `interface`; None if it neither has nor declares it.

    Raises `BadScanner` for a declared interface without its method, for an attribute of that name
    that cannot be called, and for a method that does not take this number of arguments.
    """
    try:
        method = getattr(scanner, name, None)
        declared = interface.providedBy(scanner)
    except (Exception, SystemExit) as error:
        raise BadScanner(f"its {name} cannot be read: {type(error).__name__}") from error
    if method is None:  # a subclass may set a method to None to remove it
        if declared:
            raise BadScanner(
                f"it declares {interface.__name__} and has no {name}(); define that method, or "
                "leave the declaration out"
            )
        return None
    if not callable(method):
        raise BadScanner(
            f"its {name} is {kind_of(method)}; that is the name of a method of "
            f"{interface.__name__}: define one, or rename the attribute"
        )
    check_call(method, name, arguments)
    return method


def check_call(method: Callable[..., Any], name: str, arguments: int) -> None:
    """Raise `BadScanner` if `method` does not take so many arguments, or is a generator."""
    if _is_generator(method):
        raise BadScanner(
            f"its {name}() is a generator, and what it yields would be lost: have it return its "
            "result instead of using yield, or decorate it with "
            "twisted.internet.defer.inlineCallbacks if it yields Deferreds"
        )
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError) as error:  # code that is not Python may have none
        if inspect.ismethod(method):
            raise BadScanner(f"its {name}() does not take self; add that argument") from error
        return
    try:
        signature.bind(*[None] * arguments)
    except TypeError as error:
        wanted = ("no argument", "one argument", "two arguments")[arguments]
        raise BadScanner(
            f"its {name}{signature} must be callable with {wanted}: {error}"
        ) from error


def _is_generator(method: Callable[..., Any]) -> bool:
    """Return whether a call would only make a generator, which nothing would run."""
    if inspect.isasyncgenfunction(method):
        return True
    code = getattr(method, "__code__", None)
    awaitable = code is not None and code.co_flags & inspect.CO_ITERABLE_COROUTINE
    return inspect.isgeneratorfunction(method) and not awaitable


def hooks_of(scanner: object) -> dict[str, Callable[..., object]]:
    """Return the hooks that a scanner has, declared or not, by name.  Raises `BadScanner`."""
    found = {
        name: method_of(scanner, name, interface, len(interface[name].positional))
        for name, interface in HOOKS.items()
    }
    return {name: method for name, method in found.items() if method is not None}
