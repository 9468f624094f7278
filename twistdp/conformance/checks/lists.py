"""Checks of the lists that a plugin sends."""

from twistdp.conformance.bench import Bench, shortened
from twistdp.conformance.checking import Skipped, check

API = "device plugin API v1beta1"
SEEN = "seen in a kubelet 1.36"

LONGEST_ID = 63
LARGEST = 4 * 1024 * 1024
QUIET = 3.0
STARTS = 3
"""Starts of the plugin whose first lists are checked."""

LATE = 1.0
"""Seconds after a list within which missing devices follow."""


@check(
    "list.first-complete",
    "The first list has all devices",
    source=f"{API}: 'ListAndWatch returns a stream of List of Devices'; after a kubelet's restart "
    "pods are admitted against the first list",
    after=["registration.registers"],
)
async def first_complete(bench: Bench) -> None:
    """The first message of a stream lists all devices. If a plugin lists nothing, or only a part,
    and the rest a moment later, pods that are admitted in between fail for good. The plugin is
    started three times, since the content of its first list may depend on chance."""
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
    "does not check, and counts a duplicate with another health twice",
    after=["registration.registers"],
)
async def ids(bench: Bench) -> None:
    """Kubelets accept any id, so the plugin must ensure that ids are unique, printable, not empty
    and at most 63 characters long."""
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
    """The kubelet treats a device with any other health as unhealthy: no pod gets it, and nothing
    shows why."""
    await bench.begin()
    odd = {id_: state for id_, state in bench.devices.items() if state not in _STATES}
    bench.require(not odd, f"neither {' nor '.join(_STATES)}: {odd}")


_STATES = ("Healthy", "Unhealthy")


@check(
    "list.topology",
    "NUMA nodes, if given, are valid",
    source=f"{API}, TopologyInfo; {SEEN}: an unknown node fails pods with TopologyAffinityError, "
    "an empty list of nodes drops the device",
    after=["registration.registers"],
)
async def topology(bench: Bench) -> None:
    """A device without a NUMA node has no topology. An empty list of nodes, or the -1 of sysfs,
    makes the topology manager refuse pods; so does a request that mixes devices with and without
    topology."""
    await bench.begin()
    devices = bench.lists[-1].message.devices
    placed = [device for device in devices if device.HasField("topology")]
    for device in placed:
        nodes = [node.ID for node in device.topology.nodes]
        bench.require(nodes, f"{device.ID}: a topology without nodes; leave it unset")
        bench.require(
            min(nodes) >= 0, f"{device.ID}: NUMA nodes {nodes}; leave it unset instead of -1"
        )
    if 0 < len(placed) < len(devices):
        bench.warn(
            f"{len(placed)} of {len(devices)} devices have a topology: pods that get both kinds "
            "fail under the policies single-numa-node and restricted"
        )


@check(
    "list.order",
    "Every list has the same order",
    source="people, logs and tests compare lists; the API does not specify the order",
    after=["registration.registers"],
)
async def order(bench: Bench) -> None:
    """Lists of the same devices have the same order. Kubelets do not care, but a random order hides
    other differences from people who compare lists."""
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
    """Ids survive a restart of the plugin, since the kubelet remembers which pod has which id. With
    new ids it gives devices that are in use to a second pod."""
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
    """For each list the kubelet writes a file and updates the node. Lists without changes cost
    every node that work all day."""
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
    source=f"{SEEN}: it accepts at most 4 194 304 bytes; with one more it cancels the stream, "
    "allocatable is 0 and only its log shows why",
    after=["registration.registers"],
    registered=False,
)
async def size(bench: Bench) -> None:
    """The kubelet accepts 4 MiB. With one byte more the node loses all devices, so a plugin with
    many must limit its list. This check covers only the devices that exist now."""
    await bench.arrives()
    await bench.until("the kubelet answers", lambda: bench.kubelet.registrations)
    if not bench.accepted:
        raise Skipped("the plugin was never registered")
    watched = bench.caller(max_receive=16 * LARGEST).watch()
    await bench.until("a stream gets a list, or ends", lambda: watched.lists or watched.ended)
    bench.require(watched.lists, f"no list came: {watched.ended}")
    bytes_, count = watched.lists[0].ByteSize(), len(watched.lists[0].devices)
    bench.require(
        bytes_ <= LARGEST,
        f"a list of {count} devices has {bytes_} bytes; kubelets accept {LARGEST}",
    )
    if bytes_ > LARGEST * 0.8:
        bench.warn(f"a list of {count} devices has {bytes_} bytes; kubelets accept {LARGEST}")
