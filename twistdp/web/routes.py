"""Which path has which answer."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from twisted.internet.defer import Deferred
from twisted.web.server import Request

from twistdp.web import probes
from twistdp.web.answers import JSON, Answer, as_json, text
from twistdp.web.explain import Explainer
from twistdp.web.pieces import pieces
from twistdp.web.schema import openapi, schema
from twistdp.web.scraping import Scraper
from twistdp.web.state import Observatory, Part
from twistdp.web.stream import Streams
from twistdp.web.zpages import flagz, statusz

PAGE: Final = os.path.join(os.path.dirname(__file__), "page")

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX: Final = "index.html"

FILES: Final = {
    "/" if name == _INDEX else f"/page/{name}": (name, _TYPES[os.path.splitext(name)[1]])
    for name in sorted(os.listdir(PAGE))
}
"""Paths of the page's parts, with their files and types."""


class Routes:
    """Answers requests about what `observatory` sees; `flags` are the options of the process.

    `scraper` answers for the metrics.
    """

    def __init__(
        self,
        observatory: Observatory,
        flags: Callable[[], Mapping[str, str]],
        scraper: Scraper,
        reactor: Any,
    ) -> None:
        self._observatory = observatory
        self._flags = flags
        self.streams = Streams(observatory.events, reactor, self._watch)
        self._explainer = Explainer(observatory.served, reactor)
        self._scraper = scraper
        self._unfollow = observatory.holdings.follow()
        self._routes: dict[str, Callable[[Request], Answer | Deferred[Answer] | None]] = {
            "/api/v1/state": self._state,
            "/api/v1/events": self._events,
            "/api/v1/explain": self._explain,
            "/api/v1/schema.json": lambda _: as_json(schema()),
            "/api/v1/openapi.json": lambda _: as_json(openapi()),
            "/metrics": self._metrics,
            "/statusz": self._statusz,
            "/flagz": self._flagz,
        }

    def stop(self) -> None:
        """End the event streams, and what is looked at."""
        self.streams.stop()
        self._explainer.stop()
        self._scraper.stop()
        self._unfollow()

    def answer(self, request: Request) -> Answer | Deferred[Answer] | None:
        """See `twistdp.web.site.Answerer`."""
        path = request.path.decode("ascii", "replace")
        try:
            query_of(request)
        except ValueError:
            return text("there are too many parameters\n", 400)
        if (route := self._routes.get(path)) is not None:
            return route(request)
        probe, _, rest = path.removeprefix("/").partition("/")
        if path.startswith("/") and probe in probes.PROBES:
            state = self._observatory.state(devices=False)
            checks = probes.checks_of(probe, state)
            return probes.answer(probe, checks, unquote(rest), query_of(request))
        if path in FILES:
            name, kind = FILES[path]
            with open(os.path.join(PAGE, name), "rb") as file:
                return Answer(file.read(), kind)
        return text("there is nothing here; / has the page\n", 404)

    def _watch(self) -> Callable[[], None]:
        """Somebody follows the events, and wants to see who gives devices back."""
        return self._observatory.holdings.follow(releases=True)

    def _state(self, request: Request) -> Answer | Deferred[Answer]:
        query = query_of(request)
        resource = query.get("resource", [None])[0]
        devices = query.get("devices", ["true"])[0]
        if devices not in ("true", "false"):
            return text("devices: give true or false\n", 400)
        most = query.get("limit", [None])[0]
        if most is not None and not (most.isascii() and most.isdigit() and 0 < len(most) < 10):
            return text("limit: give a number of devices\n", 400)
        part = Part(
            ids=frozenset(query["device"]) if "device" in query else None,
            after=query.get("after", [None])[0],
            most=None if most is None else int(most),
        )

        def answer(_: object) -> Answer:
            state = self._observatory.state(devices=devices == "true", resource=resource, part=part)
            return Answer(b"", JSON, pieces=pieces(state))

        return self._observatory.holdings.fresh().addCallback(answer)

    def _events(self, request: Request) -> Answer | None:
        return self.streams.begin(request, query_of(request).get("after", [None])[0])

    def _explain(self, request: Request) -> Answer | Deferred[Answer]:
        return self._explainer.explain(query_of(request).get("path", [""])[0])

    def _metrics(self, request: Request) -> Deferred[Answer]:
        return self._scraper.scrape(request.getHeader("accept") or "")

    def _statusz(self, request: Request) -> Answer:
        paths = [*(f"/{probe}" for probe in probes.PROBES), *self._routes]
        state = self._observatory.state(devices=False)
        return statusz(state, sorted(paths), request.getHeader("accept") or "")

    def _flagz(self, request: Request) -> Answer:
        return flagz(self._flags(), request.getHeader("accept") or "")


def query_of(request: Request) -> dict[str, list[str]]:
    """The query's parameters as texts; one without a value has an empty one."""
    query = request.uri.decode("ascii", "replace").partition("?")[2]
    return parse_qs(query, keep_blank_values=True, errors="replace", max_num_fields=100)
