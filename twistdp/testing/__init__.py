"""Helpers for tests: an emulated kubelet, a fake API server, child processes, loop devices."""

from typing import TYPE_CHECKING

from twistdp.testing import loopdevices
from twistdp.testing.commands import COMMANDS
from twistdp.testing.control import Control, ask
from twistdp.testing.endpoint import AdmissionRefused
from twistdp.testing.kubelet import FakeKubelet
from twistdp.testing.kubeletsocket import is_extended_resource_name
from twistdp.testing.node import NodeResource
from twistdp.testing.observed import Registration
from twistdp.testing.playground import Playground
from twistdp.testing.process import ChildProcess, status_of, twistd_command
from twistdp.testing.topologymanager import POLICIES

if TYPE_CHECKING:
    from twistdp.testing.apiserver import ApiCall, ApiFault, ApiRefused, ApiServer
else:

    def __getattr__(name):
        """Import the fake API server at need: it takes longer than the emulated kubelet."""
        if name in __all__:
            from twistdp.testing import apiserver

            return getattr(apiserver, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "COMMANDS",
    "POLICIES",
    "AdmissionRefused",
    "ApiCall",
    "ApiFault",
    "ApiRefused",
    "ApiServer",
    "ChildProcess",
    "Control",
    "FakeKubelet",
    "NodeResource",
    "Playground",
    "Registration",
    "ask",
    "is_extended_resource_name",
    "loopdevices",
    "status_of",
    "twistd_command",
]
