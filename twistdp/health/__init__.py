"""The health of devices: checks of all kinds, made again and again, and states that do not flutter.

`HealthChecks` makes checks; `HealthGate` is for scanners that look themselves.
"""

from twistdp.health.engine import HealthChecks, checks_of
from twistdp.health.gate import HealthGate
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
    "checks_of",
]
