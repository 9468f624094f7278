"""Helpers for tests: an emulated kubelet, a fake API server, child processes, loop devices."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twistdp.testing import loopdevices
    from twistdp.testing.apiserver import ApiCall, ApiFault, ApiRefused, ApiServer
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
else:
    _PLACES = {
        "COMMANDS": "commands",
        "POLICIES": "topologymanager",
        "AdmissionRefused": "endpoint",
        "ApiCall": "apiserver",
        "ApiFault": "apiserver",
        "ApiRefused": "apiserver",
        "ApiServer": "apiserver",
        "ChildProcess": "process",
        "Control": "control",
        "FakeKubelet": "kubelet",
        "NodeResource": "node",
        "Playground": "playground",
        "Registration": "observed",
        "ask": "control",
        "is_extended_resource_name": "kubeletsocket",
        "status_of": "process",
        "twistd_command": "process",
    }

    def __getattr__(name):
        """Import what is asked for: the parts have little in common, and some take long."""
        if name == "loopdevices":
            return import_module(f"{__name__}.loopdevices")
        if name in _PLACES:
            return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        """Name also what is not imported yet, for those who explore."""
        return sorted({*globals(), *__all__})


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
