"""Conditions on a device."""

from collections.abc import Mapping, Sequence

import attrs

from twistdp.config.fields import key
from twistdp.config.rules import Glob, Word

_Words = Sequence[Word]


@attrs.frozen(kw_only=True)
class Match:
    """Conditions on a device: keys together must all hold, a list has alternatives.

    Texts are globs (`*`, `?`, `[abc]`), between slashes (`/…/`) regular expressions.
    """

    path: Sequence[Glob] = key(
        "path",
        "The device's node, or a link to it, below `/dev`: a path or a glob.  A directory stands "
        "for the nodes in it.",
        (),
        "/dev/serial/by-id/*",
        short=True,
    )
    path_regex: _Words = key(
        "pathRegex", "As `path`, a regular expression for the whole path.", (), "/dev/ttyUSB[0-3]"
    )
    usb: _Words = key(
        "usb", "Vendor and product of a USB device, in hexadecimal.", (), '"2341:0043"'
    )
    pci: _Words = key("pci", "Vendor and device of a PCI device.", (), '"8086:56c0"')
    subsystem: _Words = key("subsystem", "The kernel's subsystem.", (), "video4linux")
    driver: _Words = key("driver", "The driver that the device is bound to.", (), "i915")
    kernel_name: _Words = key("kernelName", "The kernel's name of the device.", (), '"ttyUSB*"')
    devtype: _Words = key("devtype", "The kernel's type in the subsystem.", (), "usb_device")
    vendor_id: _Words = key("vendorID", "The vendor's number, in hexadecimal.", (), '"10c4"')
    product_id: _Words = key("productID", "The product's number.", (), '"ea60"')
    serial: _Words = key("serial", "The serial number.", (), '"DE2400042"')
    interface: _Words = key("interface", "The number of a USB interface.", (), '"00"')
    pci_bus_id: _Words = key("pciBusID", "The PCI address.", (), '"0000:03:00.0"')
    pci_class: _Words = key("pciClass", "The class of a PCI device.", (), '"0300*"')
    attribute: Mapping[str, _Words] = key(
        "attribute", "Files of the device in sysfs.", {}, '{bInterfaceClass: "0b"}'
    )
    property: Mapping[str, _Words] = key(
        "property", "Properties in udev's data base.", {}, "{ID_MODEL: Uno*}"
    )
    uevent: Mapping[str, _Words] = key(
        "uevent", "Keys of the device's uevent.", {}, "{MODALIAS: usb:*}"
    )
    udev: Word | None = key(
        "udev",
        "A line of udev's match syntax, as `udevadm info -a` prints it.",
        None,
        """'SUBSYSTEM=="tty", ATTRS{idVendor}=="10c4"'""",
    )
    parent: "Match | None" = key(
        "parent", "One and the same ancestor meets these.", None, '{usb: "046d:*"}'
    )
    child: "Match | None" = key(
        "child", "One descendant meets these.", None, '{attribute: {bInterfaceClass: "0b"}}'
    )
    physfn: "Match | None" = key(
        "physfn", "The physical function of a virtual one meets these.", None, "{driver: 4xxx}"
    )
    not_: "Match | None" = key("not", "The device must not meet these.", None, "{driver: xhci*}")
    any: Sequence["Match"] = key(
        "any", "The device meets one of these.", (), "[{driver: i915}, {driver: xe}]"
    )
    allow: _Words = key(
        "allow", "The only USB or PCI ids, PCI addresses or serials.", (), '["8086:56c0"]'
    )
    deny: _Words = key("deny", "Ids, addresses or serials that are left out.", (), '["8086:56c1"]')
