"""The devices of a host, read from sysfs, ``/dev`` and udev's data base."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Final, TypeVar

from twistdp.select.device import Device
from twistdp.select.nodes import NodeListing
from twistdp.select.udev import UdevData
from twistdp.select.walk import Walk

_T = TypeVar("_T")

_MOST: Final = 200_000
"""Devices of a host that are looked at."""

_DEEPEST: Final = 64

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
        self._walk = Walk(f"{self.prefix}/sys")
        self._facts: dict[str, object] = {}
        self._devices: dict[str, Device] = {}
        self._at: dict[str, Device] = {}
        """Devices that were asked for by their nodes."""
        self._numbered: dict[str, Device | None] = {}
        self._has_walked = False
        """Whether all devices of the host are known, and not only those that were asked for."""

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
        yield from self._all

    @cached_property
    def _all(self) -> list[Device]:
        found: list[Device] = []
        tops = self.below("/devices")
        for top in tops:
            top.has_parent(None)
        waiting = [(top, 0) for top in reversed(tops)]
        while waiting and len(found) < _MOST:
            device, depth = waiting.pop()
            found.append(device)
            if depth < _DEEPEST:
                waiting += [(child, depth + 1) for child in reversed(device.children)]
        self._has_walked = True
        return found

    @cached_property
    def by_subsystem(self) -> dict[str, list[Device]]:
        """The devices of each subsystem, in natural order."""
        found: dict[str, list[Device]] = {}
        for device in self._all:
            found.setdefault(device.subsystem, []).append(device)
        return found

    def in_subsystems(self, names: Iterable[str]) -> list[Device]:
        """The devices of several subsystems."""
        found = dict.fromkeys(names)
        return [device for name in found for device in self.by_subsystem.get(name, ())]

    @cached_property
    def _by_node(self) -> dict[str, Device]:
        """Devices by their nodes; of two with one node the first."""
        found: dict[str, Device] = {}
        for device in self._all:
            if device.node is not None:
                found.setdefault(device.node, device)
        return found

    def device(self, syspath: str) -> Device | None:
        """The device at ``/devices/...``; None if there is none."""
        known = self._devices.get(syspath)
        if known is not None:
            return known
        syspath = os.path.normpath(syspath)
        if not syspath.startswith("/devices/"):
            return None
        path = f"{self.prefix}/sys{syspath}"
        if os.path.realpath(path) != os.path.realpath(f"{self.prefix}/sys") + syspath:
            return None
        return self.make(syspath) if os.path.exists(f"{path}/uevent") else None

    def make(self, syspath: str) -> Device:
        """The one `Device` of a syspath that is known to be a device's."""
        device = self._devices.get(syspath)
        if device is None:
            device = self._devices[syspath] = Device(self, syspath)
        return device

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
        if self._has_walked:
            # Found out when they are asked for, from the list, which is long.
            self._by_node, self.by_subsystem  # noqa: B018
            vars(self).pop("_all", None)
            self._at.clear()
        self._numbered.clear()
        if self.has_udev:
            self.udev.prepare()
        self._facts = {name: each for name, each in self._facts.items() if name in _KEPT}
        for device in (*self._devices.values(), *self._at.values()):
            device.spare()

    def release(self) -> None:
        """Forget all devices; they can no longer be asked anything.

        They refer to each other, so they would stay in memory until the garbage collector comes.
        """
        for device in self._devices.values():
            device.part()
        vars(self).clear()

    def begin_again(self) -> None:
        """Look at directories as they are from now on."""
        self._walk.forget_ahead()
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

    def known(self, syspath: str) -> Device | None:
        """The device that was last known at a syspath."""
        return self._devices.get(syspath)

    def known_at(self, node: str) -> Device | None:
        """The device that was last known to have a node."""
        return (self._by_node if self._has_walked else self._at).get(node)

    def forget(self, device: Device) -> None:
        """Know nothing of a device any more: it is read again when it is asked for."""
        if device.node is not None:
            self._at.pop(device.node, None)
        if self._devices.pop(device.syspath, None) is None:
            return
        if self._has_walked:
            alike = self.by_subsystem.get(device.subsystem, ())
            self.by_subsystem[device.subsystem] = [each for each in alike if each is not device]
            if device.node is not None:
                self._by_node.pop(device.node, None)
        for each in device.ancestors:
            each.forget_children()
        self._facts = {name: each for name, each in self._facts.items() if name in _KEPT}

    def know(self, device: Device) -> bool:
        """Count a device among the host's; returns whether it was none of them."""
        if not self._has_walked:
            self._devices[device.syspath] = device
            if device.node is not None:
                self._at[device.node] = device
            return True
        alike = self.by_subsystem.setdefault(device.subsystem, [])
        if device in alike:
            return False
        self._devices[device.syspath] = device
        alike.append(device)
        if device.node is not None:
            self._by_node.setdefault(device.node, device)
        return True

    def below(self, directory: str) -> list[Device]:
        """The nearest devices below a directory of ``/sys``, in natural order."""
        return [self.make(path) for path in self._walk.below(directory)]

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
            return self._by_node.get(node)
        device = self._by_number(node)
        if device is not None and not self._has_walked:
            self._at[node] = device
        return device

    def named(self, identity: str) -> Device | None:
        """The device with an identity: a path in sysfs, or the node of one without sysfs."""
        return self.bare(identity) if identity.startswith("/dev/") else self.device(identity)

    def bare(self, path: str) -> Device | None:
        """A device without sysfs for a node that sysfs does not know; None if there is no node."""
        node = self._nodes.resolve(path)
        if node is None:
            return None
        device = self._at.get(node)
        if device is None or device.syspath:
            device = self._at[node] = Device(self, "", node)
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
