"""Writes what runs a plugin: systemd units, Kubernetes manifests and Dockerfiles.

The files in ``deploy`` and ``docker`` and those of a new project are made by the same functions.
"""

from twistdp.deployment import requirements
from twistdp.deployment.daemonset import DaemonSet
from twistdp.deployment.image import dockerfile
from twistdp.deployment.manifests import render_manifests, sample_pod
from twistdp.deployment.openshift import SELINUX_TYPE
from twistdp.deployment.scanner_file import CONFIG_DIRECTORY
from twistdp.deployment.templates import filled
from twistdp.deployment.unit import hidden_by, render_unit, unreachable

__all__ = [
    "CONFIG_DIRECTORY",
    "SELINUX_TYPE",
    "DaemonSet",
    "dockerfile",
    "filled",
    "hidden_by",
    "render_manifests",
    "render_unit",
    "requirements",
    "sample_pod",
    "unreachable",
]
