"""What a plugin gives to containers."""

import os
import re
from collections.abc import Sequence

from twisted.internet.defer import Deferred, gatherResults

from twistdp.conformance.bench import Bench, allocation
from twistdp.conformance.calling import Answer
from twistdp.conformance.checking import Skipped, check
from twistdp.kubelet import ALLOCATE
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import AllocateResponse, ContainerAllocateResponse

API = "device plugin API v1beta1"
SEEN = "seen in a kubelet 1.36"

SAMPLE = 16
"""Devices that are allocated one by one."""

CALLERS = 64
"""Allocates at once."""

REFUSED = "FAILED_PRECONDITION"
"""The status of a request that is refused for what it asks for, which is no fault."""

_CDI_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.\-_]*/[A-Za-z][A-Za-z0-9\-_]*=[A-Za-z0-9][\w.:\-]*")


def parts(response: ContainerAllocateResponse) -> dict[str, set[object]]:
    """What a container gets, without an order."""
    return {
        "devices": {(d.host_path, d.container_path, d.permissions) for d in response.devices},
        "mounts": {(m.host_path, m.container_path, m.read_only) for m in response.mounts},
        "envs": set(response.envs.items()),
        "annotations": set(response.annotations.items()),
        "cdi_devices": {device.name for device in response.cdi_devices},
    }


async def container(bench: Bench, ids: Sequence[str]) -> ContainerAllocateResponse:
    """What one container gets for ids that must be allocatable."""
    answer = await bench.allocate(ids)
    if len(ids) > 1 and answer.status == REFUSED and answer.details:
        # A reason that the pod's owner reads: such containers are not what the plugin is for.
        raise Skipped(f"it refuses several devices for one container: {answer.details}")
    bench.require(answer.ok, f"Allocate of {ids} is answered with {answer}")
    count = len(answer.message.container_responses)
    bench.require(count == 1, f"Allocate of {ids} for one container: {count} container responses")
    return answer.message.container_responses[0]


def _examine(bench: Bench, id_: str, response: ContainerAllocateResponse) -> None:
    """Look for what no container can be started with."""
    for node in response.devices:
        what = f"{id_}: device {node.host_path!r} as {node.container_path!r}"
        for path in (node.host_path, node.container_path):
            bench.require(os.path.isabs(path), f"{what}: not an absolute path")
        bench.require(
            node.permissions and set(node.permissions) <= set("rwm"),
            f"{what}: permissions {node.permissions!r} are not some of r, w, m",
        )
        if not os.path.exists(node.host_path):
            bench.warn(f"{what}: it does not exist here; such a container does not start")
    for mount in response.mounts:
        for path in (mount.host_path, mount.container_path):
            bench.require(os.path.isabs(path), f"{id_}: mount of {path!r}: not an absolute path")
        if not os.path.exists(mount.host_path):
            bench.warn(f"{id_}: mount of {mount.host_path!r}: the runtime makes a directory there")
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
    """Each device, up to 16 of them, is allocated alone. The answer has one container response,
    absolute paths that exist, permissions made of r, w and m, variables that can be set, and
    CDI names of the right form."""
    await bench.begin()
    bench.need(1)
    for id_ in bench.healthy[:SAMPLE]:
        _examine(bench, id_, await container(bench, [id_]))


@check(
    "allocate.repeated",
    "A device can be allocated again, with the same result",
    source=f"{SEEN}: no call tells that a pod has ended, and the kubelet keeps the accounts",
    after=["allocate.known"],
)
async def repeated(bench: Bench) -> None:
    """A plugin is never told that a pod has ended, so one that keeps accounts of its own
    refuses devices that are free. The same device is allocated three times, with the same
    result."""
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
    "All devices at once",
    source=f"{API}, ContainerAllocateRequest: 'devices_ids'",
    after=["allocate.repeated"],
)
async def many(bench: Bench) -> None:
    """A container may ask for all devices. It gets everything that the devices give one by one,
    and nothing twice. A plugin may refuse that, with a reason and FAILED_PRECONDITION; then this
    cannot be checked."""
    await bench.begin()
    bench.need(2)
    healthy = bench.healthy
    whole = await container(bench, healthy)
    _examine(bench, "all devices", whole)
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
    """The kubelet's order is a map's. The same devices in another order give the same answer;
    a variable that lists devices in the order of the request differs from pod to pod."""
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


@check(
    "allocate.unknown",
    "A device that is not there is refused",
    source=f"{API}; {SEEN}: its list can be older than the plugin's, and the error's text is what "
    "the pod's status shows",
    after=["allocate.known"],
)
async def unknown(bench: Bench) -> None:
    """The kubelet can ask for a device that has just vanished. Whatever is answered but an
    error, a container starts without its device. The error should name it: its text is all that
    the pod's owner sees."""
    await bench.begin()
    id_ = "no-such-device-1"
    answer = await bench.allocate([id_])
    bench.require(not answer.ok, f"Allocate of {id_!r} succeeds")
    if id_ not in answer.details:
        bench.warn(f"the error does not name the device: {answer.details!r}")
    if bench.healthy:
        mixed = await bench.allocate([*bench.healthy[:1], id_])
        bench.require(not mixed.ok, f"Allocate of a known device and {id_!r} succeeds")
    await bench.sound()


@check(
    "allocate.unhealthy",
    "An unhealthy device is refused",
    source=f"{API}; health can change between a list and an Allocate",
    after=["allocate.known", "list.unhealthy"],
)
async def unhealthy(bench: Bench) -> None:
    """A device that has just fallen ill can still be asked for. Giving it to a container
    succeeds and fails later, where nobody looks. Needs a device that is unhealthy, or
    --make-unhealthy."""
    await bench.begin()
    ill = [id_ for id_, health in bench.devices.items() if health != "Healthy"]
    if not ill:
        ill = [await bench.hardware.sicken()]
    answer = await bench.allocate(ill[:1])
    if answer.ok:
        bench.warn(f"{ill[0]} is unhealthy, and Allocate gives it to a container")


@check(
    "allocate.empty",
    "A container that wants nothing gets nothing, or an error",
    source=f"{API}: one container response for each container request",
    after=["allocate.known"],
)
async def empty(bench: Bench) -> None:
    """A request without ids, and one without containers, are answered somehow: an empty
    container response or an error. A device must not come of it, and the plugin goes on."""
    await bench.begin()
    answer = await bench.allocate([])
    if answer.ok:
        responses = answer.message.container_responses
        bench.require(len(responses) == 1, f"for one container: {len(responses)} responses")
        given = parts(responses[0])
        bench.require(
            not given["devices"] | given["cdi_devices"], f"without an id a container gets {given}"
        )
    answer = await bench.allocate()
    if answer.ok:
        count = len(answer.message.container_responses)
        bench.require(count == 0, f"for no container: {count} responses")
    await bench.sound()


@check(
    "allocate.duplicates",
    "An id that is named twice gives its device once",
    source=f"{SEEN}: requests are sets; two nodes at one path keep a container from starting",
    after=["allocate.repeated"],
)
async def duplicates(bench: Bench) -> None:
    """The same id twice in one request is answered as if it were there once, or refused."""
    await bench.begin()
    (id_,) = bench.need(1)
    alone = await container(bench, [id_])
    answer = await bench.allocate([id_, id_])
    if answer.ok:
        bench.require(
            len(answer.message.container_responses) == 1, f"not one response: {answer.message}"
        )
        twice = answer.message.container_responses[0]
        _examine(bench, f"{id_} twice", twice)
        bench.require(
            parts(twice)["devices"] == parts(alone)["devices"],
            f"{id_} twice gives {parts(twice)['devices']}, once {parts(alone)['devices']}",
        )
    await bench.sound()


@check(
    "allocate.containers",
    "Several containers get a response each, in order",
    source=f"{API}, AllocateRequest: 'repeated ContainerAllocateRequest'; responses are matched "
    "by their place",
    after=["allocate.repeated", "allocate.many"],
)
async def containers(bench: Bench) -> None:
    """One request can be for several containers; there are as many responses, in the same
    order, each as if it had been asked for alone."""
    await bench.begin()
    ids = bench.need(2)
    all_wanted = ([ids[0]], [ids[1]], ids)
    alone = [parts(await container(bench, wanted))["devices"] for wanted in all_wanted]
    answer = await bench.allocate(*all_wanted)
    bench.require(answer.ok, f"Allocate for three containers is answered with {answer}")
    responses = answer.message.container_responses
    bench.require(len(responses) == 3, f"for three containers: {len(responses)} responses")
    for wanted, response, by_itself in zip(all_wanted, responses, alone, strict=True):
        bench.require(
            parts(response)["devices"] == by_itself,
            f"among three containers {wanted} gives {parts(response)['devices']}, alone "
            f"{by_itself}",
        )


@check(
    "allocate.concurrent",
    "64 callers at once all get the right answer",
    source="a kubelet asks one at a time, but an old and a new one, and other tools, can ask at "
    "once",
    after=["allocate.repeated"],
)
async def concurrent(bench: Bench) -> None:
    """64 clients, each with a connection of its own, allocate at the same time. Each gets the
    answer that its device gives alone: state that calls share shows here."""
    await bench.begin()
    bench.need(1)
    ids = bench.healthy[:SAMPLE]
    alone = {id_: parts(await container(bench, [id_])) for id_ in ids}
    wanted = [ids[number % len(ids)] for number in range(CALLERS)]

    async def ask(id_: str) -> Answer[AllocateResponse]:
        return await bench.caller().call(
            ALLOCATE, allocation([id_]), AllocateResponse, bench.plan.patience
        )

    begin = bench.seconds
    answers = await gatherResults([Deferred.fromCoroutine(ask(id_)) for id_ in wanted])
    bench.say(f"{CALLERS} callers were answered in {bench.seconds - begin:.3f} s")
    for id_, answer in zip(wanted, answers, strict=True):
        bench.require(answer.ok, f"one of {CALLERS} callers, for {id_}: {answer}")
        got = [parts(response) for response in answer.message.container_responses]
        bench.require(got == [alone[id_]], f"{id_}, with {CALLERS} callers: {got}, alone not")
