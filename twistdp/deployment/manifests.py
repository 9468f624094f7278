"""Writes what Kubernetes needs to run a plugin on every node, as YAML."""

from collections.abc import Mapping
from typing import Any

from twistdp.deployment.daemonset import DaemonSet
from twistdp.deployment.documents import Document, as_yaml
from twistdp.deployment.openshift import EVERY_NODE, SELINUX_LEVEL, SELINUX_TYPE, constraints
from twistdp.deployment.probing import probes
from twistdp.deployment.scanner_file import (
    CONFIG_DIRECTORY,
    SCANNER_DIRECTORY,
    configuration_map,
    scanner_map,
)
from twistdp.settings import RUN_DIRECTORY

VIRTUAL_NODES = {
    "type": ["virtual-kubelet", "kwok"],
    "eks.amazonaws.com/compute-type": ["fargate"],
    "virtualization": ["virtualnode2"],
    "node.kubernetes.io/instance-type": ["eklet"],
    "liqo.io/type": ["virtual-node"],
}
"""Labels of nodes that are no machines: of virtual-kubelet (AKS, ACK, CCI and others), KWOK, EKS
Fargate, AKS' virtual nodes of the second kind, TKE's super nodes, Liqo."""

IN_EVERY_CLUSTER = {"default", "kube-node-lease", "kube-public", "kube-system"}
"""Namespaces that Kubernetes makes: the manifests neither make them nor change their labels."""

PRIORITY = "system-node-critical"
"""The pods' priority class."""

_WHY = """\
The pods run on every Linux node, whatever its taints, but on no virtual node: those have neither
devices nor host paths, and a pod would stay pending on each.  They are evicted last, since pods
that ask for devices fail while the plugin is away.  It uses 55 MB with eight devices, 66 MB with
ten thousand, 72 MB with two hundred resources; the limit is for the longest list that a kubelet
accepts.  There is no limit of the processor, which would delay each registration.  The container
runs as root without any capability, since root owns the kubelet's directory and its socket.  Its
termination message is in /tmp, since /dev may only be read.  The probes ask at a unix socket in the
container, since a port would be open to the cluster."""


def render_manifests(plugin: DaemonSet) -> str:
    """A Namespace, a ServiceAccount, the DaemonSet, and what it needs besides, as YAML.

    That is a ResourceQuota, ConfigMaps for a scanner's file and a configuration, and on OpenShift
    its constraints.  The namespaces `IN_EVERY_CLUSTER` are left out.  Raises `BadSetting` if the
    scanner's file cannot be read, or if a value cannot be written or mounted.
    """
    documents = [_account(plugin)]
    if plugin.namespace not in IN_EVERY_CLUSTER:
        documents.insert(0, _namespace(plugin))
    if plugin.namespace != "kube-system":  # critical pods are always admitted there
        documents.append(_quota(plugin))
    if plugin.openshift:
        documents += constraints(plugin.name, plugin.namespace)
    config_maps: dict[str, str] = {}
    if plugin.scanner_file:
        config_maps["scanner"], document = scanner_map(
            plugin.scanner_file, plugin.name, plugin.namespace
        )
        documents.append(document)
    if plugin.config:
        config_maps["config"], document = configuration_map(
            *plugin.config, plugin.name, plugin.namespace
        )
        documents.append(document)
    documents.append(_daemon_set(plugin, config_maps))
    return as_yaml(documents)


def sample_pod(name: str, image: str, resource: str, pattern: str) -> str:
    """A pod that asks for one device of `resource` and lists what it sees, as YAML.

    `image` needs a shell.  `pattern` is the shell's, and matches the devices' paths.
    """
    container = {
        "name": "sample",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", f"ls -l {pattern}"],
        "resources": {"limits": {resource: 1}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    return as_yaml([Document(pod, "This pod asks for one device and lists what it sees of them.")])


def _labels(plugin: DaemonSet) -> dict[str, str]:
    return {"app.kubernetes.io/name": plugin.name}


def _metadata(plugin: DaemonSet) -> dict[str, Any]:
    return {"name": plugin.name, "namespace": plugin.namespace, "labels": _labels(plugin)}


def _namespace(plugin: DaemonSet) -> Document:
    metadata = {
        "name": plugin.namespace,
        **({"annotations": EVERY_NODE} if plugin.openshift else {}),
        "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
    }
    return Document(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        "Host paths need the level privileged; the container is not privileged.",
    )


def _account(plugin: DaemonSet) -> Document:
    return Document(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": _metadata(plugin),
            "automountServiceAccountToken": False,
        }
    )


def _quota(plugin: DaemonSet) -> Document:
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [PRIORITY]}
    return Document(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": _metadata(plugin),
            "spec": {"hard": {"pods": "1G"}, "scopeSelector": {"matchExpressions": [scope]}},
        },
        "Some clusters, such as GKE, admit critical pods only where a quota allows for them.\n"
        "This one limits nothing.",
    )


def _daemon_set(plugin: DaemonSet, config_maps: Mapping[str, str]) -> Document:
    return Document(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": _metadata(plugin),
            "spec": {
                "selector": {"matchLabels": _labels(plugin)},
                "updateStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 1},
                },
                "template": {
                    "metadata": {"labels": _labels(plugin)},
                    "spec": _pod(plugin, config_maps),
                },
            },
        },
        _WHY,
    )


def _pod(plugin: DaemonSet, config_maps: Mapping[str, str]) -> dict[str, Any]:
    machines = [
        {"key": key, "operator": "NotIn", "values": values} for key, values in VIRTUAL_NODES.items()
    ]
    paths = list(plugin.of_the_node())
    mounts = [path.mount() for path in paths]
    volumes = [path.volume() for path in paths]
    # What the state calls the node: the pod's host name is its own.
    environment: list[dict[str, Any]] = [
        {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    ]
    mounts.append({"name": "run", "mountPath": RUN_DIRECTORY})
    volumes.append({"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}})
    if hidden := plugin.hidden():
        mounts += [{"name": "hidden", "mountPath": path, "readOnly": True} for path in hidden]
        volumes.append({"name": "hidden", "emptyDir": {}})
    for name, config_map in config_maps.items():
        directory = SCANNER_DIRECTORY if name == "scanner" else CONFIG_DIRECTORY
        mounts.append({"name": name, "mountPath": directory, "readOnly": True})
        volumes.append({"name": name, "configMap": {"name": config_map}})
        if name == "scanner":
            environment.insert(0, {"name": "PYTHONPATH", "value": directory})
    return {
        "serviceAccountName": plugin.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": PRIORITY,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": machines}]
                }
            }
        },
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 5,  # it ends within a second of SIGTERM
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **_selinux(plugin)},
        "containers": [_container(plugin, environment, mounts)],
        "volumes": volumes,
    }


def _selinux(plugin: DaemonSet) -> dict[str, Any]:
    if plugin.openshift:
        return {"seLinuxOptions": {"type": SELINUX_TYPE, "level": SELINUX_LEVEL}}
    return {"seLinuxOptions": {"type": SELINUX_TYPE}} if plugin.selinux else {}


def _container(
    plugin: DaemonSet, environment: list[dict[str, Any]], mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    port = plugin.http_port
    options = [*plugin.options, *([] if port is None else [f"--http=tcp:{port}"])]
    return {
        "name": "deviceplugin",
        "image": plugin.image,
        # Kubernetes replaces $(NAME) in arguments, and $$ by a single one.
        "args": [option.replace("$", "$$") for option in options],
        "env": environment,
        **({} if port is None else {"ports": [{"name": "http", "containerPort": port}]}),
        **probes(port),
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": "/tmp/termination-log",  # noqa: S108  # the container's own
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
