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

NEGLECTED = 8
"""Streams that are opened and not read."""


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


@check(
    "list.hotplug",
    "A device that comes or goes is reported",
    source=f"{API}: 'Whenever a Device state change or a Device disappears, ListAndWatch returns "
    "the new list'",
    after=["registration.registers"],
)
async def hotplug(bench: Bench) -> None:
    """After --hotplug-add a new device is listed, after --hotplug-remove it is gone or
    unhealthy. The evidence has the times."""
    await bench.begin()
    for _ in range(3):
        begin = bench.seconds
        id_ = await bench.hardware.plug()
        bench.say(f"{id_} is listed {bench.seconds - begin:.3f} s after the command began")
        begin = bench.seconds
        await bench.hardware.unplug(id_)
        bench.say(f"{id_} is gone {bench.seconds - begin:.3f} s after the command began")


@check(
    "list.unhealthy",
    "A device that falls ill is reported, and its recovery too",
    source=f"{API}: 'Whenever a Device state change …'; users of several plugins ask for recovery",
    after=["list.hotplug"],
)
async def unhealthy(bench: Bench) -> None:
    """After --make-unhealthy a device is Unhealthy, after --make-healthy it is Healthy again.
    Devices that stay unhealthy for ever are a loss until the plugin is restarted."""
    await bench.begin()
    id_ = await bench.hardware.sicken()
    await bench.hardware.heal(id_)


@check(
    "list.two-streams",
    "Two streams at once both get every list",
    source=f"{SEEN}: an old kubelet's stream and a new one's can be open at once",
    after=["list.hotplug"],
)
async def two_streams(bench: Bench) -> None:
    """Around a kubelet's restart two streams can be open. Both get the whole list and every
    change; where streams share a queue of updates, the dead one's reader steals them. Opening
    another stream must not end the first either. Changes need the hot plug commands."""
    await bench.begin()
    ended = bench.streams_ended
    second = bench.watch()
    await bench.until("the second stream gets a list", lambda: second.lists)
    await bench.until(
        f"the second stream lists {shortened(bench.devices)}",
        lambda: second.ids == bench.devices.keys(),
    )
    await bench.stays(
        "the second stream ended the kubelet's", lambda: bench.streams_ended == ended, 0.5
    )
    bench.require(second.ended is None, f"the second stream ended: {second.ended}")
    if bench.plan.add is None:
        bench.say("changes were not tried: there is no --hotplug-add")
        return
    for _ in range(4):
        id_ = await bench.hardware.plug()
        await bench.until(f"the second stream lists {id_}", lambda i=id_: i in second.ids)  # type: ignore[misc]
        await bench.hardware.unplug(id_)
        await bench.until("the second stream follows", lambda: second.ids == bench.devices.keys())


@check(
    "list.cancelled",
    "Streams that are cancelled do no harm",
    source="kubelets end streams without a word when they stop or are killed",
    after=["list.two-streams"],
)
async def cancelled(bench: Bench) -> None:
    """Twenty streams are opened and cancelled, some before their first list. The kubelet's own
    goes on, and the plugin serves as before."""
    await bench.begin()
    ended = bench.streams_ended
    for number in range(20):
        watched = bench.watch()
        if number % 2:
            await bench.until("a stream gets a list", lambda w=watched: w.lists)  # type: ignore[misc]
        watched.cancel()
        await bench.until("the stream is over", lambda w=watched: w.ended)  # type: ignore[misc]
    # Also one that is back by now has been away.
    bench.require(bench.streams_ended == ended, "the kubelet's own stream ended")
    await bench.sound()


@check(
    "list.slow-reader",
    "A stream that nobody reads holds up nobody",
    source=f"{SEEN}: a stopped process's stream stays open, there is no keepalive; RFC 9113, "
    "6.9: who takes no bytes blocks who writes",
    after=["list.two-streams"],
)
async def slow_reader(bench: Bench) -> None:
    """Eight streams are opened whose reader takes not a byte, so that the plugin's writes to
    them do not end. Lists and calls go on as before, and with the hot plug commands the kubelet
    is told of every change. A plugin that writes to one stream after the other, or holds a lock
    meanwhile, tells nobody anything any more."""
    await bench.begin()
    for number in range(1, NEGLECTED + 1):
        stream = await bench.neglect()
        await bench.until(
            f"{number} streams that are not read are answered, or refused",
            lambda s=stream: s.answered.called,  # type: ignore[misc]
        )
    bench.say(f"{NEGLECTED} streams are open of which nothing is taken")
    await bench.sound()
    if bench.plan.add is not None:
        for _ in range(4):
            await bench.hardware.unplug(await bench.hardware.plug())
        await bench.sound()
