"""Makes the checks of TCP connections and of HTTP's answers, each with one limit for all steps."""

import socket
import time
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from twistdp.health.values import Http, Tcp
from twistdp.host import remedy_for
from twistdp.model import printable

LONGEST: Final = 65536
"""Bytes that are read until there must be a status."""

_PORTS: Final = {"http": 80, "https": 443}


def of_tcp(check: Tcp) -> str:
    """What is wrong; empty if nothing is."""
    host, _, port = check.address.rpartition(":")
    end = time.monotonic() + check.timeout
    try:
        with _connected(host.strip("[]"), int(port), end):
            return ""
    except TimeoutError:
        return f"nothing answered at {check.address} within {check.timeout:g} s"
    except (OSError, ValueError) as error:
        if remedy_for(error) is not None:
            raise
        return f"cannot connect to {check.address}: {_why(error)}"


def of_http(check: Http) -> str:
    """What is wrong; empty if nothing is."""
    try:
        parts = urlsplit(check.url)
        port = parts.port or _PORTS[parts.scheme]
        host = parts.hostname or ""
    except (KeyError, ValueError):
        return f"{printable(check.url, 100)} is no URL of HTTP"
    # Neither the user nor the query, which may be secrets.
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{printable(parts.path, 100)}"
    end = time.monotonic() + check.timeout
    try:
        with _connected(host, port, end) as connection:
            status = _status(connection, parts, end)
    except TimeoutError:
        return f"{name} did not answer within {check.timeout:g} s"
    except (OSError, ValueError) as error:
        if remedy_for(error) is not None:
            raise
        return f"cannot ask {name}: {_why(error)}"
    if status is None:
        return f"{name} did not answer as HTTP does"
    if status in check.status:
        return ""
    wanted = " or ".join(map(str, check.status))
    return f"{name} answered with status {status}, and must answer with {wanted}"


def _connected(host: str, port: int, end: float) -> socket.socket:
    """A connection to one of the addresses of a host, tried one after the other."""
    problem: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(end))
            connection.connect(address)
        except OSError as error:
            connection.close()
            problem = error
        else:
            return connection
    assert problem is not None  # there is an address, or getaddrinfo raises
    raise problem


def _status(connection: socket.socket, parts: SplitResult, end: float) -> int | None:
    """The status of the answer to a request; None if it is no answer of HTTP."""
    if parts.scheme == "https":
        import ssl  # 3 MB, for those that need it

        connection.settimeout(_left(end))
        context = ssl.create_default_context()
        with context.wrap_socket(connection, server_hostname=parts.hostname) as secured:
            return _status(secured, parts._replace(scheme="http"), end)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = f"?{quote(parts.query, safe='/?%:@!$&()*+,;=~')}" if parts.query else ""
    host = quote(parts.netloc.rpartition("@")[2], safe=":[]%")
    request = (
        f"GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: twistdp\r\nAccept: */*\r\n"
        "Connection: close\r\n\r\n"
    )
    connection.settimeout(_left(end))
    connection.sendall(request.encode("ascii"))
    answer = b""
    while len(answer) < LONGEST:
        status, answer = _first_status(answer)
        if status is not None:
            return status or None
        connection.settimeout(_left(end))
        more = connection.recv(4096)
        if not more:
            return None
        answer += more
    return None


def _first_status(answer: bytes) -> tuple[int | None, bytes]:
    """The status that an answer begins with, and what is left of it to look at.

    None if more of it is needed, 0 if it is no answer.  Answers with a status below 200 precede
    the real one.
    """
    while True:
        line, found, _ = answer.partition(b"\n")
        if not found:
            return None, answer
        words = line.split()
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
            return 0, b""
        if len(words[1]) != 3 or int(words[1]) >= 200:
            return (int(words[1]) if len(words[1]) == 3 else 0), b""
        _, found, rest = answer.partition(b"\r\n\r\n")
        if not found:
            return None, answer
        answer = rest


def _left(end: float) -> float:
    """Seconds that are left; raises TimeoutError if none are."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
