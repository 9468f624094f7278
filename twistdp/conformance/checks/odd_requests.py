"""Checks of requests that are unusual: for unknown devices, for no device, from many callers."""

from twisted.internet.defer import Deferred, gatherResults

from twistdp.conformance.bench import Bench, allocation
from twistdp.conformance.calling import Answer
from twistdp.conformance.checking import check
from twistdp.conformance.checks.allocation import API, SAMPLE, SEEN, container, examine, parts
from twistdp.kubelet import ALLOCATE
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import AllocateResponse

CALLERS = 64
"""Callers of Allocate at the same time."""


@check(
    "allocate.unknown",
    "An unknown device is refused",
    source=f"{API}; {SEEN}: its list can be older than the plugin's, and the pod's status shows "
    "the error's text",
    after=["allocate.known"],
)
async def unknown(bench: Bench) -> None:
    """The kubelet can ask for a device that has just vanished. Unless the answer is an error, a
    container starts without its device. The error should name the device, since the pod's owner
    sees nothing but its text."""
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
    """The kubelet can ask for a device that has just become unhealthy. If the plugin gives it away,
    the container fails later, where nobody looks. Needs an unhealthy device, or
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
    "A container that asks for nothing gets nothing, or an error",
    source=f"{API}: one container response for each container request",
    after=["allocate.known"],
)
async def empty(bench: Bench) -> None:
    """A request without ids, or without containers, gets an empty response or an error. It must not
    give a device away, and the plugin goes on."""
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
    """A request that names an id twice gets the same answer as with the id once, or is refused."""
    await bench.begin()
    (id_,) = bench.need(1)
    alone = await container(bench, [id_])
    answer = await bench.allocate([id_, id_])
    if answer.ok:
        bench.require(
            len(answer.message.container_responses) == 1, f"not one response: {answer.message}"
        )
        twice = answer.message.container_responses[0]
        examine(bench, f"{id_} twice", twice)
        bench.require(
            parts(twice)["devices"] == parts(alone)["devices"],
            f"{id_} twice gives {parts(twice)['devices']}, once {parts(alone)['devices']}",
        )
    await bench.sound()


@check(
    "allocate.containers",
    "Each of several containers gets a response, in order",
    source=f"{API}, AllocateRequest: 'repeated ContainerAllocateRequest'; the kubelet matches "
    "responses by their place",
    after=["allocate.repeated", "allocate.many"],
)
async def containers(bench: Bench) -> None:
    """A request for several containers gets as many responses in the same order, each the same as
    for a request of its own."""
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
    source="a kubelet calls one at a time, but an old and a new one, and other tools, can call at "
    "once",
    after=["allocate.repeated"],
)
async def concurrent(bench: Bench) -> None:
    """64 clients with a connection each allocate at the same time. Each gets the same answer as
    alone; state that calls share shows here."""
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
