"""Knows which devices were allocated and are not in an answer of the kubelet yet."""

from collections.abc import Iterable
from typing import Final

from twistdp.kubelet.podresources import Held

LATE: Final = 1.0
"""Seconds after Allocate for which answers are expected to list a device: they never list an init
container's."""


class Unseen:
    """Devices that Allocate has given, until an answer has them or `LATE` has passed.

    All times are in seconds of the clock.
    """

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], float] = {}

    def add(self, resource: str, ids: Iterable[str], now: float) -> None:
        """Add devices that Allocate gives."""
        self._since.update(((resource, id_), now) for id_ in ids)

    def answered(self, held: Held, asked: float, now: float) -> None:
        """Forget devices that the answer to a question asked at `asked` has, or should have."""
        late = now - LATE
        self._since = {
            (resource, id_): since
            for (resource, id_), since in self._since.items()
            if since > asked or (since > late and id_ not in held.get(resource, {}))
        }

    def clear(self) -> None:
        """Forget all."""
        self._since.clear()

    def latest(self) -> float | None:
        """The time when the last of these devices was given; None if there is none."""
        return max(self._since.values(), default=None)
