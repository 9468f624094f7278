"""Checks that an id stands for one device, whatever other devices appear.

The kubelet knows devices only by their ids, and remembers over restarts which pod has which.  It
gives a device whose id changes while it is in use to a second pod.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress

from twistdp.conformance.bench import Bench, shortened
from twistdp.conformance.checking import Skipped, check
from twistdp.conformance.checks.allocation import container
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse

CHECKPOINT = "the kubelet keeps allocated ids in its checkpoint (kubelet_internal_checkpoint)"

SAMPLE = 64
"""Devices whose identity is checked."""

SETTLED = 2.0
"""Seconds after a change within which unstable ids have changed."""


def physical(path: str) -> object:
    """The identity of what `path` leads to: the number of a device, otherwise the real path."""
    with suppress(OSError):
        found = os.stat(path)
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            return stat.S_IFMT(found.st_mode), found.st_rdev
    return os.path.realpath(path)


def host_paths(response: ContainerAllocateResponse) -> list[str]:
    """The host's paths that a container gets: device nodes and mounts."""
    nodes = [node.host_path for node in response.devices]
    return nodes + [mount.host_path for mount in response.mounts]


def behind(response: ContainerAllocateResponse) -> frozenset[object]:
    """The hardware that a container gets, or its variables if it gets nothing else."""
    things = {physical(path) for path in host_paths(response)}
    things |= {device.name for device in response.cdi_devices}
    return frozenset(things or response.envs.items())


async def _known(bench: Bench) -> dict[str, frozenset[object]]:
    """The hardware behind the first healthy devices of the list."""
    return {id_: behind(await container(bench, [id_])) for id_ in bench.healthy[:SAMPLE]}


async def _same(bench: Bench, known: Mapping[str, frozenset[object]], when: str) -> None:
    """Check that these ids are listed and stand for the same devices."""
    missing = known.keys() - bench.devices.keys()
    bench.require(
        not missing, f"{when}: {shortened(missing)} missing, listed: {shortened(bench.devices)}"
    )
    for id_, before in known.items():
        now = behind(await container(bench, [id_]))
        bench.require(now == before, f"{when}: {id_} is another device, {now}, before {before}")


@check(
    "identity.once",
    "No device is listed under two ids",
    source=f"{CHECKPOINT}; udev gives one device several names",
    after=["allocate.known"],
)
async def once(bench: Bench) -> None:
    """If two ids give one device under two names, such as a node and a link to it, two pods get the
    device. Ids that give the same path are no failure, since such a device is shared on purpose."""
    await bench.begin()
    bench.need(1)
    names: dict[object, dict[str, str]] = defaultdict(dict)
    for id_ in bench.healthy[:SAMPLE]:
        for path in _nodes(await container(bench, [id_])):
            names[physical(path)].setdefault(path, id_)
    double = [paths for paths in names.values() if len(paths) > 1 and len({*paths.values()}) > 1]
    bench.require(
        not double,
        "; ".join(
            "one device under two ids: " + ", ".join(f"{id_} ({path})" for path, id_ in one.items())
            for one in double
        ),
    )


def _nodes(response: ContainerAllocateResponse) -> Iterator[str]:
    """The device nodes and single files that a container gets, without directories."""
    return (path for path in host_paths(response) if not os.path.isdir(path))


@check(
    "identity.neighbours",
    "A device keeps its id when others come and go",
    source=CHECKPOINT,
    after=["list.hotplug", "allocate.known"],
)
async def neighbours(bench: Bench) -> None:
    """After --hotplug-add and after --hotplug-remove all other devices keep their ids, and each id
    stands for the same device. Ids that number the places in a list fail, and so do ids that a
    list lacks for a moment."""
    await bench.begin()
    known = await _known(bench)
    lists = len(bench.lists)
    id_ = await bench.hardware.plug()
    await bench.pause(SETTLED)
    await _same(bench, known, f"after {id_} came")
    await bench.hardware.unplug(id_)
    await bench.pause(SETTLED)
    await _same(bench, known, f"after {id_} went")
    for listed in bench.lists[lists:]:
        missing = known.keys() - listed.health.keys()
        bench.require(not missing, f"while {id_} came and went a list lacks {shortened(missing)}")


@check(
    "identity.restart",
    "A device keeps its id over a restart after another has come",
    source=CHECKPOINT,
    after=["identity.neighbours", "list.ids-stable"],
)
async def restart(bench: Bench) -> None:
    """A device appears and the plugin restarts. All ids are listed again, and each stands for the
    same device. Ids that depend on the order in which devices were found fail."""
    await bench.begin()
    await bench.hardware.plug()
    await _restarted(bench)


async def _restarted(bench: Bench) -> None:
    """Restart the plugin, and check that the devices are the same."""
    ids = set(bench.devices)
    known = await _known(bench)
    await bench.terminate()
    await bench.start_again()
    await bench.listed_again(ids)
    await _same(bench, known, "after a restart of the plugin")


@check(
    "identity.namesake",
    "A device keeps its id when a namesake comes",
    source=f"{CHECKPOINT}; /dev/bus/usb/001/004 and /dev/bus/usb/002/004",
    after=["identity.restart"],
)
async def namesake(bench: Bench) -> None:
    """--namesake-add makes a device appear that has the same file name as an existing one, in
    another directory. Both are listed, and the first one keeps its id, also after a restart of the
    plugin and when the namesake has gone."""
    await bench.begin()
    known = await _known(bench)
    id_ = await bench.hardware.namesake()
    await bench.pause(SETTLED)
    await _same(bench, known, "after the namesake came")
    await _restarted(bench)
    await bench.hardware.unplug(id_)
    await bench.pause(SETTLED)
    await _same(bench, known, "after the namesake went")


@check(
    "identity.alias",
    "A device keeps its id when another name for it comes",
    source=f"{CHECKPOINT}; udev makes its links after the kernel has made the node",
    after=["identity.once", "list.ids-stable"],
)
async def alias(bench: Bench) -> None:
    """--alias-add makes another name for an existing device, such as a link to it. The ids and
    their devices stay the same, also after a restart of the plugin and when the name has gone. A
    plugin that uses the new name lists the device under two ids, one after the other or at once."""
    ids = await bench.begin()
    known = await _known(bench)
    await bench.hardware.alias()
    for when in ("after the name came", "after the name went"):
        await bench.pause(SETTLED)
        bench.require(
            bench.devices.keys() == ids,
            f"{when}: {shortened(bench.devices)}, before: {shortened(ids)}",
        )
        await _same(bench, known, when)
        await _restarted(bench)
        bench.require(bench.devices.keys() == ids, f"{when}, restarted: {shortened(bench.devices)}")
        await bench.hardware.restore()


@check(
    "identity.gone",
    "A device that has gone is not given to a container",
    source="the kubelet's list can be older than the plugin's; a container whose device is missing "
    "does not start",
    after=["list.hotplug", "allocate.unknown"],
)
async def gone(bench: Bench) -> None:
    """A device appears, is allocated, and disappears. Once it is no longer listed, or is unhealthy,
    Allocate refuses it, though the plugin knew it a moment ago."""
    await bench.begin()
    id_ = await bench.hardware.plug()
    await container(bench, [id_])
    await bench.hardware.unplug(id_)
    answer = await bench.allocate([id_])
    if answer.ok and id_ in bench.healthy:
        raise Skipped(f"{id_} was listed again at once")
    bench.require(not answer.ok, f"Allocate gives {id_} to a container, though it has gone")
    await bench.sound()
