"""The outcome of the kills."""

from collections import Counter

import attrs


@attrs.define
class Outcome:
    """When the process was killed, how long registration took afterwards, and the problems.

    `again` are the seconds from the start of the next process to the true list in the kubelet,
    `halfway` counts the kills in the middle of writing a spec, `reads` how often specs were read.
    """

    killed: Counter[str] = attrs.field(factory=Counter)
    again: list[float] = attrs.field(factory=list)
    halfway: int = 0
    reads: int = 0
    problems: list[str] = attrs.field(factory=list)
