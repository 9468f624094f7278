"""Conditions for nodes, as pods have them in ``nodeAffinity``."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import attrs

from twistdp.config import key
from twistdp.crds.amounts import Priority
from twistdp.crds.rule import ATOMIC, CelRule, Ruled, count
from twistdp.crds.values import LabelKey, LabelValue

_Values = Annotated[Sequence[LabelValue], count(64, 0, ATOMIC)]


_IS_WHOLE: Final = re.compile("[0-9]{1,17}")


@attrs.frozen(kw_only=True)
class Requirement(Ruled):
    """What a label or a field of nodes must be."""

    rules = (
        CelRule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
            "operators In and NotIn need values; add some",
            lambda each: each.operator not in ("In", "NotIn") or len(each.values) > 0,
            "values",
        ),
        CelRule(
            "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || "
            "self.values.size() == 0",
            "operators Exists and DoesNotExist compare no value; leave values out",
            lambda each: each.operator not in ("Exists", "DoesNotExist") or not each.values,
            "values",
        ),
        CelRule(
            "!(self.operator in ['Gt', 'Lt']) || (has(self.values) && self.values.size() == 1 && "
            "self.values[0].matches(r'^[0-9]{1,17}$'))",
            'operators Gt and Lt compare one whole number; give it alone, as ["8"]',
            lambda each: (
                each.operator not in ("Gt", "Lt")
                or (len(each.values) == 1 and _IS_WHOLE.fullmatch(each.values[0]) is not None)
            ),
            "values",
        ),
    )

    label: LabelKey = key("key", "The label's or field's name.", example="kubernetes.io/arch")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = key(
        "operator", "How it is compared with the values.", example="In"
    )
    values: _Values = key("values", "The values.", (), "[amd64]")


_Requirements = Annotated[Sequence[Requirement], count(16, 0, ATOMIC)]


@attrs.frozen(kw_only=True)
class NodeTerm(Ruled):
    """Nodes that meet all of some requirements."""

    rules = (
        CelRule(
            "(has(self.matchExpressions) && self.matchExpressions.size() > 0) || "
            "(has(self.matchFields) && self.matchFields.size() > 0)",
            "a term without requirements selects no node; add matchExpressions, or leave it out",
            lambda term: len(term.expressions) + len(term.fields) > 0,
        ),
        CelRule(
            "!has(self.matchFields) || self.matchFields.all(each, each.key == 'metadata.name' && "
            "each.operator in ['In', 'NotIn'] && has(each.values) && each.values.size() == 1)",
            "matchFields compares metadata.name with one value by In or NotIn; put labels into "
            "matchExpressions",
            lambda term: all(
                each.label == "metadata.name"
                and each.operator in ("In", "NotIn")
                and len(each.values) == 1
                for each in term.fields
            ),
            "matchFields",
        ),
    )

    expressions: _Requirements = key(
        "matchExpressions",
        "Requirements for labels.",
        (),
        "[{key: kubernetes.io/arch, operator: In, values: [amd64]}]",
    )
    fields: _Requirements = key(
        "matchFields",
        "Requirements for the node's name.",
        (),
        "[{key: metadata.name, operator: NotIn, values: [node-7]}]",
    )


@attrs.frozen(kw_only=True)
class PreferredTerm:
    """Nodes that are preferred."""

    weight: Priority = key("weight", "How much.", example="50")
    preference: NodeTerm = key(
        "preference", "Which nodes.", example="{matchExpressions: [{key: gpu, operator: Exists}]}"
    )


@attrs.frozen(kw_only=True)
class NodeSelector:
    """Nodes of any of some terms."""

    terms: Annotated[Sequence[NodeTerm], count(16, 1, ATOMIC)] = key(
        "nodeSelectorTerms",
        "The terms.",
        example="[{matchExpressions: [{key: gpu, operator: Exists}]}]",
    )


@attrs.frozen(kw_only=True)
class NodeAffinity:
    """Nodes that the pods need or prefer, as a pod's ``nodeAffinity``."""

    required: NodeSelector | None = key(
        "requiredDuringSchedulingIgnoredDuringExecution",
        "Nodes that the pods run on.",
        None,
        "{nodeSelectorTerms: [{matchExpressions: [{key: gpu, operator: Exists}]}]}",
    )
    preferred: Annotated[Sequence[PreferredTerm], count(16, 0, ATOMIC)] = key(
        "preferredDuringSchedulingIgnoredDuringExecution",
        "Nodes that are preferred; a DaemonSet has a pod on every node all the same.",
        (),
        "[{weight: 1, preference: {matchExpressions: [{key: gpu, operator: Exists}]}}]",
    )


@attrs.frozen(kw_only=True)
class Affinity:
    """Where the pods run; a DaemonSet has a use for nodes' labels only."""

    node: NodeAffinity | None = key(
        "nodeAffinity",
        "Nodes by their labels.",
        None,
        "{requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
        "[{matchExpressions: [{key: gpu, operator: Exists}]}]}}",
    )
