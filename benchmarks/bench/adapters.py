"""Lays out a host with thousands of serial adapters, and a file that makes resources of them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

KINDS: Final = 50
"""Kinds of adapters, by their vendors: for each there is a rule and a resource."""

_CONTROLLER: Final = "sys/devices/pci0000:00/0000:00:14.0"
_HUB: Final = f"{_CONTROLLER}/usb1"
_MEMBERS: Final = """\
domain: bench.example.com
resources:
  port:
    usb: "*:7523"
    as: tty
    members: [{as: usb}, {path: /dev/lock}]
    mounts: [{hostPath: /etc/adapters}, {hostPath: "/opt/adapters/{serial}", optional: true}]
"""


@contextmanager
def adapters(count: int) -> Iterator[str]:
    """The root of a host with so many adapters; each is a USB device, its interface, port and tty.

    Each has a serial number of its own and a link in ``by-path``.  There is no data base of udev,
    as in most containers.
    """
    with tempfile.TemporaryDirectory(prefix="bench-devices-") as root:
        tree = _Tree(root)
        tree.device(_CONTROLLER, "bus/pci", "PCI_ID=8086:A36D\n", numa_node="0")
        tree.device(_HUB, "bus/usb", "DEVTYPE=usb_device\nPRODUCT=1d6b/2/0\n", version=" 2.00")
        for number in range(count):
            _adapter(tree, number)
        rules = (f'  kind-{kind:02}: {{usb: "{_vendor(kind)}:7523", as: tty}}\n'
                 for kind in range(KINDS))  # fmt: skip
        tree.write("config.yaml", f"domain: bench.example.com\nresources:\n{''.join(rules)}")
        tree.write("members.yaml", _MEMBERS)
        tree.write("dev/lock", "")
        tree.write("etc/adapters/settings", "")
        yield root


def node_of(number: int) -> str:
    """The path of an adapter's node below the root."""
    return f"dev/ttyUSB{number}"


def id_of(number: int) -> str:
    """The id of the device that an adapter is."""
    return f"{_vendor(number % KINDS)}-7523-S{number:05}X-if00-port0"


def _vendor(kind: int) -> str:
    return f"{0x1000 + kind:x}"


def _adapter(tree: "_Tree", number: int) -> None:
    vendor, port = _vendor(number % KINDS), number + 1
    usb = f"{_HUB}/1-{port}"
    interface = f"{usb}/1-{port}:1.0"
    raw = f"bus/usb/001/{number:05}"
    tree.device(
        usb,
        "bus/usb",
        f"MAJOR=189\nMINOR={number}\nDEVNAME={raw}\nDEVTYPE=usb_device\n"
        f"PRODUCT={vendor}/7523/264\nBUSNUM=001\nDEVNUM={number:05}\n",
        idVendor=vendor,
        idProduct="7523",
        serial=f"S{number:05}X",
    )
    tree.device(interface, "bus/usb", "DEVTYPE=usb_interface\n", bInterfaceNumber="00")
    above = f"{interface}/ttyUSB{number}"
    tree.device(above, "bus/usb-serial", "DRIVER=ch341-uart\n", port_number="0")
    tty = f"{above}/tty/ttyUSB{number}"
    tree.device(tty, "class/tty", f"MAJOR=188\nMINOR={number}\nDEVNAME=ttyUSB{number}\n")
    tree.link(f"sys/class/tty/ttyUSB{number}", tty)
    tree.write(f"dev/{raw}", "")
    tree.write(node_of(number), "")
    link = f"pci-0000:00:14.0-usb-0:{port}:1.0-port0"
    tree.link(f"dev/serial/by-path/{link}", node_of(number))


class _Tree:
    """A directory; paths are relative to it."""

    def __init__(self, root: str) -> None:
        self._root = root

    def device(self, path: str, subsystem: str, uevent: str, **attributes: str) -> None:
        self.write(f"{path}/uevent", uevent)
        self.link(f"{path}/subsystem", f"sys/{subsystem}")
        for name, value in attributes.items():
            self.write(f"{path}/{name}", f"{value}\n")

    def write(self, path: str, content: str) -> None:
        with open(self._made(path), "w", encoding="utf-8") as file:
            file.write(content)

    def link(self, path: str, target: str) -> None:
        os.symlink(os.path.relpath(target, os.path.dirname(path)), self._made(path))

    def _made(self, path: str) -> str:
        place = os.path.join(self._root, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        return place
