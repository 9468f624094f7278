"""The objects of an API server, as a test reads and changes them beside its clients."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from twistdp.testing.apiserver.calls import Answer, Asked
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.refusals import ApiRefused
from twistdp.testing.apiserver.registry import Registry
from twistdp.testing.apiserver.watches import Watch

Object = dict[str, Any]

MANAGER = "test"


class Objects:
    """Access as an administrator, which is not recorded and meets no faults.

    A kind is named by its plural or kind, with its group where that is needed: ``daemonsets``,
    ``Node``, ``events.events.k8s.io``.  Where a client gets an error, `ApiRefused` is raised.
    """

    def __init__(self, answer: Callable[[Asked], Answer | Watch], registry: Registry) -> None:
        self._answer = answer
        self._registry = registry

    def create(self, obj: Mapping[str, Any], manager: str = MANAGER) -> Object:
        """Create an object; its namespace is ``default`` if it has none."""
        path = _path(self._registry.of(obj), _namespace(obj), "")
        return self._ask("POST", path, obj, fieldManager=manager)

    def update(
        self, obj: Mapping[str, Any], manager: str = MANAGER, subresource: str = ""
    ) -> Object:
        """Replace an object."""
        path = _path(self._registry.of(obj), _namespace(obj), obj["metadata"]["name"], subresource)
        return self._ask("PUT", path, obj, fieldManager=manager)

    def apply(
        self,
        obj: Mapping[str, Any],
        manager: str = MANAGER,
        force: bool = False,
        subresource: str = "",
    ) -> Object:
        """Apply an object, as server-side apply does."""
        path = _path(self._registry.of(obj), _namespace(obj), obj["metadata"]["name"], subresource)
        form = "application/apply-patch+yaml"
        query = {"fieldManager": manager, **({"force": "true"} if force else {})}
        return self._ask("PATCH", path, obj, form, **query)

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        """An object."""
        return self._ask("GET", _path(self._registry.named(kind), namespace, name))

    def find(self, kind: str, name: str, namespace: str = "default") -> Object | None:
        """An object, None if there is none."""
        try:
            return self.get(kind, name, namespace)
        except ApiRefused as error:
            if error.reason != "NotFound":
                raise
            return None

    def list(
        self, kind: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Object]:
        """The objects of a kind, in every namespace unless one is given."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        path = _path(self._registry.named(kind), namespace, "")
        items: list[Object] = self._ask("GET", path, **query)["items"]
        return items

    def patch(
        self,
        kind: str,
        name: str,
        patch: Any,
        namespace: str = "default",
        subresource: str = "",
        manager: str = MANAGER,
    ) -> Object:
        """Change an object by a JSON merge patch, or by the list of operations of a JSON patch."""
        form = "json" if isinstance(patch, list) else "merge"
        path = _path(self._registry.named(kind), namespace, name, subresource)
        form = f"application/{form}-patch+json"
        return self._ask("PATCH", path, patch, form, fieldManager=manager)

    def delete(self, kind: str, name: str, namespace: str = "default", **options: Any) -> Object:
        """Delete an object; `options` are DeleteOptions, such as ``propagationPolicy``."""
        return self._ask("DELETE", _path(self._registry.named(kind), namespace, name), options)

    def _ask(
        self, method: str, path: str, body: Any = None, form: str = "application/json", **query: str
    ) -> Object:
        data = b"" if body is None else json.dumps(body).encode()
        answer = self._answer(Asked(method, path, query, {"content-type": form}, data))
        assert isinstance(answer, Answer)
        found: Object = json.loads(answer.body)
        return found


def _namespace(obj: Mapping[str, Any]) -> str:
    return obj["metadata"].get("namespace") or "default"


def _path(kind: Kind, namespace: str, name: str, subresource: str = "") -> str:
    start = f"/apis/{kind.group}" if kind.group else "/api"
    inside = f"/namespaces/{namespace}" if kind.namespaced and namespace else ""
    end = f"/{name}" * bool(name) + f"/{subresource}" * bool(subresource)
    return f"{start}/{kind.versions[0]}{inside}/{kind.plural}{end}"
