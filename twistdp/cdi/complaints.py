"""Logs CDI specs that cannot be written: resources that fail for one reason share a line."""

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twistdp.model import named
from twistdp.tools import Shared

_log = Logger()

GATHERING: Final = 1.0
"""Seconds for which further resources are gathered for one line."""

MOST_NAMED: Final = 100
"""Most resources named in a line for programs."""


class SpecComplaints:
    """The first resource that fails for a reason is logged at once, others soon and together."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._failing: dict[str, str] = {}
        """The reason of each resource whose spec is not written."""
        self._more: dict[str, str] = {}
        """The resources among them that are not logged yet."""
        self._written: list[str] = []
        """Resources whose spec is written again, which is not logged yet."""
        self._timer: IDelayedCall | None = None

    def failed(self, resource: str, text: str, reason: str) -> None:
        """Log that the spec of `resource` cannot be written: `text` has the file, `reason` not."""
        if self._failing.get(resource) == reason:
            return
        is_known = reason in self._failing.values()
        self._failing[resource] = reason
        if is_known:
            self._more[resource] = reason
            self._later()
        else:
            _log.error("{text}", text=text, **_programs([resource], reason))

    def written(self, resource: str) -> None:
        """Log, if its failure was logged, that the spec of `resource` is written."""
        if self._failing.pop(resource, None) is None:
            return
        if self._more.pop(resource, None) is None:
            self._written.append(resource)
        self._later()
        if not self._failing:
            self._log_all()

    def forget(self, resource: str) -> None:
        """Forget `resource`, which is not served any more."""
        self._failing.pop(resource, None)
        self._more.pop(resource, None)
        if not self._failing:
            self._log_all()

    def _later(self) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(GATHERING, self._log_all)

    def _log_all(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        more, self._more = self._more, {}
        for reason in dict.fromkeys(more.values()):
            names = [name for name, why in more.items() if why == reason]
            _log.error(
                "CDI specs of {resources} cannot be written, for the same reason: {reason}; it is "
                "tried again every second",
                resources=named(names),
                reason=reason,
                **_programs(names, reason),
            )
        written, self._written = self._written, []
        if written:
            _log.info(
                "CDI specs of {resources} are written again",
                resources=named(written),
                log_facts={"resources": written[:MOST_NAMED], "count": len(written)},
            )


def _programs(resources: list[str], reason: str) -> dict[str, Any]:
    return {
        "log_constant": "CDI specs cannot be written",
        "log_facts": {
            "resources": resources[:MOST_NAMED],
            "count": len(resources),
            "reason": reason,
        },
    }


_SHARED: Final = Shared(SpecComplaints)


def complaints_of(clock: IReactorTime) -> SpecComplaints:
    """The complaints of all resources on a reactor, or on a clock."""
    return _SHARED.of(clock)
