"""Which lists are maps by a key, which are sets, and what is one value as a whole."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from twistdp.testing.apiserver.kinds import Kind

Keys = tuple[tuple[str, Any], ...]
"""Names of fields that identify an item of a list, each with its default, None for none."""


class Shape(Protocol):
    """How the values at one place of an object are merged."""

    is_atomic: bool
    """One value: it is replaced as a whole and has one owner."""
    is_set: bool
    """A list of values of which each has its owners."""
    keys: Keys
    """A list that is a map by these fields; empty for others."""

    def field(self, name: str) -> "Shape":
        """The shape of a field."""
        ...

    def item(self) -> "Shape":
        """The shape of a list's items."""
        ...


_NAME: Keys = (("name", None),)
_TYPE: Keys = (("type", None),)
_LISTS: Mapping[str, Keys] = {
    "containers": _NAME,
    "initContainers": _NAME,
    "ephemeralContainers": _NAME,
    "volumes": _NAME,
    "env": _NAME,
    "claims": _NAME,
    "resourceClaims": _NAME,
    "resourceClaimStatuses": _NAME,
    "schedulingGates": _NAME,
    "spec.imagePullSecrets": _NAME,
    "secrets": _NAME,
    "webhooks": _NAME,
    "matchConditions": _NAME,
    "containers.ports": (("containerPort", None), ("protocol", "TCP")),
    "initContainers.ports": (("containerPort", None), ("protocol", "TCP")),
    "ephemeralContainers.ports": (("containerPort", None), ("protocol", "TCP")),
    "spec.ports": (("port", None), ("protocol", "TCP")),
    "volumeMounts": (("mountPath", None),),
    "volumeDevices": (("devicePath", None),),
    "topologySpreadConstraints": (("topologyKey", None), ("whenUnsatisfiable", None)),
    "hostAliases": (("ip", None),),
    "podIPs": (("ip", None),),
    "addresses": _TYPE,
    "conditions": _TYPE,
    "metadata.ownerReferences": (("uid", None),),
    "reservedFor": (("uid", None),),
    "status.devices": (("driver", None), ("device", None), ("pool", None), ("shareID", None)),
}
_SETS = {"metadata.finalizers", "podCIDRs"}
_ATOMIC = {
    "configMapKeyRef", "secretKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretRef",
    "nodePublishSecretRef", "dataSource", "involvedObject", "regarding", "related", "roleRef",
    "labelSelector", "namespaceSelector", "objectSelector", "nodeSelector", "spec.selector",
    "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
}  # fmt: skip
_ATOMIC_ITEMS = {"spec.imagePullSecrets", "metadata.ownerReferences", "secrets"}


class BuiltIn:
    """The shape of a place in a built-in object, from its last two names.

    `tests` compare the tables with what a real API server publishes.
    """

    def __init__(self, parent: str = "", name: str = "", is_item: bool = False) -> None:
        pair = f"{parent}.{name}"

        def listed(table: Any) -> bool:
            return pair in table or name in table

        self.is_atomic = listed(_ATOMIC_ITEMS if is_item else _ATOMIC)
        self.is_set = not is_item and listed(_SETS)
        self.keys: Keys = () if is_item else _LISTS.get(pair, _LISTS.get(name, ()))
        self._parent, self._name = parent, name
        self._fields: dict[str, Shape] = {}
        self._item: Shape | None = None

    def field(self, name: str) -> Shape:
        """See `Shape`."""
        if name not in self._fields:
            self._fields[name] = BuiltIn(self._name, name)
        return self._fields[name]

    def item(self) -> Shape:
        """See `Shape`."""
        if self._item is None:
            self._item = BuiltIn(self._parent, self._name, is_item=True)
        return self._item


class Custom:
    """The shape of a place in a custom object, from its schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        form = schema.get("x-kubernetes-list-type")
        self.is_atomic = schema.get("x-kubernetes-map-type") == "atomic"
        self.is_set = form == "set"
        self.keys: Keys = ()
        if form == "map":
            properties = (schema.get("items") or {}).get("properties") or {}
            self.keys = tuple(
                (name, properties.get(name, {}).get("default"))
                for name in schema.get("x-kubernetes-list-map-keys", ())
            )
        self._fields: dict[str, Shape] = {}

    def field(self, name: str) -> Shape:
        """See `Shape`."""
        if name not in self._fields:
            found = (self._schema.get("properties") or {}).get(name)
            if found is None:
                more = self._schema.get("additionalProperties")
                found = more if isinstance(more, Mapping) else {}
            self._fields[name] = Custom(found)
        return self._fields[name]

    def item(self) -> Shape:
        """See `Shape`."""
        return Custom(self._schema.get("items") or {})


class _CustomTop(Custom):
    """A custom object's metadata are like any other's."""

    def field(self, name: str) -> Shape:
        return _BUILT_IN.field(name) if name == "metadata" else super().field(name)


_BUILT_IN = BuiltIn()


def shape_of(kind: Kind, version: str) -> Shape:
    """The shape of a kind's objects."""
    if not kind.custom:
        return _BUILT_IN
    return _CustomTop(kind.schema(version))


def item_key(keys: Keys, item: Any) -> str:
    """What identifies an item of a list that is a map, as managed fields have it."""
    if not isinstance(item, Mapping):
        return value_key(item)
    found = {name: item.get(name, default) for name, default in keys}
    named = {name: value for name, value in sorted(found.items()) if value is not None}
    return "k:" + json.dumps(named, separators=(",", ":"))


def value_key(value: Any) -> str:
    """What identifies a value of a set, as managed fields have it."""
    return "v:" + json.dumps(value, separators=(",", ":"))
