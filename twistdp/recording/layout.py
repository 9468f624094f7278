"""Lays a recording out as a tree: ``DIR/sys``, ``DIR/dev`` and ``DIR/run/udev/data``.

Recordings come from strangers: everything stays below the directory, which must be new.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

from twistdp.errors import BadSetting, Untrusted
from twistdp.host import make_directory
from twistdp.recording.text import Recorded
from twistdp.recording.tree import Tree
from twistdp.select import MODE

_BUSES: Final = frozenset(
    {"usb", "usb-serial", "pci", "hid", "i2c", "spi", "iio", "gpio", "platform", "dsa", "pnp"}
    | {"scsi", "media", "virtio", "mmc", "acpi", "serio", "thunderbolt", "mdio_bus"}
)
"""Subsystems whose devices are listed in ``/sys/bus``; those of the others in ``/sys/class``."""

UDEV_PREFIXES: Final = (
    *("ID_", "SOUND_", "SYSTEMD_", "UDISKS_", "USEC_INITIALIZED", "UPOWER_", "COLORD_"),
    *("LIBINPUT_", "GPHOTO", "MM_", "NM_", "BRLTTY", "__DEV", "libsane"),
)
"""How the properties begin that udev adds to those of the kernel."""

_NOT_STORED: Final = frozenset({"TAGS", "CURRENT_TAGS", "DEVLINKS", "DEVPATH", "SUBSYSTEM"})
"""Properties that are neither in ``uevent`` nor in udev's data base, but in other places."""


_NUMBER: Final = re.compile("[0-9]{1,10}")


def lay_out(
    devices: Iterable[Recorded], directory: str, *, null_nodes: bool = False, udev: bool = True
) -> None:
    """Make the tree of a recording in `directory`, which must not exist or be empty.

    Nodes are files, or with `null_nodes` character devices like ``/dev/null``, which only root can
    make.  Without `udev` there is no data base of udev, as in a container.  Of devices that claim
    one link, the first has it.  Raises `BadSetting` if the directory has something in it, or if
    others could exchange it while root writes there, and OSError.
    """
    _make(directory)
    if os.listdir(directory):
        raise BadSetting(f"directory {directory} is not empty; give a new one")
    _add(list(devices), directory, null_nodes, udev)


def plug(
    devices: Iterable[Recorded], directory: str, path: str, *, null_nodes: bool = False
) -> None:
    """Add a device, and all below it, to a tree that `lay_out` made.

    `path` is a path in sysfs, ``/devices/...``, or a node or link, ``/dev/...``.  Raises
    `BadSetting` if the recording has no such device, and OSError.
    """
    _check_laid_out(directory)
    udev = os.path.isdir(os.path.join(directory, "run/udev/data"))
    _add(_below(list(devices), path), directory, null_nodes, udev)


def unplug(devices: Iterable[Recorded], directory: str, path: str) -> None:
    """Take a device, and all below it, out of a tree that `lay_out` made.

    A link that another device claims too leads to that one now, as udev has it.  Takes and raises
    the same as `plug`.
    """
    _check_laid_out(directory)
    devices = list(devices)
    tree = Tree(directory)
    gone = _below(devices, path)
    for device in gone:
        for place in _places(device):
            tree.remove(place)
        tree.remove_all(_own(device))
    for device in devices:
        if device not in gone and tree.holds(_own(device)):
            _links(tree, device)


def _add(devices: list[Recorded], directory: str, null_nodes: bool, udev: bool) -> None:
    tree = Tree(directory)
    tree.make("sys")
    tree.make("dev")
    for device in devices:
        _directories(tree, device)
    for device in devices:
        _files(tree, device, null_nodes, udev)
    # Links come last: nothing is ever written through one.
    for device in devices:
        _links(tree, device)


def _make(directory: str) -> None:
    """Make a directory if needed; for root, refuse one that others could exchange.

    They would decide where on the node the files of a recording are made or removed.
    """
    if os.geteuid() != 0:
        os.makedirs(directory, exist_ok=True)
        return
    try:
        make_directory(directory)
    except Untrusted as error:
        raise BadSetting(f"directory {directory}: {error.reason}; name another one") from error


def _check_laid_out(directory: str) -> None:
    """Refuse a directory with the devices of a host that runs: its nodes would be removed.

    For root also one that others could exchange.
    """
    for name in ("sys", "dev"):
        path = os.path.join(os.path.realpath(directory), name)
        if not os.path.isdir(path) or os.path.islink(path) or os.path.ismount(path):
            raise BadSetting(
                f"directory {directory}: its {name} is none that 'twistdp fake' made; give the "
                "directory that a recording was laid out in"
            )
    _make(directory)


def _below(devices: list[Recorded], path: str) -> list[Recorded]:
    """The device that a path names, with all below it."""
    name = path.removeprefix("/dev/")
    for device in devices:
        if path == device.path or (path != name and name in (device.node, *device.claims)):
            inside = f"{device.path}/"
            return [one for one in devices if one == device or one.path.startswith(inside)]
    raise BadSetting(f"the recording has no device {path}; give a P: line's path, or a node")


def _places(device: Recorded) -> Iterator[str]:
    """The files and links outside the device's own directory that are there for it."""
    yield f"run/udev/data/{_udev_key(device)}"
    yield from _shown_in(device)
    if device.node is not None:
        yield f"dev/{device.node}"
        yield from (f"dev/{link}" for link in device.claims)


def _own(device: Recorded) -> str:
    return f"sys{device.path}"


def _subsystem(device: Recorded) -> str | None:
    """The directory of the device's subsystem."""
    name = device.subsystem
    if not name or "/" in name or name in (".", ".."):
        return None
    # What is left of the old interface to GPIO is a class with the same name.
    on_bus = name in _BUSES and not (name == "gpio" and device.node is None)
    return f"sys/{'bus' if on_bus else 'class'}/{name}"


def _shown_in(device: Recorded) -> Iterator[str]:
    """The places outside the device's own directory in which there is a link to it."""
    subsystem = _subsystem(device)
    if subsystem is not None:
        within = "devices/" if subsystem.startswith("sys/bus/") else ""
        yield f"{subsystem}/{within}{device.name}"
    for name, within in (("driver", ""), ("iommu_group", "devices/")):
        if name in device.links:
            target = os.path.normpath(os.path.join(_own(device), device.links[name]))
            if target.startswith(("sys/bus/", "sys/kernel/iommu_groups/")):
                yield f"{target}/{within}{device.name}"
    number = _number(device)
    if number is not None:
        yield f"sys/dev/{'block' if device.subsystem == 'block' else 'char'}/{number}"


def _number(device: Recorded) -> str | None:
    major, minor = device.properties.get("MAJOR", ""), device.properties.get("MINOR", "")
    return f"{major}:{minor}" if _NUMBER.fullmatch(major) and _NUMBER.fullmatch(minor) else None


def _directories(tree: Tree, device: Recorded) -> None:
    own = _own(device)
    tree.make(own)
    for name in (*device.attributes, *device.links):
        tree.make(os.path.dirname(f"{own}/{name}"))
    tree.make(_subsystem(device) or own)
    for path in _shown_in(device):
        tree.make(os.path.dirname(path))
    for node in (device.node, *device.claims):
        if node is not None:
            tree.make(os.path.dirname(f"dev/{node}"))


def _files(tree: Tree, device: Recorded, null_nodes: bool, udev: bool) -> None:
    own = _own(device)
    kernel = {
        key: value.removeprefix("/dev/") if key == "DEVNAME" else value
        for key, value in device.properties.items()
        if not key.startswith(UDEV_PREFIXES) and key not in _NOT_STORED
    }
    if device.node is not None:
        kernel.setdefault("DEVNAME", device.node)
    tree.write(f"{own}/uevent", "".join(f"{key}={kernel[key]}\n" for key in kernel).encode())
    for name, content in device.attributes.items():
        tree.write(f"{own}/{name}", content)
    if device.node is not None:
        _node(tree, device, null_nodes)
    if udev:
        tree.make("run/udev/data")
        tree.write(f"run/udev/data/{_udev_key(device)}", _udev_entry(device).encode())


def _node(tree: Tree, device: Recorded, null_nodes: bool) -> None:
    path = tree.path(f"dev/{device.node}")
    if null_nodes:
        tree.node(f"dev/{device.node}")
    else:
        tree.write(f"dev/{device.node}", device.content)
    mode = device.properties.get(MODE, "")
    is_file = os.path.isfile(path) and not os.path.islink(path)
    if 0 < len(mode) <= 5 and set(mode) <= set("01234567") and is_file:
        os.chmod(path, int(mode, 8) & 0o777)


def _udev_key(device: Recorded) -> str:
    number = _number(device)
    if number is not None:
        return f"{'b' if device.subsystem == 'block' else 'c'}{number}"
    index = device.properties.get("IFINDEX", "")
    if device.subsystem == "net" and _NUMBER.fullmatch(index):
        return f"n{index}"
    return f"+{device.subsystem.replace('/', '_')}:{device.name}"


def _udev_entry(device: Recorded) -> str:
    lines = [f"S:{link}" for link in device.claims]
    lines.append("I:1000000")
    lines += [
        f"E:{key}={value}"
        for key, value in device.properties.items()
        if key.startswith(UDEV_PREFIXES) and key not in _NOT_STORED
    ]
    for key, letter in (("TAGS", "G"), ("CURRENT_TAGS", "Q")):
        tags = device.properties.get(key, "").split(":")
        lines += [f"{letter}:{tag}" for tag in tags if tag]
    return "\n".join((*lines, "V:1", ""))


def _links(tree: Tree, device: Recorded) -> None:
    own = _own(device)
    for name, text in device.links.items():
        tree.link_text(f"{own}/{name}", text)
    subsystem = _subsystem(device)
    if subsystem is not None:
        tree.link(f"{own}/subsystem", subsystem)
    for path in _shown_in(device):
        tree.link(path, own)
    if device.node is not None:
        for link in device.claims:
            tree.link(f"dev/{link}", f"dev/{device.node}")
