"""Makes an error of an answer with which the API server refuses a request."""

import json
from typing import Any, Final

from twistdp.model import printable
from twistdp.operator.api import ApiError
from twistdp.operator.asked import Asked

LONGEST_PAUSE: Final = 300
"""Seconds for which a Retry-After is obeyed at most."""

_LONGEST_TEXT: Final = 500


def refusal(status: int, content: bytes, retry_after: str | None, what: Asked) -> ApiError:
    """Return the error that an answer means; `retry_after` is the header's text."""
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        text = " ".join(content[: 4 * _LONGEST_TEXT].decode(errors="replace").split())
        found = {"message": printable(text)[:_LONGEST_TEXT]}
    details = found.get("details")
    seconds: Any = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        seconds = int(retry_after[:9])
    return ApiError(
        status,
        str(found.get("reason") or ""),
        str(found.get("message") or ""),
        float(min(seconds, LONGEST_PAUSE)) if isinstance(seconds, int) and seconds >= 0 else None,
        verb=what.verb,
        resource=what.resource,
    )
