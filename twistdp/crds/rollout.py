"""How a change reaches the nodes."""

from typing import Literal

import attrs

from twistdp.config import key
from twistdp.crds.amounts import Nodes, Seconds
from twistdp.crds.rule import CelRule, Ruled


@attrs.frozen(kw_only=True)
class UpdateStrategy(Ruled):
    """How pods are replaced when the plugin changes."""

    rules = (
        CelRule(
            "!has(self.maxSurge) || (has(self.type) && self.type == 'Surge')",
            "maxSurge is for the type Surge; write maxUnavailable, or type: Surge",
            lambda each: each.max_surge is None or each.type == "Surge",
            "maxSurge",
        ),
        CelRule(
            "!has(self.maxUnavailable) || !has(self.type) || self.type == 'InTurn'",
            "maxUnavailable is for the type InTurn; write maxSurge, or type: InTurn",
            lambda each: each.max_unavailable is None or each.type == "InTurn",
            "maxUnavailable",
        ),
    )

    type: Literal["InTurn", "Surge"] = key(
        "type",
        "InTurn ends a node's old pod before the new one starts.  Surge starts the new one first.",
        "InTurn",
        "Surge",
    )
    max_unavailable: Nodes | None = key(
        "maxUnavailable", "On how many nodes at once, for InTurn; 1 without it.", None, "10%"
    )
    max_surge: Nodes | None = key(
        "maxSurge", "On how many nodes at once, for Surge; 1 without it.", None, "10%"
    )
    progress_deadline: Seconds = key(
        "progressDeadlineSeconds",
        "Seconds without progress after which a roll-out counts as stalled, and goes no further.",
        600,
        "300",
    )


@attrs.frozen(kw_only=True, slots=False)
class Rollout:
    """How the pods change."""

    update_strategy: UpdateStrategy = key(
        "updateStrategy",
        "How pods are replaced.",
        attrs.Factory(UpdateStrategy),
        "{type: Surge, maxSurge: 2}",
    )
