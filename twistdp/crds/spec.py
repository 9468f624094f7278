"""What a user writes below ``spec`` of a DevicePlugin."""

import attrs

from twistdp.crds.image import Images
from twistdp.crds.rollout import Rollout
from twistdp.crds.rule import Ruled
from twistdp.crds.scheduling import Scheduling
from twistdp.crds.security import Guarding
from twistdp.crds.serving import SERVING_RULES, Serving
from twistdp.crds.source import SOURCE_RULES, Source


@attrs.frozen(kw_only=True, slots=False)
class DevicePluginSpec(Guarding, Serving, Rollout, Scheduling, Images, Source, Ruled):
    """A device plugin that runs on nodes: which devices it serves, where, and how."""

    rules = (*SOURCE_RULES, *SERVING_RULES)
