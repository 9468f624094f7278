"""The JSON Schema of the state, made of its classes, and the OpenAPI description of all paths."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from twistdp._version import __version__
from twistdp.status import Kind
from twistdp.web import values
from twistdp.web.answers import JSON
from twistdp.web.plain import camel
from twistdp.web.probes import PROBES

_PLAIN: Final = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}

_CHOICES: Final = {
    (values.Session, "standing"): [
        "registering",
        "registered",
        "waiting",
        "standing by",
        "failing",
        "stuck",
    ],
    (values.Device, "health"): ["Healthy", "Unhealthy"],
    (values.Turn, "health"): ["Healthy", "Unhealthy"],
    (values.State, "registration"): ["socket", "watcher"],
}
"""Fields with one of a few texts."""


def schema() -> dict[str, Any]:
    """The JSON Schema of ``/api/v1/state``.

    A program must allow for members that it does not know: later versions have more.
    """
    found = _classes("#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "State",
        **found.pop("State"),
        "$defs": found,
    }


def openapi() -> dict[str, Any]:
    """The OpenAPI description of all paths, which are relative to where it lies itself."""
    schemas = _classes("#/components/schemas/")
    return {
        "openapi": "3.1.0",
        "info": {"title": "twistdp", "version": __version__.public()},
        "servers": [{"url": "../.."}],
        "paths": {path: {"get": _operation(path)} for path in _ANSWERS},
        "components": {"schemas": schemas},
    }


def _classes(where: str) -> dict[str, Any]:
    """The schemas of the state's classes by their names, which `where` and a name refer to."""
    found: dict[str, Any] = {}

    def of_class(kind: type) -> dict[str, Any]:
        if kind.__name__ not in found:
            found[kind.__name__] = {}  # it may contain itself
            hints = get_type_hints(kind)
            members = {}
            for each in attrs.fields(kind):
                members[camel(each.name)] = of(hints[each.name])
                if (kind, each.name) in _CHOICES:
                    members[camel(each.name)]["enum"] = _CHOICES[kind, each.name]
            found[kind.__name__] = {
                "description": inspect.cleandoc(kind.__doc__ or ""),
                "type": "object",
                "properties": members,
                "required": list(members),
            }
        return {"$ref": f"{where}{kind.__name__}"}

    def of(hint: Any) -> dict[str, Any]:
        if hint in _PLAIN:
            return {"type": _PLAIN[hint]}
        if get_origin(hint) in (Union, UnionType):
            return {"anyOf": [of(each) for each in get_args(hint)]}
        if get_origin(hint) in (Iterable, Sequence):
            return {"type": "array", "items": of(get_args(hint)[0])}
        return of_class(hint)

    of_class(values.State)
    return found


def _parameter(name: str, about: str, **schema: Any) -> dict[str, Any]:
    found = {"name": name, "in": "query", "description": about}
    return {**found, "schema": schema or {"type": "string"}}


_VERBOSE: Final = [
    _parameter("verbose", "Shows all checks, also when all are well."),
    _parameter("exclude", "A check to leave out.", type="array", items={"type": "string"}),
]
_CHECK: Final = {
    "name": "check", "in": "path", "required": True, "schema": {"type": "string"},
    "description": "A resource, ping, or scan/ and a domain.",
}  # fmt: skip

_OK: Final = {"description": "All is well.", "content": {"text/plain": {}}}
_PROBED: Final = {"200": _OK, "500": {"description": "What is wrong.", "content": _OK["content"]}}
_METRICS: Final = {
    "description": "All numbers.",
    "content": {"text/plain": {}, "application/openmetrics-text": {}},
}
_UNKNOWN: Final = {"description": "There is no such thing.", "content": {"text/plain": {}}}
_BAD: Final = {"description": "A parameter cannot be used.", "content": {"text/plain": {}}}
_NEVER: Final = {"description": "There is no such format here.", "content": {"text/plain": {}}}
_MANY: Final = {"description": "Too many ask; come back later.", "content": {"text/plain": {}}}


def _json(about: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {JSON: {"schema": schema}}}


_KINDS: Final = ", ".join(kind.value for kind in Kind)

_ANSWERS: Final[Mapping[str, tuple[str, Sequence[Any], Mapping[str, Any]]]] = {
    "/livez": ("Whether the process lives.", _VERBOSE, _PROBED),
    "/readyz": ("Whether every resource is registered.", _VERBOSE, _PROBED),
    "/healthz": ("As /readyz; its older name.", _VERBOSE, _PROBED),
    **{
        f"/{probe}/{{check}}": ("One check.", [_CHECK], {**_PROBED, "404": _UNKNOWN})
        for probe in PROBES
    },
    "/statusz": ("Version and paths, for people.", [], {"200": _OK, "406": _NEVER}),
    "/flagz": ("The options, for people.", [], {"200": _OK, "406": _NEVER}),
    "/metrics": ("Numbers for Prometheus.", [], {"200": _METRICS}),
    "/api/v1/state": (
        "Everything that is known.",
        [
            _parameter("resource", "Only this resource."),
            _parameter("devices", "Whether single devices are shown.", enum=["true", "false"]),
            _parameter("device", "Only these ids.", type="array", items={"type": "string"}),
            _parameter("after", "Only what comes after this id, in natural order."),
            _parameter("limit", "So many devices of a resource at most.", type="integer",
                       minimum=0, maximum=999_999_999),
        ],
        {"200": _json("The state.", {"$ref": "#/components/schemas/State"}), "400": _BAD},
    ),
    "/api/v1/events": (
        f"Server-sent events. Their kinds: {_KINDS}.",
        [_parameter("after", "The number of the last event that is known; Last-Event-ID too.")],
        {"200": {"description": "A stream without end.", "content": {"text/event-stream": {}}},
         "429": _MANY},
    ),
    "/api/v1/explain": (
        "Why a device is listed, or which test leaves it out.",
        [{**_parameter("path", "A node, a link to one, or a directory in /sys."),
          "required": True}],
        {"200": _json("What each rule made of it.", {"type": "object"}), "400": _BAD,
         "404": _UNKNOWN, "503": _MANY},
    ),
    "/api/v1/schema.json": (
        "The JSON Schema of the state.", [], {"200": _json("It.", {"type": "object"})}
    ),
    "/api/v1/openapi.json": ("This.", [], {"200": _json("It.", {"type": "object"})}),
}  # fmt: skip
"""What a path is for, its parameters, and its answers; the page is not here."""


def _operation(path: str) -> dict[str, Any]:
    summary, parameters, answers = _ANSWERS[path]
    many = {"description": "There are too many parameters.", "content": {"text/plain": {}}}
    elsewhere = {"description": "The name is not known here.", "content": {"text/plain": {}}}
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"400": many, "421": elsewhere, **answers},
    }
