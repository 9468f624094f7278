"""Conditions on a device, with the reason why one meets them or does not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import attrs

from twistdp.select.conditions import Condition
from twistdp.select.device import Device
from twistdp.select.host import Host
from twistdp.select.making import conditions_of
from twistdp.select.meant import Meant, meant_by
from twistdp.select.outcome import Outcome, all_hold, all_of
from twistdp.select.patterns import text_pattern
from twistdp.select.relations import Tested
from twistdp.select.udevline import UdevLine, parse_udev
from twistdp.select.values import Values

Text: TypeAlias = str | Sequence[str]
"""One text, or alternatives; a match keeps a tuple."""


def _texts(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _table(value: Mapping[str, str | Iterable[str]]) -> Mapping[str, Text]:
    return {name: _texts(texts) for name, texts in value.items()}


def _matches(value: "Match | Iterable[Match] | None") -> "tuple[Match, ...]":
    if value is None:
        return ()
    return (value,) if isinstance(value, Match) else tuple(value)


def _key(
    key: str,
    doc: str,
    converter: Callable[[Any], Any] = _texts,
    default: Any = (),
    short: bool = False,
) -> Any:
    metadata = {"key": key, "doc": doc, "short": short}
    return attrs.field(default=default, converter=converter, metadata=metadata, kw_only=True)


def _match(key: str, doc: str) -> Any:
    return attrs.field(default=None, metadata={"key": key, "doc": doc}, kw_only=True)


@attrs.frozen
class Match:
    """Conditions on a device: keys together must all hold, several texts are alternatives.

    A text is a glob, or between slashes a regular expression; ids are hexadecimal.  Keys about the
    bus's device (`usb`, `pci`, `serial`, ...) hold for all that belongs to it, so a match that has
    no others means the USB device or the PCI function itself.  Raises `BadSetting` for a pattern
    that cannot be one.
    """

    path: Text = _key(
        "path", "The node or a link to it: a path, a glob, or a directory.", short=True
    )
    path_regex: Text = _key("pathRegex", "As path, a regular expression.")
    usb: Text = _key("usb", "Vendor and product of the USB device, as 2341:0043 or 046d:*.")
    pci: Text = _key("pci", "Vendor and device of the PCI function, as 8086:56c0.")
    subsystem: Text = _key("subsystem", "The kernel's subsystem.")
    driver: Text = _key("driver", "The driver, of the interface for a USB device.")
    kernel_name: Text = _key("kernelName", "The kernel's name.")
    devtype: Text = _key("devtype", "The kernel's type in the subsystem.")
    vendor_id: Text = _key("vendorID", "The vendor's number.")
    product_id: Text = _key("productID", "The product's number.")
    serial: Text = _key("serial", "The serial number.")
    manufacturer: Text = _key("manufacturer", "The manufacturer's name.")
    product: Text = _key("product", "The product's name.")
    model_name: Text = _key("modelName", "The model.")
    interface: Text = _key("interface", "Short for interfaceNumber.")
    interface_number: Text = _key("interfaceNumber", "The number of the USB interface.")
    interface_class: Text = _key("interfaceClass", "The class of the USB interface.")
    port_number: Text = _key("portNumber", "The port of a serial adapter with several.")
    usb_version: Text = _key("usbVersion", "The version of USB that the device speaks.")
    usb_path: Text = _key("usbPath", "Where the USB device is plugged.")
    pci_bus_id: Text = _key("pciBusID", "The PCI address.")
    pci_class: Text = _key(
        "pciClass", "The class of the PCI function, or its first two or four digits."
    )
    subsystem_vendor_id: Text = _key("subsystemVendorID", "The vendor of the PCI subsystem.")
    subsystem_device_id: Text = _key("subsystemDeviceID", "The device of the PCI subsystem.")
    vf_number: Text = _key("vfNumber", "The number of a PCI virtual function.")
    qat_services: Text = _key("qatServices", "The services of a function of QuickAssist.")
    numa_node: Text = _key("numaNode", "The NUMA node.")
    iommu_group: Text = _key("iommuGroup", "The IOMMU group.")
    mac_address: Text = _key("macAddress", "The address of a network interface.")
    major: Text = _key("major", "The major number of the node.")
    minor: Text = _key("minor", "The minor number of the node.")
    attribute: Mapping[str, Text] = _key(
        "attribute", "Files in sysfs, by their names or globs.", _table, {}
    )
    property: Mapping[str, Text] = _key("property", "Udev's properties.", _table, {})
    uevent: Mapping[str, Text] = _key("uevent", "Keys of uevent.", _table, {})
    udev: str | None = _match("udev", "A line of udev's match syntax.")
    parent: "Match | None" = _match("parent", "One and the same ancestor meets these.")
    child: "Match | None" = _match("child", "One descendant meets these.")
    physfn: "Match | None" = _match("physfn", "The physical function of a virtual one meets these.")
    not_: "Match | None" = _match("not", "The device does not meet these.")
    any: "Sequence[Match]" = _key("any", "The device meets one of these.", _matches)
    allow: Text = _key("allow", "The only ids, addresses, names or serials.")
    deny: Text = _key("deny", "Ids, addresses, names or serials that are left out.")
    _conditions: Sequence[Tested] = attrs.field(init=False, eq=False, repr=False, default=())
    _line: UdevLine | None = attrs.field(init=False, eq=False, repr=False, default=None)
    _meant: Meant | None = attrs.field(init=False, eq=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self.udev is not None:
            object.__setattr__(self, "_line", parse_udev(self.udev))
        object.__setattr__(self, "_meant", meant_by(tuple(self.given()), self.attribute))
        object.__setattr__(
            self, "_conditions", tuple(conditions_of(self, self._line, self._meant, False))
        )

    @cached_property
    def of_parts(self) -> "Match":
        """The same conditions where something else says which device is meant.

        Keys about the bus's device hold for all that belongs to it, and for these alone too.
        """
        made = attrs.evolve(self)
        object.__setattr__(made, "_meant", None)
        object.__setattr__(made, "_conditions", tuple(conditions_of(made, made._line, None, True)))
        return made

    @classmethod
    def like(cls, other: object) -> "Match":
        """The match with the values that another object has under the same names."""
        values: dict[str, Any] = {}
        for field in attrs.fields(cls):
            value = getattr(other, field.name, None) if field.init else None
            if value is None:
                continue
            if field.name in ("parent", "child", "physfn", "not_"):
                value = cls.like(value)
            elif field.name == "any":
                value = tuple(cls.like(each) for each in value)
            values[field.name] = value
        return cls(**values)

    def given(self) -> Iterator[str]:
        """The names of the conditions that there are."""
        for field in attrs.fields(type(self)):
            value = getattr(self, field.name) if field.init else None
            if value is not None and value != () and value != {}:
                yield field.name

    def reads(self, name: str) -> bool:
        """Whether a condition of this name is here, or in a match that this one has."""
        inner = (self.parent, self.child, self.physfn, self.not_, *self.any)
        return name in self.given() or any(each is not None and each.reads(name) for each in inner)

    def udev_wanted(self) -> tuple[tuple[str, str, str], ...]:
        """Key, name in braces and pattern of the conditions with ``==`` of the line of udev."""
        return self._line.wanted if self._line is not None else ()

    def test(self, device: Device) -> Outcome:
        """Whether the device meets all conditions, and why.  Stops at the first it does not."""
        return all_of(each.test(device) for each in self._conditions)

    def holds(self, device: Device) -> bool | None:
        """The answer of `test` without the reason, which is many times as fast."""
        return all_hold(self._conditions, device)

    def among(self) -> Sequence[str]:
        """The subsystems whose devices can meet this; empty if any can."""
        if self._meant is None:
            return self._subsystems()
        return self._meant.subsystems

    def _subsystems(self) -> Sequence[str]:
        names = self.subsystem or (self._line.subsystems if self._line is not None else ())
        are_known = all(text_pattern(name).literal is not None for name in names)
        return tuple(names) if are_known else ()

    def candidates(self, host: Host) -> Iterable[Device]:
        """The devices of a host that can meet this at all, so that not all are tested."""
        if names := self._subsystems():
            return host.in_subsystems(names)
        if self._meant is not None:
            subsystems, is_it = self._meant.subsystems, self._meant.is_it
            return host.remembered(
                self._meant.name, lambda host: list(filter(is_it, host.in_subsystems(subsystems)))
            )
        if self.path:
            found: dict[str, Device] = {}
            for pattern in self.path:
                for path in host.nodes(pattern):
                    device = host.of_node(path) or host.bare(path)
                    if device is not None:
                        found.setdefault(device.syspath or str(device.node), device)
            return list(found.values())
        if self.path_regex:
            return (device for device in host.devices() if device.node is not None)
        return host.devices()

    def likely(self, host: Host) -> Iterable[Device]:
        """As `candidates`, without those that the first condition leaves out, if it is quick."""
        values = self._values()
        if values is None or self.path:
            return self.candidates(host)
        about = self._meant.name if self._meant is not None else " ".join(self._subsystems())
        index = host.remembered(
            f"{about} by {values.name}", lambda host: values.index(self.candidates(host))
        )
        return values.among(index)

    def _values(self) -> Values | None:
        """What the first condition reads that not all candidates meet."""
        are_met = self._meant is not None or bool(self.subsystem and self._subsystems())
        for each in self._conditions[are_met:]:
            return each.values if isinstance(each, Condition) else None
        return None
