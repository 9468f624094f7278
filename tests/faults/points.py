"""The points of registering and serving at which something can go wrong, and what can."""

_COMMON_POINTS = (
    "nothing",  # it waits for an event or for time to pass
    "scan",
    "scan returns",
    "pod-resources answer",
    "the server starts",
    "the server stops",
    "kubelet.sock appears",
    "dial",
    "hang-up",
    "connection breaks",
    "GetDevicePluginOptions request",
    "GetDevicePluginOptions message",
    "GetDevicePluginOptions end",
    "GetDevicePluginOptions cancel",
    "ListAndWatch request",
    "ListAndWatch message",
    "ListAndWatch end",
    "Allocate request",
    "Allocate message",
    "Allocate end",
)

POINTS = {
    "socket": (
        *_COMMON_POINTS,
        "Register connect",
        "Register request",
        "Register answer",
        "Register refusal",
        "Register cancel",
        "channel closes",
    ),
    "watcher": (
        *_COMMON_POINTS,
        "the kubelet looks",
        "find",
        "GetInfo request",
        "GetInfo message",
        "GetInfo end",
        "GetInfo cancel",
        "NotifyRegistrationStatus request",
        "NotifyRegistrationStatus message",
        "NotifyRegistrationStatus end",
        "NotifyRegistrationStatus cancel",
    ),
}
"""The points, by the way to register: what can be in flight."""

_COMMON_FAULTS = (
    "kubelet_restarts",
    "kubelet_stops",
    "kubelet_starts",
    "own_sockets_vanish",
    "directory_made_anew",
    "directory_vanishes",
    "streams_ended",
    "stranger_comes",
    "stranger_goes",
    "registrations_refused",
    "registrations_taken",
    "scanner_fails",
    "bad_tree",
    "scan_hangs",
    "scanner_works",
    "specs_vanish",
    "specs_cannot_be_written",
    "specs_can_be_written",
    "devices_change",
    "device_is_renamed",
    "all_devices_vanish",
    "all_devices_come",
    "devices_given_to_pods",
    "service_stops",
    "service_starts",
    "clock_is_set",
    "directory_is_read_only",
    "directory_is_writable",
    "a_call_fails",
    "somebody_is_faster",
)

FAULTS = {
    "socket": (*_COMMON_FAULTS, "kubelets_socket_replaced"),
    "watcher": _COMMON_FAULTS,
}
"""The faults and recoveries, by the way to register."""

_GIVING = (("nothing", "kubelet_starts"), ("nothing", "devices_given_to_pods"))

LEADING_TO = {
    "Allocate request": _GIVING,
    "Allocate message": _GIVING,
    "Allocate end": _GIVING,
    "pod-resources answer": (
        ("nothing", "service_stops"),
        ("the server stops", "all_devices_come"),
        ("nothing", "service_starts"),
    ),
    "connection breaks": (("ListAndWatch message", "service_stops"),),
    "the server stops": (("ListAndWatch message", "service_stops"),),
    **{
        f"{call} cancel": ((f"{call} message", "kubelet_restarts"),)
        for call in ("GetDevicePluginOptions", "GetInfo", "NotifyRegistrationStatus")
    },
}
"""Steps that lead to a point; the points that are not here are reached soon without any."""
