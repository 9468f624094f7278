"""The command line's options of HTTP, and the service that they ask for."""

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.python import usage

from twistdp.kubelet import holdings_of
from twistdp.settings import RUN_DIRECTORY, Settings
from twistdp.status import Progress, Tallies, events_of
from twistdp.web.service import Web

if TYPE_CHECKING:
    from twistdp.manager import Manager
    from twistdp.web.site import Answerer


class WebOptions(usage.Options):
    """Options of HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.http: list[str] = []
        """Endpoints to listen on, as Twisted describes them."""
        self.http_hosts: list[str] = []
        """Names by which this host may be asked over TCP."""
        self.http_pods = False
        """Whether metrics name pods."""
        self.status_socket: str | None = None
        """The path of the unix socket; empty for none, None for the usual one."""

    def opt_http(self, endpoint: str) -> None:
        """Also answer HTTP there, as tcp:9102:interface=127.0.0.1 or unix:PATH; may be repeated."""
        from twisted.internet.endpoints import serverFromString

        try:
            serverFromString(None, endpoint)  # nothing listens yet
        except Exception as error:  # each kind of endpoint has its own ways to refuse
            why = "no such socket is there" if isinstance(error, LookupError) else str(error)
            raise usage.UsageError(
                f"--http {endpoint}: {why}; write an endpoint, as tcp:9102:interface=127.0.0.1"
            ) from error
        self.http.append(endpoint)

    def opt_http_host(self, name: str) -> None:
        """A name of this host that requests over TCP may use; may be repeated."""
        self.http_hosts.append(name.lower().rstrip("."))

    def opt_http_pods(self) -> None:
        """Let /metrics name the pods that have devices: each has a time series of its own."""
        self.http_pods = True

    def opt_status_socket(self, path: str) -> None:
        """Unix socket for root; default in /run/twistdp, empty for none."""
        if path and not path.endswith(".sock"):
            raise usage.UsageError(f"--status-socket {path}: give it a name that ends in .sock")
        self.status_socket = os.path.abspath(path) if path else ""


def web_service(
    options: WebOptions,
    served: "Callable[[], Sequence[tuple[Manager, str]]]",
    flags: Callable[[], Mapping[str, str]],
    settings: Settings,
    reactor: Any,
    *,
    files: Sequence[str] = (),
) -> Web | None:
    """Return the service that answers HTTP; None if nothing is asked for.

    `served` returns the managers, each with what on the command line asks for it, `flags` the
    options that the process runs with; `files` are its configuration files.
    """
    socket = options.status_socket
    if socket is None:
        name = next((manager.namespace for manager, _ in served()), "twistdp")
        socket = os.path.join(RUN_DIRECTORY, f"{name}.sock")
    if not socket and not options.http:
        return None
    start = time.time()
    events = events_of(reactor)
    progress = Progress(events)

    def live() -> Collection[str]:
        names = {
            each.full_name: None for manager, _ in served() for each in manager.resources.values()
        }
        progress.keep(names)
        return names

    tallies = Tallies(events, live)

    def answerer() -> "Answerer":
        from twistdp.web.routes import Routes
        from twistdp.web.scraping import Scraper
        from twistdp.web.state import Observatory

        observatory = Observatory(
            served,
            settings,
            reactor,
            progress=progress,
            start=start,
            files=files,
            holdings=holdings_of(reactor, settings.pod_resources_socket),
        )
        scraper = Scraper(observatory, tallies, reactor, pods=options.http_pods)
        return Routes(observatory, flags, scraper, reactor)

    return Web(
        answerer,
        reactor,
        endpoints=options.http,
        hosts=options.http_hosts,
        socket=socket.removesuffix(".sock") or None,
    )
