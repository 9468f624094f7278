"""All checks, in the order in which they are made."""

from twistdp.conformance.checking import Check
from twistdp.conformance.checks import (
    allocation,
    identity,
    lists,
    odd_requests,
    options,
    process,
    registration,
    registry,
    restarts,
    streams,
    wire,
)

CHECKS: tuple[Check, ...] = tuple(
    value
    for module in (
        registration,
        options,
        lists,
        streams,
        allocation,
        odd_requests,
        identity,
        restarts,
        wire,
        process,
        registry,
    )
    for value in vars(module).values()
    if isinstance(value, Check)
)
