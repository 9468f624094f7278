"""Writes what Kubernetes needs to run a plugin on every node, as YAML."""

from twistdp.deployment.daemonset import DaemonSet
from twistdp.deployment.documents import Document, as_yaml
from twistdp.deployment.objects import daemon_set, namespace, quota, service_account
from twistdp.deployment.openshift import constraints
from twistdp.deployment.scanner_file import configuration_map, scanner_map

IN_EVERY_CLUSTER = {"default", "kube-node-lease", "kube-public", "kube-system"}
"""Namespaces that Kubernetes makes: the manifests neither make them nor change their labels."""

_WHY_PRIVILEGED = "Host paths need the level privileged; the container is not privileged."

_WHY_QUOTA = """\
Some clusters, such as GKE, admit critical pods only where a quota allows for them.
This one limits nothing."""

WHY_ALLOWED = "OpenShift allows the plugin's pods what the DaemonSet asks for, and nothing else."
"""The comment on its constraints."""

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
    documents = [Document(service_account(plugin))]
    if plugin.namespace not in IN_EVERY_CLUSTER:
        documents.insert(0, Document(namespace(plugin), _WHY_PRIVILEGED))
    if plugin.namespace != "kube-system":  # critical pods are always admitted there
        documents.append(Document(quota(plugin), _WHY_QUOTA))
    if plugin.openshift:
        allowed, *granted = constraints(plugin)
        documents += [Document(allowed, WHY_ALLOWED), *map(Document, granted)]
    maps: list[str | None] = [plugin.scanner_config_map, None]
    if plugin.scanner_file:
        maps[0], content = scanner_map(plugin, plugin.scanner_file)
        documents.append(Document(content))
    if plugin.config:
        maps[1], content = configuration_map(plugin, *plugin.config)
        documents.append(Document(content))
    documents.append(Document(daemon_set(plugin, *maps), _WHY))
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
