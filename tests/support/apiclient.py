"""A small client of Kubernetes' API, which waits in threads: for the fake server and a real one."""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.support.helpers import PATIENCE, Recorder, soon

Object = dict[str, Any]

FORMS = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
"""Ways to patch."""


@attrs.frozen
class ApiReply:
    """An answer: HTTP status, headers with small names, and the object."""

    code: int
    headers: Mapping[str, str]
    body: Any

    @property
    def version(self) -> str:
        """The object's version."""
        return str(self.body["metadata"]["resourceVersion"])


class ApiWatch:
    """An open watch; `events` are called with the events so far."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, headers: Any) -> None:
        self.events = Recorder()
        self.code = 0
        self.begun: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        """Fires when the server ends it, or it is cut."""
        self._connection = connection
        self._socket: socket.socket | None = None
        self._running = deferToThread(self._run, path, headers)

    def _run(self, path: str, headers: Mapping[str, str]) -> None:
        call = cast(Any, reactor).callFromThread
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("GET", path, headers=dict(headers))
            response = self._connection.getresponse()
            self.code = response.status
            call(self.begun.callback, None)
            while line := response.readline():
                call(self.events, json.loads(line))
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            call(self._end)

    def _end(self) -> None:
        for waiting in (self.begun, self.ended):
            if not waiting.called:
                waiting.callback(None)

    async def seen(self, count: int) -> list[tuple[str, Object]]:
        """Wait for so many events; each as its type and object."""
        await self.events.until(lambda calls: len(calls) >= count)
        return [(each["type"], each["object"]) for each in self.events.calls]

    async def close(self) -> None:
        """End it."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        await soon(self._running)
        self._connection.close()


class ApiClient:
    """A client of the API at `url`, with a bearer token and the certificates that it trusts."""

    def __init__(self, url: str, token: str = "", ca: str = "", agent: str = "tests/1") -> None:
        self.url = url
        self._place = urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        self._headers = {"User-Agent": agent, "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._place.hostname or "", self._place.port
        if self._tls:
            return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=PATIENCE)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        form: str = "application/json",
        **query: Any,
    ) -> ApiReply:
        """Make a request; the body may be text."""
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        headers = {**self._headers, "Content-Type": form}

        def run() -> ApiReply:
            connection = self._connection()
            try:
                connection.request(method, _with(path, query), data, headers)
                response = connection.getresponse()
                named = {name.lower(): value for name, value in response.getheaders()}
                text = response.read()
                # Not every answer in JSON is marked as such.
                found = json.loads(text) if text.startswith(b"{") else text.decode()
                return ApiReply(response.status, named, found)
            finally:
                connection.close()

        reply: ApiReply = await soon(deferToThread(run))
        return reply

    async def get(self, path: str, **query: Any) -> ApiReply:
        """Read an object or a list."""
        return await self.ask("GET", path, **query)

    async def create(self, path: str, obj: Object, **query: Any) -> ApiReply:
        """Create an object in a collection."""
        return await self.ask("POST", path, obj, **query)

    async def update(self, path: str, obj: Object, **query: Any) -> ApiReply:
        """Replace an object."""
        return await self.ask("PUT", path, obj, **query)

    async def patch(self, path: str, patch: Any, way: str = "merge", **query: Any) -> ApiReply:
        """Change an object in one of the ways of `FORMS`."""
        return await self.ask("PATCH", path, patch, FORMS[way], **query)

    async def apply(self, path: str, obj: Object, manager: str = "one", **query: Any) -> ApiReply:
        """Apply an object."""
        return await self.patch(path, obj, "apply", fieldManager=manager, **query)

    async def delete(self, path: str, options: Object | None = None, **query: Any) -> ApiReply:
        """Delete an object, or a collection."""
        return await self.ask("DELETE", path, options, **query)

    async def watch(self, path: str, **query: Any) -> ApiWatch:
        """Watch a collection, from the moment on in which the server has answered."""
        found = ApiWatch(self._connection(), _with(path, {"watch": "1", **query}), self._headers)
        await soon(found.begun)
        return found


def _with(path: str, query: Mapping[str, Any]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
