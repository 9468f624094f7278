"""What a plugin lists, and whether its streams follow the truth."""

from twistdp.conformance.bench import Bench, shortened
from twistdp.conformance.checking import Skipped, check

API = "device plugin API v1beta1"
SEEN = "seen in a kubelet 1.36"

LONGEST_ID = 63
LARGEST = 4 * 1024 * 1024
QUIET = 3.0
STARTS = 3
"""Starts of the plugin after each of which its first list is looked at."""

LATE = 1.0
"""Seconds after a list in which devices come that it should have had."""


@check(
    "list.first-complete",
    "The first list has all devices",
    source=f"{API}: 'ListAndWatch returns a stream of List of Devices'; after a kubelet's restart "
    "pods are admitted against the first list",
    after=["registration.registers"],
)
async def first_complete(bench: Bench) -> None:
    """The first message of a stream is the whole truth. A plugin that lists nothing, or a part,
    and the rest a moment later takes devices away from pods that are admitted in between; they
    fail for good. The plugin is started three times, for what it manages to list first may be a
    matter of chance."""
    await bench.kubelet.start()
    for number in range(STARTS):
        before, lists = bench.accepted, len(bench.lists)
        if number == 0:
            bench.start_plugin()
        else:
            await bench.terminate()
            await bench.start_again()
        await bench.until("it is registered", lambda b=before: bench.accepted > b)  # type: ignore[misc]
        await bench.complete()
        await bench.pause(LATE)
        late = bench.devices.keys() - bench.lists[lists].health.keys()
        bench.require(not late, f"missing in the first list, listed later: {shortened(late)}")


@check(
    "list.ids",
    "Device ids are unique and at most 63 characters",
    source=f"{API}, Device.ID: 'A unique ID assigned by the device plugin used to identify "
    f"devices during the communication. Max length of this field is 63 characters'; {SEEN}: it "
    "does not look, and a duplicate with another health counts twice",
    after=["registration.registers"],
)
async def ids(bench: Bench) -> None:
    """Kubelets believe any id, so it is the plugin that must see to it: ids are not empty,
    unique, printable and at most 63 characters long."""
    await bench.begin()
    listed = [device.ID for device in bench.lists[-1].message.devices]
    double = {id_ for id_ in listed if listed.count(id_) > 1} if len(listed) < 5000 else set()
    bench.require(not double, f"listed more than once: {shortened(double)}")
    for id_ in listed:
        bench.require(id_, "a device has an empty id")
        bench.require(len(id_) <= LONGEST_ID, f"longer than {LONGEST_ID} characters: {id_!r}")
        bench.require(
            id_.isprintable() and not id_.isspace(), f"characters that do not print: {id_!r}"
        )


@check(
    "list.health",
    "Health is 'Healthy' or 'Unhealthy'",
    source=f"{API}, Device.health: 'Health of the device, can be Healthy or Unhealthy'; {SEEN}: "
    "anything but exactly 'Healthy' is unhealthy",
    after=["registration.registers"],
)
async def health(bench: Bench) -> None:
    """A device whose health is spelled in another way is unhealthy to the kubelet, so it is
    never given to a pod and nobody is told why."""
    await bench.begin()
    odd = {id_: state for id_, state in bench.devices.items() if state not in _STATES}
    bench.require(not odd, f"neither {' nor '.join(_STATES)}: {odd}")


_STATES = ("Healthy", "Unhealthy")


@check(
    "list.topology",
    "NUMA nodes, where given, are nodes",
    source=f"{API}, TopologyInfo; {SEEN}: an unknown node fails pods with TopologyAffinityError, "
    "an empty list of nodes drops the device",
    after=["registration.registers"],
)
async def topology(bench: Bench) -> None:
    """A device without a NUMA node has no topology at all. An empty list of nodes, or -1 as
    sysfs writes it, makes the topology manager refuse pods; so does a request that mixes
    devices with and without topology."""
    await bench.begin()
    devices = bench.lists[-1].message.devices
    placed = [device for device in devices if device.HasField("topology")]
    for device in placed:
        nodes = [node.ID for node in device.topology.nodes]
        bench.require(nodes, f"{device.ID}: a topology without nodes; leave it unset")
        bench.require(min(nodes) >= 0, f"{device.ID}: NUMA nodes {nodes}; leave unset what is -1")
    if 0 < len(placed) < len(devices):
        bench.warn(
            f"{len(placed)} of {len(devices)} devices have a topology: pods that get both kinds "
            "fail under the policies single-numa-node and restricted"
        )


@check(
    "list.order",
    "Every list has the same order",
    source="people compare lists, and so do logs and tests; the API leaves it open",
    after=["registration.registers"],
)
async def order(bench: Bench) -> None:
    """Lists of the same devices come in the same order. Kubelets do not care; whoever compares
    two of them does, and a map's random order hides other differences."""
    await bench.begin()
    orders = []
    for _ in range(5):
        watched = bench.watch()
        await bench.until("a new stream gets a list", lambda w=watched: w.lists)  # type: ignore[misc]
        orders.append([device.ID for device in watched.lists[0].devices])
    if any(one != orders[0] for one in orders if sorted(one) == sorted(orders[0])):
        bench.warn(f"the order changes from stream to stream: {orders[0][:8]}, {orders[-1][:8]}")


@check(
    "list.ids-stable",
    "A device keeps its id",
    source="the kubelet keeps allocated ids in its checkpoint (kubelet_internal_checkpoint)",
    after=["registration.registers"],
)
async def ids_stable(bench: Bench) -> None:
    """Ids survive a restart of the plugin: the kubelet remembers which pod has which id. With
    new ids, devices that are in use are given to a second pod."""
    before = await bench.begin()
    await bench.terminate()
    await bench.start_again()
    await bench.listed_again(before)


@check(
    "list.quiet",
    "Nothing is sent while nothing changes",
    source=f"{SEEN}: for every message it writes its checkpoint to disk",
    after=["registration.registers", "registration.once"],
)
async def quiet(bench: Bench) -> None:
    """Each list makes the kubelet write a file and update the node. Lists that tell nothing new
    are paid for by every node, all day."""
    await bench.begin()
    await bench.pause(1.0)
    before = len(bench.lists)
    await bench.pause(QUIET)
    again = len(bench.lists) - before
    bench.require(again <= QUIET, f"{again} lists in {QUIET:g} s, and nothing had changed")
    if again:
        bench.warn(f"{again} lists in {QUIET:g} s, and nothing had changed")


@check(
    "list.size",
    "A list fits into a message",
    source=f"{SEEN}: it takes at most 4 194 304 bytes; one more, and the stream is cancelled, "
    "allocatable is 0 and only the kubelet's log says why",
    after=["registration.registers"],
    registered=False,
)
async def size(bench: Bench) -> None:
    """The kubelet takes 4 MiB. A plugin with many devices must know, for one byte more costs
    the node all of them. This check looks at the devices that are there now."""
    await bench.arrives()
    await bench.until("the kubelet answers", lambda: bench.kubelet.registrations)
    if not bench.accepted:
        raise Skipped("the plugin was never registered")
    watched = bench.caller(max_receive=16 * LARGEST).watch()
    await bench.until("a stream gets a list, or ends", lambda: watched.lists or watched.ended)
    bench.require(watched.lists, f"no list came: {watched.ended}")
    bytes_, count = watched.lists[0].ByteSize(), len(watched.lists[0].devices)
    bench.require(
        bytes_ <= LARGEST, f"a list of {count} devices has {bytes_} bytes; kubelets take {LARGEST}"
    )
    if bytes_ > LARGEST * 0.8:
        bench.warn(f"a list of {count} devices has {bytes_} bytes; kubelets take {LARGEST}")
