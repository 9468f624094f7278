"""A scanner in Python that finds what the configuration file of `adapters` selects."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from twistdp import HEALTHY, DeviceInfo, DeviceSpec, DeviceTree, WatchingScanner

SCANNED = "seconds of a scan:"
"""What the line of the log begins with that says how long a scan took."""


@contextmanager
def timed() -> Iterator[None]:
    """Write how long it takes."""
    begin = time.perf_counter()
    yield
    print(SCANNED, time.perf_counter() - begin, file=sys.stderr, flush=True)


class ByHand(WatchingScanner):
    """Every serial adapter is a device of its vendor's resource; it reads sysfs by itself."""

    def __init__(self, root: str) -> None:
        super().__init__([f"{root}/dev", f"{root}/dev/serial/by-path"], contents=False)
        self.root = root

    def discover(self) -> DeviceTree:
        """List all adapters."""
        with timed():
            return self._found()

    def _found(self) -> DeviceTree:
        tree = DeviceTree()
        links = {node: link for link, node in self._links()}
        for name in os.listdir(f"{self.root}/sys/class/tty"):
            node = f"/dev/{name}"
            if not os.path.exists(self.root + node):
                continue
            tty = os.path.realpath(f"{self.root}/sys/class/tty/{name}")
            port = os.path.dirname(os.path.dirname(tty))
            interface = os.path.dirname(port)
            usb = os.path.dirname(interface)
            vendor, product = _read(f"{usb}/idVendor"), _read(f"{usb}/idProduct")
            part = f"if{_read(f'{interface}/bInterfaceNumber')}"
            number = f"{_read(f'{usb}/serial')}-{part}-port{_read(f'{port}/port_number')}"
            info = DeviceInfo(
                HEALTHY,
                nodes=[DeviceSpec(links.get(node, node), node, "mrw")],
                topology=_numa(usb),
            )
            kind = f"kind-{int(vendor, 16) - 0x1000:02}"
            tree.add_device(kind, f"{vendor}-{product}-{number}", info)
        return tree

    def _links(self) -> Iterator[tuple[str, str]]:
        directory = "/dev/serial/by-path"
        for name in os.listdir(self.root + directory):
            link = f"{directory}/{name}"
            target = os.readlink(self.root + link)
            yield link, os.path.normpath(os.path.join(directory, target))


def _numa(directory: str) -> tuple[int, ...]:
    while not os.path.exists(f"{directory}/numa_node"):
        directory = os.path.dirname(directory)
    return (int(_read(f"{directory}/numa_node")),)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()
