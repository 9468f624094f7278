"""Scanners by the names of their classes: ``module:Class``."""

import os
import site
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from twistdp.errors import BadSetting
from twistdp.launch.arguments import bind
from twistdp.model import named, of_error
from twistdp.tools import at, meant


def make(name: str, texts: Mapping[str, Sequence[str]], called: str = "") -> Any:
    """Return an instance of ``module:Class``; `texts` are as for `twistdp.launch.arguments.bind`.

    `called` is the option that named it, by default ``--scanner`` with the name.  Searches the
    current directory for the module, too.  Raises `BadSetting` for any error, with the line of the
    author's code if there is one.
    """
    called = called or f"--scanner {name}"
    try:
        factory = load_scanner(name)
        arguments = bind(factory, texts)
    except BadSetting as error:
        raise BadSetting(f"{called}: {error}") from error
    try:
        return factory(**arguments)
    except KeyboardInterrupt:
        raise  # by a person at a terminal
    except BaseException as error:
        raise BadSetting(
            f"{called}: its constructor raised {of_error(error)}{at(error)}"
        ) from error


def load_scanner(name: str) -> Any:
    """Return what ``module:Class`` names.  Raises `BadSetting` if that is not possible."""
    module_name, colon, class_name = name.partition(":")
    if not (module_name and colon and class_name):
        raise BadSetting("write it as module:Class")
    if "" not in sys.path:
        sys.path.insert(0, "")
    _check_name(module_name)
    try:
        module = import_module(module_name)
    except KeyboardInterrupt:
        raise  # by a person at a terminal
    except BaseException as error:
        raise BadSetting(_not_imported(module_name, error)) from error
    factory: Any = module
    for part in class_name.split("."):
        factory = getattr(factory, part, None)
    if factory is None:
        raise BadSetting(f"{module_name} has no class {class_name}{_others(module, class_name)}")
    if not callable(factory):
        raise BadSetting(f"{class_name} is no class")
    return factory


def _check_name(module_name: str) -> None:
    """Refuse a file with the name of a module of Python's: only one of them can be imported."""
    top = module_name.partition(".")[0]
    if top in sys.stdlib_module_names:
        for path in _files_of(top):
            raise BadSetting(
                f"Python's standard library has a module {top}, which is found instead of {path}; "
                f"rename that file, for example to {top}_scanner.py"
            )


def _files_of(top: str) -> Iterator[str]:
    """Yield the files that a module's name may stand for, other than Python's own."""
    # Imported here because few scanners have the name of a module of Python's.
    import sysconfig

    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    own.update(site.getsitepackages())
    for directory in sys.path:
        place = os.path.abspath(directory)
        if place in own or os.path.dirname(place) in own or place.endswith(".zip"):
            continue
        for path in (os.path.join(place, f"{top}.py"), os.path.join(place, top, "__init__.py")):
            if os.path.isfile(path):
                yield path


def _not_imported(module_name: str, error: BaseException) -> str:
    text = f"cannot import {module_name}: {of_error(error)}{at(error)}"
    if not isinstance(error, ModuleNotFoundError):
        return text
    if error.name and not f"{module_name}.".startswith(f"{error.name}."):
        return f"{text}; install what provides it in twistd's environment, {sys.prefix}"
    return (
        f"{text}; modules are looked for in the current directory and where Python finds its "
        f"packages{meant(module_name, _modules_here())}"
    )


def _modules_here() -> list[str]:
    try:
        names = os.listdir()
    except OSError:
        return []
    return [name.removesuffix(".py") for name in names if name.endswith(".py")]


def _others(module: ModuleType, class_name: str) -> str:
    """Return what the module has instead, for a message."""
    classes = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    if close := meant(class_name, classes):
        return close
    return f"; it has: {named(classes)}" if classes else ""
