"""What the API server answers when it refuses a request, in the words of the real one."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from twistdp.errors import TwistdpError
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.record import ApiCall


class ApiRefused(TwistdpError):
    """The API server refuses a request; `status` is the Status object that it answers with."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        details = dict(details or {})
        if retry_after:
            details["retryAfterSeconds"] = retry_after
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }

    @property
    def reason(self) -> str:
        """The reason in one word, such as ``Conflict``."""
        return str(self.status["reason"])


def _about(kind: Kind, name: str) -> dict[str, str]:
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in details.items() if value}


def not_found(kind: Kind, name: str) -> ApiRefused:
    """There is no such object."""
    return ApiRefused(404, "NotFound", f'{kind.resource} "{name}" not found', _about(kind, name))


def no_such_path() -> ApiRefused:
    """There is no such resource."""
    return ApiRefused(404, "NotFound", "the server could not find the requested resource")


def already_exists(kind: Kind, name: str) -> ApiRefused:
    """There is such an object already."""
    message = f'{kind.resource} "{name}" already exists'
    return ApiRefused(409, "AlreadyExists", message, _about(kind, name))


def conflict(kind: Kind, name: str, why: str = "") -> ApiRefused:
    """The object has changed since the client read it, or a precondition does not hold."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    )
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiRefused(409, "Conflict", message, _about(kind, name))


def invalid(kind: Kind, name: str, causes: Iterable[tuple[str, str, str]]) -> ApiRefused:
    """The object breaks rules: for each its field, a reason, and a text.

    A reason is one such as ``FieldValueInvalid``.
    """
    causes = list(causes)
    texts = [f"{field}: {text}" for field, _, text in causes]
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {
        **_about(kind, name),
        "kind": kind.kind,
        "causes": [
            {"reason": reason, "message": text, "field": field} for field, reason, text in causes
        ],
    }
    return ApiRefused(422, "Invalid", f'{kind.qualified} "{name}" is invalid: {said}', details)


def bad_request(message: str) -> ApiRefused:
    """The request makes no sense."""
    return ApiRefused(400, "BadRequest", message)


def not_allowed() -> ApiRefused:
    """The resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiRefused(405, "MethodNotAllowed", message)


def expired(message: str) -> ApiRefused:
    """A version that the client asks for has been compacted."""
    return ApiRefused(410, "Expired", message)


def too_large(asked: int, current: int) -> ApiRefused:
    """A version that the client asks for lies in the future."""
    message = f"Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiRefused(504, "Timeout", f"Timeout: {message}", {"causes": causes}, retry_after=1)


def unsupported_media(accepted: Iterable[str]) -> ApiRefused:
    """The body is in a format that the resource does not take."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return ApiRefused(415, "UnsupportedMediaType", message)


def unauthorized() -> ApiRefused:
    """Nobody has this token, or it has expired."""
    return ApiRefused(401, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, call: ApiCall) -> ApiRefused:
    """The user may not do this."""
    scope = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
    resource = f"{kind.plural}/{call.subresource}" if call.subresource else kind.plural
    verb = "patch" if call.verb == "apply" else call.verb
    about = f'{kind.resource} "{call.name}"' if call.name else kind.resource
    message = (
        f'{about} is forbidden: User "{call.user}" cannot {verb} resource "{resource}" '
        f'in API group "{kind.group}" {scope}'
    )
    return ApiRefused(403, "Forbidden", message, _about(kind, call.name))


def failing(code: int, retry_after: int = 0) -> ApiRefused:
    """An error of the server itself, such as 429, 500, 503 or 504, or of a proxy before it."""
    known = {
        429: (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504: (
            "Timeout",
            "the server was unable to return a response in the time allotted, but may still be "
            "processing the request",
        ),
    }
    reason, message = known.get(code) or ("Unknown", HTTPStatus(code).phrase)
    return ApiRefused(code, reason, message, retry_after=retry_after)
