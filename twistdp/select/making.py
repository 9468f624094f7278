"""Makes the conditions that the keys of a match stand for."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from twistdp.select import conditions, naming, relations
from twistdp.select.kinds import belonging
from twistdp.select.meant import ABOUT_KIND, Meant
from twistdp.select.relations import Tested
from twistdp.select.udevline import UdevLine

if TYPE_CHECKING:
    from twistdp.select.match import Match

_ORDER: Final = (("subsystem", "subsystem"), ("devtype", "devtype"), ("kernel_name", "kernelName"))
_WORDS: Final = (
    ("vendor_id", "vendorID"),
    ("product_id", "productID"),
    ("interface", "interfaceNumber"),
    ("interface_number", "interfaceNumber"),
    ("interface_class", "interfaceClass"),
    ("port_number", "portNumber"),
    ("serial", "serial"),
    ("manufacturer", "manufacturer"),
    ("product", "product"),
    ("model_name", "modelName"),
    ("usb_version", "usbVersion"),
    ("usb_path", "usbPath"),
    ("pci_bus_id", "pciBusID"),
    ("pci_class", "pciClass"),
    ("subsystem_vendor_id", "subsystemVendorID"),
    ("subsystem_device_id", "subsystemDeviceID"),
    ("vf_number", "vfNumber"),
    ("qat_services", "qatServices"),
    ("numa_node", "numaNode"),
    ("iommu_group", "iommuGroup"),
    ("mac_address", "macAddress"),
    ("major", "major"),
    ("minor", "minor"),
)


def conditions_of(
    match: "Match", line: UdevLine | None, meant: Meant | None, is_of_parts: bool
) -> Iterator[Tested]:
    """The conditions of a match, in the order in which they are tested.

    `line` is its line of udev, and `meant` which device it means if no key says that.  With
    `is_of_parts`, something else than the match says which device is meant.
    """
    for name, words in _ORDER:
        texts = getattr(match, name)
        if texts:
            yield conditions.of_word(words, texts)
    if meant is not None:
        yield meant.condition
    if match.usb:
        yield conditions.of_ids("USB", match.usb)
    if match.pci:
        yield conditions.of_ids("PCI", match.pci)
    if match.path:
        yield naming.of_path(match.path)
    if match.path_regex:
        yield naming.of_path_regex(match.path_regex)
    if match.driver:
        yield conditions.of_driver(match.driver)
    for name, words in _WORDS:
        texts = getattr(match, name)
        if texts:
            yield conditions.of_word(words, texts)
    for name, texts in match.uevent.items():
        yield conditions.of_uevent(name, texts)
    for name, texts in match.attribute.items():
        yield conditions.of_attribute(name, texts)
    for name, texts in match.property.items():
        yield conditions.of_property(name, texts)
    if line is not None:
        yield line
    if match.allow:
        yield naming.of_list(match.allow, "the allow list")
    if match.deny:
        yield relations.Not(naming.of_list(match.deny, "the deny list"))
    if match.any:
        is_said = is_of_parts or meant is not None or ABOUT_KIND & set(match.given())
        yield relations.Any([each.of_parts for each in match.any] if is_said else match.any)
    if match.not_ is not None:
        yield relations.Not(match.not_.of_parts)
    if match.parent is not None:
        yield relations.Relative(match.parent, lambda device: device.ancestors, "ancestor")
    if match.child is not None:
        yield relations.Relative(match.child, belonging, "descendant")
    if match.physfn is not None:
        yield relations.Physfn(match.physfn)
