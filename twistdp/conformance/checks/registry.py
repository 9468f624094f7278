"""Checks of plugins that kubelets find in the plugins registry."""

import os

from twistdp.conformance.bench import Bench
from twistdp.conformance.checking import Skipped, check
from twistdp.kubelet import GET_INFO, NOTIFY_STATUS, PLUGIN_TYPE, VERSION
from twistdp.kubelet.pluginregistration_v1_pb2 import (
    InfoRequest,
    PluginInfo,
    RegistrationStatus,
    RegistrationStatusResponse,
)
from twistdp.testing import is_extended_resource_name

API = "plugin registration API v1"
SEEN = "seen in a kubelet 1.36"

SETTLED = 2.0
"""Seconds after which the registration of a plugin should be complete."""

DEADLINE = 1.0
"""Seconds that a kubelet waits for GetInfo."""


def _need(bench: Bench) -> None:
    if not bench.plan.names("registry_dir"):
        raise Skipped("the command does not name {registry_dir}")


@check(
    "registry.info",
    "GetInfo returns type, name, version and endpoint",
    source=f"{API}, PluginInfo; {SEEN}: another type or version is refused, GetInfo has 1 s",
    after=["registration.registers"],
    registered=False,
)
async def info(bench: Bench) -> None:
    """The kubelet calls GetInfo on each socket in the registry. A device plugin returns the type
    'DevicePlugin', its resource's name, a version that kubelets know, and its endpoint: an
    absolute path, or nothing for the same socket."""
    _need(bench)
    first = await bench.arrives()
    # A kubelet asks every socket that it finds, accepted or not.
    answer = await bench.call(GET_INFO, InfoRequest(), PluginInfo, path=first.endpoint)
    bench.require(answer.ok, f"GetInfo is answered with {answer}")
    bench.require(answer.seconds < DEADLINE, f"GetInfo took {answer.seconds:.3f} s")
    reply = answer.message
    bench.require(reply.type == PLUGIN_TYPE, f"type {reply.type!r} is not {PLUGIN_TYPE!r}")
    bench.require(is_extended_resource_name(reply.name), f"kubelets refuse the name {reply.name!r}")
    versions = list(reply.supported_versions)
    bench.require(VERSION in versions, f"versions {versions}: no {VERSION}")
    bench.require(
        not reply.endpoint or os.path.isabs(reply.endpoint), f"endpoint {reply.endpoint!r}"
    )


@check(
    "registry.notify",
    "NotifyRegistrationStatus is answered for good and bad news",
    source=f"{API}: 'NotifyRegistrationStatus indicates the status of registration'; {SEEN}: it "
    "has 5 s",
    after=["registry.info"],
)
async def notify(bench: Bench) -> None:
    """The kubelet reports to the plugin whether it was registered. The plugin answers in both
    cases, and goes on after bad news, since the kubelet will try again."""
    _need(bench)
    await bench.begin()
    for news in (
        RegistrationStatus(plugin_registered=True),
        RegistrationStatus(plugin_registered=False, error="the check refuses it"),
    ):
        answer = await bench.call(NOTIFY_STATUS, news, RegistrationStatusResponse)
        bench.require(answer.ok, f"NotifyRegistrationStatus is answered with {answer}")
    await bench.pause(1.0)
    bench.require(bench.plugin.status is None, "bad news ended the plugin")
    await bench.listed()


@check(
    "registry.once",
    "After a kubelet's restart it is registered once",
    source=f"{SEEN}: it deletes no sockets in the registry and registers them by itself",
    after=["registry.info", "restart.kubelet"],
)
async def once(bench: Bench) -> None:
    """A kubelet that restarts registers the sockets that it finds. A plugin that then replaces its
    socket is deregistered and registered again, and its devices vanish in between."""
    _need(bench)
    await bench.begin()
    before = bench.accepted
    await bench.kubelet.restart()
    await bench.listed()
    await bench.pause(SETTLED)
    await bench.listed()
    times = bench.accepted - before
    bench.require(times == 1, f"it was registered {times} times")
