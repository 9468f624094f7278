"""``/statusz`` and ``/flagz``, as components of Kubernetes have them.

See KEP-4827 and KEP-4828: plain text for people, and JSON for those who name its version.
"""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twistdp.web.answers import JSON, Answer, text
from twistdp.web.values import State

WARNING: Final = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility "
    "guarantees and is for debugging purposes only."
)
_GROUP: Final = "config.k8s.io"
_VERSION: Final = "v1alpha1"


def statusz(state: State, paths: Sequence[str], accept: str) -> Answer:
    """Version, start and paths."""
    python = f"Python {platform.python_version()}"
    if (refused := _refusal(accept, "Statusz")) is not None:
        return refused
    if _wants_json(accept):
        return _json(
            "Statusz",
            startTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(state.start_time)),
            uptimeSeconds=int(state.time - state.start_time),
            goVersion=python,
            binaryVersion=state.version,
            paths=list(paths),
        )
    started = time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(state.start_time))
    lines = [
        f"\ntwistdp statusz\n{WARNING}\n",
        f"Started: {started}",
        f"Up: {_span(int(state.time - state.start_time))}",
        f"Runtime: {python}",
        f"Binary version: {state.version}",
        f"Paths: {' '.join(paths)}",
    ]
    return text("\n".join(lines) + "\n")


def flagz(flags: Mapping[str, str], accept: str) -> Answer:
    """The options that the process runs with; secrets are hidden."""
    if (refused := _refusal(accept, "Flagz")) is not None:
        return refused
    if _wants_json(accept):
        return _json("Flagz", flags=dict(flags))
    lines = [f"\ntwistdp flagz\n{WARNING}\n"]
    lines += [f"{name}={value}" for name, value in sorted(flags.items())]
    return text("\n".join(lines) + "\n")


def _json(kind: str, **fields: Any) -> Answer:
    found = {
        "kind": kind,
        "apiVersion": f"{_GROUP}/{_VERSION}",
        "metadata": {"name": "twistdp"},
        **fields,
    }
    return Answer(json.dumps(found).encode(), JSON)


def _wants_json(accept: str) -> bool:
    return any(_parameters(part)[0] == JSON for part in accept.split(","))


def _refusal(accept: str, kind: str) -> Answer | None:
    """An answer to those who ask for JSON without its version, or for another one."""
    wanted = {"v": _VERSION, "g": _GROUP, "as": kind}
    parts = [_parameters(part) for part in accept.split(",") if part.strip()]
    if not parts or any(kind in ("*/*", "text/*", "text/plain") for kind, _ in parts):
        return None
    for media, parameters in parts:
        if media == JSON and wanted.items() <= parameters.items():
            return None
    return text(
        "this path answers only in text/plain, and in "
        f"application/json;v={_VERSION};g={_GROUP};as={kind}\n",
        406,
    )


def _parameters(part: str) -> tuple[str, Mapping[str, str]]:
    media, *parameters = (each.strip() for each in part.split(";"))
    pairs = (each.partition("=") for each in parameters)
    return media.lower(), {name.strip(): value.strip() for name, _, value in pairs}


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return (
        f"{days} days, {hours:02d}:{minutes:02d}:{rest:02d}"
        if days
        else (f"{hours:02d} hr {minutes:02d} min {rest:02d} sec")
    )
