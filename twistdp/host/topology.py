"""NUMA nodes of devices, from sysfs.

A device node leads by its major and minor number to a directory of sysfs, ``/sys/dev/char/M:m``
or ``/sys/dev/block/M:m``, and from there:

- Up.  The nearest directory decides, from the device's own upwards, whose ``numa_node`` has a
  usable node.  A value of -1 is not usable: the kernel gives a device without a node that of its
  parent when it is added (``device_add``), and Intel's ``pkg/topology`` goes on upwards too.
- If that finds nothing, to the devices behind the device, and up from there.  Behind a block device
  (dm, md, bcache) are its ``slaves``, which may have slaves too; behind an NVMe namespace with
  several paths are the controllers of its subsystem; behind a group of vfio are the devices
  of the IOMMU group of that number, ``/sys/kernel/iommu_groups/N/devices``.

In all other cases the node is unknown, which is not an error: a virtual device, a machine without
NUMA, a file that cannot be read or parsed, a link that dangles, turns in a circle or leaves sysfs.
A node that this machine does not have is unknown too (some firmware writes socket numbers): with
the policies restricted and single-numa-node the kubelet admits no pod to a device on a node that
it does not know.

No device node is opened.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from twistdp.host.limits import remedy_for

Kind: TypeAlias = Literal["char", "block"]
"""The kind of a device node; numbers are distinct within one kind only."""

_MOST_NODES: Final = 1 << 10
"""The kernel numbers nodes below this (CONFIG_NODES_SHIFT is at most 10)."""

_MOST_LINKS: Final = 40
"""This many links on one way are a circle, as for the kernel (MAXSYMLINKS)."""

_LONGEST_VALUE: Final = 16
"""A ``numa_node`` of this many bytes is not one; the kernel writes a number and a newline."""

_READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_NODE: Final = re.compile(rb"\s*([0-9]{1,4})\s*")

_CONTROLLER: Final = re.compile("nvme[0-9]+")

_GROUP: Final = re.compile(r"(?:noiommu-)?([0-9]+)")
"""How vfio names the device of a group; even without an IOMMU the group has a number."""


class Topology:
    """The NUMA nodes of devices, as sysfs has them at one time.

    It remembers what it has read of a directory, since many devices share their upper directories.
    So an instance is for one scan: after a hot plug a directory may belong to another device, and
    an administrator may write to ``numa_node``.  The numbers of a device node and its link in
    ``/sys/dev`` are read each time.

    `sysfs` is where sysfs is mounted; outside of it, only the device nodes themselves are looked
    at.  Not for several threads at once.
    """

    def __init__(self, sysfs: str = "/sys") -> None:
        # The caller is responsible for links on the way to sysfs; links in it must not lead out.
        self._root = os.path.realpath(sysfs)
        self._prefix = self._root.rstrip("/") + "/"
        self._real = {self._root}  # directories with no link on the way to them from the root
        self._known: dict[str, int | None] = {self._root: None}  # the node at or above a directory
        self._present: dict[int, bool] = {}

    def nodes(self, paths: Iterable[str]) -> tuple[int, ...] | None:
        """Return the NUMA nodes of the device nodes at `paths`, sorted and distinct.

        None, and never an empty tuple, if nothing is known of any of them: the kubelet must then
        get no topology at all.  A path contributes nothing if it is no device node, is missing, or
        cannot be read.  Raises OSError if the process has run out of descriptors or the like: then
        it is not true that the node is unknown.
        """
        found: set[int] = set()
        for path in paths:
            try:
                status = os.stat(path)
            except (OSError, ValueError):  # ValueError: the path has a NUL or is not encodable
                continue
            kind: Kind
            if stat.S_ISCHR(status.st_mode):
                kind = "char"
            elif stat.S_ISBLK(status.st_mode):
                kind = "block"
            else:
                continue
            found |= self.of_device(kind, os.major(status.st_rdev), os.minor(status.st_rdev))
        return tuple(sorted(found)) or None

    def of_device(self, kind: Kind, major: int, minor: int) -> frozenset[int]:
        """Return the NUMA nodes of the device with these numbers; empty if they are not known."""
        found: set[int] = set()
        seen: set[str] = set()
        waiting = [f"{self._prefix}dev/{kind}/{major}:{minor}"]
        while waiting:
            directory = self._followed(waiting.pop())
            if directory is None or directory in seen:
                continue
            seen.add(directory)
            if (node := self._upwards(directory)) is not None:
                found.add(node)
            elif kind == "block":
                waiting += [*self._slaves(directory), *self._controllers(directory)]
            else:
                waiting += self._group(directory)
        return frozenset(found)

    def has_node(self, node: int) -> bool:
        """Whether the machine has the node; the kubelet counts nodes in the same directory."""
        if node not in self._present:
            nodes = f"{self._prefix}devices/system/node"
            # Without a list of nodes, every node may exist.
            self._present[node] = (
                self._directory(f"{nodes}/node{node}") is not None or self._directory(nodes) is None
            )
        return self._present[node]

    def _followed(self, link: str) -> str | None:
        """Return the real path of the directory that a link leads to, never outside of sysfs."""
        parent = self._directory(os.path.dirname(link))
        if parent is None:
            return None
        try:
            # The kernel's entries are links, so there is no need to examine them first.
            target = os.readlink(link)
        except OSError:
            return None
        return self._directory(os.path.join(parent, target))

    def _directory(self, path: str) -> str | None:
        """Return the real path of a directory in sysfs, never outside of it."""
        # os.path.realpath examines every component each time, and follows links out of sysfs.
        for _ in range(_MOST_LINKS):
            path = os.path.normpath(path)
            if not path.startswith(self._prefix):
                return None
            here, unknown = path, []
            while here not in self._real:
                unknown.append(here)
                here = here.rpartition("/")[0] or "/"
            try:
                for here in reversed(unknown):
                    mode = os.lstat(here).st_mode
                    if stat.S_ISDIR(mode):
                        self._real.add(here)
                    elif stat.S_ISLNK(mode):
                        target = os.path.join(os.path.dirname(here), os.readlink(here))
                        path = target + path[len(here) :]
                        break
                    else:
                        return None
                else:
                    return path
            except OSError:
                return None
        return None

    def _upwards(self, directory: str) -> int | None:
        """Return the node in the nearest usable ``numa_node`` at or above a real directory."""
        passed = []
        while directory not in self._known:
            passed.append(directory)
            if (node := self._read(directory)) is not None:
                break
            directory = directory.rpartition("/")[0] or "/"
        else:
            node = self._known[directory]
        for directory in passed:
            self._known[directory] = node
        return node

    def _read(self, directory: str) -> int | None:
        """Return the node in one ``numa_node``, None if the file is missing or not usable."""
        path = f"{directory}/numa_node"
        # Most directories have none, and asking costs half of a failing open.  It may follow a
        # link, which does no harm.
        if not os.access(path, os.F_OK):
            return None
        try:
            # The kernel makes no link and no pipe here: they must neither lead out nor block.
            file = os.open(path, _READING)
        except OSError as error:
            _raise_if_exhausted(error)
            return None
        try:
            value = os.read(file, _LONGEST_VALUE)
        except OSError:
            return None
        finally:
            os.close(file)
        match = _NODE.fullmatch(value)
        if match is None or len(value) == _LONGEST_VALUE:
            return None
        node = int(match[1])
        return node if node < _MOST_NODES and self.has_node(node) else None

    def _slaves(self, directory: str) -> Iterator[str]:
        """Return the links to the block devices that a block device is made of."""
        slaves = self._directory(f"{directory}/slaves")
        if slaves is None:
            # A partition has none of its own, but lies in the directory of the whole device.
            slaves = self._directory(f"{os.path.dirname(directory)}/slaves")
        return self._entries(slaves)

    def _controllers(self, directory: str) -> Iterator[str]:
        """Yield the links to the controllers of an NVMe namespace with several paths."""
        for _ in range(2):  # a partition lies in the directory of the whole device
            directory = os.path.dirname(directory)
            if os.path.basename(directory).startswith("nvme-subsys"):
                for entry in self._entries(directory):
                    if _CONTROLLER.fullmatch(os.path.basename(entry)):
                        yield entry

    def _group(self, directory: str) -> Iterator[str]:
        """Return the links to the devices of the IOMMU group, if this is vfio's device of one."""
        parent, _, name = directory.rpartition("/")
        match = _GROUP.fullmatch(name)
        if match is None:
            return iter(())
        if not parent.endswith("/vfio"):
            try:
                subsystem = os.readlink(f"{directory}/subsystem")
            except OSError:
                return iter(())
            if os.path.basename(subsystem) != "vfio":
                return iter(())
        devices = f"{self._prefix}kernel/iommu_groups/{match[1]}/devices"
        return self._entries(self._directory(devices))

    @staticmethod
    def _entries(directory: str | None) -> Iterator[str]:
        if directory is None:
            return
        try:
            names = os.listdir(directory)
        except OSError as error:
            _raise_if_exhausted(error)
            return
        for name in names:
            yield f"{directory}/{name}"


def _raise_if_exhausted(error: OSError) -> None:
    if remedy_for(error) is not None:
        raise error
