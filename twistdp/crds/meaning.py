"""What a DevicePlugin amounts to: the plugin's options, its configuration, and its needs."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from twistdp.catalog import Shelf
from twistdp.crds.plugin import DevicePlugin
from twistdp.crds.serving import KUBELET
from twistdp.crds.source import WITH_SCANNER, CatalogItem
from twistdp.deployment import CONFIG_DIRECTORY, Needs
from twistdp.deployment import needs as needs_of
from twistdp.settings import CDI_DIRECTORY, Settings

CONFIG_FILE = "config.yaml"
"""The name of the configuration in its ConfigMap."""


def config_text(plugin: DevicePlugin) -> str | None:
    """The configuration file of a plugin, in YAML; None if it needs none.

    It has ``spec.config``, or the entries of the catalogue whose devices are shared or preferred.
    """
    content = plugin.raw_config
    if content is None:
        resources = dict(_used(plugin))
        content = {"resources": resources} if resources else None
    if content is None:
        return None
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def options(plugin: DevicePlugin) -> list[str]:
    """The words for ``twistd deviceplugin``, but for ``--http``, which the container's port has."""
    return [*_of_the_process(plugin), *_of_scanners(plugin), *_of_devices(plugin)]


def settings(plugin: DevicePlugin) -> Settings:
    """The directories of the node, as the options say them."""
    kubelet = plugin.spec.kubelet_directory
    return Settings(
        plugin_dir=f"{kubelet}/device-plugins",
        registry_dir=f"{kubelet}/plugins_registry",
        pod_resources_socket=f"{kubelet}/pod-resources/kubelet.sock",
        cdi_dir=plugin.spec.cdi.directory,
        registration=plugin.spec.registration,
    )


def resource_names(plugin: DevicePlugin) -> frozenset[str] | None:
    """The resources that it lists, as far as they are known; None for a scanner's.

    `open_domains` has the domains in which it may list others.
    """
    if plugin.spec.scanner is not None:
        return None
    configs = plugin.configs()
    return frozenset(
        full for config in configs for name in config.resources for full in config.names(name)
    )


def open_domains(plugin: DevicePlugin) -> frozenset[str]:
    """The domains in which scanners list resources whose names are not known before."""
    spec = plugin.spec
    if spec.scanner is not None and spec.domain is not None:
        return frozenset({spec.domain})
    own = (Shelf().entry(each.name).domain for each in spec.catalog if each.name in WITH_SCANNER)
    return frozenset(domain for each in own if (domain := spec.domain or each) is not None)


def claims(plugin: DevicePlugin) -> frozenset[str]:
    """What no other plugin on the same nodes can serve as well.

    These are the names of resources.  Those of a scanner are not known before, but two plugins
    with the same scanner, the same arguments and the same domain list the same.
    """
    spec = plugin.spec
    found = {
        _claim(spec.domain or Shelf().entry(item.name).domain, item.name, item.arguments)
        for item in spec.catalog
        if item.name in WITH_SCANNER
    }
    if (scanner := spec.scanner) is not None:
        files = scanner.config_map or _repository(spec.image or "")
        name = f"{scanner.name} in {files}" if files else scanner.name
        found.add(_claim(spec.domain, name, scanner.arguments))
    return (resource_names(plugin) or frozenset()) | found


def _claim(domain: str | None, scanner: str, arguments: Mapping[str, Any]) -> str:
    words = ", ".join(f"{name}={value}" for name in sorted(arguments) for value in arguments[name])
    return f"{domain}/* of {scanner}" + (f" with {words}" if words else "")


def _repository(image: str) -> str:
    """An image without its tag and digest: a scanner of another version lists the same."""
    path, slash, name = image.partition("@")[0].rpartition("/")
    return f"{path}{slash}{name.partition(':')[0]}"


def needs(plugin: DevicePlugin) -> Needs:
    """The directories of the node that the plugin reads, and whether it writes CDI specs."""
    configs = plugin.configs()
    found = needs_of(configs, bool(configs))
    paths = dict.fromkeys((*found.host_paths, *plugin.spec.security.host_paths))
    return Needs(list(paths), found.cdi or plugin.spec.cdi.enabled or _programs(plugin))


def _programs(plugin: DevicePlugin) -> bool:
    """Whether cards are programmed when a container starts, which is done by CDI."""
    return any(
        item.name == "intel-fpga" and "region" in item.arguments.get("mode", ())
        for item in plugin.spec.catalog
    )


def _of_the_process(plugin: DevicePlugin) -> Iterator[str]:
    spec = plugin.spec
    if spec.log_level:
        yield f"-v={spec.log_level}"
    if spec.log_format != "text":
        yield f"--log-format={spec.log_format}"
    if spec.registration != "socket":
        yield f"--registration={spec.registration}"
    if spec.kubelet_directory != KUBELET:
        places = settings(plugin)
        yield f"--plugin-dir={places.plugin_dir}"
        yield f"--registry-dir={places.registry_dir}"
        yield f"--pod-resources-socket={places.pod_resources_socket}"
    if spec.cdi.directory != CDI_DIRECTORY:
        yield f"--cdi-dir={spec.cdi.directory}"
    if spec.http is not None and spec.http.pods:
        yield "--http-pods"


def _of_scanners(plugin: DevicePlugin) -> Iterator[str]:
    """Options that belong to all scanners, since they are before the first one."""
    spec = plugin.spec
    if spec.domain is not None:
        yield f"--namespace={spec.domain}"
    if spec.preferred != "none":
        yield f"--preferred={spec.preferred}"
    if spec.removal_grace:
        yield f"--removal-grace={spec.removal_grace}"
    if spec.scan_timeout != 30:
        yield f"--scan-timeout={spec.scan_timeout}"
    if spec.hook_timeout != 60:
        yield f"--hook-timeout={spec.hook_timeout}"
    if not spec.check_nodes:
        yield "--check-nodes=false"
    if not spec.check_paths:
        yield "--check-paths=false"


def _of_devices(plugin: DevicePlugin) -> Iterator[str]:
    if config_text(plugin) is not None:
        yield f"--config={CONFIG_DIRECTORY}/{CONFIG_FILE}"
    items = plugin.spec.catalog
    plain = [each.name for each in items if each.name not in WITH_SCANNER and not _is_used(each)]
    if plain:
        yield f"--catalog={','.join(plain)}"
    for item in items:
        if item.name in WITH_SCANNER:
            yield f"--catalog={item.name}"
            yield from _sets(item.arguments)
            if item.preferred is not None:
                yield f"--preferred={item.preferred}"
    if (scanner := plugin.spec.scanner) is not None:
        yield f"--scanner={scanner.name}"
        yield from _sets(scanner.arguments)


def _sets(arguments: Mapping[str, Any]) -> Iterator[str]:
    for name, values in arguments.items():
        for value in values:
            yield f"--set={name}={value}"


def _is_used(item: CatalogItem) -> bool:
    """Whether an item says more of its devices than its entry."""
    return item.replicas is not None or item.preferred is not None


def _used(plugin: DevicePlugin) -> Iterator[tuple[str, dict[str, Any]]]:
    """Resources that use the entries of such items, by their full names."""
    for item in plugin.spec.catalog:
        if item.name in WITH_SCANNER or not _is_used(item):
            continue
        entry = Shelf().entry(item.name)
        domain = plugin.spec.domain or entry.domain
        more = dict(_keys(item))
        for kind in entry.resources:
            yield f"{domain}/{kind}", {"use": f"{item.name}/{kind}", **more}
        if not entry.resources:
            yield f"{domain}/{item.name}", {"use": item.name, **more}


def _keys(item: CatalogItem) -> Iterator[tuple[str, Any]]:
    if item.replicas is not None:
        yield "replicas", {"count": item.replicas, "morePerContainer": item.more_per_container}
    if item.preferred is not None:
        yield "preferred", item.preferred


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice instead of naming an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
