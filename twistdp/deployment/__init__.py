"""How a plugin is run: the texts for systemd, for Kubernetes, and for what makes images.

They are the same for twistdp itself, whose own are in ``deploy`` and ``docker``, and for a project
of one's own.
"""

from twistdp.deployment import requirements
from twistdp.deployment.image import dockerfile
from twistdp.deployment.manifests import SELINUX_TYPE, DaemonSet, render_manifests, sample_pod
from twistdp.deployment.templates import filled
from twistdp.deployment.unit import hidden_by, render_unit
from twistdp.deployment.yamltext import NOT_NAMES

__all__ = [
    "NOT_NAMES",
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
