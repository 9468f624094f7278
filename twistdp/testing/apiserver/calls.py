"""Requests as values: what a client asks, of what, and what comes of it."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import attrs
import yaml

from twistdp.deployment import ObjectLoader
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.record import ApiCall
from twistdp.testing.apiserver.refusals import bad_request, unsupported_media


@attrs.frozen
class Asked:
    """A request as it comes in; names of headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""

    @property
    def is_watch(self) -> bool:
        """Whether it asks for a watch."""
        return self.method == "GET" and self.query.get("watch", "") in ("1", "true")

    @property
    def content_type(self) -> str:
        """The body's type, without parameters."""
        return self.headers.get("content-type", "application/json").partition(";")[0].strip()

    def parsed(self) -> Any:
        """The body, which is JSON or YAML; raises `ApiRefused`."""
        if not self.content_type.endswith(("json", "yaml")):
            raise unsupported_media(["application/json", "application/yaml"])
        try:
            return json.loads(self.body)
        except ValueError as error:
            if not self.content_type.endswith("yaml"):
                raise bad_request(
                    f"couldn't get version/kind; json parse error: {error}"
                ) from error
        try:
            return yaml.load(self.body, ObjectLoader)  # noqa: S506 - it is a SafeLoader
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from error


@attrs.frozen
class Target:
    """What a path stands for."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str


def target_of(path: str) -> Target | None:
    """The target of a path below ``/api/`` or ``/apis/``; None if it is not about objects."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource, *more = [*rest, "", ""][: max(3, len(rest))]
    return None if more else Target(group, version, plural, namespace, name, subresource)


def verb_of(asked: Asked, target: Target) -> str:
    """What a request does."""
    if asked.method == "GET":
        return "watch" if asked.is_watch else "get" if target.name else "list"
    if asked.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if asked.method == "PATCH":
        return "apply" if asked.content_type.startswith("application/apply-patch") else "patch"
    return {"POST": "create", "PUT": "update"}.get(asked.method, asked.method.lower())


def call_of(asked: Asked, target: Target, user: str) -> ApiCall:
    """A request for the record."""
    agent = asked.headers.get("user-agent", "")
    name = target.name or _selected(asked.query.get("fieldSelector", ""))
    return ApiCall(
        verb_of(asked, target),
        target.group,
        target.plural,
        target.namespace,
        name,
        target.subresource,
        user,
        agent,
        asked.query.get("fieldManager") or agent.partition("/")[0] or "unknown",
        asked.query.get("dryRun") == "All",
    )


def _selected(fields: str) -> str:
    """The name that a field selector selects, if it does so."""
    for part in fields.split(","):
        field, _, name = part.strip().partition("=")
        if field == "metadata.name":
            return name.removeprefix("=")
    return ""


@attrs.frozen
class Answer:
    """What a request is answered with."""

    code: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, value: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> "Answer":
        """An answer with a value as JSON."""
        return cls(code, json.dumps(value, separators=(",", ":")).encode(), headers or {})


def list_of(kind: Kind, version: str, items: list[bytes], metadata: Mapping[str, Any]) -> bytes:
    """A list as JSON."""
    head = {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version(version),
        "metadata": metadata,
    }
    start = json.dumps(head, separators=(",", ":"))[:-1].encode()
    return start + b',"items":[' + b",".join(items) + b"]}"
