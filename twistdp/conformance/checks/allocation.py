"""Checks of what a plugin gives to containers."""

import os
import re
from collections.abc import Sequence

from twistdp.conformance.bench import Bench
from twistdp.conformance.checking import Skipped, check
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse

API = "device plugin API v1beta1"
SEEN = "seen in a kubelet 1.36"

SAMPLE = 16
"""Devices to allocate one by one."""

REFUSED = "FAILED_PRECONDITION"
"""The status of a refusal that is no fault of the plugin."""

_CDI_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.\-_]*/[A-Za-z][A-Za-z0-9\-_]*=[A-Za-z0-9][\w.:\-]*")


def parts(response: ContainerAllocateResponse) -> dict[str, set[object]]:
    """The parts of a response, without their order."""
    return {
        "devices": {(d.host_path, d.container_path, d.permissions) for d in response.devices},
        "mounts": {(m.host_path, m.container_path, m.read_only) for m in response.mounts},
        "envs": set(response.envs.items()),
        "annotations": set(response.annotations.items()),
        "cdi_devices": {device.name for device in response.cdi_devices},
    }


async def container(bench: Bench, ids: Sequence[str]) -> ContainerAllocateResponse:
    """The response for one container with these ids, which must be allocatable."""
    answer = await bench.allocate(ids)
    if len(ids) > 1 and answer.status == REFUSED and answer.details:
        # The plugin gives the pod's owner a reason: it does not serve such containers.
        raise Skipped(f"it refuses several devices for one container: {answer.details}")
    bench.require(answer.ok, f"Allocate of {ids} is answered with {answer}")
    count = len(answer.message.container_responses)
    bench.require(count == 1, f"Allocate of {ids} for one container: {count} container responses")
    return answer.message.container_responses[0]


def examine(bench: Bench, id_: str, response: ContainerAllocateResponse) -> None:
    """Look for parts that keep a container from starting."""
    for node in response.devices:
        what = f"{id_}: device {node.host_path!r} as {node.container_path!r}"
        for path in (node.host_path, node.container_path):
            bench.require(os.path.isabs(path), f"{what}: not an absolute path")
        bench.require(
            node.permissions and set(node.permissions) <= set("rwm"),
            f"{what}: permissions {node.permissions!r} are not some of r, w, m",
        )
        if not os.path.exists(node.host_path):
            bench.warn(f"{what}: it does not exist here, so such a container does not start")
    for mount in response.mounts:
        for path in (mount.host_path, mount.container_path):
            bench.require(os.path.isabs(path), f"{id_}: mount of {path!r}: not an absolute path")
        if not os.path.exists(mount.host_path):
            bench.warn(
                f"{id_}: mount of {mount.host_path!r}: "
                "it does not exist, and the runtime makes a directory"
            )
    for key, value in response.envs.items():
        bench.require(
            key and "=" not in key and "\0" not in key + value,
            f"{id_}: the environment variable {key!r} cannot be set; the container does not start",
        )
    for device in response.cdi_devices:
        bench.require(
            _CDI_NAME.fullmatch(device.name),
            f"{id_}: {device.name!r} is no CDI device name (vendor/class=name)",
        )
    for kind, places in (
        ("device", [node.container_path for node in response.devices]),
        ("mount", [mount.container_path for mount in response.mounts]),
    ):
        double = {path for path in places if places.count(path) > 1}
        bench.require(not double, f"{id_}: more than one {kind} at {sorted(double)}")


@check(
    "allocate.known",
    "A healthy device can be allocated, and a container started with it",
    source=f"{API}, ContainerAllocateResponse; {SEEN}: a missing device path or an empty "
    "variable's name keeps the container from starting",
    after=["registration.registers"],
)
async def known(bench: Bench) -> None:
    """Up to 16 devices are allocated one by one. Each answer has one container response, absolute
    paths that exist, permissions of r, w and m, variables that can be set, and correct CDI
    names."""
    await bench.begin()
    bench.need(1)
    for id_ in bench.healthy[:SAMPLE]:
        examine(bench, id_, await container(bench, [id_]))


@check(
    "allocate.repeated",
    "A device can be allocated again, with the same result",
    source=f"{SEEN}: no call reports the end of a pod, and the kubelet keeps the accounts",
    after=["allocate.known"],
)
async def repeated(bench: Bench) -> None:
    """No call reports the end of a pod, so a plugin that keeps accounts of its own refuses devices
    that are free. The same device is allocated three times, with the same result."""
    await bench.begin()
    (id_,) = bench.need(1)
    first = await container(bench, [id_])
    for _ in range(2):
        again = await container(bench, [id_])
        bench.require(
            parts(again) == parts(first), f"{id_}: first {parts(first)}, then {parts(again)}"
        )


@check(
    "allocate.many",
    "All devices can be allocated at once",
    source=f"{API}, ContainerAllocateRequest: 'devices_ids'",
    after=["allocate.repeated"],
)
async def many(bench: Bench) -> None:
    """A container that asks for all devices gets everything that it would get for each of them, and
    nothing twice. A plugin may refuse that with a reason and FAILED_PRECONDITION; then the check is
    skipped."""
    await bench.begin()
    bench.need(2)
    healthy = bench.healthy
    whole = await container(bench, healthy)
    examine(bench, "all devices", whole)
    for id_ in healthy[:SAMPLE]:
        alone = parts(await container(bench, [id_]))
        for kind in ("devices", "mounts"):
            missing = alone[kind] - parts(whole)[kind]
            bench.require(not missing, f"all devices at once lack {missing}, which {id_} gives")


@check(
    "allocate.order",
    "The order of the ids does not matter",
    source=f"{SEEN}: the order of ids in requests is random",
    after=["allocate.many"],
)
async def order(bench: Bench) -> None:
    """The kubelet's order is random. The same devices in another order give the same answer; a
    variable that lists devices in the order of the request differs from pod to pod."""
    await bench.begin()
    ids = bench.need(2)
    forth = parts(await container(bench, ids))
    back = parts(await container(bench, ids[::-1]))
    for kind in forth:
        if kind in ("envs", "annotations") and forth[kind] != back[kind]:
            bench.warn(f"{kind}: {forth[kind]} for {ids}, {back[kind]} in the other order")
        else:
            bench.require(
                forth[kind] == back[kind],
                f"{kind}: {forth[kind]} for {ids}, {back[kind]} in the other order",
            )
