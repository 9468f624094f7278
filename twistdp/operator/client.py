"""Requests of the API server, on aiohttp; see `twistdp.operator.api`."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from yarl import URL
from zope.interface import implementer

from twistdp._version import __version__
from twistdp.operator.api import FIELD_MANAGER, ApiError, Document, IApi, Unreachable
from twistdp.operator.asked import Asked, asked
from twistdp.operator.credentials import Cluster
from twistdp.operator.kinds import Kind, kind_of
from twistdp.operator.refusal import refusal
from twistdp.rpc import Running

TIMEOUT: Final = 30.0
"""Seconds after which a request has failed."""

CONNECT: Final = 10.0
"""Seconds for a connection."""

PAGE: Final = 500
"""Objects in one answer to a list."""

_JSON: Final = "application/json"
_APPLY: Final = "application/apply-patch+yaml"
_JSON_PATCH: Final = "application/json-patch+json"

Documents = list[Document]
T = TypeVar("T")
Seen = Callable[[Asked, int, str], object]
"""Takes note of a request and its answer's status; if there was none, of 0 and the reason."""


@implementer(IApi)
class Client:
    """The API server of `cluster`; `seen` takes note of each answer."""

    def __init__(
        self,
        cluster: Cluster,
        loop: asyncio.AbstractEventLoop,
        seen: Seen = lambda _asked, _status, _reason: None,
        timeout: float = TIMEOUT,
    ) -> None:
        self.cluster = cluster
        self._loop = loop
        self._seen = seen
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECT))
        self._connector: aiohttp.TCPConnector | None = None
        self._session: aiohttp.ClientSession | None = None

    def apply(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._apply(document)

    def apply_status(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._apply(document, "status")

    def _apply(self, document: Mapping[str, Any], subresource: str = "") -> Deferred[Document]:
        """Server-side apply is a PATCH of a type of its own; JSON is YAML, too."""
        name = document["metadata"]["name"]
        path = kind_of(document).path(_namespace(document), name, subresource)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._run(self._request("PATCH", path, query, document, _APPLY))

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        subresource: str = "",
    ) -> Deferred[Document]:
        """See `IApi`."""
        path = kind.path(namespace, name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        return self._run(self._request("PATCH", path, query, operations, _JSON_PATCH))

    def create(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        path = kind_of(document).path(_namespace(document))
        query = {"fieldManager": FIELD_MANAGER}
        return self._run(self._request("POST", path, query, document))

    def replace(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        path = kind_of(document).path(_namespace(document), document["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER}
        return self._run(self._request("PUT", path, query, document))

    def get(self, kind: Kind, namespace: str, name: str) -> Deferred[Document]:
        """See `IApi`."""
        return self._run(self._request("GET", kind.path(namespace, name)))

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> Deferred[list[Document]]:
        """See `IApi`."""
        return self._run(self._list(kind.path(namespace), labels))

    def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> Deferred[None]:
        """See `IApi`."""
        options: Document = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        return self._run(self._delete(kind.path(namespace, name), options))

    async def document(self, path: str) -> Document:
        """Return what a path has, such as ``/apis``; to be awaited on the loop.

        Raises `ApiError` and `Unreachable`.
        """
        return await self._request("GET", path)

    def borrowed(
        self, response: type[aiohttp.ClientResponse] = aiohttp.ClientResponse
    ) -> aiohttp.ClientSession:
        """Return a new session for somebody else, who closes it; it shares our connections.

        Its requests show who we are, and are noted, as ours are.  Answers are of the class
        `response`.  To be called on the loop.
        """
        if self._connector is None or self._connector.closed:
            tls = self.cluster.tls
            self._connector = aiohttp.TCPConnector(limit=0, ssl=True if tls is None else tls)
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            response_class=response,
            headers={"User-Agent": f"twistdp-operator/{__version__.public()}"},
            middlewares=(self._note, self._authorize),
        )

    def close(self) -> Deferred[None]:
        """Close all connections; a later request opens new ones."""
        return self._run(self._close())

    async def _close(self) -> None:
        session, self._session = self._session, None
        connector, self._connector = self._connector, None
        if session is not None:
            await session.close()
        if connector is not None:
            await connector.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        running = Running()
        task = self._loop.create_task(coroutine)

        def failed(failure: Failure) -> Failure:
            if failure.check(CancelledError) and not running.cancelled:
                return Failure(Unreachable("the request was cut off"))
            return failure

        return running.watch(task).addErrback(failed)

    async def _list(self, path: str, labels: str) -> "Documents":
        selected = {"labelSelector": labels} if labels else {}
        found: Documents = []
        page: Document = {"metadata": {"continue": ""}}
        query = {**selected, "limit": str(PAGE)}
        while True:
            try:
                page = await self._request("GET", path, query)
            except ApiError as error:
                if error.status != 410 or "continue" not in query:
                    raise
                found, query = [], selected  # the pages are too old: all at once
                continue
            found += _items(page)
            more = page.get("metadata", {}).get("continue")
            if not more:
                return found
            query = {**selected, "limit": str(PAGE), "continue": more}

    async def _delete(self, path: str, options: Document) -> None:
        await self._request("DELETE", path, body=options)

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
    ) -> Document:
        """Make one request; raises `ApiError` and `Unreachable` only."""
        if self._session is None or self._session.closed:
            self._session = self.borrowed()
        headers = {"Accept": _JSON}
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body).encode()
        try:
            async with self._session.request(
                method,
                URL(self.cluster.server + path, encoded=True),
                params=query,
                data=data,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                content = await response.read()
        except TimeoutError as error:
            late = f"no answer within {self._timeout.total:g} s"
            # It passes `_note` as a cancellation.
            self._seen(asked(method, path, query or {}), 0, late)
            raise Unreachable(late) from error
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            raise Unreachable(_reason(error)) from error
        if response.status < 300:
            try:
                found = json.loads(content)
            except ValueError as error:
                raise Unreachable("the answer is no JSON") from error
            if not isinstance(found, dict):
                raise Unreachable("the answer is no object")
            return found
        what = asked(method, path, query or {})
        raise refusal(response.status, content, response.headers.get("Retry-After"), what)

    async def _note(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Note the outcome of a request."""
        what = asked(request.method, request.url.raw_path, request.url.query)
        try:
            response = await handler(request)
        except Exception as error:
            self._seen(what, 0, _reason(error))
            raise
        self._seen(what, response.status, "")
        return response

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Show the newest token, and once more if there is a newer one when it is refused."""
        token = self.cluster.token
        if token is None:
            return await handler(request)
        shown = token.value()
        request.headers["Authorization"] = f"Bearer {shown}"
        response = await handler(request)
        if response.status == 401 and (newest := token.value()) != shown:
            response.release()
            request.headers["Authorization"] = f"Bearer {newest}"
            response = await handler(request)
        return response


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _namespace(document: Mapping[str, Any]) -> str:
    found = document["metadata"].get("namespace", "")
    assert isinstance(found, str)
    return found


def _items(page: Document) -> Sequence[Document]:
    """The objects of an answer to a list, each with its kind, which lists leave out."""
    kind = str(page.get("kind", "")).removesuffix("List")
    version = page.get("apiVersion", "")
    items: list[Document] = page.get("items") or []
    for each in items:
        each.setdefault("kind", kind)
        each.setdefault("apiVersion", version)
    return items
