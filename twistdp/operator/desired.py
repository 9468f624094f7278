"""The objects that a DevicePlugin amounts to: a function of values."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from twistdp.crds import (
    CONFIG_FILE,
    GROUP,
    KIND,
    VERSION,
    DevicePlugin,
    DevicePluginSpec,
    config_text,
    needs,
    options,
    settings,
)
from twistdp.deployment import (
    CONFIG_DIRECTORY,
    RESOURCES,
    DaemonSet,
    InitContainer,
    configuration_map,
    daemon_set,
    pod_monitor,
    service,
    service_account,
    service_monitor,
)
from twistdp.errors import BadSetting, BadSettings
from twistdp.operator.api import FIELD_MANAGER
from twistdp.operator.observed import HASH, NAME_LABEL
from twistdp.operator.rollout import MIN_READY_SECONDS, rolling_update
from twistdp.operator.settings import OperatorSettings

MANAGED_LABEL: Final = "app.kubernetes.io/managed-by"
"""The label that says which program makes an object."""

FILES: Final = f"{GROUP}/files"
"""The annotation of pods with the version of the scanner's files, which are read at the start."""

_FIELDS: Final = {
    "--registry-dir, whose parent is mounted": "spec.kubeletDirectory",
    "--plugin-dir": "spec.kubeletDirectory",
    "--pod-resources-socket": "spec.kubeletDirectory",
    "--cdi-dir": "spec.cdi.directory",
    "--host-path": "spec.security.hostPaths",
    "--scanner-file": "spec.scanner.configMap",
    "--config": "spec.config",
    "--image": "spec.image",
    "--name": "metadata.name",
}
"""Options of ``twistdp manifests``, and the fields that an object has instead."""


def desired(
    plugin: DevicePlugin,
    operator: OperatorSettings,
    files_version: str | None = None,
    halted: bool = False,
) -> list[dict[str, Any]]:
    """The objects to apply, in this order; the DaemonSet is the last.

    `files_version` stands for the content of the scanner's ConfigMap: another one replaces the
    pods.  A change of the configuration alone changes its ConfigMap and no other object, unless the
    pods need other directories of the node for it.

    With `halted`, nothing replaces pods: see `twistdp.operator.rollout.is_halted`.

    Raises `BadSettings` for what fits the schema but cannot be mounted, and for the name of an
    object that the namespace has for somebody else.
    """
    # Deleting this one would delete the operator's own account, or that of others in its namespace.
    if plugin.name == "default" or plugin.name.startswith(operator.name):
        raise BadSettings(
            [
                f"metadata.name: {plugin.name} is a name of the operator's own objects or of the "
                "namespace's; choose another"
            ]
        )
    try:
        one = _daemon_set(plugin, operator, files_version)
        if halted:
            one = attrs.evolve(one, rolling_update=None)
        made = [service_account(one)]
        config_map = None
        if one.config is not None:
            config_map, content = configuration_map(one, *one.config)
            made.append(content)
        made += _monitors(one, plugin.spec)
        found = daemon_set(one, one.scanner_config_map, config_map)
        found["spec"]["template"] = _hashed(found["spec"]["template"])
        made.append(found)
    except BadSetting as error:
        raise BadSettings([_in_fields(str(error))]) from error
    return [_hashed(each) for each in made]


def _daemon_set(
    plugin: DevicePlugin, operator: OperatorSettings, files_version: str | None
) -> DaemonSet:
    spec = plugin.spec
    needed = needs(plugin)
    text = config_text(plugin)
    affinity = None if spec.affinity is None else spec.affinity.node
    strategy = spec.update_strategy
    return DaemonSet(
        options=options(plugin),
        settings=settings(plugin),
        image=spec.image or operator.plugin_image,
        name=plugin.name,
        namespace=operator.namespace,
        config=None if text is None else (f"{CONFIG_DIRECTORY}/{CONFIG_FILE}", text),
        host_paths=needed.host_paths,
        scanner_config_map=None if spec.scanner is None else spec.scanner.config_map,
        cdi=needed.cdi,
        selinux_type=spec.security.selinux_type,
        openshift=spec.security.openshift,
        http_port=None if spec.http is None else spec.http.port,
        image_pull_policy=spec.image_pull_policy,
        image_pull_secrets=spec.image_pull_secrets,
        init_container=_init_container(spec),
        node_selector=spec.node_selector,
        node_affinity={} if affinity is None else as_json(affinity),
        **({} if spec.tolerations is None else {"tolerations": as_json(spec.tolerations)}),
        priority_class=spec.priority_class,
        resources=RESOURCES if spec.resources is None else as_json(spec.resources),
        rolling_update=rolling_update(strategy.type, strategy.max_unavailable, strategy.max_surge),
        min_ready_seconds=MIN_READY_SECONDS,
        labels={MANAGED_LABEL: FIELD_MANAGER, NAME_LABEL: plugin.name},
        pod_annotations={} if files_version is None else {FILES: files_version},
        owner={
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": plugin.name,
            "uid": plugin.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        },
    )


def _init_container(spec: DevicePluginSpec) -> InitContainer | None:
    init = spec.init_container
    if init is None:
        return None
    config_map = None
    if init.config_map is not None and init.config_map_path is not None:
        config_map = init.config_map, init.config_map_path
    return InitContainer(
        image=init.image,
        command=init.command,
        args=init.args,
        env=init.env,
        privileged=init.privileged,
        host_paths=init.host_paths,
        config_map=config_map,
        scratch=init.scratch,
    )


def _monitors(one: DaemonSet, spec: DevicePluginSpec) -> list[dict[str, Any]]:
    """What Prometheus finds the pods by; the cluster may not have these kinds."""
    wanted = spec.monitoring
    if wanted is None or one.http_port is None:
        return []
    if wanted.kind == "PodMonitor":
        return [pod_monitor(one, wanted.interval, wanted.labels)]
    return [service(one), service_monitor(one, wanted.interval, wanted.labels)]


def as_json(value: Any) -> Any:
    """A part of a spec in the form that the API has, without what is not given or empty."""
    if attrs.has(type(value)):
        pairs = (
            (field.metadata["key"], as_json(getattr(value, field.name)))
            for field in attrs.fields(type(value))
        )
        return {name: item for name, item in pairs if item is not None and item not in ([], {})}
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value


def _hashed(document: dict[str, Any]) -> dict[str, Any]:
    """An object, or a template of pods, with the annotation `HASH`."""
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:16]
    metadata = document["metadata"]
    annotations = {**metadata.get("annotations", {}), HASH: digest}
    return {**document, "metadata": {**metadata, "annotations": annotations}}


def _in_fields(message: str) -> str:
    """A message about options, as one about fields."""
    for option, field in _FIELDS.items():
        message = message.replace(option, field)
    return message
