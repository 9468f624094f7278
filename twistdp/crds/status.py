"""What the operator writes below ``status`` of a DevicePlugin; described for its schema."""

from collections.abc import Sequence
from typing import Annotated, Literal

import attrs

from twistdp.config import Rule, key
from twistdp.crds.rule import ATOMIC, count, length, unique

Count = Annotated[int, Rule(lambda value: None, "a number", {"minimum": 0})]
_Short = Annotated[str, length(317)]
_Moment = Annotated[str, Rule(lambda value: None, "a time", {"format": "date-time"})]


@attrs.frozen(kw_only=True)
class Condition:
    """One thing that is so, is not so, or is unknown."""

    type: Annotated[str, length(316, 1)] = key(
        "type", "Available, Progressing, Degraded or Paused.", example="Available"
    )
    status: Literal["True", "False", "Unknown"] = key(
        "status", "Whether it is so.", example='"True"'
    )
    observed_generation: Count = key(
        "observedGeneration", "The generation of the object that it is about.", 0, "3"
    )
    changed: _Moment = key(
        "lastTransitionTime", "When its status changed last.", example='"2026-11-27T12:00:00Z"'
    )
    reason: Annotated[str, length(1024, 1)] = key("reason", "Why, in one word.", example="AllReady")
    message: Annotated[str, length(32768)] = key(
        "message", "Why, in a sentence.", example="4 pods are ready"
    )


@attrs.frozen(kw_only=True)
class DaemonSetReference:
    """Where the DaemonSet is."""

    namespace: _Short = key("namespace", "Its namespace.", example="twistdp-system")
    name: _Short = key("name", "Its name.", example="gpus")


@attrs.frozen(kw_only=True)
class ResourceCounts:
    """A resource of all nodes."""

    name: _Short = key("name", "Its name.", example="gpu.intel.com/i915")
    devices: Count = key("devices", "All devices.", example="8")
    healthy: Count = key("healthy", "Those that pods may get.", example="7")
    unhealthy: Count = key("unhealthy", "The others.", example="1")
    nodes: Count = key("nodes", "Nodes that have some.", example="4")


@attrs.frozen(kw_only=True)
class NodeResource:
    """A resource of a node."""

    name: _Short = key("name", "Its name.", example="gpu.intel.com/i915")
    healthy: Count = key("healthy", "Devices that pods may get.", example="1")
    unhealthy: Count = key("unhealthy", "The others.", example="1")


@attrs.frozen(kw_only=True)
class NodeResources:
    """The resources of a node."""

    name: _Short = key("name", "The node.", example="node-7")
    resources: Annotated[Sequence[NodeResource], count(64, 0, ATOMIC)] = key(
        "resources",
        "Resources with devices on it, first those with unhealthy ones.",
        (),
        "[{name: gpu.intel.com/i915, healthy: 1, unhealthy: 1}]",
    )
    omitted: Count = key("resourcesOmitted", "How many are left out.", 0, "3")


@attrs.frozen(kw_only=True)
class DevicePluginStatus:
    """What runs, and which devices nodes have.  The counts are those of the kubelets."""

    observed_generation: Count = key(
        "observedGeneration", "The generation of the object that was acted on.", 0, "3"
    )
    conditions: Annotated[Sequence[Condition], count(16), unique("type")] = key(
        "conditions",
        "Whether the plugin is available, changing, in trouble, and paused.",
        (),
        "[{type: Available, status: True}]",
    )
    daemon_set: DaemonSetReference | None = key(
        "daemonSet", "What runs the pods.", None, "{namespace: twistdp-system, name: gpus}"
    )
    image: Annotated[str, length(512)] | None = key(
        "image", "The plugin's image.", None, "twistdp:1.0"
    )
    desired: Count = key("desired", "Nodes that the plugin is meant to run on.", 0, "4")
    ready: Count = key("ready", "Nodes on which it is ready.", 0, "4")
    updated: Count = key("updated", "Nodes whose pod is of the newest kind.", 0, "4")
    devices: Count = key("devices", "All devices of all nodes.", 0, "8")
    unhealthy: Count = key("unhealthy", "Those that no pod may get.", 0, "1")
    resources: Annotated[Sequence[ResourceCounts], count(256), unique("name")] = key(
        "resources",
        "Totals for each resource.",
        (),
        "[{name: gpu.intel.com/i915, devices: 8, healthy: 7, unhealthy: 1, nodes: 4}]",
    )
    resources_omitted: Count = key("resourcesOmitted", "Resources that are left out.", 0, "0")
    # As a whole: otherwise managedFields would name each entry once more.
    nodes: Annotated[Sequence[NodeResources], count(64, 0, ATOMIC)] = key(
        "nodes",
        "Nodes with devices, first those with unhealthy ones.",
        (),
        "[{name: node-7, resources: [{name: gpu.intel.com/i915, healthy: 1, unhealthy: 1}]}]",
    )
    nodes_omitted: Count = key("nodesOmitted", "Nodes that are left out.", 0, "0")
