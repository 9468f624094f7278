"""Constructor arguments from text: ``--set KEY=VALUE`` for a scanner's type annotations."""

import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from twistdp.errors import BadSetting
from twistdp.tools import meant

_LISTS = (list, tuple, Sequence)


def bind(factory: Callable[..., Any], texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Convert `texts`, the values of each argument, for a call of `factory`.

    Repeated values become a list if the annotation is one.  Raises `BadSetting` for an unknown or
    missing argument, a value that does not convert, repeated values of an argument that is not
    a list, and an annotation that text cannot be converted to.
    """
    try:
        parameters = _parameters(factory)
    except ValueError as error:
        raise BadSetting(f"{_name(factory)}: its arguments cannot be looked up: {error}") from error
    try:
        hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except Exception as error:
        raise BadSetting(
            f"{_name(factory)}: its annotations cannot be evaluated: {error}"
        ) from error
    bound: dict[str, Any] = {}
    for key, values in texts.items():
        if key not in parameters:
            known = ", ".join(parameters) or "none"
            raise BadSetting(
                f"--set {key}: {_name(factory)} has no such argument; it has: {known}"
                f"{meant(key, parameters)}"
            )
        try:
            bound[key] = _convert(values, hints.get(key, str))
        except ValueError as error:
            raise BadSetting(f"--set {key}={error}") from error
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in bound:
            raise BadSetting(f"{_name(factory)} needs an argument: add --set {key}=...")
    return bound


def _parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: parameter
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind in named
    }


def _name(factory: Callable[..., Any]) -> str:
    return getattr(factory, "__qualname__", repr(factory))


def _convert(values: Sequence[str], annotation: Any) -> Any:
    """Convert all values of one argument to `annotation`.

    Raises ValueError; its text begins with the wrong value.
    """
    annotation = _without_none(annotation)
    origin = get_origin(annotation) or annotation
    if origin not in _LISTS:
        if len(values) > 1:
            raise ValueError(
                f"{values[-1]}: given {len(values)} times, but it takes a single value"
            )
        return _convert_one(values[0], annotation)
    arguments = get_args(annotation) or (str,)
    if origin is not tuple:
        return [_convert_one(value, arguments[0]) for value in values]
    if (len(arguments) == 2 and arguments[1] is Ellipsis) or not get_args(annotation):
        return tuple(_convert_one(value, arguments[0]) for value in values)
    if len(arguments) != len(values):
        raise ValueError(
            f"{values[-1]}: given {len(values)} times, but it takes {len(arguments)} values"
        )
    return tuple(_convert_one(value, kind) for value, kind in zip(values, arguments, strict=True))


def _without_none(annotation: Any) -> Any:
    """Return ``T`` for ``T | None``: on a command line, leaving an argument out means None."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1:
            return kinds[0]
    return annotation


def _convert_one(value: str, annotation: Any) -> Any:
    annotation = _without_none(annotation)
    if annotation in (str, Any, inspect.Parameter.empty):
        return value
    if annotation is bool:
        return _choice(value, {"true": True, "false": False})
    if annotation in (int, float):
        try:
            return annotation(value)
        except ValueError:
            what = "a whole number" if annotation is int else "a number"
            raise ValueError(f"{value}: not {what}") from None
    if annotation is Path:
        return Path(value)
    if get_origin(annotation) is Literal:
        return _choice(value, {str(choice): choice for choice in get_args(annotation)})
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        names = {member.name: member for member in annotation}
        return _choice(value, {**{str(m.value): m for m in annotation}, **names})
    # The name of a union differs from its source, and between versions of Python.
    kind = annotation.__name__ if isinstance(annotation, type) else annotation
    raise ValueError(f"{value}: arguments of type {kind} cannot be given on the command line")


def _choice(value: str, choices: Mapping[str, Any]) -> Any:
    if value not in choices:
        raise ValueError(f"{value}: use one of: {', '.join(choices)}")
    return choices[value]
