"""Which metrics there are, what each says, and where its numbers come from.

Names follow https://prometheus.io/docs/practices/naming/, and labels the kubelet's own metrics.
"""

import platform
from collections.abc import Iterator
from typing import Final

from twistdp.web.family import OF_RESOURCE, Family, Sample, View, counter, gauge, of_scanner, split

SOURCES: Final = ("inotify", "uevents")
"""Where events of the kernel come from."""

RESULTS: Final = ("read", "refused")
"""How reading a configuration file again can end."""


def _devices(view: View) -> Iterator[Sample]:
    for resource in view.state.resources:
        yield (resource.name, "Healthy"), resource.allocatable
        yield (resource.name, "Unhealthy"), resource.capacity - resource.allocatable


def _calls(view: View) -> Iterator[Sample]:
    for resource, tallies in view.resources():
        for (method, status), durations in tallies.calls.items():
            yield (resource.name, method, status), durations


def _events(view: View) -> Iterator[Sample]:
    for source in SOURCES:
        yield (source,), view.tallies.counts.get(("event", source), 0)


def _overflows(view: View) -> Iterator[Sample]:
    for source in SOURCES:
        yield (source,), view.tallies.overflows[source]


def _health_checks(view: View) -> Iterator[Sample]:
    for (what, *labels), number in view.tallies.counts.items():
        if what == "check":
            yield tuple(labels), number


def _reloads(view: View) -> Iterator[Sample]:
    for each in view.state.configurations:
        for result in RESULTS:
            yield (each.file, result), view.tallies.files[each.file, result]


def _reloaded(view: View) -> Iterator[Sample]:
    for each in view.state.configurations:
        yield (each.file,), int(not each.problems)


def _build(view: View) -> Iterator[Sample]:
    yield (view.state.version, platform.python_version()), 1


def _containers(view: View) -> Iterator[Sample]:
    for resource in view.state.resources:
        counts: dict[tuple[str, ...], int] = {}
        for holder in (view.held or {}).get(resource.name, {}).values():
            labels = resource.name, holder.namespace, holder.pod, holder.container
            counts[labels] = counts.get(labels, 0) + 1
        yield from counts.items()


PODS: Final = Family(
    "twistdp_container_devices",
    "gauge",
    "Devices that the container has; only with --http-pods.",
    (*OF_RESOURCE, "namespace", "pod", "container"),
    _containers,
)
"""The one that names pods: its labels are as many as there are containers, ever."""

FAMILIES: Final = (
    Family(
        "twistdp_build_info",
        "gauge",
        "Always 1; the labels have the versions of twistdp and Python.",
        ("version", "python_version"),
        _build,
    ),
    Family(
        "twistdp_devices",
        "gauge",
        "Devices in the list that the kubelet gets, by health.",
        (*OF_RESOURCE, "health"),
        _devices,
    ),
    gauge(
        "twistdp_devices_not_listed",
        "Devices for which the list has no room, so that no pod can get them.",
        lambda resource, _: resource.not_listed,
    ),
    gauge(
        "twistdp_devices_held",
        "Devices that containers have; absent if the kubelet cannot be asked.",
        lambda resource, _: resource.held,
    ),
    split(
        "twistdp_device_changes_total",
        "Devices that were added, were removed, became unhealthy or became healthy again.",
        "change",
        lambda tallies: tallies.changes,
    ),
    counter(
        "twistdp_allocated_devices_total",
        "Devices that Allocate has given to containers.",
        lambda _, tallies: tallies.allocated,
    ),
    counter(
        "twistdp_released_devices_total",
        "Devices that pods have given back, as far as the kubelet could be asked.",
        lambda _, tallies: tallies.released,
    ),
    gauge(
        "twistdp_resource_registered",
        "Whether the kubelet has accepted the resource: 1 if so, 0 if not.",
        lambda resource, _: int(resource.session.standing == "registered"),
    ),
    gauge(
        "twistdp_resource_streams",
        "ListAndWatch streams that the kubelet has open; without one it learns of no change.",
        lambda resource, _: resource.session.streams,
    ),
    gauge(
        "twistdp_resource_last_contact_timestamp_seconds",
        "When the kubelet last called, registered the resource or opened a stream, as Unix time; "
        "absent before that.",
        lambda resource, _: resource.session.last_word,
    ),
    split(
        "twistdp_registration_attempts_total",
        "Attempts to register: registered, refused by the kubelet, or failed before it answered.",
        "result",
        lambda tallies: tallies.registrations,
    ),
    counter(
        "twistdp_streams_opened_total",
        "ListAndWatch streams that were opened, by the kubelet or anybody else.",
        lambda _, tallies: tallies.streams,
    ),
    counter(
        "twistdp_lists_sent_total",
        "Lists of devices that were sent, on all streams.",
        lambda _, tallies: tallies.lists,
    ),
    counter(
        "twistdp_lists_sent_bytes_total",
        "Bytes of the lists that were sent.",
        lambda _, tallies: tallies.list_bytes,
    ),
    counter(
        "twistdp_lists_coalesced_total",
        "Lists that were not sent because a newer one replaced them before the stream was read.",
        lambda _, tallies: tallies.lists_skipped,
    ),
    gauge(
        "twistdp_list_size_bytes",
        "Size of the list that was sent last; a kubelet takes 4194304 bytes. Absent before that.",
        lambda _, tallies: tallies.list_size,
    ),
    Family(
        "twistdp_rpc_duration_seconds",
        "histogram",
        "How long the plugin took to answer calls of the kubelet, by method and gRPC status.",
        (*OF_RESOURCE, "method_name", "grpc_status_code"),
        _calls,
    ),
    of_scanner(
        "twistdp_scan_duration_seconds",
        "histogram",
        "How long scans took, those that failed too.",
        lambda _, tallies: tallies.scans,
    ),
    of_scanner(
        "twistdp_scan_failures_total",
        "counter",
        "Scans that failed; the devices stay as they were.",
        lambda _, tallies: tallies.failed,
    ),
    of_scanner(
        "twistdp_scans_hung_total",
        "counter",
        "Scans that did not return within --scan-timeout.",
        lambda _, tallies: tallies.hung,
    ),
    of_scanner(
        "twistdp_scan_hung",
        "gauge",
        "Whether the running scan has not returned within --scan-timeout: 1 if so, 0 if not.",
        lambda scanner, _: int(scanner.hung),
    ),
    of_scanner(
        "twistdp_scan_failing",
        "gauge",
        "Whether the last scan failed: 1 if so, 0 if not.",
        lambda scanner, _: int(scanner.failing is not None),
    ),
    of_scanner(
        "twistdp_last_scan_timestamp_seconds",
        "gauge",
        "When the last scan ended, as Unix time; absent before that.",
        lambda scanner, _: None if scanner.last_scan is None else scanner.last_scan.time,
    ),
    Family(
        "twistdp_events_total",
        "counter",
        "Events that the kernel has sent; many of them lead to one scan.",
        ("source",),
        _events,
    ),
    Family(
        "twistdp_event_overflows_total",
        "counter",
        "How often the kernel has dropped events; everything is scanned then.",
        ("source",),
        _overflows,
    ),
    Family(
        "twistdp_health_checks_total",
        "counter",
        "Health checks that were made, by kind and result.",
        ("kind", "result"),
        _health_checks,
    ),
    Family(
        "twistdp_config_reloads_total",
        "counter",
        "How often a configuration file was read again, by result.",
        ("file", "result"),
        _reloads,
    ),
    Family(
        "twistdp_config_last_reload_successful",
        "gauge",
        "Whether the configuration file as it is now is in force: 1 if so, 0 if it is refused.",
        ("file",),
        _reloaded,
    ),
    Family(
        "twistdp_kubelet_appearances_total",
        "counter",
        "How often a kubelet has made its socket, as it does when it starts.",
        (),
        lambda view: [((), view.tallies.kubelets)],
    ),
    Family(
        "twistdp_pod_resources_available",
        "gauge",
        "Whether the kubelet can be asked which pods have devices: 1 if so, 0 if not.",
        (),
        lambda view: [((), int(view.state.pod_resources.available))],
    ),
)
"""All others, in the order in which they are shown."""
