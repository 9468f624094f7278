"""The nodes that a plugin runs on, and what its pods may use there."""

from collections.abc import Sequence
from typing import Annotated, Literal

import attrs

from twistdp.config import key
from twistdp.crds.affinity import Affinity
from twistdp.crds.amounts import Quantities, amount
from twistdp.crds.rule import ATOMIC, CelRule, Ruled, between, count
from twistdp.crds.values import LabelKey, Labels, LabelValue, PriorityClass


@attrs.frozen(kw_only=True)
class Toleration(Ruled):
    """A taint of nodes that the pods tolerate."""

    rules = (
        CelRule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without key is for every taint; write operator: Exists, or add the key",
            lambda each: each.label is not None or each.operator == "Exists",
            "key",
        ),
        CelRule(
            "!(has(self.operator) && self.operator == 'Exists') || !has(self.value)",
            "operator Exists compares no value; leave value out, or write operator: Equal",
            lambda each: each.operator != "Exists" or each.value is None,
            "value",
        ),
        CelRule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "only pods on a node with a taint NoExecute are evicted after some seconds; write "
            "effect: NoExecute, or leave tolerationSeconds out",
            lambda each: each.seconds is None or each.effect == "NoExecute",
            "tolerationSeconds",
        ),
    )

    label: LabelKey | None = key("key", "The taint's key; every one without it.", None, "gpu")
    operator: Literal["Exists", "Equal"] = key(
        "operator", "Whether the taint has this value, or any.", "Equal", "Exists"
    )
    value: LabelValue | None = key("value", "The taint's value.", None, "only")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = key(
        "effect", "The taint's effect; every one without it.", None, "NoSchedule"
    )
    seconds: Annotated[int, between(0, 1 << 31)] | None = key(
        "tolerationSeconds", "Seconds after which pods are evicted all the same.", None, "300"
    )


@attrs.frozen(kw_only=True)
class Resources(Ruled):
    """What the plugin's container uses of a node."""

    rules = (
        CelRule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(key, "
            "!(key in self.limits) || !isQuantity(string(self.requests[key])) || "
            "!isQuantity(string(self.limits[key])) || quantity(string(self.requests[key]))"
            ".compareTo(quantity(string(self.limits[key]))) <= 0)",
            "a request is more than the limit of the same resource; raise the limit, or lower the "
            "request",
            lambda each: all(
                amount(value) <= amount(each.limits[name])
                for name, value in each.requests.items()
                if name in each.limits
            ),
            "requests",
        ),
    )

    requests: Quantities = key(
        "requests", "What is set aside for it.", {}, "{cpu: 10m, memory: 64Mi}"
    )
    limits: Quantities = key("limits", "What it uses at most.", {}, "{memory: 512Mi}")


@attrs.frozen(kw_only=True, slots=False)
class Scheduling:
    """Where the pods run."""

    node_selector: Labels = key(
        "nodeSelector",
        "Labels of the nodes; every Linux node without any.",
        {},
        '{intel.feature.node.kubernetes.io/gpu: "true"}',
    )
    affinity: Affinity | None = key(
        "affinity",
        "Nodes by conditions for labels.",
        None,
        "{nodeAffinity: {}}",
    )
    tolerations: Annotated[Sequence[Toleration], count(32, 0, ATOMIC)] | None = key(
        "tolerations",
        "Taints that the pods tolerate; all of them without this key, none if it is empty.",
        None,
        "[{key: gpu, operator: Exists}]",
    )
    priority_class: PriorityClass = key(
        "priorityClassName",
        "The priority class of the pods.",
        "system-node-critical",
        "system-node-critical",
    )
    resources: Resources | None = key(
        "resources",
        "What the plugin's container uses; as `twistdp manifests` has it without this key.",
        None,
        "{requests: {cpu: 10m}}",
    )
