"""Which plugin the manifests are for, and what it gets of the node."""

import os
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from twistdp.deployment.directories import (
    CONFIG_DIRECTORY,
    OF_THE_CONTAINER,
    SCANNER_DIRECTORY,
    HostPath,
    of_the_host,
)
from twistdp.deployment.sandbox import holds, is_kubelets, made_secrets
from twistdp.errors import BadSetting
from twistdp.settings import RUN_DIRECTORY, STATE_DIRECTORY, Settings

VIRTUAL_NODES = {
    "type": ["virtual-kubelet", "kwok"],
    "eks.amazonaws.com/compute-type": ["fargate"],
    "virtualization": ["virtualnode2"],
    "node.kubernetes.io/instance-type": ["eklet"],
    "liqo.io/type": ["virtual-node"],
}
"""Labels of nodes that are no machines: of virtual-kubelet (AKS, ACK, CCI and others), KWOK, EKS
Fargate, AKS' virtual nodes of the second kind, TKE's super nodes, Liqo."""

PRIORITY = "system-node-critical"
"""The pods' priority class."""

RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "10m", "memory": "64Mi"},
    "limits": {"memory": "512Mi"},
}
"""What the container asks for, and gets at most."""


@attrs.frozen(kw_only=True)
class InitContainer:
    """A container that prepares the node before the plugin's starts.

    It has the directories that the plugin reads, read-only, and those of `host_paths`, writable;
    they are made where a node has none.  One that is `privileged` has the node's devices and its
    sysfs anyway, writable.  `env` are variables.  The ConfigMap of a name is mounted at
    a directory with `config_map`, and `scratch` is an empty directory for files in between.
    """

    image: str
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Mapping[str, str] = attrs.field(factory=dict)
    privileged: bool = False
    host_paths: Sequence[str] = ()
    config_map: tuple[str, str] | None = None
    scratch: str | None = None


def _name(_: object, __: object, value: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", value):
        raise BadSetting(
            f"--name {value}: use at most 40 lower-case letters, digits and '-' in between"
        )


def _namespace(_: object, __: object, value: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value):
        raise BadSetting(
            f"--namespace {value}: use at most 63 lower-case letters, digits and '-' in between"
        )


def _absolute(_: object, __: object, value: str) -> None:
    if not os.path.isabs(value):
        raise BadSetting(f"--host-path {value}: give an absolute path")


def _image(_: object, __: object, value: str) -> None:
    if not value or set(value) & set(string.whitespace):
        raise BadSetting(f"--image {value!r}: give an image's name, which has no blanks in it")


@attrs.frozen(kw_only=True)
class DaemonSet:
    """A plugin to run on every node.  Raises `BadSetting` for a value that Kubernetes refuses.

    `options` are those of ``twistd deviceplugin``, and `settings` their values.  `name` is the
    name of every object, `namespace` their namespace.  `scanner_file` is a module to put into a
    ConfigMap, and `scanner_config_map` the name of a ConfigMap with modules that exists already;
    `config` is a configuration for another, its path and its text.  `host_paths` are directories
    that the plugin reads.  A state directory other than the default one is the node's, so that it
    outlives the pod.  With `cdi` it writes CDI specs.  `selinux_type` is the container's SELinux
    type.  With `openshift` it has what OpenShift asks for, a SELinux type included.
    With `http_port` it answers HTTP there, at the pod's address.

    The pods run on nodes with all labels of `node_selector` that `node_affinity` (as in a pod)
    accepts; `VIRTUAL_NODES` are left out whatever it says.  `rolling_update` says how many pods
    may be missing or surplus while they are replaced; with None nothing replaces them.  `labels`
    are on each object and pod, besides the name, and the pods are found by them.
    `pod_annotations` are the pods' own: a change of one replaces them.  `owner` is the object that
    all others belong to, as an owner reference; without it they belong to nobody.
    """

    options: Sequence[str]
    settings: Settings = attrs.field(factory=Settings)
    image: str = attrs.field(validator=_image)
    name: str = attrs.field(validator=_name)
    namespace: str = attrs.field(validator=_namespace)
    scanner_file: str | None = None
    config: tuple[str, str] | None = None
    host_paths: Sequence[str] = attrs.field(
        default=("/dev",), validator=attrs.validators.deep_iterable(_absolute)
    )
    scanner_config_map: str | None = None
    cdi: bool = False
    selinux_type: str | None = None
    openshift: bool = False
    http_port: int | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: Sequence[str] = ()
    init_container: InitContainer | None = None
    node_selector: Mapping[str, str] = attrs.field(factory=dict)
    node_affinity: Mapping[str, Any] = attrs.field(factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ({"operator": "Exists"},)
    priority_class: str = PRIORITY
    resources: Mapping[str, Mapping[str, Any]] = RESOURCES
    rolling_update: Mapping[str, int | str] | None = attrs.field(
        factory=lambda: {"maxUnavailable": 1}
    )
    min_ready_seconds: int = 0
    labels: Mapping[str, str] = attrs.field(factory=dict)
    pod_annotations: Mapping[str, str] = attrs.field(factory=dict)
    owner: Mapping[str, Any] | None = None

    @property
    def selector(self) -> dict[str, str]:
        """The labels that all objects have, and that the pods are found by."""
        return {"app.kubernetes.io/name": self.name, **self.labels}

    def metadata(self, name: str | None = None) -> dict[str, Any]:
        """The metadata of an object with this name; None for that of the plugin."""
        return {
            "name": name or self.name,
            "namespace": self.namespace,
            "labels": self.selector,
            **({} if self.owner is None else {"ownerReferences": [dict(self.owner)]}),
        }

    def of_the_node(self) -> Iterator[HostPath]:
        """The node's paths in the container.

        Raises `BadSetting` for one that would hide the container's own files.
        """
        kubelet = self.settings.private_place
        paths = [HostPath("kubelet", kubelet or self.settings.plugin_dir, True)]
        if self.cdi:
            paths.append(HostPath("cdi", self.settings.cdi_dir, True, "DirectoryOrCreate"))
        pod_resources = os.path.dirname(self.settings.pod_resources_socket)
        if kubelet is None or not holds(kubelet, pod_resources):
            # The plugin does without it, so its pod need not wait for it.
            paths.append(HostPath("pod-resources", pod_resources, type="DirectoryOrCreate"))
        if self.settings.state_dir != STATE_DIRECTORY:
            paths.append(HostPath("state", self.settings.state_dir, True, "DirectoryOrCreate"))
        paths += [
            of_the_host(number, "/" + os.path.normpath(path).lstrip("/"))
            for number, path in enumerate(self.host_paths)
        ]
        # Kubernetes refuses two mounts of one path.
        first = {path.path: path for path in reversed(paths)}
        for path in paths:
            if first[path.path] is path:
                self._check(path)
                yield path

    def hidden(self) -> list[str]:
        """Directories with secrets below the kubelet's, which its watcher needs as a whole."""
        kubelet = self.settings.private_place
        if kubelet is None or not is_kubelets(self.settings):
            return []
        shown = [os.path.normpath(path) for path in self.host_paths]
        return [
            path for path in made_secrets(kubelet) if not any(holds(path, one) for one in shown)
        ]

    def _check(self, mounted: HostPath) -> None:
        option = {
            "kubelet": "--plugin-dir"
            if self.settings.private_place is None
            else "--registry-dir, whose parent is mounted",
            "cdi": "--cdi-dir",
            "pod-resources": "--pod-resources-socket",
            "state": "--state-dir",
        }.get(mounted.name, "--host-path")
        path = mounted.path
        if ":" in path:
            raise BadSetting(
                f"mounting the node's {path}: Kubernetes accepts no ':' in the path of a mount; "
                f"give another {option}"
            )
        if path in OF_THE_CONTAINER:
            raise BadSetting(
                f"mounting the node's {path} would hide the container's own programs: give another "
                f"{option}"
            )
        if path == RUN_DIRECTORY:
            raise BadSetting(
                f"mounting the node's {path} is in the way of the container's own directory of "
                f"this name: give another {option}"
            )
        for file, directory, of in (
            (self.scanner_file or self.scanner_config_map, SCANNER_DIRECTORY, "--scanner-file"),
            (self.config, CONFIG_DIRECTORY, "--config"),
        ):
            if file and os.path.commonpath([path, directory]) in (path, directory):
                raise BadSetting(
                    f"mounting the node's {path} is in the way of {directory}, the directory "
                    f"of the {of}: give another {option}"
                )
