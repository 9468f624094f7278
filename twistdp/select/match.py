"""Conditions on a device, with the reason why one meets them or does not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Protocol, TypeAlias

import attrs

from twistdp.select import conditions
from twistdp.select.buses import bus_device, ids_of, pci_device, usb_device, usb_interface
from twistdp.select.conditions import Condition
from twistdp.select.device import Device
from twistdp.select.host import Host
from twistdp.select.kinds import belonging
from twistdp.select.outcome import Outcome, all_of, any_of, negated, once_for_each, one_holds
from twistdp.select.patterns import text_pattern
from twistdp.select.udevline import UdevLine, parse_udev

Text: TypeAlias = str | Sequence[str]
"""One text, or alternatives; a match keeps a tuple."""


class _Condition(Protocol):
    def holds(self, device: Device) -> bool | None: ...

    def test(self, device: Device) -> Outcome: ...


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


_ABOUT_BUS: Final = frozenset(
    {"usb", "pci", "vendor_id", "product_id", "serial", "manufacturer", "product", "model_name"}
    | {"usb_path", "pci_bus_id", "pci_class", "subsystem_vendor_id", "subsystem_device_id"}
)
"""Keys about the bus's device, which all that belongs to it has in common."""

_OF_INTERFACE: Final = frozenset({"interface", "interface_class"})
_ABOUT_KIND: Final = frozenset(
    {"path", "path_regex", "subsystem", "devtype", "kernel_name", "udev", "port_number"}
)
"""Keys that say themselves which of the devices that belong together is meant."""


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
    interface: Text = _key("interface", "The number of the USB interface.")
    interface_class: Text = _key("interfaceClass", "The class of the USB interface.")
    port_number: Text = _key("portNumber", "The port of a serial adapter with several.")
    usb_path: Text = _key("usbPath", "Where the USB device is plugged.")
    pci_bus_id: Text = _key("pciBusID", "The PCI address.")
    pci_class: Text = _key("pciClass", "The class of the PCI function.")
    subsystem_vendor_id: Text = _key("subsystemVendorID", "The vendor of the PCI subsystem.")
    subsystem_device_id: Text = _key("subsystemDeviceID", "The device of the PCI subsystem.")
    vf_number: Text = _key("vfNumber", "The number of a PCI virtual function.")
    numa_node: Text = _key("numaNode", "The NUMA node.")
    iommu_group: Text = _key("iommuGroup", "The IOMMU group.")
    attribute: Mapping[str, Text] = _key("attribute", "Files in sysfs.", _table, {})
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
    _conditions: Sequence[_Condition] = attrs.field(init=False, eq=False, repr=False, default=())
    _line: UdevLine | None = attrs.field(init=False, eq=False, repr=False, default=None)
    _bus: str | None = attrs.field(init=False, eq=False, repr=False, default=None)
    _is_of_parts: bool = attrs.field(init=False, eq=False, repr=False, default=False)

    def __attrs_post_init__(self) -> None:
        if self.udev is not None:
            object.__setattr__(self, "_line", parse_udev(self.udev))
        object.__setattr__(self, "_bus", self._which_bus())
        object.__setattr__(self, "_conditions", tuple(self._make_conditions()))

    @cached_property
    def of_parts(self) -> "Match":
        """The same conditions where something else says which device is meant.

        Keys about the bus's device hold for all that belongs to it, and for these alone too.
        """
        made = attrs.evolve(self)
        object.__setattr__(made, "_is_of_parts", True)
        object.__setattr__(made, "_bus", None)
        object.__setattr__(made, "_conditions", tuple(made._make_conditions()))
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

    def udev_wanted(self) -> tuple[tuple[str, str, str], ...]:
        """Key, name in braces and pattern of the conditions with ``==`` of the line of udev."""
        return self._line.wanted if self._line is not None else ()

    def test(self, device: Device) -> Outcome:
        """Whether the device meets all conditions, and why.  Stops at the first it does not."""
        return all_of(each.test(device) for each in self._conditions)

    def holds(self, device: Device) -> bool | None:
        """The answer of `test` without the reason, which is many times as fast."""
        answer: bool | None = True
        for each in self._conditions:
            held = each.holds(device)
            if held is False:
                return False
            if held is None:
                answer = None
        return answer

    def among(self) -> Sequence[str]:
        """The subsystems, or USB and PCI, whose devices can meet this; empty if any can."""
        if self._bus is None:
            return self._subsystems()
        return ("USB", "PCI") if self._bus == "any" else (self._bus.upper(),)

    def _subsystems(self) -> Sequence[str]:
        names = self.subsystem or (self._line.subsystems if self._line is not None else ())
        are_known = all(text_pattern(name).literal is not None for name in names)
        return tuple(names) if are_known else ()

    def candidates(self, host: Host) -> Iterable[Device]:
        """The devices of a host that can meet this at all, so that not all are tested."""
        if names := self._subsystems():
            return host.in_subsystems(names)
        if self._bus is not None:
            buses = ("usb", "pci") if self._bus == "any" else (self._bus,)
            return host.remembered(
                f"{self._bus} {self._find.__name__}",
                lambda host: list(filter(self._is_meant, host.in_subsystems(buses))),
            )
        if self.path:
            found: dict[str, Device] = {}
            for pattern in self.path:
                for path in host.nodes(pattern):
                    device = host.of_node(path) or host.bare(path)
                    if device is not None:
                        found.setdefault(device.syspath or str(device.node), device)
            return list(found.values())
        return host.devices()

    def likely(self, host: Host) -> Iterable[Device]:
        """As `candidates`, without those that have other USB or PCI ids, if that is all."""
        for bus, texts in (("usb", self.usb), ("pci", self.pci)):
            ids = [conditions.literal_ids(text) for text in texts]
            if self._bus == bus and ids and None not in ids:
                index = host.remembered(
                    f"ids of {bus} {self._find.__name__}", lambda host: self._by_ids(host)
                )
                return [device for each in dict.fromkeys(ids) for device in index.get(each, ())]
        return self.candidates(host)

    def _by_ids(self, host: Host) -> dict[tuple[str, str] | None, list[Device]]:
        found: dict[tuple[str, str] | None, list[Device]] = {}
        for device in self.candidates(host):
            bus = bus_device(device)
            found.setdefault(ids_of(bus) if bus is not None else None, []).append(device)
        return found

    def _which_bus(self) -> str | None:
        """The bus whose devices themselves are meant, if the keys say no more than that."""
        given = set(self.given())
        if given & _ABOUT_KIND or not given & (_ABOUT_BUS | _OF_INTERFACE):
            return None
        if given & (_OF_INTERFACE | {"usb", "usb_path"}):
            return "usb"
        return "pci" if any(name.startswith(("pci", "subsystem_")) for name in given) else "any"

    def _is_meant(self, device: Device) -> bool:
        """Whether a device is that of the bus itself, or its interface, and no part of it."""
        return self._find(device) is device

    @cached_property
    def _find(self) -> Callable[[Device], Device | None]:
        named = any(name.startswith("bInterface") for name in self.attribute)
        if self.interface or self.interface_class or named:
            return usb_interface
        return {"usb": usb_device, "pci": pci_device}.get(str(self._bus), bus_device)

    def _why_meant(self, device: Device) -> str:
        meant = self._find(device)
        name = {"usb": "USB", "pci": "PCI"}.get(str(self._bus), "USB or PCI")
        kind = "interface" if self._find is usb_interface else "device"
        if meant is device:
            return f"{device.name} is the {name} {kind} itself"
        if meant is None:
            return f"{device.name} is no {name} {kind}"
        part = device.devtype or device.subsystem
        return f"{device.name} is a part ({part}) of {meant.name}, not the {kind} itself"

    def _make_conditions(self) -> Iterator[_Condition]:
        for name, words in _ORDER:
            texts = getattr(self, name)
            if texts:
                yield conditions.of_word(words, texts)
        if self._bus is not None:
            yield Condition(self._is_meant, self._why_meant)
        if self.usb:
            yield conditions.of_ids("USB", self.usb)
        if self.pci:
            yield conditions.of_ids("PCI", self.pci)
        if self.path:
            yield conditions.of_path(self.path)
        if self.path_regex:
            yield conditions.of_path_regex(self.path_regex)
        if self.driver:
            yield conditions.of_driver(self.driver)
        for name, words in _WORDS:
            texts = getattr(self, name)
            if texts:
                yield conditions.of_word(words, texts)
        for name, texts in self.uevent.items():
            yield conditions.of_uevent(name, texts)
        for name, texts in self.attribute.items():
            yield conditions.of_attribute(name, texts)
        for name, texts in self.property.items():
            yield conditions.of_property(name, texts)
        if self._line is not None:
            yield self._line
        if self.allow:
            yield conditions.of_list(self.allow, "the allow list")
        if self.deny:
            yield _Not(conditions.of_list(self.deny, "the deny list"))
        if self.any:
            is_said = self._is_of_parts or self._bus is not None or _ABOUT_KIND & set(self.given())
            yield _Any([each.of_parts for each in self.any] if is_said else self.any)
        if self.not_ is not None:
            yield _Not(self.not_.of_parts)
        if self.parent is not None:
            yield _Relative(self.parent, lambda device: device.ancestors, "ancestor")
        if self.child is not None:
            yield _Relative(self.child, belonging, "descendant")
        if self.physfn is not None:
            yield _Physfn(self.physfn)


_ORDER: Final = (("subsystem", "subsystem"), ("devtype", "devtype"), ("kernel_name", "kernelName"))
_WORDS: Final = (
    ("vendor_id", "vendorID"),
    ("product_id", "productID"),
    ("interface", "interfaceNumber"),
    ("interface_class", "interfaceClass"),
    ("port_number", "portNumber"),
    ("serial", "serial"),
    ("manufacturer", "manufacturer"),
    ("product", "product"),
    ("model_name", "modelName"),
    ("usb_path", "usbPath"),
    ("pci_bus_id", "pciBusID"),
    ("pci_class", "pciClass"),
    ("subsystem_vendor_id", "subsystemVendorID"),
    ("subsystem_device_id", "subsystemDeviceID"),
    ("vf_number", "vfNumber"),
    ("numa_node", "numaNode"),
    ("iommu_group", "iommuGroup"),
)


@attrs.frozen
class _Not:
    condition: _Condition

    def holds(self, device: Device) -> bool | None:
        held = self.condition.holds(device)
        return None if held is None else not held

    def test(self, device: Device) -> Outcome:
        return negated(self.condition.test(device))


@attrs.frozen
class _Any:
    alternatives: Sequence[Match]

    def holds(self, device: Device) -> bool | None:
        return one_holds(each.holds(device) for each in self.alternatives)

    def test(self, device: Device) -> Outcome:
        none = f"none of {len(self.alternatives)} alternatives holds, the nearest"
        return any_of((each.test(device) for each in self.alternatives), none)


@attrs.frozen
class _Relative:
    """One and the same of a device's relatives meets a match."""

    match: Match
    relatives: Callable[[Device], Iterable[Device]]
    kind: str
    _held: Callable[[Device], bool | None] = attrs.field(init=False)

    @_held.default
    def _remember(self) -> Callable[[Device], bool | None]:
        return once_for_each(self.match.holds)

    def holds(self, device: Device) -> bool | None:
        return one_holds(map(self._held, self.relatives(device)))

    def test(self, device: Device) -> Outcome:
        outcomes = []
        for each in self.relatives(device):
            outcome = self.match.test(each)
            if outcome.ok:
                reason = f"its {self.kind} {each.name}: {outcome.reason}"
                return attrs.evolve(outcome, reason=reason)
            outcomes.append(outcome)
        if not outcomes:
            return Outcome(False, f"{device.name} has no {self.kind}")
        none = f"no {self.kind} of {device.name} fits, the nearest"
        return attrs.evolve(any_of(outcomes, none), parts=())


@attrs.frozen
class _Physfn:
    match: Match

    def holds(self, device: Device) -> bool | None:
        function = _physfn(device)
        return function is not None and self.match.holds(function)

    def test(self, device: Device) -> Outcome:
        function = _physfn(device)
        if function is None:
            return Outcome(False, f"{device.name} is no virtual function and no part of one")
        outcome = self.match.test(function)
        reason = f"its physical function {function.name}: {outcome.reason}"
        return attrs.evolve(outcome, reason=reason)


def _physfn(device: Device) -> Device | None:
    """The physical function of the virtual one that a device is or belongs to."""
    pci = pci_device(device)
    return pci.link("physfn") if pci is not None else None
