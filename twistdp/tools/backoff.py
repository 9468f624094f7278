"""How long to wait before trying again."""

import random


class Backoff:
    """Delays in seconds that double from `first` to `most`, each varied by a fifth.

    The variation keeps many resources, and many nodes, from trying in step.  With `immediate`,
    the first delay after a reset is zero.
    """

    def __init__(self, first: float, most: float, *, immediate: bool = False) -> None:
        self._first = first
        self._most = most
        self._start = -1 if immediate else 0
        self._attempt = self._start

    def next(self, most: float = float("inf")) -> float:
        """Return the delay before the next attempt, `most` seconds at most."""
        attempt, self._attempt = self._attempt, self._attempt + 1
        if attempt < 0:
            return 0.0
        # The exponent is limited: a float overflows at 2 ** 1024.
        return min(self._most, most, self._first * 2.0 ** min(attempt, 32)) * _variation()

    def reset(self) -> None:
        """Start from the first delay again."""
        self._attempt = self._start


def _variation() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311  # no secret
