"""Checks the directories in which the kubelet and plugins meet."""

import os
import stat

from twistdp.doctor.findings import Findings, error, info, ok, warning
from twistdp.doctor.host import Host, is_socket
from twistdp.doctor.kubelet import KUBELET_SOCKET, ROOT_DIRECTORY, find_kubelet
from twistdp.doctor.sockets import (
    guarded,
    is_open,
    listener,
    names_of_sockets,
    process_of,
    strangers,
)
from twistdp.model import named
from twistdp.settings import PLUGIN_DIRECTORY

_IMPOSTOR = "pose as a device plugin, or as the kubelet towards plugins"


def check_kubelet(host: Host) -> Findings:
    """Whether a kubelet serves device plugins, in a directory that only root changes."""
    kubelet = find_kubelet(host)
    if not kubelet.is_there:
        yield warning(
            f"no kubelet runs here, and none has left anything in {PLUGIN_DIRECTORY}",
            "this host is no node of a cluster, or its files are not where we look, so most checks "
            "have nothing to look at",
            "run this on a node, or give the root of one with --root; to try a plugin without a "
            "node: twistdp kubelet",
        )
        return
    yield from guarded(host, ROOT_DIRECTORY, _IMPOSTOR)
    yield from guarded(host, PLUGIN_DIRECTORY, _IMPOSTOR)
    yield from _kubelet_socket(host, kubelet.process is not None)
    if not host.is_same(kubelet.root, ROOT_DIRECTORY):
        yield info(
            f"the kubelet has --root-dir={kubelet.root}",
            f"device plugins are in {PLUGIN_DIRECTORY} all the same, but its other directories are "
            "not where plugins look",
            f"give plugins --pod-resources-socket={kubelet.pod_resources}, and "
            f"with --registration=watcher also --registry-dir={kubelet.registry}",
        )


def _kubelet_socket(host: Host, has_process: bool) -> Findings:
    meaning = "no plugin can register, so pods that ask for devices stay pending or are refused"
    found = host.stat(KUBELET_SOCKET)
    if found is None:
        if has_process:
            remedy = f"restart the kubelet, and look in its log for {PLUGIN_DIRECTORY}"
        else:
            remedy = "start the kubelet (systemctl start kubelet); its log says why it ended"
        absent = "a kubelet runs" if has_process else "no kubelet runs"
        yield error(f"{absent}, and there is no {KUBELET_SOCKET}", meaning, remedy)
        return
    if not is_socket(found):
        yield error(f"{KUBELET_SOCKET} is no socket", meaning, "remove it, and restart the kubelet")
        return
    seen = listener(host, KUBELET_SOCKET)
    if seen.peer is None:
        if seen.is_dead:
            yield error(
                f"nobody listens on {KUBELET_SOCKET}",
                f"the kubelet has ended: {meaning}",
                "start the kubelet (systemctl start kubelet); its log says why it ended",
            )
        else:
            yield warning(
                f"{KUBELET_SOCKET} cannot be tried: {seen.reason}",
                "whether the kubelet takes plugins is not known",
                "run this as root; if the warning is still there, restart the kubelet",
            )
        return
    stranger = strangers(host, KUBELET_SOCKET, seen.peer)
    if stranger is not None:
        yield stranger
        return
    yield ok(f"the kubelet, {process_of(host, seen.peer)}, listens on {KUBELET_SOCKET}")


def check_sockets(host: Host) -> Findings:
    """Whether somebody listens on each plugin's socket, and only root may connect."""
    kubelet = find_kubelet(host)
    registry = kubelet.registry
    yield from guarded(host, registry, _IMPOSTOR)
    dead, wide, odd = [], [], []
    count = 0
    for directory in (PLUGIN_DIRECTORY, registry):
        reachable = host.exists(directory) and is_open(host, directory)
        for path in names_of_sockets(host, directory):
            found = host.stat(path)
            if path == KUBELET_SOCKET or found is None:
                continue
            count += 1
            seen = listener(host, path)
            if seen.is_dead:
                dead.append(path)
            elif seen.peer is None:
                odd.append(f"{path}: {seen.reason}")
            if reachable and found.st_mode & stat.S_IWOTH:
                wide.append(path)
    if dead:
        tried = any(path.startswith(f"{registry}/") for path in dead)
        again = f", and tries what is in {registry} again and again" if tried else ""
        yield warning(
            f"nobody listens on {named(dead)}",
            "the plugin has ended without removing its socket, and the node has none of its "
            f"devices until it runs again. A kubelet removes the file at its next start{again}",
            "start the plugin again, or remove the file",
        )
    if odd:
        yield warning(
            f"cannot connect to {named(odd, '; ')}",
            "the kubelet waits for a plugin that takes no connections",
            "run this as root; if the warning is still there, restart the plugin",
        )
    if wide:
        yield warning(
            f"every user may connect to {named(wide)}",
            "any process of this host can ask the plugin to allocate devices, and read its list",
            f"chmod o-w the socket, or chmod o-x {PLUGIN_DIRECTORY}; sockets of twistdp have mode "
            "0600",
        )
    if not (dead or odd) and (count or kubelet.is_there):
        plural = "s" if count != 1 else ""
        yield ok(f"{count} plugin socket{plural} in {PLUGIN_DIRECTORY} and {registry}, all alive")


def check_pod_resources(host: Host) -> Findings:
    """Whether the kubelet can be asked which pod has which device."""
    kubelet = find_kubelet(host)
    if not is_socket(host.stat(KUBELET_SOCKET)) or listener(host, KUBELET_SOCKET).is_dead:
        return  # check_kubelet reports that
    path = kubelet.pod_resources
    meaning = (
        "nobody knows which pod has which device: twistdp status and the page show no holders, "
        "CDI specs are never cleaned up, and post_release is not called"
    )
    yield from guarded(host, os.path.dirname(path), "pretend that pods have devices, or have none")
    if not is_socket(host.stat(path)):
        yield warning(
            f"there is no socket {path}",
            meaning,
            "in a pod, mount the directory; on a node, restart the kubelet, and if it is older "
            "than 1.28, remove KubeletPodResources=false from its feature gates",
        )
        return
    seen = listener(host, path)
    if seen.peer is None:
        yield warning(f"{path} does not answer: {seen.reason}", meaning, "restart the kubelet")
    elif (stranger := strangers(host, path, seen.peer)) is not None:
        yield stranger
    else:
        yield ok(f"the kubelet reports on {path} who has which device")
