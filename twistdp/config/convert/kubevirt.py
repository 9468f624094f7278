"""Converts the devices that a KubeVirt or HyperConverged object permits."""

import re
from typing import Any, Final

from twistdp.config import document
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.groups import one_or_list
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes, literal
from twistdp.config.document import Node

TOOL: Final = "kubevirt"
WORDS: Final = ("permittedHostDevices", "pciHostDevices", "mediatedDevices")
DOMAIN: Final = "devices.kubevirt.io"

_LISTS: Final = ("pciHostDevices", "mediatedDevices", "usb", "usbHostDevices")
_PCI: Final = ("pciVendorSelector", "pciDeviceSelector")
_COMMON: Final = ("resourceName", "externalResourceProvider", "disabled")


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    if not isinstance(place.node, document.Mapping):
        return False
    fields = Fields(place.node, place.at)
    if place.at.lower().endswith("permittedhostdevices"):
        return True
    return place.is_root and fields.get(*_LISTS[:2]) is not None


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resources of all parts of a file to the report."""
    conversion = _Conversion(report, domain)
    for place in places:
        if recognises(place):
            conversion.part(place.node, place.at)


class _Conversion:
    def __init__(self, report: Report, domain: str | None) -> None:
        self._report = report
        self._shapes = Shapes(report, "KubeVirt")
        self._domain = domain
        self._pci_ids: dict[str, str] = {}
        """The resource's name for the ids of PCI devices."""

    def part(self, node: Node, at: str) -> None:
        fields = self._shapes.fields(node, at, _LISTS)
        if fields is None:
            return
        for each, where in self._shapes.items(fields.get("pciHostDevices"), "a list of devices"):
            self._pci(self._shapes.fields(each, where, (*_PCI, *_COMMON)))
        usb = fields.get("usb", "usbHostDevices")
        if usb is not None:
            text = (
                "KubeVirt makes its own user (107) the owner of USB nodes; here they keep theirs: "
                "give them to that user by a rule of udev (OWNER)"
            )
            self._report.note(usb.mark, usb.at, text)
        for each, where in self._shapes.items(usb, "a list of devices"):
            self._usb(self._shapes.fields(each, where, ("selectors", *_COMMON)))
        mediated = fields.get("mediatedDevices")
        for each, where in self._shapes.items(mediated, "a list of devices"):
            self._mediated(self._shapes.fields(each, where, ("mdevNameSelector", *_COMMON)))

    def _named(self, fields: Fields) -> tuple[Field, str, str] | None:
        """The field with the resource's name, its domain and its name; None if it has no device."""
        field = fields.get("resourceName")
        name = self._shapes.text(field)
        if field is None or not name:
            text = "the key 'resourceName' is missing: the resource's name with its domain"
            self._report.problem(fields.mark, fields.at, text)
            return None
        if self._shapes.flag(fields.get("disabled")):
            self._report.note(field.mark, field.at, f"{name} is disabled: left out")
            return None
        if self._shapes.flag(fields.get("externalResourceProvider")):
            text = f"{name} is left out, as another device plugin provides it already"
            self._report.note(field.mark, field.at, text)
            return None
        domain, slash, rest = name.rpartition("/")
        if not slash:
            text = f"{name} has no domain; it is {self._domain or DOMAIN} here"
            self._report.note(field.mark, field.at, text)
        if self._domain is not None and slash:
            self._report.note(field.mark, field.at, f"{name} has another domain now, as asked for")
        return field, self._domain or domain or DOMAIN, rest

    def _pci(self, fields: Fields | None) -> None:
        named = self._named(fields) if fields is not None else None
        if fields is None or named is None:
            return
        selector = fields.get(*_PCI)
        ids = (self._shapes.text(selector) or "").lower()
        if not re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4}", ids):
            where = selector.at if selector is not None else fields.at
            text = f"pciVendorSelector {ids!r}: expected vendor and device as 10de:1eb8"
            self._report.problem(fields.mark, where, text)
            return
        field, domain, name = named
        self._note_pci(field, ids, name)
        if self._pooled(f"{domain}/{name}", "pci", ids):
            return
        variable = _variable("PCI", f"{domain}/{name}")
        self._report.add(
            Draft(
                domain,
                name,
                {
                    "pci": ids,
                    "driver": "vfio-pci",
                    "as": "vfio",
                    "members": ["/dev/vfio/vfio"],
                    "env": {variable: "{pciBusID}"},
                },
                field.mark,
                field.at,
            )
        )

    def _note_pci(self, field: Field, ids: str, name: str) -> None:
        if ids.startswith("10de:") and not any(each.startswith("10de:") for each in self._pci_ids):
            text = (
                "functions of NVIDIA's vGPUs, which KubeVirt lists with NVIDIA's own driver, are "
                "not listed here: the driver must be vfio-pci"
            )
            self._report.note(field.mark, field.at, text)
        other = self._pci_ids.setdefault(ids, name)
        if other != name:
            text = f"KubeVirt lists devices {ids} as {name} alone; here they are {other}, too"
            self._report.note(field.mark, field.at, text)

    def _pooled(self, full_name: str, key: str, ids: str) -> bool:
        """Whether a resource had the name before, and has these devices too now."""
        draft = self._report.drafts.get(full_name)
        if draft is None or key not in draft.body or "group" in draft.body:
            return False
        listed = draft.body[key]
        listed = listed if isinstance(listed, list) else [listed]
        draft.body[key] = one_or_list(dict.fromkeys((*listed, ids)))
        return True

    def _mediated(self, fields: Fields | None) -> None:
        named = self._named(fields) if fields is not None else None
        if fields is None or named is None:
            return
        selector = self._shapes.text(fields.get("mdevNameSelector"))
        if not selector:
            text = "the key 'mdevNameSelector' is missing: the name of a type of mediated devices"
            self._report.problem(fields.mark, fields.at, text)
            return
        field, domain, name = named
        # KubeVirt writes _ for blanks in both names; a type without a name is known by its id.
        names = [literal(each) for each in dict.fromkeys((selector, selector.replace("_", " ")))]
        types = names[0] if len(names) == 1 else names
        body: dict[str, Any] = {
            "subsystem": "mdev",
            "any": [{"attribute": {"mdev_type/name": types}}, {"attribute": {"mdev_type": types}}],
            "as": "vfio",
            "id": "{kernelName}",
            "members": ["/dev/vfio/vfio"],
            "env": {_variable("MDEV_PCI", f"{domain}/{name}"): "{kernelName}"},
        }
        text = (
            f"devices of {selector} are listed when they are there; KubeVirt makes them as "
            "mediatedDevicesConfiguration says, and goes on to do so"
        )
        self._report.note(field.mark, field.at, text)
        self._report.add(Draft(domain, name, body, field.mark, field.at))

    def _usb(self, fields: Fields | None) -> None:
        named = self._named(fields) if fields is not None else None
        if fields is None or named is None:
            return
        found: list[str] = []
        for node, at in self._shapes.items(fields.get("selectors"), "a list of selectors"):
            inner = self._shapes.fields(node, at, ("vendor", "product"))
            if inner is None:
                continue
            ids = [
                (self._shapes.text(inner.get(key)) or "").lower() for key in ("vendor", "product")
            ]
            if not all(re.fullmatch("[0-9a-f]{1,4}", each) for each in ids):
                text = "expected vendor and product as hexadecimal digits, such as vendor: 46f4"
                self._report.problem(inner.mark, at, text)
            found.append(":".join(each.zfill(4) for each in ids))
        if not found:
            text = "there is no selector; give one with vendor and product"
            self._report.problem(fields.mark, fields.at, text)
            return
        field, domain, name = named
        if len(found) == 1 and self._pooled(f"{domain}/{name}", "usb", found[0]):
            return
        body: dict[str, Any] = {"usb": found[0] if len(found) == 1 else found, "as": "usb"}
        if len(found) > 1:
            body["group"] = "all"
            text = (
                "KubeVirt combines one USB device for each selector into a device; here all that "
                "match one of the selectors are one device (group: all), without the variable "
                "USB_RESOURCE_…, by which its launcher finds them"
            )
            self._report.note(field.mark, field.at, text)
        else:
            variable = _variable("USB", f"{domain}/{name}")
            body["env"] = {variable: "{attribute:busnum}:{attribute:devnum}"}
        self._report.add(Draft(domain, name, body, field.mark, field.at))


def _variable(bus: str, resource: str) -> str:
    """The variable that KubeVirt's launcher looks for; it keeps dashes, which no shell can name."""
    return f"{bus}_RESOURCE_{re.sub('[/.]', '_', resource).upper()}"
