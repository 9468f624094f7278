"""Answers to HTTP requests, as values, and how they are written to a slow peer."""

from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final

import attrs
from twisted.web.static import NoRangeStaticProducer

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"

CHUNK: Final = 65_536
"""Bytes of an answer that wait for a peer; larger ones are written piece by piece."""

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@attrs.frozen
class Answer:
    """One whole answer."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: Mapping[str, str] = _NO_HEADERS


def text(content: str, status: int = 200, **headers: str) -> Answer:
    """An answer that people read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(content.encode(), TEXT, status, named)


def write(answer: Answer, request: Any) -> None:
    """Write an answer to Twisted's `request`, and finish that.

    However large it is, and however slowly it is read, only one copy of it is in memory.
    """
    request.setResponseCode(answer.status)
    request.setHeader("content-type", answer.content_type)
    request.setHeader("content-length", str(len(answer.body)))
    for name, value in answer.headers.items():
        request.setHeader(name, value)
    if request.method == b"HEAD":
        request.write(b"")
        request.finish()
    elif len(answer.body) <= CHUNK:
        request.write(answer.body)
        request.finish()
    else:
        NoRangeStaticProducer(request, BytesIO(answer.body)).start()
