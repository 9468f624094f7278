"""Checks that a plugin does what its options announce."""

from collections.abc import Collection

from twistdp.conformance.bench import Bench
from twistdp.conformance.calling import Answer
from twistdp.conformance.checking import Skipped, check
from twistdp.conformance.kubelet import shown
from twistdp.kubelet import GET_OPTIONS, GET_PREFERRED_ALLOCATION, PRE_START_CONTAINER
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import (
    ContainerPreferredAllocationRequest,
    DevicePluginOptions,
    Empty,
    PreferredAllocationRequest,
    PreferredAllocationResponse,
    PreStartContainerRequest,
    PreStartContainerResponse,
)

API = "device plugin API v1beta1"


def preference(
    available: Collection[str], size: int, must: Collection[str] = ()
) -> PreferredAllocationRequest:
    """A GetPreferredAllocation for one container."""
    return PreferredAllocationRequest(
        container_requests=[
            ContainerPreferredAllocationRequest(
                available_deviceIDs=available, must_include_deviceIDs=must, allocation_size=size
            )
        ]
    )


async def _pre_start(bench: Bench, ids: Collection[str]) -> Answer[PreStartContainerResponse]:
    request = PreStartContainerRequest(devices_ids=ids)
    return await bench.call(PRE_START_CONTAINER, request, PreStartContainerResponse)


@check(
    "options.answered",
    "GetDevicePluginOptions has one answer",
    source=f"{API}: 'GetDevicePluginOptions returns options to be communicated with Device "
    "Manager'; seen in a kubelet 1.36: without it, Register fails",
    after=["registration.registers"],
)
async def answered(bench: Bench) -> None:
    """The kubelet asks for the options inside Register and uses only this answer. It ignores the
    options in the Register call itself, so they should be the same."""
    await bench.begin()
    options = await bench.options()
    again = await bench.options()
    bench.require(
        options == again, f"asked twice, it announces {shown(options)} and then {shown(again)}"
    )
    sent = next(a.options for a in bench.kubelet.arrivals if a.resource == bench.resource)
    if sent is not None and sent != options:
        bench.warn(f"Register has {shown(sent)}, GetDevicePluginOptions {shown(options)}")


@check(
    "options.preferred",
    "GetPreferredAllocation, if announced, gives advice that fits",
    source=f"{API}, PreferredAllocationRequest: 'available_deviceIDs', 'must_include_deviceIDs', "
    "'allocation_size'; seen in a kubelet 1.36: an error fails the pod, advice that does not "
    "fit is ignored",
    after=["options.answered"],
)
async def preferred(bench: Bench) -> None:
    """If a plugin announces GetPreferredAllocation, the kubelet calls it at every admission. It
    must return the requested number of available devices, with those that must be included. After
    an error the pod fails for good."""
    await bench.begin()
    if not (await bench.options()).get_preferred_allocation_available:
        raise Skipped("GetPreferredAllocation is not announced")
    available = bench.need(1)
    for size in sorted({1, len(available), max(1, len(available) // 2)}):
        for must in ((), available[:1]):
            answer = await bench.call(
                GET_PREFERRED_ALLOCATION,
                preference(available, size, must),
                PreferredAllocationResponse,
            )
            asked = f"asked for {size} of {len(available)} devices with {list(must)}"
            bench.require(answer.ok, f"{asked}, it answers {answer}")
            parts = answer.message.container_responses
            bench.require(len(parts) == 1, f"{asked} for 1 container, it answers for {len(parts)}")
            ids = list(parts[0].deviceIDs)
            fits = len(set(ids)) == len(ids) == size and set(must) <= set(ids) <= set(available)
            bench.require(fits, f"{asked}, it names {ids}")


@check(
    "options.pre-start",
    "PreStartContainer, if announced, succeeds for an allocated device",
    source=f"{API}: 'PreStartContainer is called, if indicated by Device Plugin during "
    "registration phase, before each container start'; the kubelet waits 30 s",
    after=["options.answered"],
)
async def pre_start(bench: Bench) -> None:
    """If a plugin announces PreStartContainer, the kubelet calls it before each start and restart
    of a container. After an error the kubelet calls it again and again, and the container does not
    start."""
    await bench.begin()
    if not (await bench.options()).pre_start_required:
        raise Skipped("PreStartContainer is not announced")
    ids = bench.need(1)
    await bench.allocate(ids)
    for what in ("start", "restart"):
        answer = await _pre_start(bench, ids)
        bench.require(answer.ok, f"at the container's {what} it answers {answer}")


@check(
    "options.unannounced",
    "A call of a method that is not announced does no harm",
    source=f"{API}: both methods are part of the service, announced or not",
    after=["options.answered"],
)
async def unannounced(bench: Bench) -> None:
    """Both optional methods belong to the service even if they are not announced. The plugin may
    give any answer, such as UNIMPLEMENTED, and goes on."""
    await bench.begin()
    options = await bench.options()
    if options.pre_start_required and options.get_preferred_allocation_available:
        raise Skipped("both optional methods are announced")
    ids = bench.healthy[:1]
    if not options.get_preferred_allocation_available:
        await bench.call(
            GET_PREFERRED_ALLOCATION, preference(ids, len(ids)), PreferredAllocationResponse
        )
    if not options.pre_start_required:
        await _pre_start(bench, ids)
    answer = await bench.call(GET_OPTIONS, Empty(), DevicePluginOptions)
    bench.require(answer.ok, f"afterwards GetDevicePluginOptions is answered with {answer}")
    await bench.sound()
