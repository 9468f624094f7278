"""Logs how a scanner fails, hangs and recovers."""

from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from twistdp.host import SOON
from twistdp.model import name_of, of_error, one_line
from twistdp.status import Kind, events_of
from twistdp.tools import News, Outage, at, place_of

_log = Logger()


class Failures:
    """Logs the failures in a row of a scanner, the first with its stack and others in a line.

    `doing` names the part of the scanner that fails, if not all of it does.
    """

    def __init__(self, scanner: object, doing: str = "", *, reactor: Any) -> None:
        self._events = events_of(reactor)
        self._name = self._events.scanners.claim(scanner, name_of(scanner))
        self._scanner = self._name.text
        self._doing = f": {doing}" if doing else ""
        self._outage = Outage()
        self._lacking: str | None = None
        """The remedy that the last failure needed."""
        self._known = False
        """Whether an event has reported the last failure."""
        self._seconds = 0.0
        """Seconds that the last call took."""

    def __bool__(self) -> bool:
        """Whether it failed the last time."""
        return self._outage.count > 0

    def add(self, failure: Failure, delay: float | None) -> None:
        """Log what is new about a failure; after `delay` seconds, if any, it is called again."""
        then = ""
        if delay is not None:
            again = (
                ", the devices stay as they were; next try" if self._doing else "; calling it again"
            )
            then = f"{again} in {delay:.1f} s"
        news = self._outage.failed(failure)
        if news is not News.NOTHING or not self._known:
            self._known = True
            self._emit(Kind.SCAN_FAILED, reason=one_line(of_error(failure.value)))
        if news is News.STACK:
            _log.failure(
                "scanner {scanner}{doing} failed{then}",
                failure,
                scanner=self._scanner,
                doing=self._doing,
                then=then,
                **self._failed(failure, delay, has_stack=True),
            )
        elif news is News.LINE:
            _log.error(
                "scanner {scanner}{doing} failed with {error}{at}{then}",
                scanner=self._scanner,
                doing=self._doing,
                error=of_error(failure.value),
                at=at(failure),
                then=then,
                **self._failed(failure, delay),
            )

    def add_lack(self, failure: Failure, remedy: str) -> None:
        """Log a failure that people can remedy, unless the last one had the same remedy."""
        self._outage.failed(failure)
        if self._lacking != remedy:
            self._lacking = remedy
            self._emit(Kind.SCAN_FAILED, reason=one_line(failure.getErrorMessage()))
            _log.error(
                "scanner {scanner}{doing} failed, the devices stay as they were; trying again "
                "every second: {reason}; {remedy}",
                scanner=self._scanner,
                doing=self._doing,
                reason=failure.getErrorMessage(),
                remedy=remedy,
                **self._failed(failure, SOON, remedy=remedy),
            )

    def ended(self, seconds: float, failed: bool) -> None:
        """A call has ended after so many seconds; what failed is added too."""
        self._known &= failed
        self._seconds = seconds
        self._emit(Kind.SCANNED, seconds=seconds, failed=failed)

    def end(self) -> None:
        """Log that it works again, if it has failed."""
        self._lacking = None
        if count := self._outage.over():
            self._emit(Kind.SCAN_RECOVERED, failures=count)
            _log.info(
                "scanner {scanner}{doing} works again, after {failures}",
                scanner=self._scanner,
                doing=self._doing,
                failures="1 failure" if count == 1 else f"{count} failures",
                **self._programs("scanner works again", failures=count),
            )

    def hung(self, seconds: float, stack: str) -> None:
        """Log that a call has not returned after so many seconds, and where it is."""
        self._emit(Kind.SCAN_HUNG, seconds=seconds)
        _log.error(
            "scanner {scanner}{doing} has not returned for {seconds:g} s, the devices stay as "
            "they were; it is not called again until it returns. It is here:\n{stack}",
            scanner=self._scanner,
            doing=self._doing,
            seconds=seconds,
            stack=stack,
            **self._programs("scanner hangs", seconds=seconds, stack=stack),
        )

    def returned(self) -> None:
        """Log that a call that hung has returned."""
        self._emit(Kind.SCAN_RETURNED)
        _log.info(
            "scanner {scanner}{doing} has returned after {seconds:.1f} s",
            scanner=self._scanner,
            doing=self._doing,
            seconds=self._seconds,
            **self._programs("scanner has returned", seconds=round(self._seconds, 3)),
        )

    def _failed(
        self,
        failure: Failure,
        delay: float | None,
        *,
        remedy: str | None = None,
        has_stack: bool = False,
    ) -> dict[str, Any]:
        return self._programs(
            "scanner failed",
            err=None if has_stack else of_error(failure.value),  # as every line with a stack
            at=place_of(failure) or None,
            remedy=remedy,
            nextTrySeconds=None if delay is None else round(delay, 1),
        )

    def _programs(self, constant: str, **facts: object) -> dict[str, Any]:
        """The fields of the line for programs; facts that are None are left out."""
        found = {key: value for key, value in facts.items() if value is not None}
        return {"log_constant": constant, "log_facts": {"scanner": self._scanner, **found}}

    def _emit(self, kind: Kind, **facts: object) -> None:
        self._events.emit(kind, scanner=self._scanner, **facts)
