"""Writes what runs a plugin: systemd units, Kubernetes manifests and Dockerfiles.

The files in ``deploy`` and ``docker`` and those of a new project are made by the same functions.
"""

from twistdp.deployment import requirements
from twistdp.deployment.daemonset import PRIORITY, RESOURCES, DaemonSet, InitContainer
from twistdp.deployment.directories import CONFIG_DIRECTORY, OF_THE_CONTAINER, SCANNER_DIRECTORY
from twistdp.deployment.documents import Document, ObjectLoader, as_yaml
from twistdp.deployment.image import dockerfile
from twistdp.deployment.manifests import render_manifests, sample_pod
from twistdp.deployment.monitoring import pod_monitor, service, service_monitor
from twistdp.deployment.needs import Needs, needs
from twistdp.deployment.objects import daemon_set, service_account
from twistdp.deployment.openshift import SELINUX_TYPE, constraints
from twistdp.deployment.scanner_file import configuration_map
from twistdp.deployment.templates import filled
from twistdp.deployment.unit import hidden_by, render_unit, unreachable

__all__ = [
    "CONFIG_DIRECTORY",
    "OF_THE_CONTAINER",
    "PRIORITY",
    "RESOURCES",
    "SCANNER_DIRECTORY",
    "SELINUX_TYPE",
    "DaemonSet",
    "Document",
    "InitContainer",
    "Needs",
    "ObjectLoader",
    "as_yaml",
    "configuration_map",
    "constraints",
    "daemon_set",
    "dockerfile",
    "filled",
    "hidden_by",
    "needs",
    "pod_monitor",
    "render_manifests",
    "render_unit",
    "requirements",
    "sample_pod",
    "service",
    "service_account",
    "service_monitor",
    "unreachable",
]
