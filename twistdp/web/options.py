"""The command line's options of HTTP, and the service that they ask for."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from twisted.python import usage

from twistdp.model import MAX_SOCKET_PATH, named_socket
from twistdp.settings import RUN_DIRECTORY
from twistdp.status import Tallies, events_of
from twistdp.web.lookout import Lookout
from twistdp.web.service import MOST_NAMES, Web

if TYPE_CHECKING:
    from twistdp.web.site import Answerer


_LAST_PORT: Final = 65535


class HttpOptions(usage.Options):
    """Where a process answers HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.http: list[str] = []
        """Endpoints to listen on, as Twisted describes them."""
        self.http_hosts: list[str] = []
        """Names by which this host may be asked over TCP."""

    def opt_http(self, endpoint: str) -> None:
        """Also answer HTTP there, as tcp:9102:interface=127.0.0.1 or unix:PATH; may be repeated."""
        from twisted.internet.endpoints import serverFromString

        try:
            fault = _limit(serverFromString(None, endpoint))  # nothing listens yet
        except Exception as error:  # each kind of endpoint has its own ways to refuse
            fault = _fault(endpoint, error)
        if fault:
            raise usage.UsageError(
                f"--http {endpoint}: {fault}; write an endpoint, as tcp:9102:interface=127.0.0.1"
            )
        self.http.append(endpoint)

    def opt_http_host(self, name: str) -> None:
        """A name of this host that requests over TCP may use; may be repeated."""
        self.http_hosts.append(name.lower().rstrip("."))


class WebOptions(HttpOptions):
    """Options of a plugin's HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.http_pods = False
        """Whether metrics name pods."""
        self.status_socket: str | None = None
        """The path of the unix socket; empty for none, None for the usual one."""

    def opt_http_pods(self) -> None:
        """Let /metrics name the pods that have devices: each has a time series of its own."""
        self.http_pods = True

    def web_flags(self) -> dict[str, str]:
        """The options among these that were given."""
        found = {
            "http": " ".join(self.http),
            "http-host": " ".join(self.http_hosts),
            "http-pods": "true" if self.http_pods else "",
        }
        if self.status_socket is not None:
            found["status-socket"] = self.status_socket or "none"
        return {name: value for name, value in found.items() if value}

    def opt_status_socket(self, path: str) -> None:
        """Unix socket for root; default in /run/twistdp, empty for none."""
        if path and not path.endswith(".sock"):
            raise usage.UsageError(f"--status-socket {path}: give it a name that ends in .sock")
        found = os.path.abspath(path) if path else ""
        if len(os.fsencode(found)) > MAX_SOCKET_PATH:
            raise usage.UsageError(
                f"--status-socket {path}: it is longer than the {MAX_SOCKET_PATH} bytes that a "
                "unix socket's path may have; give a shorter one"
            )
        self.status_socket = found


def _limit(endpoint: object) -> str:
    """Why nothing can listen on an endpoint that Twisted accepts; empty if something may."""
    from twisted.internet.endpoints import StandardIOEndpoint

    inner = getattr(endpoint, "_wrappedEndpoint", None)
    if inner is not None:  # haproxy and tls listen on another one
        return _limit(inner)
    if isinstance(endpoint, StandardIOEndpoint):
        return "nobody can connect to standard input"
    if not 0 <= getattr(endpoint, "_port", 0) <= _LAST_PORT:
        return f"ports are numbers from 0 to {_LAST_PORT}"
    path = os.fsencode(getattr(endpoint, "_address", "/"))
    if not path:
        return "the path of the unix socket is missing"
    if len(path) > MAX_SOCKET_PATH:
        return f"the path of a unix socket has at most {MAX_SOCKET_PATH} bytes"
    return ""


def _fault(endpoint: str, error: Exception) -> str:
    """Why Twisted refuses the description of an endpoint, for those who do not know its code."""
    kind = endpoint.removeprefix("haproxy:").partition(":")[0]
    if isinstance(error, LookupError):
        return "systemd has given this process no such socket"
    if isinstance(error, TypeError):
        address = " (write a colon in an address as \\:)" if "::" in endpoint else ""
        return f"an argument of {kind} is unknown, given twice or missing{address}"
    if isinstance(error, ImportError):
        return f"{kind} needs {error.name}, which is not installed"
    if isinstance(error, NameError):  # of Twisted's: it imports OpenSSL if that is there
        return f"{kind} needs OpenSSL, which is not installed"
    if isinstance(error, ValueError):
        if str(error).startswith("Unknown endpoint type"):
            return f"there is no kind of endpoint {kind!r}"
        if str(error).startswith("invalid literal"):
            return "a number is wrong"
    return str(error)


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
        socket = named_socket(RUN_DIRECTORY, name, name, spare=len(f"-{MOST_NAMES}"))
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
