"""The objects that belong to a DevicePlugin: their versions, and whether one has been changed."""

import hashlib
import json
from collections.abc import Mapping
from sys import intern
from typing import Any

import attrs

from twistdp.operator.api import FIELD_MANAGER
from twistdp.operator.desired import MANAGED_LABEL
from twistdp.operator.kinds import DAEMON_SET, DEVICE_PLUGIN, Kind
from twistdp.operator.observed import (
    NAME_LABEL,
    DaemonSetSeen,
    daemon_set_of,
    items,
    mapping,
    number,
    text,
)


@attrs.frozen
class Place:
    """What an object is found under."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """As messages have it: ``DaemonSet twistdp-system/gpus``."""
        return f"{self.kind} {self.namespace}/{self.name}".replace(" /", " ")


@attrs.frozen
class Version:
    """A version of an object, without its status.

    `revision` is its resourceVersion, which grows with each change, that of the status too; 0 if
    it is not a number.  `spec` grows only when something else than the status or the metadata
    changes: the generation, or the resourceVersion of kinds that have none.  `marks` stands for
    the labels, annotations and owners.
    """

    uid: str
    revision: int
    spec: int
    marks: int

    def same_as(self, other: "Version") -> bool:
        """Whether only the status, if anything, differs."""
        return (self.uid, self.spec, self.marks) == (other.uid, other.spec, other.marks)


@attrs.frozen
class Child:
    """What is kept of an object that the operator may have made.

    `owner` and `owner_uid` are its DevicePlugin, empty if none owns it; `label` the one that its
    label names; `managed` whether its labels say that the operator makes it.  `controlled` is true
    if another kind of object owns it.  `entry` is the place among its managed fields of those that
    the operator has created and not yet applied, None if there are none.  `daemon_set` has the
    counts of a DaemonSet.
    """

    place: Place
    version: Version
    owner: str
    owner_uid: str
    label: str
    managed: bool
    controlled: bool
    deleting: bool
    entry: int | None = None
    daemon_set: DaemonSetSeen | None = None

    @property
    def plugins(self) -> frozenset[str]:
        """The names of DevicePlugins that have to do with it."""
        return frozenset(filter(None, (self.owner, self.label)))


def place_of(document: Mapping[str, Any]) -> Place:
    """Return the place of an object whose kind the document has."""
    metadata = mapping(document, "metadata")
    return Place(
        intern(text(document.get("kind"))),
        intern(text(metadata.get("namespace"))),
        intern(text(metadata.get("name"))),
    )


def version_of(document: Mapping[str, Any]) -> Version:
    """Return the version of an object."""
    metadata = mapping(document, "metadata")
    revision = number(metadata.get("resourceVersion"))
    return Version(
        uid=text(metadata.get("uid")),
        revision=revision,
        spec=number(metadata.get("generation")) or revision,
        marks=digest([metadata.get(key) for key in ("labels", "annotations", "ownerReferences")]),
    )


def child_of(kind: Kind, document: Mapping[str, Any]) -> Child:
    """Return what is kept of an object; its kind may be absent in it, as it is in lists."""
    metadata = mapping(document, "metadata")
    labels = mapping(metadata, "labels")
    owner = next(
        (o for o in items(metadata, "ownerReferences") if o.get("kind") == DEVICE_PLUGIN.name), {}
    )
    return Child(
        place=attrs.evolve(place_of(document), kind=kind.name),
        version=version_of(document),
        owner=intern(text(owner.get("name"))),
        owner_uid=intern(text(owner.get("uid"))),
        label=intern(text(labels.get(NAME_LABEL))),
        managed=labels.get(MANAGED_LABEL) == FIELD_MANAGER,
        controlled=any(
            o is not owner and o.get("controller") is True
            for o in items(metadata, "ownerReferences")
        ),
        deleting="deletionTimestamp" in metadata,
        entry=_created(metadata),
        daemon_set=daemon_set_of(document) if kind == DAEMON_SET else None,
    )


def _created(metadata: Mapping[str, Any]) -> int | None:
    for place, entry in enumerate(items(metadata, "managedFields")):
        found = entry.get("manager"), entry.get("operation"), entry.get("subresource", "")
        if found == (FIELD_MANAGER, "Update", ""):
            return place
    return None


def digest(value: Any) -> int:
    """Return a number that stands for a JSON value."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    hashed = hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(hashed.digest(), "big")
