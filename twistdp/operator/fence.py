"""Keeps an operator that is no longer the leader from writing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from twistdp.operator.api import Document, IApi, Unreachable
from twistdp.operator.kinds import Kind

Documents = list[Document]


@implementer(IApi)
class Fenced:
    """The API server of `api`, which is not reached by writes while `may_write` returns false."""

    def __init__(self, api: IApi, may_write: Callable[[], bool]) -> None:
        self._api = api
        self._may_write = may_write

    def _write(self, request: Callable[..., Deferred[Any]], *arguments: Any) -> Deferred[Any]:
        if self._may_write():
            return request(*arguments)
        return fail(Unreachable("this operator is not the leader"))

    def apply(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._write(self._api.apply, document)

    def apply_status(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._write(self._api.apply_status, document)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        subresource: str = "",
    ) -> Deferred[Document]:
        """See `IApi`."""
        return self._write(self._api.patch, kind, namespace, name, operations, subresource)

    def create(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._write(self._api.create, document)

    def replace(self, document: Mapping[str, Any]) -> Deferred[Document]:
        """See `IApi`."""
        return self._write(self._api.replace, document)

    def get(self, kind: Kind, namespace: str, name: str) -> Deferred[Document]:
        """See `IApi`."""
        return self._api.get(kind, namespace, name)

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> Deferred[Documents]:
        """See `IApi`."""
        return self._api.list(kind, namespace, labels)

    def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> Deferred[None]:
        """See `IApi`."""
        return self._write(self._api.delete, kind, namespace, name, uid)
