"""Limits how many do something at the same time."""

from twisted.internet.defer import DeferredSemaphore


class Turns(DeferredSemaphore):
    """A semaphore for hundreds that may all be done as soon as it is their turn.

    Twisted's own lets the next one begin while the one before ends, on the same stack, and each
    may end within that again: of a few hundred, the last would find no room on the stack.
    """

    def __init__(self, tokens: int) -> None:
        super().__init__(tokens)
        self._released = 0
        self._releasing = False

    def release(self) -> None:
        """Let the next one begin, after those whose turn has come."""
        self._released += 1
        if self._releasing:
            return
        self._releasing = True
        try:
            while self._released:
                self._released -= 1
                super().release()
        finally:
            self._releasing = False
