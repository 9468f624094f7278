"""How a plugin is run: the texts for systemd, for Kubernetes, and for what makes images.

They are the same for twistdp itself, whose own are in ``deploy`` and ``docker``, and for a project
of one's own.
"""

from twistdp.deployment import requirements
from twistdp.deployment.daemonset import DaemonSet
from twistdp.deployment.image import dockerfile
from twistdp.deployment.manifests import render_manifests, sample_pod
from twistdp.deployment.openshift import SELINUX_TYPE
from twistdp.deployment.templates import filled
from twistdp.deployment.unit import hidden_by, render_unit

__all__ = [
    "SELINUX_TYPE",
    "DaemonSet",
    "dockerfile",
    "filled",
    "hidden_by",
    "render_manifests",
    "render_unit",
    "requirements",
    "sample_pod",
]
