"""What the plugin needs on OpenShift besides its manifests."""

from typing import Any

from twistdp.deployment.documents import Document

SELINUX_TYPE = "container_device_plugin_t"
"""The SELinux type that container-selinux has for device plugins."""

SELINUX_LEVEL = "s0"
"""Its level on OpenShift, which compares all of a pod's options: that of the node's directories."""

EVERY_NODE = {"openshift.io/node-selector": ""}
"""Annotations of a namespace whose pods run on every node, not on the workers alone."""


def constraints(name: str, namespace: str) -> list[Document]:
    """Allow the pods of the DaemonSet `name` what it asks for, and nothing else."""
    ids = {"type": "MustRunAs", "ranges": [{"min": 0, "max": 0}]}
    labels = {"app.kubernetes.io/name": name}
    api_group = "rbac.authorization.k8s.io"
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": labels}
    allowed = Document(
        {
            "apiVersion": "security.openshift.io/v1",
            "kind": "SecurityContextConstraints",
            "metadata": {"name": name, "labels": labels},
            "allowHostDirVolumePlugin": True,
            "volumes": ["configMap", "emptyDir", "hostPath"],
            "runAsUser": {"type": "MustRunAs", "uid": 0},
            "seLinuxContext": {
                "type": "MustRunAs",
                "seLinuxOptions": {"type": SELINUX_TYPE, "level": SELINUX_LEVEL},
            },
            "seccompProfiles": ["runtime/default"],
            "fsGroup": ids,
            "supplementalGroups": ids,
            "readOnlyRootFilesystem": True,
            "requiredDropCapabilities": ["ALL"],
            "allowedCapabilities": [],
            "defaultAddCapabilities": [],
            "allowPrivilegeEscalation": False,
            "allowPrivilegedContainer": False,
            "allowHostIPC": False,
            "allowHostNetwork": False,
            "allowHostPID": False,
            "allowHostPorts": False,
            "priority": None,
            "users": [],
            "groups": [],
        },
        "OpenShift allows the plugin's pods what the DaemonSet asks for, and nothing else.",
    )
    role = Document(
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [
                {
                    "apiGroups": ["security.openshift.io"],
                    "resources": ["securitycontextconstraints"],
                    "resourceNames": [name],
                    "verbs": ["use"],
                }
            ],
        }
    )
    binding = Document(
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api_group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
    )
    return [allowed, role, binding]
