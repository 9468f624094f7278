"""Converts the resource list of the SR-IOV network device plugin."""

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from twistdp.config import document
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes, literal
from twistdp.config.document import Node

TOOL: Final = "sriov"
WORDS: Final = ("resourceList",)
DOMAIN: Final = "intel.com"

_Body: TypeAlias = dict[str, Any]
_KEYS: Final = (
    "resourcePrefix",
    "resourceName",
    "deviceType",
    "excludeTopology",
    "selectors",
    "additionalInfo",
)
_SELECTORS: Final = (
    "vendors",
    "devices",
    "drivers",
    "pciAddresses",
    "pfNames",
    "rootDevices",
    "linkTypes",
    "acpiIndexes",
    "isRdma",
    "needVhostNet",
    "ddpProfiles",
    "vdpaType",
    "pKeys",
    "auxTypes",
)
_CLASSES: Final = {"netDevice": "02????", "accelerator": "12????"}
_LINK_TYPES: Final = {"ether": "1", "infiniband": "32"}
_NARROWING: Final = ("ddpProfiles", "vdpaType", "pKeys", "auxTypes")
"""Selectors that cannot be said here, without which more devices would be selected."""


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    if not isinstance(place.node, document.Mapping):
        return False
    return Fields(place.node, "").get("resourceList") is not None


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resources of all parts of a file to the report."""
    conversion = _Conversion(report, domain)
    for place in places:
        if recognises(place) and isinstance(place.node, document.Mapping):
            conversion.part(Fields(place.node, place.at))


class _Left(Exception):
    """A selector cannot be carried over; the text says which and why."""


class _Conversion:
    def __init__(self, report: Report, domain: str | None) -> None:
        self._report = report
        self._shapes = Shapes(report, "the SR-IOV plugin")
        self._domain = domain

    def part(self, fields: Fields) -> None:
        listed = fields.get("resourceList")
        for node, at in self._shapes.items(listed, "a list of resources"):
            inner = self._shapes.fields(node, at, _KEYS)
            if inner is not None:
                self._resource(inner, at)
        if listed is not None and self._report.drafts:
            self._report.settings["exclusive"] = True
            text = (
                "a device goes to the first resource that selects it (exclusive: true), and "
                "physical functions that have virtual ones are left out; an interface with the "
                "default route is not left out here: do that with deny"
            )
            self._report.note(listed.mark, listed.at, text)

    def _resource(self, fields: Fields, at: str) -> None:
        field = fields.get("resourceName")
        name = self._shapes.text(field)
        if field is None or not name:
            text = "the key 'resourceName' is missing: the resource's name"
            self._report.problem(fields.mark, at, text)
            return
        prefix = self._shapes.text(fields.get("resourcePrefix")) or DOMAIN
        domain = self._domain or prefix
        kind = self._shapes.text(fields.get("deviceType")) or "netDevice"
        if kind not in _CLASSES:
            text = f"{name} is not carried over: deviceType {kind}"
            self._report.note(field.mark, at, f"{text} is none of netDevice and accelerator")
            return
        matches: list[_Body] = []
        members: list[Any] = []
        drivers: set[str] = set()
        for selector, where in self._selectors(fields.get("selectors")):
            inner = self._shapes.fields(selector, where, _SELECTORS)
            if inner is None:
                continue
            try:
                matches.append(self._match(inner, kind))
            except _Left as left:
                text = f"this selector of {name} is left out: {left}"
                self._report.note(inner.mark, where, text)
                continue
            members += [each for each in self._members(inner) if each not in members]
            drivers |= set(self._shapes.texts(inner.get("drivers")))
        if not matches:
            if fields.get("selectors") is None:
                text = "the key 'selectors' is missing: a mapping, or a list of them"
                self._report.problem(fields.mark, at, text)
            else:
                text = f"{name} is not carried over: it has no selector that can be"
                self._report.note(field.mark, at, text)
            return
        body: _Body = matches[0] if len(matches) == 1 else {"match": matches}
        body |= self._kind(drivers, kind, field)
        if body["as"] == "vfio":
            members.insert(0, "/dev/vfio/vfio")
        if members:
            body["members"] = members
        variable = "PCIDEVICE_" + re.sub("[^A-Z0-9]", "_", f"{domain}/{name}".upper())
        body["env"] = {variable: "{pciBusID}"}
        self._info(fields.get("additionalInfo"), variable)
        if self._shapes.flag(fields.get("excludeTopology")):
            body["numa"] = "none"
        self._report.add(Draft(domain, name, body, field.mark, field.at))

    def _selectors(self, field: Field | None) -> Sequence[tuple[Node, str]]:
        if field is None:
            return ()
        if isinstance(field.node, document.Mapping):
            return [(field.node, field.at)]
        return list(self._shapes.items(field, "a mapping, or a list of them"))

    def _match(self, fields: Fields, kind: str) -> _Body:
        """The conditions of a selector.  Raises `_Left` if it would select more than it should."""
        for name in _NARROWING:
            if fields.get(name) is not None:
                raise _Left(f"{name} cannot be tested here")
        match: _Body = {"pciClass": _CLASSES[kind]}
        for name, key in (
            ("vendors", "vendorID"),
            ("devices", "productID"),
            ("drivers", "driver"),
            ("pciAddresses", "pciBusID"),
        ):
            if field := fields.get(name):
                match[key] = _few([literal(each) for each in self._texts(field)])
        if field := fields.get("acpiIndexes"):
            match["attribute"] = {"acpi_index": _few(self._texts(field))}
        children: list[_Body] = []
        if field := fields.get("linkTypes"):
            types = [_LINK_TYPES.get(each, "") for each in self._texts(field)]
            if not all(types):
                raise _Left("linkTypes other than ether and infiniband cannot be tested here")
            children.append({"subsystem": "net", "attribute": {"type": _few(types)}})
        if self._shapes.flag(fields.get("isRdma")):
            children.append({"subsystem": "infiniband"})
        choices: list[list[_Body]] = []
        if field := fields.get("pfNames"):
            names = _few([literal(each) for each in self._whole_functions(field)])
            net = {"child": {"subsystem": "net", "kernelName": names}}
            choices.append([{"physfn": net}, net])
        if field := fields.get("rootDevices"):
            found = _few([literal(each) for each in self._whole_functions(field)])
            choices.append([{"physfn": {"pciBusID": found}}, {"pciBusID": found}])
        match["not"] = {"attribute": {"sriov_numvfs": "/[1-9]/"}}
        return _all_of(match, [[{"child": each}] for each in children] + choices)

    def _texts(self, field: Field) -> list[str]:
        found = self._shapes.texts(field)
        if not found and not self._report.problems.found:
            self._report.problem(field.mark, field.at, "the list is empty; leave the key out")
        return found

    def _whole_functions(self, field: Field) -> list[str]:
        found = self._texts(field)
        for each in found:
            if "#" in each:
                raise _Left(
                    f"{field.key} {each}: single virtual functions cannot be chosen by "
                    "number; give their addresses as pciBusID"
                )
        return found

    def _members(self, fields: Fields) -> list[Any]:
        members: list[Any] = []
        if self._shapes.flag(fields.get("needVhostNet")):
            members += ["/dev/vhost-net", "/dev/net/tun"]
        if self._shapes.flag(fields.get("isRdma")):
            members += [{"subsystem": "infiniband_verbs"}, "/dev/infiniband/rdma_cm"]
        return members

    def _kind(self, drivers: set[str], kind: str, field: Field) -> _Body:
        """Which node is given: that of VFIO, or none but the interface."""
        if "vfio-pci" in drivers or kind == "accelerator":
            if drivers != {"vfio-pci"}:
                text = (
                    "only functions that are bound to vfio-pci are listed, with their node; make a "
                    "resource of its own for other drivers"
                )
                self._report.note(field.mark, field.at, text)
            return {"as": "vfio"}
        if not drivers:
            text = (
                "only functions with a network interface are listed; for those that are bound to "
                "vfio-pci make a resource of its own, with as: vfio"
            )
            self._report.note(field.mark, field.at, text)
        return {"as": "net"}

    def _info(self, field: Field | None, variable: str) -> None:
        if field is not None:
            text = (
                f"additionalInfo is not carried over, nor is the variable {variable}_INFO, which "
                "has it as JSON; write env: with a variable for each value"
            )
            self._report.note(field.mark, field.at, text)


def _few(items: list[str]) -> Any:
    return items[0] if len(items) == 1 else items


def _all_of(match: _Body, choices: list[list[_Body]]) -> _Body:
    """A match that holds where `match` does and, of each list of choices, one."""
    for each in reversed(choices):
        inner = match.pop("any", None)
        match["any"] = [_all_of(dict(one), [inner] if inner else []) for one in each]
    return match
