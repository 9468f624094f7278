"""One value that many followers read, each at its own pace."""

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed

T = TypeVar("T")


class Latest(Generic[T]):
    """The newest value and its version; a slow follower skips to the newest.

    A value, not a queue: a queue shared by the streams of an old and a new kubelet would give
    each update to only one of them.
    """

    def __init__(self, value: T) -> None:
        self.value = value
        self.version = 0
        self.closed = False
        self._waiting: list[Deferred[None]] = []

    def publish(self, value: T) -> None:
        """Replace the value and wake all that wait for a newer one."""
        self.value = value
        self.version += 1
        self.wake()

    def close(self) -> None:
        """Wake all that wait: there will be no newer value."""
        self.closed = True
        self.wake()

    def newer_than(self, version: int) -> Deferred[None]:
        """Fires when there is a version newer than `version`, or when closed or woken.

        May be cancelled.
        """
        if self.closed or self.version > version:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def wake(self) -> None:
        """Wake all that wait, even if there is no newer version."""
        # Swapped first and popped one by one: a callback may wait again, or cancel another waiter,
        # and the canceller removes that one from the list that is being emptied here.
        woken, self._waiting = self._waiting, []
        while woken:
            woken.pop(0).callback(None)
