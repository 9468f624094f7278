"""Converts the resource list of the SR-IOV network device plugin."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from twistdp.config import document
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes, braces
from twistdp.config.convert.virtual_functions import KNOWN, Body, Left, Selectors
from twistdp.config.document import Node, Scalar

TOOL: Final = "sriov"
WORDS: Final = ("resourceList",)
DOMAIN: Final = "intel.com"

_KEYS: Final = (
    "resourcePrefix",
    "resourceName",
    "deviceType",
    "excludeTopology",
    "selectors",
    "additionalInfo",
)
_VFIO: Final = "vfio-pci"
_UIO: Final = frozenset({"igb_uio", "uio_pci_generic"})
_FLAG: Final = re.compile(r"--?(resource-prefix|use-cdi)(?:=(.*))?", re.DOTALL)
_ADDRESS: Final = "<pciBusID>"
_NODE: Final = "<node>"
"""What stands in JSON for a word of a template."""


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    if not isinstance(place.node, document.Mapping):
        return False
    return Fields(place.node, "").get("resourceList") is not None


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resources of all parts of a file to the report."""
    flags = dict(_flags(places, report))
    conversion = _Conversion(report, domain, flags.get("resource-prefix") or DOMAIN)
    for place in places:
        if recognises(place) and isinstance(place.node, document.Mapping):
            conversion.part(Fields(place.node, place.at))


def _flags(places: Places, report: Report) -> Iterator[tuple[str, str]]:
    """The plugin's flags that change resources, if its container is in the file too."""
    for place in places:
        items = place.node.items if isinstance(place.node, document.Sequence) else ()
        words = [each for each in items if isinstance(each, Scalar)]
        for index, word in enumerate(words):
            found = _FLAG.fullmatch(word.text)
            if found is not None and found[1] == "use-cdi":
                if found[2] != "false":
                    text = "use-cdi is not carried over: containers get the nodes without CDI"
                    report.note(word.mark, place.at, text)
            elif found is not None:
                after = words[index + 1 : index + 2]
                value = found[2] if found[2] is not None else after[0].text if after else None
                yield found[1], (value or "").strip()


class _Conversion:
    def __init__(self, report: Report, domain: str | None, prefix: str) -> None:
        self._report = report
        self._shapes = Shapes(report, "the SR-IOV plugin")
        self._domain = domain
        self._prefix = prefix

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
            text = (
                "PCIDEVICE_…_INFO of a container with several devices has one JSON object for "
                "each, with commas between them, and not one object for all"
            )
            self._report.note(listed.mark, listed.at, text)
            domains = list(dict.fromkeys(each.domain for each in self._report.drafts.values()))
            if len(domains) > 1:
                text = (
                    f"resources of different domains ({', '.join(domains)}) may have the same "
                    "device here: exclusive is about those of one domain; select them apart"
                )
                self._report.note(listed.mark, listed.at, text)

    def _resource(self, fields: Fields, at: str) -> None:
        field = fields.get("resourceName")
        name = self._shapes.text(field)
        if field is None or not name:
            text = "the key 'resourceName' is missing: the resource's name"
            self._report.problem(fields.mark, at, text)
            return
        domain = self._domain or self._shapes.text(fields.get("resourcePrefix")) or self._prefix
        kind = self._shapes.text(fields.get("deviceType")) or "netDevice"
        if kind not in KNOWN:
            text = f"{name} is not carried over: deviceType {kind}"
            why = ", since subfunctions are no PCI functions" if kind == "auxNetDevice" else ""
            text = f"{text} is none of netDevice and accelerator{why}"
            self._report.note(field.mark, at, text)
            return
        matches: list[Body] = []
        used: list[Fields] = []
        selectors = Selectors(self._report, self._shapes, kind)
        for selector, where in self._selectors(fields.get("selectors")):
            inner = self._shapes.fields(selector, where, KNOWN[kind])
            if inner is None:
                continue
            try:
                matches.append(selectors.fields(inner))
            except Left as left:
                text = f"this selector of {name} is left out: {left}"
                self._report.note(inner.mark, where, text)
                continue
            used.append(inner)
        if not matches:
            if fields.get("selectors") is None:
                text = "the key 'selectors' is missing: a mapping, or a list of them"
                self._report.problem(fields.mark, at, text)
            else:
                text = f"{name} is not carried over: it has no selector that can be"
                self._report.note(field.mark, at, text)
            return
        body: Body = matches[0] if len(matches) == 1 else {"match": matches}
        info: dict[str, dict[str, str]] = {"generic": {"deviceID": _ADDRESS}}
        extra = fields.get("additionalInfo")
        if extra is not None:
            info["extra"] = self._extra(extra, {str(each.get("pciBusID")) for each in matches})
        is_net = kind == "netDevice"
        body |= self._nodes(used, info, is_net, field)
        # The plugin keeps dashes, which no shell can name.
        variable = f"PCIDEVICE_{domain}_{name}".upper().replace(".", "_")
        body["env"] = {variable: "{pciBusID}", f"{variable}_INFO": _template(info)}
        if self._shapes.flag(fields.get("excludeTopology")):
            body["numa"] = "none"
        self._report.add(Draft(domain, name, body, field.mark, field.at))

    def _selectors(self, field: Field | None) -> Sequence[tuple[Node, str]]:
        if field is None:
            return ()
        if isinstance(field.node, document.Mapping):
            return [(field.node, field.at)]
        return list(self._shapes.items(field, "a mapping, or a list of them"))

    def _nodes(
        self, used: Sequence[Fields], info: dict[str, dict[str, str]], is_net: bool, field: Field
    ) -> Body:
        """Which nodes a function gives; what the variable says of them goes into `info`."""
        drivers = {
            driver for each in used for driver in self._shapes.texts(each.get("drivers")) or [""]
        }
        body: Body = {"as": "pci"}
        members = list(self._net_members(used, info, field)) if is_net else []
        if drivers == {_VFIO}:
            body = {"as": "vfio"}
            members.insert(0, "/dev/vfio/vfio")
            info["vfio"] = {"dev-mount": _NODE, "mount": "/dev/vfio/vfio"}
            info.get("rdma", {}).pop("uverbs", None)  # its node is not the first
        elif drivers <= _UIO:
            members.insert(0, {"subsystem": "uio"})
            info["uio"] = {"mount": _NODE}
        elif drivers & {_VFIO, "", *_UIO}:
            members += [
                {"as": "vfio", "optional": True},
                {"path": "/dev/vfio/vfio", "optional": True},
                {"subsystem": "uio", "optional": True},
            ]
            text = (
                "functions of several drivers may be in it: containers get the node of VFIO or UIO "
                "if there is one, /dev/vfio/vfio in any case, and nothing of them in the variable "
                "_INFO; name one driver in each resource to have that"
            )
            self._report.note(field.mark, field.at, text)
        return {**body, "members": members} if members else body

    def _net_members(
        self, used: Sequence[Fields], info: dict[str, dict[str, str]], field: Field
    ) -> Iterator[Any]:
        """Nodes that selectors ask for; they are optional if some selectors do not."""
        rdma = [self._shapes.flag(each.get("isRdma")) for each in used]
        vhost = [self._shapes.flag(each.get("needVhostNet")) for each in used]
        vdpa = [self._shapes.text(each.get("vdpaType")) == "vhost" for each in used]
        if any(rdma):
            yield _member(rdma, subsystem="infiniband_verbs")
            yield {"subsystem": "infiniband_mad", "optional": True}
            yield _member(rdma, path="/dev/infiniband/rdma_cm")
            info["rdma"] = {"uverbs": _NODE, "rdma_cm": "/dev/infiniband/rdma_cm"}
            text = "rdma_dev, umad and issm are missing in the variable _INFO; umad's node is given"
            self._report.note(field.mark, field.at, text)
        if any(vdpa):
            yield _member(vdpa, subsystem="vhost-vdpa")
            info["vdpa"] = {"mount": _NODE}
        if any(vhost):
            yield _member(vhost, path="/dev/vhost-net")
            yield _member(vhost, path="/dev/net/tun")
            info["vhost"] = {"net-mount": "/dev/vhost-net", "tun-mount": "/dev/net/tun"}
        for asked, name, what in (
            (rdma, "rdma", "isRdma"),
            (vdpa, "vdpa", "vdpaType"),
            (vhost, "vhost", "needVhostNet"),
        ):
            if any(asked) and not all(asked):
                del info[name]
                text = (
                    f"{what} holds for some selectors alone; the variable _INFO says nothing of it"
                )
                self._report.note(field.mark, field.at, text)

    def _extra(self, field: Field, addresses: set[str]) -> dict[str, str]:
        """What is added for all devices, or for the only one that is selected."""
        found: dict[str, str] = {}
        own: dict[str, str] = {}
        for address in self._shapes.inner(field) or ():
            values = {
                each.key: text
                for each in self._shapes.inner(address) or ()
                if (text := self._shapes.text(each)) is not None
            }
            if address.key == "*":
                found |= values
            elif addresses == {address.key}:
                own |= values
            else:
                text = (
                    f"what additionalInfo adds for {address.key} alone ({', '.join(values)}) is "
                    "not carried over: make a resource of its own for this device"
                )
                self._report.note(address.mark, address.at, text)
        return found | own


def _member(asked: Sequence[bool], **where: str) -> Any:
    if not all(asked):
        return {**where, "optional": True}
    return where.get("path") or where


def _template(info: dict[str, dict[str, str]]) -> str:
    """The variable with all that is known of a device, as JSON."""
    text = braces(json.dumps({_ADDRESS: dict(sorted(info.items()))}, ensure_ascii=False))
    return text.replace(_ADDRESS, "{pciBusID}").replace(_NODE, "{node}")
