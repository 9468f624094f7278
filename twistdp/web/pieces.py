"""A state as JSON, made piece by piece: all of ten thousand devices would hold the loop up."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import attrs

from twistdp.web import values
from twistdp.web.plain import plain

MOST_DEVICES: Final = 50
"""Devices in one piece."""

SMALLEST: Final = 8192
"""Bytes of a piece, but for the last one: each costs a turn of the reactor."""


def pieces(state: values.State) -> Iterator[bytes]:
    """The text of a state."""
    gathered: list[bytes] = []
    size = 0
    for part in _parts(state):
        gathered.append(part)
        size += len(part)
        if size >= SMALLEST:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _parts(state: values.State) -> Iterator[bytes]:
    yield _open(attrs.evolve(state, resources=()))
    for number, resource in enumerate(state.resources):
        comma = b"," if number else b""
        if resource.devices is None:
            yield comma + _text(resource)
            continue
        yield comma + _open(attrs.evolve(resource, devices=()))
        yield from _joined(resource.devices)
        yield b"]}"
    yield b"]}"


def _open(value: Any) -> bytes:
    """The text of a value, up to the first element of the list that is its last field."""
    return _text(value).removesuffix(b"]}")


def _joined(devices: Iterable[values.Device]) -> Iterator[bytes]:
    rest, comma = iter(devices), b""
    while some := list(islice(rest, MOST_DEVICES)):
        yield comma + _text(some)[1:-1]
        comma = b","


def _text(value: Any) -> bytes:
    return json.dumps(plain(value), separators=(",", ":")).encode()
