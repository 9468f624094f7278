"""The devices of a host, read from sysfs, ``/dev`` and udev's data base."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from twistdp.select.device import Device
from twistdp.select.nodes import NodeListing
from twistdp.select.table import Table
from twistdp.select.udev import UdevData

_T = TypeVar("_T")

_KEPT: Final = frozenset({"USB serial numbers"})
"""What is remembered and kept up to date where devices come and go."""


class Host:
    """The devices of a host below `root`: ``/``, or a directory that a recording was laid out in.

    A Host remembers what it has read, so a scan makes its own.  It reads only what is asked for,
    and never raises OSError: what is gone or unreadable is not there.  Paths are those of the host,
    without `root`.

    With `check_paths`, directories of ``/dev`` in which others than root and our user may make
    entries are left out; None means those of ``/``, for in another tree owners say nothing.
    """

    def __init__(self, root: str = "/", check_paths: bool | None = None) -> None:
        self.root = root
        self.prefix = os.path.abspath(root).rstrip("/")
        if check_paths is None:
            check_paths = not self.prefix
        self.udev = UdevData(self.prefix or "/")
        self._nodes = NodeListing(self.prefix, check_paths)
        self.table = Table(self)
        self._facts: dict[str, object] = {}
        self._numbered: dict[str, Device | None] = {}

    @property
    def has_udev(self) -> bool:
        """Whether udev's data base is there; without it no udev property is known."""
        return self.udev.is_there

    def remembered(self, name: str, find: Callable[["Host"], _T]) -> _T:
        """What `find` finds out about the host, found out once under this name."""
        if name not in self._facts:
            self._facts[name] = find(self)
        return self._facts[name]  # type: ignore[return-value]

    def has_remembered(self, name: str) -> bool:
        """Whether something was found out under this name."""
        return name in self._facts

    # Devices

    def devices(self) -> Iterator[Device]:
        """All devices of ``/sys/devices`` in natural order, parents first.

        Without those below ``/sys/devices/system``: processors and memory, of which a large
        machine has many thousands, and none has a node.
        """
        yield from self.table.all

    @property
    def by_subsystem(self) -> dict[str, list[Device]]:
        """The devices of each subsystem, in natural order."""
        return self.table.by_subsystem

    def in_subsystems(self, names: Iterable[str]) -> list[Device]:
        """The devices of several subsystems."""
        found = dict.fromkeys(names)
        return [device for name in found for device in self.by_subsystem.get(name, ())]

    def device(self, syspath: str) -> Device | None:
        """The device at ``/devices/...``; None if there is none."""
        known = self.table.get(syspath)
        if known is not None:
            return known
        syspath = os.path.normpath(syspath)
        if not syspath.startswith("/devices/"):
            return None
        path = f"{self.prefix}/sys{syspath}"
        if os.path.realpath(path) != os.path.realpath(f"{self.prefix}/sys") + syspath:
            return None
        return self.table.make(syspath) if os.path.exists(f"{path}/uevent") else None

    def linked(self, path: str) -> Device | None:
        """The device that a link in ``/sys`` leads to."""
        top = os.path.realpath(f"{self.prefix}/sys")
        target = os.path.realpath(f"{self.prefix}/sys{path}")
        return self.device(target[len(top) :]) if target.startswith(f"{top}/devices/") else None

    # What changed

    def prepare(self) -> None:
        """Keep what `list_again` and the others need, and no more.

        What is missing is read, so that the first change takes no longer than others.
        """
        self._nodes.prepare()
        self.table.prepare()
        self._numbered.clear()
        if self.has_udev:
            self.udev.prepare()
        self._facts = {name: each for name, each in self._facts.items() if name in _KEPT}

    def release(self) -> None:
        """Forget everything; the devices can no longer be asked anything."""
        self.table.release()
        vars(self).clear()

    def begin_again(self) -> None:
        """Look at directories as they are from now on."""
        self.table.begin_again()
        self._numbered.clear()

    def list_again(self, path: str) -> dict[str, None]:
        """List a path below ``/dev`` again; returns the nodes that it is about."""
        return self._nodes.refresh(path)

    def of_entry(self, key: str) -> Device | None:
        """Read an entry of udev's data base again; returns the device that it is about."""
        self.udev.forget(key)
        kind, rest = key[:1], key[1:]
        if kind in ("b", "c"):
            return self.linked(f"/dev/{'block' if kind == 'b' else 'char'}/{rest}")
        if kind == "n":
            found = (self.linked(f"/class/net/{name}") for name in self.entries("/class/net"))
            return next((each for each in found if each and each.udev_key == key), None)
        subsystem, _, name = rest.partition(":")
        if kind != "+" or {".", "..", ""} & {subsystem, name}:
            return None
        of_bus = self.linked(f"/bus/{subsystem}/devices/{name}")
        return of_bus or self.linked(f"/class/{subsystem}/{name}")

    def entries(self, directory: str) -> list[str]:
        """The names in a directory of ``/sys``; none if it cannot be listed."""
        try:
            return os.listdir(f"{self.prefix}/sys{directory}")
        except OSError:
            return []

    def forget(self, device: Device) -> None:
        """Know nothing of a device any more: it is read again when it is asked for."""
        if self.table.remove(device):
            self._facts = {name: each for name, each in self._facts.items() if name in _KEPT}

    # Nodes

    def nodes(self, pattern: str) -> list[str]:
        """The nodes below ``/dev`` and the links to them that a glob matches, in natural order.

        ``*`` stands for no ``/``, ``**`` does.  A directory stands for all nodes in it, without
        links.  Raises `BadSetting` for a pattern that is no absolute path.
        """
        found = self._nodes.matching(pattern)
        return [path for path in found if self._nodes.resolve(path) is not None]

    def is_at(self, node: str, pattern: str) -> bool:
        """Whether a node is there, and a glob matches it or a link to it."""
        return self._nodes.matches(node, pattern)

    def matched(self, node: str, pattern: str) -> list[str]:
        """Of a node and the links to it, the paths that a glob matches."""
        return list(self._nodes.matched(node, pattern))

    def all_nodes(self) -> list[str]:
        """Every node below ``/dev``, without links."""
        listed = self._nodes.all()
        return [path for path, target in listed.items() if target is None]

    def lists(self, directory: str) -> bool:
        """Whether the nodes and links in a directory below ``/dev`` count."""
        return self._nodes.lists(directory)

    @property
    def left_out(self) -> list[str]:
        """The directories below ``/dev`` that are left out, each with the reason."""
        return [
            f"left out {directory}, since others could make it lead to any file of the node: {why}"
            for directory, why in self._nodes.left_out.items()
        ]

    def resolve(self, path: str) -> str | None:
        """The node that a path below ``/dev`` is or leads to."""
        return self._nodes.resolve(path)

    def of_node(self, path: str) -> Device | None:
        """The device of a node, or of a link to one; None if sysfs has none."""
        node = self._nodes.resolve(path)
        if node is None:
            return None
        if self.prefix:
            return self.table.by_node.get(node)
        device = self._by_number(node)
        if device is not None and not self.table.is_whole:
            self.table.asked[node] = device
        return device

    def named(self, identity: str) -> Device | None:
        """The device with an identity: a path in sysfs, or the node of one without sysfs."""
        return self.bare(identity) if identity.startswith("/dev/") else self.device(identity)

    def bare(self, path: str) -> Device | None:
        """A device without sysfs for a node that sysfs does not know; None if there is no node."""
        node = self._nodes.resolve(path)
        if node is None:
            return None
        device = self.table.asked.get(node)
        if device is None or device.syspath:
            device = self.table.asked[node] = Device(self, "", node)
        return device

    def _by_number(self, node: str) -> Device | None:
        try:
            status = os.lstat(node)
        except OSError:
            return None
        kind = "block" if stat.S_ISBLK(status.st_mode) else "char"
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        number = f"/dev/{kind}/{number}"
        if number not in self._numbered:
            self._numbered[number] = self.linked(number)
        device = self._numbered[number]
        # Somebody may have made another node with the numbers of a device.
        return device if device is not None and device.node == node else None

    def all_links_to(self, node: str) -> tuple[str, ...]:
        """Every link that leads to a node now, stable or not."""
        return self._nodes.links_to(node)

    def contested_links(self, device: Device) -> dict[str, int]:
        """The links that udev makes for a device and for others too, with the count of these all.

        Such a link leads to whichever was plugged in last.
        """
        links = self.udev.entry(device.udev_key).links if self.has_udev else ()
        counts = {f"/dev/{link}": len(self.udev.claims.get(link, ())) for link in links}
        return {link: count for link, count in counts.items() if count > 1}

    def links_to(self, node: str) -> tuple[str, ...]:
        """The links that lead to this node now and that no other device claims.

        Two identical adapters claim one link, and either may have it after the next plug.  Without
        udev's data base nobody knows who claims what: then the links in ``by-path`` alone, which
        name a place, and not those of ``/dev/input``, where several nodes of an interface share
        one.
        """
        links = self.all_links_to(node)
        if not self.has_udev:
            safe = [link for link in links if "/by-path/" in link]
            return tuple(link for link in safe if not link.startswith("/dev/input/"))
        claims = self.udev.claims
        device = self.of_node(node)
        key = device.udev_key if device is not None else None
        return tuple(link for link in links if claims.get(link.removeprefix("/dev/")) == [key])
