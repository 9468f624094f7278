"""Role based access control, by the roles and bindings that are stored."""

from collections.abc import Iterable, Iterator
from typing import Any

from twistdp.testing.apiserver.kinds import RBAC
from twistdp.testing.apiserver.record import ApiCall
from twistdp.testing.apiserver.registry import Registry
from twistdp.testing.apiserver.store import Store

Object = dict[str, Any]

ACCOUNT = "system:serviceaccount:"
MASTERS = ("system:admin", "admin")
"""Users who may do everything."""


class Rights:
    """Decides what users may do; a service account is ``system:serviceaccount:NAMESPACE:NAME``."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def allows(self, call: ApiCall) -> bool:
        """Whether a call is allowed."""
        if call.user in MASTERS:
            return True
        return any(_covers(rule, call) for rule in self._rules(call))

    def _rules(self, call: ApiCall) -> Iterator[Object]:
        """The rules of everything that is bound to a user where a call is."""
        for plural, namespace in (
            ("clusterrolebindings", ""),
            ("rolebindings", call.namespace),
        ):
            for binding in self._objects(plural):
                place = binding["metadata"].get("namespace", "")
                if place != namespace or (plural == "rolebindings" and not namespace):
                    continue
                if any(_is_of(call.user, subject) for subject in binding.get("subjects") or ()):
                    yield from self._role(binding["roleRef"], namespace)

    def _objects(self, plural: str) -> Iterable[Object]:
        kind = self._registry.get(RBAC, plural)
        assert kind is not None
        return [stored.object for stored in self._store.shelf(kind).objects.values()]

    def _role(self, reference: Object, namespace: str) -> Iterable[Object]:
        is_wide = reference["kind"] == "ClusterRole"
        kind = self._registry.get(RBAC, "clusterroles" if is_wide else "roles")
        assert kind is not None
        found = self._store.get(kind, "" if is_wide else namespace, reference["name"])
        return (found.object.get("rules") or ()) if found else ()


def _is_of(user: str, subject: Object) -> bool:
    """Whether a subject of a binding is a user."""
    kind, name = subject["kind"], subject["name"]
    if kind == "ServiceAccount":
        return user == f"{ACCOUNT}{subject.get('namespace', '')}:{name}"
    if kind == "User":
        return user == str(name)
    groups = {"system:authenticated"}
    if user.startswith(ACCOUNT):
        namespace = user.removeprefix(ACCOUNT).partition(":")[0]
        groups |= {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"}
    return name in groups


def _covers(rule: Object, call: ApiCall) -> bool:
    """Whether a rule allows a call."""
    verb = "patch" if call.verb == "apply" else call.verb
    resource = f"{call.kind}/{call.subresource}" if call.subresource else call.kind
    resources = rule.get("resources") or ()
    names = rule.get("resourceNames")
    return (
        _has(rule.get("verbs"), verb)
        and _has(rule.get("apiGroups"), call.group)
        and (_has(resources, resource) or f"*/{call.subresource}" in resources)
        and (not names or call.name in names)
    )


def _has(listed: Iterable[str] | None, wanted: str) -> bool:
    return listed is not None and ("*" in listed or wanted in listed)
