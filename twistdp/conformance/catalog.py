"""All checks, in the order in which they are made."""

from twistdp.conformance.checking import Check
from twistdp.conformance.checks import (
    allocation,
    identity,
    lists,
    options,
    process,
    registration,
    registry,
    restarts,
    wire,
)

CHECKS: tuple[Check, ...] = tuple(
    value
    for module in (
        registration,
        options,
        lists,
        allocation,
        identity,
        restarts,
        wire,
        process,
        registry,
    )
    for value in vars(module).values()
    if isinstance(value, Check)
)
