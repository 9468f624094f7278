"""Selectors of the SR-IOV network device plugin as conditions of ours."""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from twistdp.config.convert.report import Report
from twistdp.config.convert.shapes import Field, Fields, Shapes, literal

Body: TypeAlias = dict[str, Any]

_COMMON: Final = ("vendors", "devices", "drivers", "pciAddresses")
KNOWN: Final = {
    "netDevice": (
        *_COMMON,
        "pfNames",
        "rootDevices",
        "linkTypes",
        "acpiIndexes",
        "isRdma",
        "needVhostNet",
        "ddpProfiles",
        "vdpaType",
        "pKeys",
    ),
    "accelerator": _COMMON,
}
"""The selectors of each type of device; the plugin ignores others."""

_CLASSES: Final = {"netDevice": "02????", "accelerator": "12????"}
_LINK_TYPES: Final = {"ether": "1", "infiniband": "32"}
_VDPA: Final = {"vhost": "vhost_vdpa", "virtio": "virtio_vdpa"}
_NARROWING: Final = ("ddpProfiles", "pKeys")
"""Selectors that cannot be said here, without which more devices would be selected."""

_MOST: Final = 256
"""Virtual functions that one range may name: no card has more."""


class Left(Exception):
    """A selector cannot be carried over; the text says which and why."""


class Selectors:
    """Reads the selectors of one resource of a type of device."""

    def __init__(self, report: Report, shapes: Shapes, kind: str) -> None:
        self._report = report
        self._shapes = shapes
        self._kind = kind

    def fields(self, fields: Fields) -> Body:
        """The conditions of a selector.  Raises `Left` if they would hold for too much."""
        known = KNOWN[self._kind]
        given = {name: field for name in known if (field := fields.get(name)) is not None}
        for name in _NARROWING:
            if name in given:
                raise Left(f"{name} cannot be tested here")
        match: Body = {"pciClass": _CLASSES[self._kind]}
        for name, key in (
            ("vendors", "vendorID"),
            ("devices", "productID"),
            ("drivers", "driver"),
            ("pciAddresses", "pciBusID"),
        ):
            if name in given:
                match[key] = few([literal(each) for each in self._texts(given[name])])
        if "acpiIndexes" in given:
            match["attribute"] = {"acpi_index": few(self._texts(given["acpiIndexes"]))}
        choices = [[{"child": each}] for each in self._children(given)]
        if "linkTypes" in given:
            # A virtual function without an interface of its own has the type of its physical one.
            child = {"child": self._link(given["linkTypes"])}
            choices.insert(0, [child, {"physfn": child}])
        if "pfNames" in given:
            choices.append(self._functions(given["pfNames"], _by_name))
        if "rootDevices" in given:
            choices.append(self._functions(given["rootDevices"], _by_address))
        if self._kind == "netDevice":
            match["not"] = {"attribute": {"sriov_numvfs": "/[1-9]/"}}
        return _all_of(match, choices)

    def _children(self, given: dict[str, Field]) -> list[Body]:
        """What must belong to a function."""
        children: list[Body] = []
        if self._shapes.flag(given.get("isRdma")):
            children.append({"subsystem": "infiniband"})
        if (kind := self._shapes.text(given.get("vdpaType"))) is not None:
            if kind not in _VDPA:
                raise Left(f"vdpaType {kind} is none of vhost and virtio")
            children.append({"subsystem": "vdpa", "driver": _VDPA[kind]})
        return children

    def _link(self, field: Field) -> Body:
        types = [_LINK_TYPES.get(each, "") for each in self._texts(field)]
        if not all(types):
            raise Left("linkTypes other than ether and infiniband cannot be tested here")
        return {"subsystem": "net", "attribute": {"type": few(types)}}

    def _texts(self, field: Field) -> list[str]:
        found = self._shapes.texts(field)
        if not found and not self._report.problems.found:
            self._report.problem(field.mark, field.at, "the list is empty; leave the key out")
        return found

    def _functions(self, field: Field, by: Any) -> list[Body]:
        """The alternatives for physical functions, some with the numbers of virtual ones."""
        whole: list[str] = []
        numbered: list[Body] = []
        known: set[str] = set()
        for each in self._texts(field):
            name, sharp, numbers = each.partition("#")
            if name.lower() in known:
                text = f"{each}: the SR-IOV plugin looks only at the first entry with this name"
                self._report.note(field.mark, field.at, text)
                continue
            known.add(name.lower())
            if sharp:
                chosen = few(self._numbers(numbers, each, field))
                numbered.append({"physfn": by(literal(name)), "vfNumber": chosen})
            else:
                whole.append(literal(name))
        own = by(few(whole)) if whole else None
        return [*([{"physfn": own}, own] if own else []), *numbered]

    def _numbers(self, text: str, whole: str, field: Field) -> list[int]:
        """The numbers in a list of numbers and ranges."""
        numbers: list[int] = []
        for part in text.split(","):
            found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
            if not first <= last < first + _MOST:
                self._report.problem(
                    field.mark,
                    field.at,
                    f"{whole}: expected numbers and ranges of virtual functions, as 0-3,5",
                )
                return [0]
            numbers += [each for each in range(first, last + 1) if each not in numbers]
        return numbers


def _by_name(names: Any) -> Body:
    return {"child": {"subsystem": "net", "kernelName": names}}


def _by_address(addresses: Any) -> Body:
    return {"pciBusID": addresses}


def few(items: Sequence[Any]) -> Any:
    """A list, or its only item."""
    return items[0] if len(items) == 1 else list(items)


def _all_of(match: Body, choices: list[list[Body]]) -> Body:
    """A match that holds where `match` does and, of each list of choices, one."""
    for each in reversed(choices):
        inner = match.pop("any", None)
        if len(each) == 1 and not match.keys() & each[0].keys():
            match |= each[0]
            if inner:
                match["any"] = inner
        else:
            match["any"] = [_all_of(dict(one), [inner] if inner else []) for one in each]
    return match
