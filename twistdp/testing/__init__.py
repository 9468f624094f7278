"""For tests of plugins, yours and ours: a kubelet to run them against."""

from twistdp.testing import loopdevices
from twistdp.testing.kubelet import FakeKubelet, Registration
from twistdp.testing.kubeletsocket import is_extended_resource_name
from twistdp.testing.node import AdmissionRefused, NodeResource
from twistdp.testing.process import ChildProcess, status_of, twistd_command
from twistdp.testing.topologymanager import POLICIES

__all__ = [
    "POLICIES",
    "AdmissionRefused",
    "ChildProcess",
    "FakeKubelet",
    "NodeResource",
    "Registration",
    "is_extended_resource_name",
    "loopdevices",
    "status_of",
    "twistd_command",
]
