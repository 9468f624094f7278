"""Plugins that are found by their socket in the plugins registry."""

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
"""Seconds after which a plugin that was found should have come to rest."""

DEADLINE = 1.0
"""Seconds that a kubelet waits for GetInfo."""


def _need(bench: Bench) -> None:
    if not bench.plan.names("registry_dir"):
        raise Skipped("the command does not name {registry_dir}")


@check(
    "registry.info",
    "GetInfo tells type, name, version and endpoint",
    source=f"{API}, PluginInfo; {SEEN}: another type or version is refused, GetInfo has 1 s",
    after=["registration.registers"],
    registered=False,
)
async def info(bench: Bench) -> None:
    """The kubelet asks each socket in the registry what it is. A device plugin says
    'DevicePlugin', its resource's name, a version that kubelets know, and where it serves: an
    absolute path, or nothing for the same socket."""
    _need(bench)
    first = await bench.arrives()
    # Accepted or not: a socket that is found is asked.
    answer = await bench.call(GET_INFO, InfoRequest(), PluginInfo, path=first.endpoint)
    bench.require(answer.ok, f"GetInfo is answered with {answer}")
    bench.require(answer.seconds < DEADLINE, f"GetInfo took {answer.seconds:.3f} s")
    said = answer.message
    bench.require(said.type == PLUGIN_TYPE, f"type {said.type!r} is not {PLUGIN_TYPE!r}")
    bench.require(is_extended_resource_name(said.name), f"kubelets refuse the name {said.name!r}")
    versions = list(said.supported_versions)
    bench.require(VERSION in versions, f"versions {versions}: no {VERSION}")
    bench.require(not said.endpoint or os.path.isabs(said.endpoint), f"endpoint {said.endpoint!r}")


@check(
    "registry.notify",
    "NotifyRegistrationStatus is answered, good news and bad",
    source=f"{API}: 'NotifyRegistrationStatus indicates the status of registration'; {SEEN}: it "
    "has 5 s",
    after=["registry.info"],
)
async def notify(bench: Bench) -> None:
    """The kubelet tells the plugin whether it was registered. The plugin answers, also when it
    was not, and goes on: the kubelet will try again."""
    _need(bench)
    await bench.begin()
    for news in (
        RegistrationStatus(plugin_registered=True),
        RegistrationStatus(plugin_registered=False, error="the check says no"),
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
    """When the kubelet restarts it registers what it finds. A plugin that then makes its socket
    anew is deregistered and registered once more, and its devices vanish in between."""
    _need(bench)
    await bench.begin()
    before = bench.accepted
    await bench.kubelet.restart()
    await bench.listed()
    await bench.pause(SETTLED)
    await bench.listed()
    times = bench.accepted - before
    bench.require(times == 1, f"it was registered {times} times")
