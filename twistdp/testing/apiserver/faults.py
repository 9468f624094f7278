"""Trouble on command."""

from collections.abc import Iterable

import attrs

from twistdp.testing.apiserver import refusals
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.record import ApiCall
from twistdp.testing.apiserver.refusals import ApiRefused


@attrs.define(eq=False)
class ApiFault:
    """What happens to the next `times` requests of a verb, kind and name; empty ones stand for all.

    `verb` may be ``write``, which is every verb that changes something.  `code` is the HTTP status
    of the refusal, 0 for none; `delay` are seconds before the request is looked at.  With `lost` it
    is obeyed, and the connection is cut instead of an answer.
    """

    verb: str = ""
    kind: str = ""
    name: str = ""
    subresource: str | None = None
    times: float = 1
    code: int = 0
    retry_after: int = 0
    delay: float = 0.0
    lost: bool = False
    met: int = 0
    """Requests that it has met so far."""

    def meets(self, call: ApiCall) -> bool:
        """Whether it is about a request."""
        return (
            self.met < self.times
            and (self.verb in ("", call.verb) or (self.verb == "write" and call.is_write))
            and self.kind in ("", call.kind)
            and self.name in ("", call.name)
            and self.subresource in (None, call.subresource)
        )

    def end(self) -> None:
        """Turn it off."""
        self.times = 0

    def refusal(self, kind: Kind, call: ApiCall) -> ApiRefused | None:
        """The refusal, if it is one."""
        if not self.code:
            return None
        if self.code == 409:
            return refusals.conflict(kind, call.name)
        if self.code == 403:
            return refusals.forbidden(kind, call)
        if self.code == 401:
            return refusals.unauthorized()
        if self.code == 404:
            return refusals.not_found(kind, call.name)
        if self.code == 410:
            return refusals.expired("too old resource version")
        return refusals.failing(self.code, self.retry_after)


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        self._on: list[ApiFault] = []

    def add(self, fault: ApiFault) -> ApiFault:
        """Turn a fault on."""
        self._on.append(fault)
        return fault

    def of(self, call: ApiCall) -> Iterable[ApiFault]:
        """Those that a request meets; each counts it."""
        self._on = [fault for fault in self._on if fault.met < fault.times]
        found = [fault for fault in self._on if fault.meets(call)]
        for fault in found:
            fault.met += 1
        return found
