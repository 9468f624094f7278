"""Records the devices of a host: names, links and attributes, never what a device holds."""

import os
import re
from collections.abc import Iterator
from typing import Final

from twistdp.recording.text import Recorded
from twistdp.select import GROUP, MODE, OWNER, Device, Host, access, read_bytes, read_link

ATTRIBUTES: Final = frozenset(
    {"address", "authorized", "bConfigurationValue", "bDeviceClass", "bDeviceProtocol"}
    | {"bDeviceSubClass", "bInterfaceClass", "bInterfaceNumber", "bInterfaceProtocol"}
    | {"bInterfaceSubClass", "bNumInterfaces", "bcdDevice", "busnum", "ana_state", "class"}
    | {"cntlid", "cntrltype", "dev", "device", "devnum", "devpath", "firmware_rev", "hidden"}
    | {"id", "idProduct", "idVendor", "index", "interface", "label", "local_cpulist"}
    | {"manufacturer", "max_vfs", "maxchild", "model", "modalias", "name", "ngpio", "nsid"}
    | {"numa_node", "number", "partition", "pcm_class", "phys", "port_number", "product"}
    | {"read_only", "removable", "revision", "rev", "ro", "serial", "size", "speed"}
    | {"sriov_numvfs", "sriov_totalvfs", "state", "status", "subsysnqn", "subsystem_device"}
    | {"subsystem_vendor", "transport", "type", "uniq", "vendor", "version", "wwid"}
    | {"queue/rotational", "dm/name", "qat/state", "qat/cfg_services"}
    | {"afu_id", "compat_id", "pr/interface_id"}
    | {"dm/uuid", "md/uuid", "mode", "group_id", "max_engines", "cdev_minor"}
    | {"block_on_fault", "acpi_index", "mdev_type/name"}
)
"""The attributes that are recorded.

A list of what may be read, for reading others can do harm: some of IIO's start a conversion, some
of PCI's wake a device or reset it.
"""

_LINKS: Final = re.compile(r"driver|device|iommu_group|physfn|virtfn\d+|nvme\d+|mdev_type")
_OF_NO_DEVICE: Final = frozenset({"mdev_type"})
"""Links to what is no device: the files behind them are recorded."""

_BINARY: Final = frozenset({"descriptors"})

RELEVANT: Final = frozenset(
    {
        "accel",
        "block",
        "dax",
        "drm",
        "dsa",
        "dvb",
        "fpga",
        "fpga_region",
        "gpio",
        "hid",
        "hidraw",
        "i2c-dev",
        "iio",
    }
    | {"input", "media", "misc", "net", "nvme", "nvme-generic", "nvme-subsystem", "pci"}
    | {
        "sound",
        "spidev",
        "tpm",
        "tpmrm",
        "tty",
        "usb",
        "usb-serial",
        "rc",
        "lirc",
        "usbmisc",
        "vfio",
    }
    | {"video4linux", "watchdog", "infiniband", "mdev"}
)
"""Subsystems whose devices are recorded even if they have no node."""


def record(host: Host) -> tuple[Recorded, ...]:
    """The devices of a host that have a node or are of interest without one, and their ancestors.

    Without those of no subsystem, as the roots of buses: umockdev refuses them.  Reads only the
    attributes of `ATTRIBUTES`.  A device that goes away meanwhile is left out or
    recorded in part.
    """
    wanted: dict[str, Device] = {}
    for device in host.devices():
        if not f"{device.syspath}{device.node}".isprintable():
            continue  # the format has lines of UTF-8, and others read it
        if device.node is not None or device.subsystem in RELEVANT:
            for each in device.lineage:
                if each.syspath in wanted:
                    break
                if each.subsystem:
                    wanted[each.syspath] = each
    # As in umockdev's own recordings, a device stands before its parent.
    return tuple(_recorded(wanted[path]) for path in sorted(wanted, reverse=True))


def _recorded(device: Device) -> Recorded:
    node, entry = device.node, device.host.udev.entry(device.udev_key)
    claims: tuple[str, ...] = ()
    if node is not None:
        links = device.host.all_links_to(node)
        claims = entry.links or tuple(link.removeprefix("/dev/") for link in links)
        claims = tuple(link for link in claims if link.isprintable())
    properties = dict(device.uevent)
    if node is not None:
        properties["DEVNAME"] = node
    if device.subsystem:
        properties["SUBSYSTEM"] = device.subsystem
    properties |= entry.properties
    if entry.tags:
        properties["TAGS"] = f":{':'.join(sorted(entry.tags))}:"
    attributes = dict(_attributes(device))
    found = access(device)
    if found is not None:
        mode = f"{found.mode:04o}"
        properties |= {OWNER: found.owner, GROUP: found.group, MODE: mode}
    return Recorded(
        device.syspath,
        node.removeprefix("/dev/") if node is not None else None,
        b"",
        claims,
        {key: _one_line(value) for key, value in properties.items()},
        attributes,
        {name: target for name, target in _links(device) if f"{name}/name" not in attributes},
    )


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _attributes(device: Device) -> Iterator[tuple[str, bytes]]:
    for name in sorted(ATTRIBUTES | _BINARY):
        directory = os.path.dirname(name)
        if (
            directory
            and directory not in _OF_NO_DEVICE
            and os.path.islink(f"{device.path}/{directory}")
        ):
            continue  # the file is that of another device
        content = read_bytes(f"{device.path}/{name}")
        if isinstance(content, bytes):
            yield name, content


def _links(device: Device) -> Iterator[tuple[str, str]]:
    try:
        names = sorted(os.listdir(device.path))
    except OSError:
        return
    for name in names:
        target = read_link(f"{device.path}/{name}") if _LINKS.fullmatch(name) else None
        if target is not None and target.isprintable():
            yield name, target
