"""The health of devices: checks of all kinds, made again and again, and states that do not flutter.

`HealthChecks` makes checks; `HealthGate` is for scanners that look themselves.
"""

from twistdp.health.engine import HealthChecks
from twistdp.health.tasks import Health
from twistdp.health.values import (
    Attribute,
    Check,
    Command,
    File,
    Http,
    Present,
    Tcp,
)
from twistdp.model import HealthGate

__all__ = [
    "Attribute",
    "Check",
    "Command",
    "File",
    "Health",
    "HealthChecks",
    "HealthGate",
    "Http",
    "Present",
    "Tcp",
]
