"""What the plugin needs on OpenShift besides its manifests."""

from typing import Any

from twistdp.deployment.daemonset import DaemonSet

SELINUX_TYPE = "container_device_plugin_t"
"""The SELinux type that container-selinux has for device plugins."""

SELINUX_LEVEL = "s0"
"""Its level on OpenShift, which compares all of a pod's options: that of the node's directories."""

EVERY_NODE = {"openshift.io/node-selector": ""}
"""Annotations of a namespace whose pods run on every node, not on the workers alone."""


def constraints(plugin: DaemonSet) -> list[dict[str, Any]]:
    """Allow the pods of a plugin what its DaemonSet asks for, and nothing else.

    First come the SecurityContextConstraints, then a Role and its RoleBinding.
    """
    ids = {"type": "MustRunAs", "ranges": [{"min": 0, "max": 0}]}
    api_group = "rbac.authorization.k8s.io"
    metadata = plugin.metadata()
    name, namespace = plugin.name, plugin.namespace
    privileged = plugin.init_container is not None and plugin.init_container.privileged
    allowed: dict[str, Any] = {
        "apiVersion": "security.openshift.io/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {key: value for key, value in metadata.items() if key != "namespace"},
        "allowHostDirVolumePlugin": True,
        "volumes": ["configMap", "emptyDir", "hostPath"],
        "runAsUser": {"type": "MustRunAs", "uid": 0},
        "seLinuxContext": {
            "type": "MustRunAs",
            "seLinuxOptions": {
                "type": plugin.selinux_type or SELINUX_TYPE,
                "level": SELINUX_LEVEL,
            },
        },
        "seccompProfiles": ["runtime/default"],
        "fsGroup": ids,
        "supplementalGroups": ids,
        "readOnlyRootFilesystem": True,
        "requiredDropCapabilities": ["ALL"],
        "allowedCapabilities": [],
        "defaultAddCapabilities": [],
        "allowPrivilegeEscalation": privileged,
        "allowPrivilegedContainer": privileged,
        "allowHostIPC": False,
        "allowHostNetwork": False,
        "allowHostPID": False,
        "allowHostPorts": False,
        "priority": None,
        "users": [],
        "groups": [],
    }
    use = {
        "apiGroups": ["security.openshift.io"],
        "resources": ["securitycontextconstraints"],
        "resourceNames": [name],
        "verbs": ["use"],
    }
    role = {
        "apiVersion": f"{api_group}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [use],
    }
    binding = {
        "apiVersion": f"{api_group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": api_group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    return [allowed, role, binding]
