"""How far the resources have come, as values, and reports of it to the service manager."""

from twistdp.status.condition import Condition, ResourceCondition, Standing
from twistdp.status.systemd import reporter_from

__all__ = ["Condition", "ResourceCondition", "Standing", "reporter_from"]
