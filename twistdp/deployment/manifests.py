"""What Kubernetes needs to run a plugin on every node, as YAML."""

import hashlib
import os
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from twistdp.deployment.sandbox import holds, is_kubelets, made_secrets
from twistdp.deployment.templates import filled
from twistdp.deployment.yamltext import block, entries, label, quoted
from twistdp.errors import BadSetting
from twistdp.settings import Settings

SCANNER_DIRECTORY = "/etc/twistdp"
"""Where a scanner of one's own is in the container."""

SELINUX_TYPE = "container_device_plugin_t"
"""The type that the policy of containers has for device plugins."""

SELINUX_LEVEL = "s0"
"""Its level on OpenShift, which compares all of a pod's options: that of the node's directories."""

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
"""Namespaces that Kubernetes makes, and whose labels are not the plugin's business."""

OF_THE_CONTAINER = {"/", "/bin", "/lib", "/lib64", "/opt", "/usr"}
"""Where the container's own programs are."""

LARGEST_FILE = 1 << 20
"""Bytes that Kubernetes takes in a ConfigMap."""


@attrs.frozen
class HostPath:
    """A path of the node in the container, under the same name.

    `type` is Kubernetes': a ``Directory`` is waited for.
    """

    name: str
    path: str
    writable: bool = False
    type: str = "Directory"

    def mount(self) -> dict[str, Any]:
        """The container's part of it."""
        # Otherwise what is mounted below it, as /dev/shm, could be written to.
        only = {} if self.writable else {"readOnly": True, "recursiveReadOnly": "Enabled"}
        return {"name": self.name, "mountPath": self.path, **only}

    def volume(self) -> dict[str, Any]:
        """The pod's part of it."""
        return {"name": self.name, "hostPath": {"path": self.path, "type": self.type}}


def _label(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", value):
        raise BadSetting(
            f"--{attribute.name} {value}: use at most 40 lower-case letters, digits and '-' in "
            "between"
        )


def _absolute(_: object, __: object, value: str) -> None:
    if not os.path.isabs(value):
        raise BadSetting(f"--host-path {value}: give an absolute path")


def _image(_: object, __: object, value: str) -> None:
    if not value or set(value) & set(string.whitespace):
        raise BadSetting(f"--image {value!r}: give an image's name, which has no blanks in it")


@attrs.frozen(kw_only=True)
class DaemonSet:
    """What is to run, and with what of the node; a value that will not do is a `BadSetting`.

    `options` are those of ``twistd deviceplugin``, and `settings` what they come to.  `name` is
    that of all that is made in `namespace`.  `scanner_file` is a module that is put into a
    ConfigMap.  `host_paths` are what the scanner looks at, to be read only.  With `cdi` it writes
    CDI specs, with `selinux` its type is `SELINUX_TYPE`.  With `openshift` OpenShift lets it do
    what it needs, `selinux` included.
    """

    options: Sequence[str]
    settings: Settings = attrs.field(factory=Settings)
    image: str = attrs.field(validator=_image)
    name: str = attrs.field(validator=_label)
    namespace: str = attrs.field(validator=_label)
    scanner_file: str | None = None
    host_paths: Sequence[str] = attrs.field(
        default=("/dev",), validator=attrs.validators.deep_iterable(_absolute)
    )
    cdi: bool = False
    selinux: bool = False
    openshift: bool = False

    def of_the_node(self) -> Iterator[HostPath]:
        """What of the node is in the container.

        Raises `BadSetting` for what would be in the way of the container's own.
        """
        kubelet = self.settings.private_place
        paths = [HostPath("kubelet", kubelet or self.settings.plugin_dir, True)]
        if self.cdi:
            paths.append(HostPath("cdi", self.settings.cdi_dir, True, "DirectoryOrCreate"))
            pod_resources = os.path.dirname(self.settings.pod_resources_socket)
            if kubelet is None or os.path.commonpath([kubelet, pod_resources]) != kubelet:
                paths.append(HostPath("pod-resources", pod_resources))
        paths += [
            HostPath(f"host-{number}", "/" + os.path.normpath(path).lstrip("/"))
            for number, path in enumerate(self.host_paths)
        ]
        # Kubernetes refuses two mounts of one path.
        first = {path.path: path for path in reversed(paths)}
        for path in paths:
            if first[path.path] is path:
                self._check(path)
                yield path

    def hidden(self) -> list[str]:
        """Directories with secrets in a kubelet's, which is mounted as a whole for its watcher."""
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
        }.get(mounted.name, "--host-path")
        path = mounted.path
        if ":" in path:
            raise BadSetting(
                f"mounting the node's {path}: Kubernetes takes no ':' in the path of a mount; "
                f"give another {option}"
            )
        if path in OF_THE_CONTAINER:
            raise BadSetting(
                f"mounting the node's {path} would hide the container's own programs: give another "
                f"{option}"
            )
        if self.scanner_file and os.path.commonpath([path, SCANNER_DIRECTORY]) in (
            path,
            SCANNER_DIRECTORY,
        ):
            raise BadSetting(
                f"mounting the node's {path} is in the way of {SCANNER_DIRECTORY}, where the "
                f"--scanner-file is: give another {option}"
            )


def render_manifests(plugin: DaemonSet) -> str:
    """A Namespace, a ServiceAccount, the DaemonSet, and what it needs beside them.

    That is a ResourceQuota, a ConfigMap for a scanner's file, and on OpenShift its constraints.
    One of the namespaces `IN_EVERY_CLUSTER` is not made.  `BadSetting` if that file cannot be read,
    or what is given cannot be written or mounted.
    """
    paths = list(plugin.of_the_node())
    mounts = [path.mount() for path in paths]
    volumes = [path.volume() for path in paths]
    names = {"name": label(plugin.name), "namespace": label(plugin.namespace)}
    if hidden := plugin.hidden():
        mounts += [{"name": "hidden", "mountPath": path, "readOnly": True} for path in hidden]
        volumes.append({"name": "hidden", "emptyDir": {}})
    scanner = env = ""
    if plugin.scanner_file:
        scanner, config_map = config_map_of(plugin.scanner_file, plugin.name, plugin.namespace)
        mounts.append({"name": "scanner", "mountPath": SCANNER_DIRECTORY, "readOnly": True})
        volumes.append({"name": "scanner", "configMap": {"name": config_map}})
        env = "          env:\n" + entries(12, [{"name": "PYTHONPATH", "value": SCANNER_DIRECTORY}])
    virtual = [
        {"key": key, "operator": "NotIn", "values": values} for key, values in VIRTUAL_NODES.items()
    ]
    words = {
        **names,
        "made": _namespace(plugin),
        # Where the cluster's own system pods are, they are admitted.
        "allowed": ("" if plugin.namespace == "kube-system" else _filled("quota.yaml", names))
        + (
            constraints(plugin.name, plugin.namespace, hiding=bool(hidden))
            if plugin.openshift
            else ""
        ),
        "virtual": entries(18, virtual),
        "image": quoted(plugin.image),
        "scanner": scanner,
        "selinux": _selinux(plugin),
        # Kubernetes replaces $(NAME) in arguments, and $$ by a single one.
        "args": entries(12, [option.replace("$", "$$") for option in plugin.options]),
        "env": env,
        "mounts": entries(12, mounts),
        "volumes": entries(8, volumes).rstrip("\n"),
    }
    return _filled("manifests.yaml", words)


def constraints(name: str, namespace: str, *, hiding: bool = False) -> str:
    """What OpenShift lets the pods of a DaemonSet do, and for whom that is.

    With `hiding` an empty directory hides something in them.
    """
    return _filled(
        "openshift.yaml",
        {
            "name": label(name),
            "namespace": label(namespace),
            "volumes": "configMap, emptyDir, hostPath" if hiding else "configMap, hostPath",
            "type": SELINUX_TYPE,
            "level": SELINUX_LEVEL,
        },
    )


def _filled(name: str, words: Mapping[str, str]) -> str:
    return filled("twistdp.deployment", name, words)


def _namespace(plugin: DaemonSet) -> str:
    if plugin.namespace in IN_EVERY_CLUSTER:
        return ""
    # OpenShift's usual selector would keep the pods off all but the workers.
    every_node = '  annotations:\n    openshift.io/node-selector: ""\n'
    annotations = every_node if plugin.openshift else ""
    words = {"namespace": label(plugin.namespace), "annotations": annotations}
    return _filled("namespace.yaml", words)


def _selinux(plugin: DaemonSet) -> str:
    if not (plugin.selinux or plugin.openshift):
        return ""
    level = f"          level: {SELINUX_LEVEL}\n" if plugin.openshift else ""
    return f"        seLinuxOptions:\n          type: {SELINUX_TYPE}\n{level}"


def sample_pod(name: str, image: str, resource: str, pattern: str) -> str:
    """A pod of an image with a shell that asks for one device, and lists what it sees of them.

    `pattern` is the shell's, of the devices' paths.
    """
    command = f"ls -l {pattern}"
    words = {"name": name, "image": image, "resource": resource, "command": quoted(command)}
    return _filled("pod.yaml", words)


def config_map_of(path: str, name: str, namespace: str) -> tuple[str, str]:
    """A document with a file, and its name, which changes with the file so that pods do too."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
        text = content.decode()
    except OSError as error:
        raise BadSetting(
            f"--scanner-file {path}: it cannot be read: {error.strerror}; name the file of a "
            "Python module"
        ) from error
    except UnicodeDecodeError as error:
        raise BadSetting(
            f"--scanner-file {path}: it is not UTF-8 from byte {error.start} on; name a Python "
            "module's source"
        ) from error
    if len(content) > LARGEST_FILE:
        raise BadSetting(
            f"--scanner-file {path}: it has more than the {LARGEST_FILE} bytes that a ConfigMap "
            "takes; put it into an image"
        )
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    file_name = os.path.basename(path)
    if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", file_name):
        raise BadSetting(f"--scanner-file {path}: a ConfigMap takes no file of this name")
    config_map = f"{name}-scanner-{digest}"
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {label(config_map)}\n"
        f"  namespace: {label(namespace)}\n  labels:\n    app.kubernetes.io/name: {label(name)}\n"
        f"data:\n  {quoted(file_name)}: {block(text)}---\n"
    ), config_map
