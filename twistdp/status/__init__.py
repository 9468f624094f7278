"""How far the resources have come, as values, and the service manager that is notified of it."""

from twistdp.status.condition import Condition, ResourceCondition, Standing
from twistdp.status.systemd import reporter_from

__all__ = ["Condition", "ResourceCondition", "Standing", "reporter_from"]
