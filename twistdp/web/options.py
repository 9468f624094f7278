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
    from twistdp.web.state import Observatory


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


class Lookout:
    """Follows what happens from now on, and makes the observatory for the first who looks.

    `served` returns the managers, each with what on the command line asks for it; `files` are the
    configuration files.
    """

    def __init__(
        self,
        served: "Callable[[], Sequence[tuple[Manager, str]]]",
        settings: Settings,
        reactor: Any,
        *,
        files: Sequence[str] = (),
    ) -> None:
        self.served = served
        self._settings = settings
        self._reactor = reactor
        self._files = files
        self._start = time.time()
        self._progress = Progress(events_of(reactor))
        self._made: Observatory | None = None

    def names(self) -> Collection[str]:
        """The resources that there are; what others have left behind is forgotten."""
        names = {
            each.full_name: None
            for manager, _ in self.served()
            for each in manager.resources.values()
        }
        self._progress.keep(names)
        return names

    def observatory(self) -> "Observatory":
        """The observatory, always the same."""
        if self._made is None:
            from twistdp.web.state import Observatory

            self._made = Observatory(
                self.served,
                self._settings,
                self._reactor,
                progress=self._progress,
                start=self._start,
                files=self._files,
                holdings=holdings_of(self._reactor, self._settings.pod_resources_socket),
            )
        return self._made

    def log_state(self) -> None:
        """Log the state soon."""
        from twistdp.web.dump import begin

        begin(self.observatory())


def web_service(
    options: WebOptions,
    lookout: Lookout,
    flags: Callable[[], Mapping[str, str]],
    reactor: Any,
) -> Web | None:
    """Return the service that answers HTTP; None if nothing is asked for.

    `flags` returns the options that the process runs with.
    """
    socket = options.status_socket
    if socket is None:
        name = next((manager.namespace for manager, _ in lookout.served()), "twistdp")
        socket = os.path.join(RUN_DIRECTORY, f"{name}.sock")
    if not socket and not options.http:
        return None
    tallies = Tallies(events_of(reactor), lookout.names)

    def answerer() -> "Answerer":
        from twistdp.web.routes import Routes
        from twistdp.web.scraping import Scraper

        observatory = lookout.observatory()
        scraper = Scraper(observatory, tallies, reactor, pods=options.http_pods)
        return Routes(observatory, flags, scraper, reactor)

    return Web(
        answerer,
        reactor,
        endpoints=options.http,
        hosts=options.http_hosts,
        socket=socket.removesuffix(".sock") or None,
    )
