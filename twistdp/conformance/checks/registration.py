"""Checks of registration."""

import os

from twistdp.conformance.bench import Bench
from twistdp.conformance.checking import check
from twistdp.kubelet import VERSION
from twistdp.testing import is_extended_resource_name

API = "device plugin API v1beta1, RegisterRequest"
SEEN = "seen in a kubelet 1.36"

LONGEST = 107
"""Bytes that the path of a unix socket may have (unix(7))."""

ABSENCE = 3.0
"""Seconds until an absent kubelet starts."""

QUIET = 3.0
"""Seconds in which a registered plugin has no reason to register again."""


@check(
    "registration.registers",
    "The plugin registers",
    source=f"{API}; Kubernetes documentation, Device Plugins: Registration",
    registered=False,
)
async def registers(bench: Bench) -> None:
    """While a kubelet listens, a plugin that starts calls Register at kubelet.sock, or makes a
    socket in the plugins registry, and does not end."""
    first = await bench.arrives()
    bench.say(f"the first registration came {bench.seconds:.3f} s after the beginning")
    bench.require(bench.plugin.status is None, f"the plugin ended after it asked for {first}")


@check(
    "registration.version",
    "It uses the API version that kubelets accept",
    source=f"{API}.version: 'Version of the API the Device Plugin was built against'; {SEEN}: "
    "any other is refused",
    after=["registration.registers"],
    registered=False,
)
async def version(bench: Bench) -> None:
    """Kubelets accept only the version v1beta1. With another one the node never gets the resource,
    and only the kubelet's log shows why."""
    first = await bench.arrives()
    bench.require(
        VERSION in first.version.split(),
        f"it registers with version {first.version!r}; kubelets accept {VERSION!r} only",
    )


@check(
    "registration.resource-name",
    "Kubelets accept the resource's name",
    source=f"{API}.resource_name; Kubernetes documentation: vendor-domain/resourcetype; {SEEN}",
    after=["registration.registers"],
    registered=False,
)
async def resource_name(bench: Bench) -> None:
    """The name of an extended resource is a DNS domain outside of kubernetes.io, a slash, and at
    most 63 letters, digits, dashes, underscores and dots. Kubelets refuse others."""
    first = await bench.arrives()
    bench.require(
        is_extended_resource_name(first.resource), f"kubelets refuse the name {first.resource!r}"
    )


@check(
    "registration.endpoint",
    "The endpoint is the name of a socket in the plugin directory",
    source=f"{API}.endpoint: 'Name of the unix socket the device plugin is listening on PATH = "
    f"path.Join(DevicePluginPath, endpoint)'; {SEEN}: an absolute path is joined too, and fails",
    after=["registration.registers"],
    registered=False,
)
async def endpoint(bench: Bench) -> None:
    """The kubelet joins the endpoint to its own directory. A path instead of a name works by
    chance or not at all, and the joined path must fit into a socket's address."""
    first = await bench.arrives()
    if first.options is None:  # in the registry it is an absolute path
        bench.require(
            len(os.fsencode(first.endpoint)) <= LONGEST, f"{first.endpoint} is too long a path"
        )
        return
    bench.require(first.endpoint, "the endpoint is empty")
    bench.require(
        "/" not in first.endpoint, f"the endpoint {first.endpoint!r} is a path, not a name"
    )
    usual = f"/var/lib/kubelet/device-plugins/{first.endpoint}"
    bench.require(
        len(os.fsencode(usual)) <= LONGEST,
        f"{usual} has more than {LONGEST} bytes: no socket can have that path",
    )


@check(
    "registration.serve-first",
    "It serves before it registers",
    source=f"Kubernetes documentation, Device Plugins: 'Registration' follows 'Start'; {SEEN}: "
    "the kubelet dials back and asks for options inside Register",
    after=["registration.registers"],
    registered=False,
)
async def serve_first(bench: Bench) -> None:
    """The kubelet dials the plugin before it answers Register, so the plugin must listen by then.
    A plugin that listens later depends on the kubelet's patience, and one that waits for
    Register's answer before it serves is never registered."""
    first = await bench.arrives()
    bench.require(first.served, f"nobody listened on {first.endpoint} when its registration came")


@check(
    "registration.once",
    "A registered plugin does not register again without reason",
    source=f"{SEEN}: each further Register opens one more connection, and the end of any older "
    "stream disconnects the current one",
    after=["registration.registers"],
)
async def once(bench: Bench) -> None:
    """While its kubelet runs, its stream is open and its socket exists, a plugin has no reason to
    register again. Registering in a loop makes devices vanish now and then."""
    await bench.begin()
    await bench.stays(
        f"it registered again within {QUIET:g} s, though nothing had happened",
        lambda: bench.accepted == 1,
        QUIET,
    )


@check(
    "registration.refused",
    "It registers again after a refusal",
    source=f"{SEEN}: a kubelet that is just starting can refuse or not answer at first",
    after=["registration.registers"],
)
async def refused(bench: Bench) -> None:
    """A Register that fails is no reason to end or to give up: a supervisor's back-off costs
    minutes, and without another attempt the node stays without devices until somebody notices."""
    bench.kubelet.refusal = "the check refuses this registration"
    await bench.arrives()
    await bench.until(
        "the registration is refused", lambda: any(r.error for r in bench.kubelet.registrations)
    )
    bench.kubelet.refusal = None
    await bench.listed()


@check(
    "registration.kubelet-absent",
    "It waits for a kubelet that has not started yet",
    source="a booting node starts both in any order; Kubernetes documentation: 'the device "
    "plugin is expected to detect kubelet restarts'",
    after=["registration.registers"],
)
async def kubelet_absent(bench: Bench) -> None:
    """A plugin that starts before the kubelet waits and registers within seconds of its start,
    without a restart of its own: until then, pods fail for good."""
    bench.start_plugin()
    await bench.pause(ABSENCE)
    bench.require(
        bench.plugin.status is None,
        f"without a kubelet the plugin ends (status {bench.plugin.status})",
    )
    await bench.kubelet.start()
    begin = bench.seconds
    await bench.listed()
    bench.say(f"listed {bench.seconds - begin:.3f} s after the kubelet's start")
