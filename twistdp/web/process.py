"""HTTP of a process that serves no devices: metrics and probes."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from twisted.web.server import Request

from twistdp.web import probes
from twistdp.web.answers import Answer, text
from twistdp.web.family import Family
from twistdp.web.options import HttpOptions
from twistdp.web.probes import HEALTHZ, LIVEZ, READYZ, Check
from twistdp.web.service import Web

if TYPE_CHECKING:
    from twistdp.web.metrics import Metrics

__all__ = ["HEALTHZ", "LIVEZ", "READYZ", "Check", "Family", "web_service"]

Checks = Callable[[str], Iterable[Check]]
"""Returns the checks of a probe, which has one of the names above."""


class _Routes:
    """Answers with the metrics of `families` and the probes of `checks`."""

    def __init__(self, checks: Checks, families: Sequence[Family]) -> None:
        self._checks = checks
        self._families = families
        self._metrics: Metrics | None = None

    def stop(self) -> None:
        """Do nothing: nothing is under way."""

    def answer(self, request: Request) -> Answer:
        """See `twistdp.web.site.Answerer`."""
        from twistdp.web.routes import query_of

        path = request.path.decode("ascii", "replace")
        if path == "/metrics":
            return self._measured().answer(request.getHeader("accept") or "")
        probe, _, rest = path.removeprefix("/").partition("/")
        if path.startswith("/") and probe in probes.PROBES:
            try:
                query = query_of(request)
            except ValueError:
                return text("there are too many parameters\n", 400)
            return probes.answer(probe, self._checks(probe), unquote(rest), query)
        names = " ".join(f"/{name}" for name in ("metrics", *probes.PROBES))
        return text(f"there is nothing here; ask for one of {names}\n", 404)

    def _measured(self) -> "Metrics":
        if self._metrics is None:
            from twistdp.web.metrics import Metrics

            nothing: Any = None  # the families know what they read
            self._metrics = Metrics(self._families, lambda: nothing)
        return self._metrics


def web_service(
    options: HttpOptions, checks: Checks, families: Sequence[Family], reactor: Any
) -> Web | None:
    """Return the service that answers at the endpoints of `options`; None if there are none.

    The samples of the `families` are called with None.
    """
    if not options.http:
        return None
    return Web(
        lambda: _Routes(checks, families),
        reactor,
        endpoints=options.http,
        hosts=options.http_hosts,
    )
