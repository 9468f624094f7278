"""Checks that no two plugins serve one resource, and that those of twistdp are well connected.

No plugin is asked for its list: in many plugins a second stream takes updates from the kubelet's.
So two plugins are found by what the kubelet has written, by the names of sockets, and by what
plugins of twistdp report.
"""

import os
from collections import defaultdict
from typing import Final

from twistdp._version import __version__
from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host
from twistdp.doctor.kubelet import KUBELET_SOCKET, Kubelet, find_kubelet
from twistdp.doctor.served import Served, registered, served_by
from twistdp.doctor.sockets import guarded, listener, names_of_sockets, process_of
from twistdp.model import named
from twistdp.settings import PLUGIN_DIRECTORY, RUN_DIRECTORY

_EFFECT: Final = (
    "the kubelet shows the list that it got last, asks the plugin that registered last for "
    "devices, and drops the connection to that one when the other one ends"
)


def check_plugins(host: Host) -> Findings:
    """Whether each resource has one plugin."""
    yield from guarded(host, RUN_DIRECTORY, "pose as a plugin towards twistdp status")
    kubelet = find_kubelet(host)
    served: list[Served] = []
    dead = []
    for path in names_of_sockets(host, RUN_DIRECTORY):
        if not path.endswith(".sock"):
            continue
        if listener(host, path).is_dead:
            dead.append(path)
            continue
        try:
            with host.short(path) as there:
                state = host.ask(there)
        except OSError as failure:
            yield warning(
                f"the plugin on {path} does not answer: {failure.strerror or failure}",
                "what it serves is not known",
                "run this as root; if the warning is still there, look at the plugin's log",
            )
            continue
        served += served_by(path, state, (PLUGIN_DIRECTORY, kubelet.registry))
        if (its := state.get("version")) != (mine := __version__.public()):
            yield info(
                f"the plugin on {path} is twistdp {its}, and this command is {mine}",
                "the check of packages is about this command's, not about the plugin's",
                "restart the plugin after an update",
            )
    if dead:
        yield info(
            f"nobody listens on {named(dead)}",
            "a plugin of twistdp was killed; another one takes the name when it starts",
            "start it again, or remove the file",
        )
    yield from _twice(served)
    yield from _both_ways(host, kubelet)
    if kubelet.is_there:
        yield from _foreign(host, served, registered(host))
        yield from _silent(host, served)
    names = named(each.name for each in served)
    yield ok(f"plugins of twistdp serve {names or 'nothing'} to the kubelet of this host")


def _twice(served: list[Served]) -> Findings:
    plugins: dict[str, list[str]] = defaultdict(list)
    for each in served:
        plugins[each.name].append(each.plugin)
    for name, paths in plugins.items():
        if len(paths) > 1:
            yield error(
                f"{name} is served by the plugins on {named(paths, ' and ')}",
                _EFFECT,
                "end one of them, or give it another --namespace or resource",
            )


def _both_ways(host: Host, kubelet: Kubelet) -> Findings:
    """Sockets of one name in both directories: one plugin registers itself, another is found."""
    registry = kubelet.registry
    alive = [
        {os.path.basename(path) for path in names_of_sockets(host, each) if _is_alive(host, path)}
        for each in (PLUGIN_DIRECTORY, registry)
    ]
    for name in sorted((alive[0] & alive[1]) - {"kubelet.sock"}):
        yield error(
            f"{name} is in {PLUGIN_DIRECTORY} and in {registry}",
            "a resource has two plugins, one with --registration=socket and one with "
            f"--registration=watcher; {_EFFECT}",
            "end one of them",
        )


def _is_alive(host: Host, path: str) -> bool:
    return listener(host, path).peer is not None


def _foreign(host: Host, served: list[Served], known: dict[str, frozenset[str]]) -> Findings:
    """Devices that the kubelet has for a resource, and our plugin does not have."""
    for each in served:
        strange = sorted(known.get(each.name, frozenset()) - each.ids)
        if strange and each.standing == "registered":
            yield warning(
                f"the kubelet has the devices {named(strange)} of {each.name}, which the plugin on "
                f"{each.plugin} does not have",
                "another plugin has registered the same resource, or these devices came or "
                "went just now",
                "run this again; if the warning is still there, end the other "
                f"plugin{_others(host, served)}",
            )


def _others(host: Host, served: list[Served]) -> str:
    """The plugins that are not ours, as far as their sockets show."""
    ours = {each.endpoint for each in served}
    found = []
    for path in names_of_sockets(host, PLUGIN_DIRECTORY):
        peer = listener(host, path).peer
        if path not in ours and path != KUBELET_SOCKET and peer is not None:
            found.append(f"{path} of {process_of(host, peer)}")
    return f", which may be one of {named(found)}" if found else ""


def _silent(host: Host, served: list[Served]) -> Findings:
    for each in served:
        if each.standing == "registered" and each.streams == 0:
            yield warning(
                f"{each.name} is registered, and the kubelet has no stream of the plugin on "
                f"{each.plugin}",
                "another plugin may have registered the same resource; the devices of this one are "
                "not used",
                "run this again; if the warning is still there, end the other "
                f"plugin{_others(host, served)}",
            )
