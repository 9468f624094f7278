"""NUMA nodes of devices, from sysfs.

A device node leads by its major and minor number to a directory of sysfs, ``/sys/dev/char/M:m``
or ``/sys/dev/block/M:m``, and from there:

- Up.  The nearest directory, from the device's own upwards, whose ``numa_node`` says a usable
  node decides.  A value of -1 does not: the kernel gives a device without a node that of its
  parent when it is added (``device_add``), and Intel's ``pkg/topology`` goes on upwards too.
- Where that gives nothing, to what the device stands for, and up from there.  A block device
  (dm, md, bcache) stands for its ``slaves``, and these may again; an NVMe namespace with several
  paths for the controllers of its subsystem; a group of vfio stands for the
  devices of the IOMMU group of that number, ``/sys/kernel/iommu_groups/N/devices``.

Everything else is unknown, which is not an error: a virtual device, a machine without NUMA, a file
that cannot be read or parsed, a link that dangles, turns in a circle or leaves sysfs.  So is a
node that this machine does not have (some firmware writes socket numbers): with the policies
restricted and single-numa-node the kubelet admits no pod to a device on a node that it does not
know.

No device node is opened.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from twistdp.host.limits import remedy_for

Kind: TypeAlias = Literal["char", "block"]
"""What a device node is a node of; numbers are distinct within one kind only."""

_MOST_NODES: Final = 1 << 10
"""The kernel numbers nodes below this (CONFIG_NODES_SHIFT is at most 10)."""

_MOST_LINKS: Final = 40
"""So many links on one way are a circle, as for the kernel (MAXSYMLINKS)."""

_LONGEST_VALUE: Final = 16
"""A ``numa_node`` of so many bytes is none; the kernel writes a number and a newline."""

_READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_NODE: Final = re.compile(rb"\s*([0-9]{1,4})\s*")

_CONTROLLER: Final = re.compile("nvme[0-9]+")

_GROUP: Final = re.compile(r"(?:noiommu-)?([0-9]+)")
"""How vfio names the device of a group; without an IOMMU the group has a number nevertheless."""


class Topology:
    """The NUMA nodes of devices as sysfs tells them at one time.

    What was read of a directory is kept, since many devices share their upper directories.  So an
    instance is for one scan: a directory may be another device's after a hot plug, and the
    administrator may write to ``numa_node``.  The numbers of a device node and its link in
    ``/sys/dev`` are read each time.

    `sysfs` is where sysfs is mounted; nothing outside of it is looked at but the device nodes
    themselves.  Not to be used by several threads at once.
    """

    def __init__(self, sysfs: str = "/sys") -> None:
        # Links on the way to sysfs are the caller's business; links in it must not lead out.
        self._root = os.path.realpath(sysfs)
        self._prefix = self._root.rstrip("/") + "/"
        self._real = {self._root}  # directories with no link on the way to them from the root
        self._known: dict[str, int | None] = {self._root: None}  # the node at or above a directory
        self._present: dict[int, bool] = {}

    def nodes(self, paths: Iterable[str]) -> tuple[int, ...] | None:
        """The NUMA nodes of the device nodes at `paths`, sorted and distinct.

        None, and never an empty tuple, when nothing is known of any of them: the kubelet must then
        be told of no topology at all.  A path that is no device node, is missing, or cannot be
        read contributes nothing.  Raises OSError when the process has run out of what reading
        needs, such as descriptors: that a node is not known would be wrong then.
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
        """The NUMA nodes of the device with these numbers; empty when they are not known."""
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
        """Whether the machine has the node, by what the kubelet counts them by."""
        if node not in self._present:
            nodes = f"{self._prefix}devices/system/node"
            # Where there is no list of nodes, nothing contradicts.
            self._present[node] = (
                self._directory(f"{nodes}/node{node}") is not None or self._directory(nodes) is None
            )
        return self._present[node]

    def _followed(self, link: str) -> str | None:
        """The real path of the directory that a link in sysfs leads to, never outside of it."""
        parent = self._directory(os.path.dirname(link))
        if parent is None:
            return None
        try:
            # The kernel's entries are links, so that examining them first would be for nothing.
            target = os.readlink(link)
        except OSError:
            return None
        return self._directory(os.path.join(parent, target))

    def _directory(self, path: str) -> str | None:
        """The real path of a directory in sysfs, never outside of it."""
        # Not os.path.realpath: it examines every component anew, and follows links out of sysfs.
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
        """The node that the nearest usable ``numa_node`` says, of a real directory."""
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
        """The node that one ``numa_node`` says, None if it is not there or not usable."""
        path = f"{directory}/numa_node"
        # Most directories have none, and asking costs half of what a failing open does.  It may
        # follow a link, but then nothing comes of it.
        if not os.access(path, os.F_OK):
            return None
        try:
            # What is a link or a pipe is not of the kernel and must neither lead out nor block.
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
        """The links to the block devices that a block device is made of."""
        slaves = self._directory(f"{directory}/slaves")
        if slaves is None:
            # A partition has none of its own, but lies in the directory of the whole.
            slaves = self._directory(f"{os.path.dirname(directory)}/slaves")
        return self._entries(slaves)

    def _controllers(self, directory: str) -> Iterator[str]:
        """The links to the controllers that an NVMe namespace with several paths is reached by."""
        for _ in range(2):  # a partition lies in the directory of the whole
            directory = os.path.dirname(directory)
            if os.path.basename(directory).startswith("nvme-subsys"):
                for entry in self._entries(directory):
                    if _CONTROLLER.fullmatch(os.path.basename(entry)):
                        yield entry

    def _group(self, directory: str) -> Iterator[str]:
        """The links to the devices of the IOMMU group, if this is vfio's device of one."""
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
