"""The health checks of a scanner."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from twistdp.errors import BadScanner
from twistdp.model import of_error
from twistdp.status import events_of
from twistdp.tools import at

if TYPE_CHECKING:
    from twistdp.health import Check, HealthChecks


class NoChecks:
    """Those of a scanner that has none."""

    @contextmanager
    def scan(self, is_whole: bool) -> Iterator[None]:
        """Surrounds a scan."""
        yield

    def start(self, reactor: Any, wake: Callable[[], None] | None = None) -> None:
        """Make no checks."""

    def stop(self) -> None:
        """Do nothing, as no check is made."""


Checks: TypeAlias = Union["HealthChecks", NoChecks]


def checks_of(scanner: object) -> Checks:
    """The health checks that a scanner keeps as its attribute `checks`, or none.

    Raises `BadScanner` if reading the attribute raises.
    """
    try:
        checks = getattr(scanner, "checks", None)
    except Exception as error:  # of a property's code
        raise BadScanner(
            f"its checks raised {of_error(error)}{at(error)}; make them in its constructor"
        ) from error
    if checks is None:
        return NoChecks()
    # Imported here because a plugin without checks needs neither time nor memory for it.
    from twistdp.health import HealthChecks

    return checks if isinstance(checks, HealthChecks) else NoChecks()


def counted_checks_of(scanner: object, clock: Any) -> Checks:
    """As `checks_of`; each check that is made is counted by the events of `clock`."""
    checks = checks_of(scanner)
    if not isinstance(checks, NoChecks):
        events = events_of(clock)

        def count(check: "Check", passed: bool) -> None:
            kind = type(check).__name__.lower()
            events.counts["check", kind, "passed" if passed else "failed"] += 1

        checks.made = count
    return checks
