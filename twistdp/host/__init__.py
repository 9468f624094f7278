"""The machine: trusted paths, directories, limits, NUMA nodes."""

from twistdp.host.children import begin_keeping, end_keeping, keep_from_children
from twistdp.host.limits import (
    REMEDIES,
    SOON,
    DescriptorWatch,
    check_descriptors,
    check_threads,
    raise_limit,
    remedy_for,
)
from twistdp.host.listing import ABSENT, entries, expanded
from twistdp.host.paths import HostPaths, Place, check_trusted, is_safe
from twistdp.host.presence import check_present, host_paths, mounted_paths, programs
from twistdp.host.topology import Topology
from twistdp.host.trust import (
    Peer,
    check_directory,
    check_file,
    check_ownership,
    check_server,
    close_directory,
    make_directory,
    may_others_write,
    peer_of,
    problem_of,
)

__all__ = [
    "ABSENT",
    "REMEDIES",
    "SOON",
    "DescriptorWatch",
    "HostPaths",
    "Peer",
    "Place",
    "Topology",
    "begin_keeping",
    "check_descriptors",
    "check_directory",
    "check_file",
    "check_ownership",
    "check_present",
    "check_server",
    "check_threads",
    "check_trusted",
    "close_directory",
    "end_keeping",
    "entries",
    "expanded",
    "host_paths",
    "is_safe",
    "keep_from_children",
    "make_directory",
    "may_others_write",
    "mounted_paths",
    "peer_of",
    "problem_of",
    "programs",
    "raise_limit",
    "remedy_for",
]
