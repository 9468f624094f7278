"""A device of sysfs: its attributes, its properties, and the devices above and below it."""

import os
import re
from collections.abc import Iterator, Mapping
from sys import intern
from typing import TYPE_CHECKING, Final

from twistdp.host import expanded
from twistdp.select.reading import Undecidable, pairs, read_entry, read_file, read_link

if TYPE_CHECKING:
    from twistdp.select.host import Host

_UNREAD: Final = object()
_SHORT: Final = 4
"""Length of texts of which many devices have the same, as ids and numbers of NUMA nodes."""

_NAME: Final = re.compile(r"[^\0\n]{1,255}")

KERNEL_KEYS: Final = frozenset(
    {"ACTION", "BUSNUM", "DEVNAME", "DEVNUM", "DEVTYPE", "DISKSEQ", "DRIVER", "IFINDEX"}
    | {"INTERFACE", "MAJOR", "MINOR", "MODALIAS", "PARTN", "PARTNAME", "PCI_CLASS", "PCI_ID"}
    | {"PCI_SLOT_NAME", "PCI_SUBSYS_ID", "PRODUCT", "SEQNUM", "TYPE"}
)
"""Keys that the kernel alone gives: one that is not in ``uevent`` is nowhere."""

IOMMU_GROUP: Final = "iommu_group"
"""The attribute that names the IOMMU group of a PCI function."""

NO_UDEV: Final = "udev's data base is not here (mount /run/udev to have it)"


class Device:
    """A device; `syspath` is its path without ``/sys``, and no two of a `Host` have the same.

    Everything is read when it is first asked for, and remembered; there are many thousands, so what
    is remembered of each is small.
    """

    __slots__ = (
        "_children", "_devtype", "_driver", "_facts", "_node", "_parent", "_subsystem", "_text",
        "buses", "host", "syspath",
    )  # fmt: skip

    def __init__(self, host: "Host", syspath: str, node: str | None = None) -> None:
        self.host = host
        self.syspath = syspath
        self._text: str | None = None
        self._devtype = ""
        self._node: object = _UNREAD if node is None else node
        self._children: tuple[Device, ...] | None = None
        self._driver: object = _UNREAD
        self._parent: object = _UNREAD
        self._subsystem: str | None = None
        self._facts: dict[object, object] | None = None
        self.buses: tuple[Device | None, Device | None, Device | None] | None = None
        """What `twistdp.select.buses` remembers: USB device, USB interface and PCI function."""

    def __repr__(self) -> str:
        return f"<Device {self.syspath or self.node}>"

    @property
    def identity(self) -> str:
        """What no other device of the host has: the syspath, or the node if sysfs knows none."""
        return self.syspath or str(self.node)

    @property
    def path(self) -> str:
        """The directory of the device in the host's sysfs."""
        return f"{self.host.prefix}/sys{self.syspath}"

    @property
    def facts(self) -> dict[object, object]:
        """What is remembered: attributes by their names, and whatever other modules find out."""
        if self._facts is None:
            self._facts = {}
        return self._facts

    # What the kernel says

    @property
    def name(self) -> str:
        """The kernel's name, as ``ttyUSB0``."""
        name = (self.syspath or str(self.node)).rpartition("/")[2]
        # The kernel writes '!' for '/' in the names of directories, and udev turns it back.
        return name.replace("!", "/")

    @property
    def uevent(self) -> Mapping[str, str]:
        """The keys of the device's ``uevent`` file."""
        if not self.syspath:
            return {"DEVNAME": str(self.node).removeprefix("/dev/")}
        if self._text is None:
            text = read_file(f"{self.path}/uevent")
            self._text = text if isinstance(text, str) else ""
        # A tree that was laid out may have the keys in any order.
        return pairs(self._text, from_kernel=not self.host.prefix)

    @property
    def subsystem(self) -> str:
        """The kernel's subsystem, as ``tty``; an empty text if it has none."""
        if self._subsystem is None:
            target = read_link(f"{self.path}/subsystem") if self.syspath else None
            name = (target or "").rpartition("/")[2] or self.uevent.get("SUBSYSTEM", "")
            self._subsystem = intern(name)
        return self._subsystem

    @property
    def driver(self) -> str | None:
        """The driver that the device itself is bound to."""
        if self._driver is _UNREAD:
            target = read_link(f"{self.path}/driver") if self.syspath else None
            self._driver = (target or "").rpartition("/")[2] or self.uevent.get("DRIVER")
        return self._driver  # type: ignore[return-value]

    @property
    def devtype(self) -> str:
        """The kernel's type within the subsystem, as ``usb_device``; often empty."""
        if self._node is _UNREAD:
            self._read_node()
        return self._devtype

    @property
    def node(self) -> str | None:
        """The device's node, as ``/dev/ttyUSB0``, whether it is there or not."""
        if self._node is _UNREAD:
            self._read_node()
        return self._node  # type: ignore[return-value]

    def _read_node(self) -> None:
        uevent = self.uevent
        self._devtype = intern(uevent.get("DEVTYPE", ""))
        name = uevent.get("DEVNAME")
        if not name or ".." in name.split("/"):
            self._node = None
        else:
            self._node = intern(f"/dev/{name.removeprefix('/dev/').lstrip('/')}")

    @property
    def number(self) -> tuple[int, int] | None:
        """The major and minor number of the node."""
        uevent = self.uevent
        try:
            return int(uevent["MAJOR"]), int(uevent["MINOR"])
        except (KeyError, ValueError):
            return None

    def attribute(self, name: str) -> str | None:
        """An attribute of sysfs without white space at its ends, at most 4096 bytes.

        A link gives the name that it leads to.  `name` may have directories, as
        ``queue/rotational``, and may pass links of sysfs, as ``device/vendor``.  With ``*`` it is a
        glob, of which the first file counts, as ``hwmon/hwmon*/temp1_input``.  None if there is
        none or it cannot be read; `reading` tells these apart.
        """
        value = self.reading(name)
        return None if isinstance(value, Undecidable) else value

    def reading(self, name: str) -> str | Undecidable | None:
        """As `attribute`, but `Undecidable` for an attribute that is there and cannot be read."""
        facts = self.facts
        if name not in facts:
            facts[name] = self._read(name) if self.syspath else None
        return facts[name]  # type: ignore[return-value]

    def _read(self, name: str) -> str | Undecidable | None:
        if not _NAME.fullmatch(name) or name.startswith("/") or ".." in name.split("/"):
            return None
        name = expanded(self.path, name)
        path = f"{self.path}/{name}"
        if "/" in name:
            parent = os.path.realpath(os.path.dirname(path))
            if not parent.startswith(os.path.realpath(f"{self.host.prefix}/sys") + "/"):
                return None
            path = f"{parent}/{os.path.basename(name)}"
        text = read_entry(path)
        return intern(text) if isinstance(text, str) and len(text) <= _SHORT else text

    def link(self, name: str) -> "Device | None":
        """The device that a link in the device's directory leads to, as ``physfn``."""
        if not self.syspath or read_link(f"{self.path}/{name}") is None:
            return None
        return self.host.linked(f"{self.syspath}/{name}")

    # What udev says

    @property
    def udev_key(self) -> str:
        """The device's name in udev's data base."""
        number = self.number
        if number is not None:
            return f"{'b' if self.subsystem == 'block' else 'c'}{number[0]}:{number[1]}"
        index = self.uevent.get("IFINDEX")
        if index is not None and self.subsystem == "net":
            return f"n{index}"
        return f"+{self.subsystem}:{self.syspath.rpartition('/')[2]}"

    @property
    def tags(self) -> frozenset[str] | Undecidable:
        """The tags that udev gave the device."""
        if not self.host.has_udev:
            return Undecidable(NO_UDEV)
        return self.host.udev.entry(self.udev_key).tags

    # Relatives

    @property
    def parent(self) -> "Device | None":
        """The nearest device above this one."""
        if self._parent is _UNREAD:
            path, found = self.syspath.rpartition("/")[0], None
            while found is None and path.count("/") > 1:
                found = self.host.device(path)
                path = path.rpartition("/")[0]
            self._parent = found
        return self._parent  # type: ignore[return-value]

    def has_parent(self, parent: "Device | None") -> None:
        """Spare the device the search for its parent: the walk down knows it."""
        self._parent = parent

    def spare(self) -> None:
        """Keep only what cannot be read again when the device is gone."""
        if self._node is _UNREAD:
            self._read_node()
        self.subsystem  # noqa: B018  # it is read when it is asked for
        group = self._facts.get(IOMMU_GROUP) if self._facts is not None else None
        self._facts = {IOMMU_GROUP: group} if group is not None else None
        self._text = self.buses = None
        self._driver = _UNREAD

    def part(self) -> None:
        """Forget the relatives: devices that refer to each other would stay in memory."""
        self._children = self._facts = self.buses = None
        self._parent = _UNREAD

    def forget_children(self) -> None:
        """Look for the devices below again, and for what depends on them."""
        self._children = self._facts = None

    @property
    def ancestors(self) -> "Iterator[Device]":
        """The devices above this one, the nearest first."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent

    @property
    def children(self) -> "tuple[Device, ...]":
        """The nearest devices below this one, in natural order."""
        if self._children is None:
            below = self.host.table.below(self.syspath) if self.syspath else []
            for child in below:
                child.has_parent(self)
            self._children = tuple(below)
        return self._children

    @property
    def lineage(self) -> "Iterator[Device]":
        """The device itself, then its ancestors."""
        yield self
        yield from self.ancestors

    # The last one: after it `property` is no decorator here.

    def property(self, name: str) -> str | Undecidable | None:
        """A property of udev or a key of ``uevent``; None if the device has none.

        ``DEVNAME`` is the whole path, as udev has it.  `Undecidable` for one that only udev gives,
        where udev's data base is not there, or has no entry of a node yet.
        """
        if name == "DEVNAME":
            return self.node
        value = self.uevent.get(name)
        if value is not None:
            return value
        if name == "SUBSYSTEM":
            return self.subsystem
        if name == "DEVPATH":
            return self.syspath
        if name in KERNEL_KEYS:
            return None
        if not self.host.has_udev:
            return Undecidable(NO_UDEV)
        entry = self.host.udev.entry(self.udev_key)
        if not entry.is_there and self.number is not None:  # each node gets one when it appears
            return Undecidable(f"udev's data base has no entry of {self.name}")
        if name == "DEVLINKS" and entry.links:
            return " ".join(f"/dev/{link}" for link in entry.links)
        return entry.properties.get(name)
