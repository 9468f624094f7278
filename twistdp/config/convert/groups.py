"""Makes one resource of several groups of generic-device-plugin, where that is possible."""

import posixpath
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from twistdp.config.convert.shapes import braces
from twistdp.config.document import Mark
from twistdp.select import is_glob


@attrs.frozen(kw_only=True)
class Node:
    """A path or alternatives, and how it appears in the container; `place` None: as it is."""

    paths: tuple[str, ...]
    place: str | None = None
    permissions: str | None = None
    optional: bool = False
    by_name: bool = False
    """Whether the node of this kernel name of the same hardware is meant."""

    @property
    def inside(self) -> str | None:
        """The path in the container, if it is known."""
        if self.place is not None or len(self.paths) > 1 or is_glob(self.paths[0]):
            return self.place
        return self.paths[0]

    def merged(self, other: "Node") -> "Node | None":
        """A node that has the alternatives of both; None if they differ in more."""
        place = self.place
        if place != other.place:
            place = self.inside
            if place is None or place != other.inside:
                return None
        if (self.permissions, self.optional) != (other.permissions, other.optional):
            return None
        paths = tuple(dict.fromkeys((*self.paths, *other.paths)))
        return attrs.evolve(self, paths=paths, place=place)

    def merged_member(self, other: "Node") -> "Node | None":
        """As `merged`, of members: other paths mean the same kind of node of other hardware."""
        if self.paths == other.paths:
            return self if self == other else None
        merged = self.merged(other)
        if merged is None or any("/by-" in path for path in merged.paths):
            return None
        return attrs.evolve(merged, by_name=True)

    def said(self) -> dict[str, Any]:
        """The key `node`, if it is needed."""
        node = {}
        if self.place is not None:
            node["containerPath"] = _as_template(self.place)
        if self.permissions is not None and set(self.permissions) != set("mrw"):
            node["permissions"] = self.permissions
        return {"node": node} if node else {}

    def member(self) -> dict[str, Any] | str:
        """The node as a member."""
        names = [posixpath.basename(path) for path in self.paths] if self.by_name else self.paths
        body: dict[str, Any] = {"kernelName" if self.by_name else "path": one_or_list(names)}
        if self.optional:
            body["optional"] = True
        body |= self.said()
        return self.paths[0] if body == {"path": self.paths[0]} else body


def _as_template(place: str) -> str:
    place = braces(place)
    return f"{place}{{kernelName}}" if place in ("/dev/", "/") else place


def one_or_list(items: Iterable[Any]) -> Any:
    """The only item, or all of them as a list."""
    found = list(items)
    return found[0] if len(found) == 1 else found


@attrs.frozen
class Part:
    """What a group becomes: paths or USB devices, each a device of the resource."""

    mark: Mark
    at: str
    lead: Node | None = None
    usb: Sequence[dict[str, str]] = ()
    permissions: str | None = None
    members: tuple[Node, ...] = ()
    mounts: Sequence[dict[str, Any]] = ()
    group: str | None = None
    limit: int | None = None
    count: int = 1
    counts: tuple[tuple[int, Any], ...] = ()
    """The count of each group that was combined, with its conditions."""

    def conditions(self) -> dict[str, Any]:
        """What devices must meet."""
        if self.lead is not None:
            return {"path": one_or_list(self.lead.paths)}
        if any("serial" in each for each in self.usb) and len(self.usb) > 1:
            return {"match": list(self.usb)}
        if len(self.usb) == 1:
            return dict(self.usb[0])
        return {"usb": [each["usb"] for each in self.usb]}

    def all_counts(self) -> tuple[tuple[int, Any], ...]:
        """The counts of the groups in this part."""
        return self.counts or ((self.count, self.conditions()),)

    def merged(self, other: "Part") -> "Part | None":
        """The part that has the devices of both; None if they differ in more than these."""
        same = ("permissions", "mounts")
        if (self.limit is None) != (other.limit is None):
            return None
        if self.group or other.group or (self.lead is None) != (other.lead is None):
            return None
        if any(getattr(self, name) != getattr(other, name) for name in same):
            return None
        counts = (*self.all_counts(), *other.all_counts())
        if len({count for count, _ in counts} - {1}) > 1:
            return None
        if self.lead is None or other.lead is None:
            return attrs.evolve(self, usb=[*self.usb, *other.usb], counts=counts)
        lead = self.lead.merged(other.lead)
        if lead is None or len(self.members) != len(other.members):
            return None
        members = []
        for one, two in zip(self.members, other.members, strict=True):
            member = one.merged_member(two)
            if member is None:
                return None
            members.append(member)
        limit = self.limit + other.limit if self.limit and other.limit else None
        return attrs.evolve(self, lead=lead, members=tuple(members), counts=counts, limit=limit)

    def body(self) -> dict[str, Any]:
        """The resource."""
        body = self.conditions()
        if self.lead is not None:
            body |= self.lead.said()
        else:
            body |= {"as": "usb", "node": {"permissions": self.permissions}}
        if self.group:
            body["group"] = self.group
        if self.members:
            body["members"] = [each.member() for each in self.members]
        if self.mounts:
            body["mounts"] = list(self.mounts)
        if self.limit is not None:
            body["limit"] = self.limit
        counts = self.all_counts()
        most = max(count for count, _ in counts)
        if most > 1:
            body["replicas"] = most
            shared = [conditions for count, conditions in counts if count > 1]
            if len(shared) < len(counts):
                body["replicas"] = {"count": most, "match": shared}
        return body


def combined(parts: Iterable[Part]) -> list[Part]:
    """The parts, those that can be one resource combined; the first part is the first."""
    found: list[Part] = []
    for part in parts:
        for index, other in enumerate(found):
            merged = other.merged(part)
            if merged is not None:
                found[index] = merged
                break
        else:
            found.append(part)
    return found
