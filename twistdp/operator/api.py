"""What the operator asks of the API server, and how that can fail."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from twistdp.errors import RetriedError
from twistdp.operator.kinds import Kind

Document = dict[str, Any]
"""An object as JSON has it."""

FIELD_MANAGER = "twistdp-operator"
"""The name under which the API server notes which fields are the operator's."""


class ApiError(RetriedError):
    """The API server refuses a request.

    `status` is HTTP's status code; `reason` the API's word, such as ``Conflict`` or ``Invalid``
    (empty if the answer had none); `message` its text; `retry_after` the seconds after which it
    wants to be asked again, None unless it says so.  `verb` and `resource` say what was asked, as
    RBAC rules do: ``patch`` of ``daemonsets.apps``.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after: float | None = None,
        *,
        verb: str = "",
        resource: str = "",
    ) -> None:
        super().__init__(message or reason or f"HTTP status {status}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.verb = verb
        self.resource = resource


class Unreachable(RetriedError, ConnectionError):
    """The API server cannot be reached, or the connection broke before it answered.

    Whether a request that was sent has been carried out is not known.
    """


class IApi(Interface):
    """The requests of the operator.

    Each Deferred fires with what the API server answers, or fails with `ApiError` or
    `Unreachable` and nothing else; each of them ends within a time limit of the client's own.  A
    Deferred that is cancelled fails with CancelledError at once.  The client tries nothing again:
    callers know whether that makes sense.
    """

    def apply(document: Mapping[str, Any]) -> Deferred[Document]:
        """Make an object have these fields, by server-side apply with force.

        The object is created if there is none.  With ``metadata.uid`` it must be that very object:
        otherwise the answer is 409 Conflict, as it is if there is none any more.
        """

    def apply_status(document: Mapping[str, Any]) -> Deferred[Document]:
        """Make an object's status have these fields, by server-side apply with force.

        `document` has apiVersion, kind, metadata (name, namespace, and uid as above) and the whole
        status: fields that the operator applied before and that are not in it are removed.
        """

    def patch(
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        subresource: str = "",
    ) -> Deferred[Document]:
        """Change an object by a JSON patch (RFC 6902).

        An operation ``test`` that does not hold fails with 422 Invalid, and nothing is changed.
        """

    def create(document: Mapping[str, Any]) -> Deferred[Document]:
        """Create an object; 409 AlreadyExists if there is one of the name."""

    def replace(document: Mapping[str, Any]) -> Deferred[Document]:
        """Replace an object; 409 Conflict unless ``metadata.resourceVersion`` is its newest."""

    def get(kind: Kind, namespace: str, name: str) -> Deferred[Document]:
        """Return an object; 404 NotFound if there is none."""

    def list(kind: Kind, namespace: str = "", labels: str = "") -> Deferred[list[Document]]:
        """Return all objects, of all namespaces if `namespace` is empty, in as many pages as
        it takes; `labels` is a label selector.
        """

    def delete(kind: Kind, namespace: str, name: str, uid: str = "") -> Deferred[None]:
        """Delete an object, and in the background what it owns; 404 NotFound if there is none.

        With `uid`, 409 Conflict if the object of the name is another one.
        """


class IObserver(Interface):
    """Takes what watches of the API server bring; `Reconciler` provides it.

    Nothing that is called here makes a request at once, nor raises, whatever a document has in it.
    """

    def observe(kind: Kind, change: str | None, document: Mapping[str, Any]) -> None:
        """Take a change of an object, or the object as a list has it.

        `change` is the watch's word, ``ADDED``, ``MODIFIED`` or ``DELETED``, and None for an
        object of a list.  The document may be changed or dropped afterwards.
        """

    def listing(kind: Kind) -> None:
        """Take note that a list begins: one that broke off before does not count."""

    def listed(kind: Kind) -> None:
        """Take note that a list is complete: objects that were not in it are gone.

        Call it after the objects of each list of the kind, the first and those after a watch that
        could not go on (410 Gone).  Before the first one of each kind nothing is reconciled.
        """
