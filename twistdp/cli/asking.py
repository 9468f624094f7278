"""Asks running plugins over the unix sockets that they answer HTTP on."""

import http.client
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from twistdp.errors import BadSetting
from twistdp.settings import RUN_DIRECTORY
from twistdp.status import TRANSIENT

PATIENCE: Final = 10.0
"""Seconds that a plugin may take for its whole answer."""

IMPATIENCE: Final = 1.0
"""Seconds for a plugin that did not answer the last time."""

SILENCE: Final = 40.0
"""Seconds without a byte after which a stream of events counts as dead; a live one has a comment
every 15 s.
"""

MOST: Final = 256 * 1024 * 1024
"""Bytes of an answer; a hundred thousand devices take a third of it."""

_QUIET: Final = frozenset(kind.value for kind in TRANSIENT)


class NoAnswer(Exception):
    """A plugin that could not be asked, with the reason."""


class Ended(NoAnswer):
    """Nobody listens any more on the socket."""

    def __init__(self) -> None:
        super().__init__("nobody listens there: the plugin that made it has ended; start it again")


class Denied(NoAnswer):
    """This user may not ask."""

    def __init__(self) -> None:
        super().__init__("only root may ask; run this as root")


class NotOurs(NoAnswer):
    """The program that answers is no plugin."""

    def __init__(self) -> None:
        super().__init__(
            "what listens there does not answer as a plugin of this version does; give a "
            "plugin's --status-socket"
        )


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def sockets(directory: str = RUN_DIRECTORY) -> list[str]:
    """The sockets of the plugins on this node.  Raises `BadSetting` if the directory is closed."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if _is_socket(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadSetting(
            f"{directory}: cannot be read: {error.strerror}; run this as root"
        ) from error
    return [os.path.join(directory, name) for name in sorted(names)]


def _is_socket(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.name.endswith(".sock") and stat.S_ISSOCK(entry.stat().st_mode)
    except OSError:  # gone since, or a link that leads nowhere
        return False


def state_of(path: str, patience: float = PATIENCE) -> dict[str, Any]:
    """The state of the plugin that listens on a socket.  Raises `NoAnswer`."""
    connection = _Connection(path, patience)
    try:
        with _limited(connection, patience):
            response = _asked(connection, "/api/v1/state")
            data = response.read(MOST + 1)
        if len(data) > MOST:
            raise NoAnswer(f"its answer has more than {MOST} bytes")
        found = json.loads(data)
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise _no_answer(error, patience) from error
    finally:
        connection.close()
    if not isinstance(found, dict):
        raise NotOurs
    return found


def news_of(path: str) -> Iterator[None]:
    """Yields once when the events can be followed, and then after each that changes the state.

    Ends when the plugin does.  Raises `NoAnswer`.
    """
    connection = _Connection(path, SILENCE)
    try:
        response = _asked(connection, "/api/v1/events")
        yield
        while line := response.readline(MOST):
            name, _, value = line.decode(errors="replace").strip().partition(": ")
            if name == "event" and value not in _QUIET:
                yield
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(error, SILENCE) from error
    finally:
        connection.close()


@contextmanager
def _limited(connection: _Connection, seconds: float) -> Iterator[None]:
    """Raise TimeoutError if this takes longer: a peer may send a byte now and then."""
    late = threading.Event()
    connection.connect()
    peer = connection.sock

    def end() -> None:
        late.set()
        with suppress(OSError):  # it is closed already
            peer.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():
            raise TimeoutError  # whatever reading the rest has raised


def _asked(connection: _Connection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path)
    response = connection.getresponse()
    if response.status != http.HTTPStatus.OK:
        raise NoAnswer(f"it answers {response.status} {response.reason}")
    return response


def _no_answer(error: Exception, patience: float) -> NoAnswer:
    if isinstance(error, ConnectionRefusedError):
        return Ended()
    if isinstance(error, TimeoutError):
        return NoAnswer(f"no answer within {patience:g} s")
    if isinstance(error, PermissionError):
        return Denied()
    if isinstance(error, FileNotFoundError):
        return NoAnswer("there is no such socket; a plugin makes its --status-socket at its start")
    if isinstance(error, ConnectionError):  # before HTTPException, which one of them is too
        return NoAnswer("it has closed the connection without an answer; a plugin that ends does")
    if isinstance(error, http.client.HTTPException | ValueError | RecursionError):
        return NotOurs()
    return NoAnswer(getattr(error, "strerror", None) or str(error) or type(error).__name__)
