"""The pod of a plugin, as a value."""

from collections.abc import Iterator, Mapping
from typing import Any

from twistdp.deployment.daemonset import VIRTUAL_NODES, DaemonSet
from twistdp.deployment.directories import CONFIG_DIRECTORY, SCANNER_DIRECTORY, HostPath
from twistdp.deployment.openshift import SELINUX_LEVEL, SELINUX_TYPE
from twistdp.deployment.probing import probes
from twistdp.settings import RUN_DIRECTORY

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def pod_spec(
    plugin: DaemonSet, scanner_map: str | None = None, config_map: str | None = None
) -> dict[str, Any]:
    """The specification of the pods, which mount the ConfigMaps of these names.

    Raises `BadSetting` for a path that cannot be mounted.
    """
    paths = list(plugin.of_the_node())
    mounts = [path.mount() for path in paths]
    volumes = [path.volume() for path in paths]
    # What the state calls the node: the pod's host name is its own.
    environment: list[dict[str, Any]] = [_NODE_NAME]
    mounts.append({"name": "run", "mountPath": RUN_DIRECTORY})
    volumes.append({"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}})
    if hidden := plugin.hidden():
        mounts += [{"name": "hidden", "mountPath": path, "readOnly": True} for path in hidden]
        volumes.append({"name": "hidden", "emptyDir": {}})
    if scanner_map is not None:
        environment.insert(0, {"name": "PYTHONPATH", "value": SCANNER_DIRECTORY})
    for name, directory, found in (
        ("scanner", SCANNER_DIRECTORY, scanner_map),
        ("config", CONFIG_DIRECTORY, config_map),
    ):
        if found is not None:
            mounts.append({"name": name, "mountPath": directory, "readOnly": True})
            volumes.append({"name": name, "configMap": {"name": found}})
    return {
        "serviceAccountName": plugin.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **_named("imagePullSecrets", [{"name": name} for name in plugin.image_pull_secrets]),
        "priorityClassName": plugin.priority_class,
        "nodeSelector": {"kubernetes.io/os": "linux", **plugin.node_selector},
        "affinity": {"nodeAffinity": _on_machines(plugin.node_affinity)},
        "tolerations": [dict(toleration) for toleration in plugin.tolerations],
        "terminationGracePeriodSeconds": 5,  # it ends within a second of SIGTERM
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **_selinux(plugin)},
        **_named("initContainers", list(_init_containers(plugin, paths))),
        "containers": [_container(plugin, environment, mounts)],
        "volumes": [*volumes, *(volume for volume, _ in _init_volumes(plugin))],
    }


def _named(name: str, value: Any) -> dict[str, Any]:
    """A field, which is left out if its value is empty."""
    return {name: value} if value else {}


def _on_machines(affinity: Mapping[str, Any]) -> dict[str, Any]:
    """A node affinity that accepts the nodes of this one, but for virtual nodes."""
    machines = [
        {"key": key, "operator": "NotIn", "values": values} for key, values in VIRTUAL_NODES.items()
    ]
    # A node is accepted by one term that it fits, so each of them needs the condition.
    terms = affinity.get(REQUIRED, {}).get("nodeSelectorTerms") or [{}]
    required = {
        "nodeSelectorTerms": [
            {**term, "matchExpressions": [*term.get("matchExpressions", ()), *machines]}
            for term in terms
        ]
    }
    return {**affinity, REQUIRED: required}


def _selinux(plugin: DaemonSet) -> dict[str, Any]:
    kind = plugin.selinux_type
    if plugin.openshift:
        return {"seLinuxOptions": {"type": kind or SELINUX_TYPE, "level": SELINUX_LEVEL}}
    return {"seLinuxOptions": {"type": kind}} if kind else {}


def _init_containers(plugin: DaemonSet, paths: list[HostPath]) -> Iterator[dict[str, Any]]:
    init = plugin.init_container
    if init is None:
        return
    read = [path for path in paths if path.name.startswith("host-")]
    if init.privileged:
        # The runtime gives it the node's, and a mount would make sysfs read-only.
        read = [path for path in read if path.path not in ("/dev", "/sys")]
    own = list(_init_volumes(plugin))
    taken = {mount["mountPath"] for _, mount in own}
    mounts = [path.mount() for path in read if path.path not in taken]
    mounts += [mount for _, mount in own]
    yield {
        "name": "init",
        "image": init.image,
        **_named("imagePullPolicy", plugin.image_pull_policy),
        **_named("command", _verbatim(init.command)),
        **_named("args", _verbatim(init.args)),
        "env": [
            *([] if _NODE_NAME["name"] in init.env else [_NODE_NAME]),
            *({"name": name, "value": text.replace("$", "$$")} for name, text in init.env.items()),
        ],
        "resources": {side: dict(values) for side, values in plugin.resources.items()},
        "securityContext": _PRIVILEGED if init.privileged else _ROOT,
        "terminationMessagePath": "/tmp/termination-log",  # noqa: S108  # the container's own
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **_named("volumeMounts", mounts),
    }


def _init_volumes(plugin: DaemonSet) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The volumes that the init container alone has, each with its mount."""
    init = plugin.init_container
    if init is None:
        return
    for number, path in enumerate(dict.fromkeys(init.host_paths)):
        where = HostPath(f"init-{number}", path, writable=True, type="DirectoryOrCreate")
        yield where.volume(), where.mount()
    if init.config_map is not None:
        name, path = init.config_map
        volume = {"name": "init-config", "configMap": {"name": name}}
        yield volume, {"name": "init-config", "mountPath": path, "readOnly": True}
    if init.scratch is not None:
        volume = {"name": "init-scratch", "emptyDir": {}}
        yield volume, {"name": "init-scratch", "mountPath": init.scratch}


_NODE_NAME: dict[str, Any] = {
    "name": "NODE_NAME",
    "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}},
}

_PRIVILEGED = {"privileged": True, "runAsUser": 0, "readOnlyRootFilesystem": True}

_ROOT = {
    "runAsUser": 0,
    "runAsGroup": 0,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def _verbatim(words: Any) -> list[str]:
    """Words that Kubernetes leaves as they are.

    It replaces $(NAME) in arguments, and $$ by a single one.
    """
    return [word.replace("$", "$$") for word in words]


def _container(
    plugin: DaemonSet, environment: list[dict[str, Any]], mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    port = plugin.http_port
    options = [*plugin.options, *([] if port is None else [f"--http=tcp:{port}"])]
    return {
        "name": "deviceplugin",
        "image": plugin.image,
        **_named("imagePullPolicy", plugin.image_pull_policy),
        "args": _verbatim(options),
        "env": environment,
        **({} if port is None else {"ports": [{"name": "http", "containerPort": port}]}),
        **probes(port),
        "resources": {side: dict(values) for side, values in plugin.resources.items()},
        "securityContext": _ROOT,
        "terminationMessagePath": "/tmp/termination-log",  # noqa: S108  # the container's own
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
