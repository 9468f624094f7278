"""A DevicePlugin as it was seen last, which is read from its document."""

from collections.abc import Mapping
from typing import Any

import attrs

from twistdp.crds import BadObject, DevicePlugin, read
from twistdp.operator.children import digest
from twistdp.operator.observed import CLEANING_SINCE, items, mapping, number, text


@attrs.frozen(kw_only=True, eq=False)
class PluginSeen:
    """A DevicePlugin as it was seen last; `plugin` is None if it has `problems`.

    `annotations` stands for all of them; `annotated` says whether there are any, and
    `cleaning_since` has the text of that one.
    """

    name: str
    uid: str
    revision: int
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    annotations: int
    annotated: bool
    cleaning_since: str
    plugin: DevicePlugin | None
    problems: tuple[str, ...]
    status: Mapping[str, Any]


def mounted(plugin: DevicePlugin | None) -> set[str]:
    """Return the ConfigMaps of others that a plugin's pods mount."""
    if plugin is None:
        return set()
    parts = (plugin.spec.scanner, plugin.spec.init_container)
    return {part.config_map for part in parts if part is not None and part.config_map is not None}


def plugin_seen(name: str, document: Mapping[str, Any], before: PluginSeen | None) -> PluginSeen:
    """What a document shows; its spec is read only if it differs from that seen `before`."""
    metadata = mapping(document, "metadata")
    finalizers = metadata.get("finalizers")
    annotations = digest(metadata.get("annotations"))
    plugin: DevicePlugin | None = None
    problems: tuple[str, ...] = ()
    basis = (
        text(metadata.get("uid")),
        number(metadata.get("generation")),
        annotations,
        "deletionTimestamp" in metadata,
        tuple(map(text, finalizers)) if isinstance(finalizers, list) else (),
    )
    if before is not None and basis == _basis(before):
        plugin, problems = before.plugin, before.problems
    else:
        try:
            plugin = read(document)
        except BadObject as error:
            problems = tuple(error.problems)
    uid, generation, annotations, deleting, finalizers = basis
    return PluginSeen(
        name=name,
        uid=uid,
        revision=number(metadata.get("resourceVersion")),
        generation=generation,
        deleting=deleting,
        finalizers=finalizers,
        annotations=annotations,
        annotated=bool(metadata.get("annotations")),
        cleaning_since=text(mapping(metadata, "annotations").get(CLEANING_SINCE)),
        plugin=plugin,
        problems=problems,
        status=mapping(document, "status"),
    )


def named_by(status: Mapping[str, Any]) -> frozenset[str]:
    """The resources that a status has counts of."""
    return frozenset(filter(None, (text(one.get("name")) for one in items(status, "resources"))))


def _basis(seen: PluginSeen) -> tuple[str, int, int, bool, tuple[str, ...]]:
    return seen.uid, seen.generation, seen.annotations, seen.deleting, seen.finalizers


def same_but_status(before: PluginSeen, seen: PluginSeen) -> bool:
    """Whether all but the status is as before."""
    return _basis(before) == _basis(seen)
