"""Calls the plugin under test, and returns errors instead of raising them."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
from google.protobuf.message import Message
from twisted.internet.defer import CancelledError, Deferred

from twistdp.conformance.checking import Failed
from twistdp.errors import CallFailed, MalformedMessage
from twistdp.kubelet import LIST_AND_WATCH
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import Empty, ListAndWatchResponse
from twistdp.rpc import Channel

M = TypeVar("M", bound=Message)


@attrs.frozen
class Answer(Generic[M]):
    """The answer to a call; `status` is a gRPC status code's name.

    `message` is empty unless the status is ``OK``; `details` is empty if it is.
    """

    status: str
    details: str
    message: M
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.status == "OK"

    def __str__(self) -> str:
        return "OK" if self.ok else f"{self.status} ({self.details})"


class Caller:
    """A client of the plugin's socket `path`; `say` is called with a line about every call.

    `options` are those of a `twistdp.rpc.Channel`.
    """

    def __init__(
        self, path: str, *, reactor: Any, say: Callable[[str], None], **options: Any
    ) -> None:
        self._channel = Channel(path, reactor=reactor, **options)
        self._reactor = reactor
        self._say = say

    async def call(
        self, method: str, request: Message | bytes, answer: type[M], timeout: float
    ) -> Answer[M]:
        """Call a method.  Raises `Failed` only if the answer does not parse."""
        begin = self._reactor.seconds()
        status, details, message = "OK", "", answer()
        try:
            message = await self._channel.unary(method, request, answer, timeout)
        except CallFailed as error:
            status, details = error.status, error.details
        except MalformedMessage as error:
            raise Failed(f"{name_of(method)} was answered with bytes that do not parse") from error
        came = Answer(status, details, message, self._reactor.seconds() - begin)
        self._say(
            f"{name_of(method)}({brief(request)}): {came} {brief(came.message) if came.ok else ''}"
        )
        return came

    def start(self, method: str, request: Message | bytes, answer: type[M]) -> Deferred[M]:
        """Begin a call that the caller may cancel."""
        return self._channel.unary(method, request, answer)

    def watch(self) -> "Watched":
        """Open a ListAndWatch stream and read it."""
        return Watched(self._channel, self._reactor, self._say)

    def close(self) -> Deferred[None]:
        """End all calls and streams."""
        return self._channel.close()


class Watched:
    """A ListAndWatch stream that is read; `ended` is the reason of its end, or None."""

    def __init__(self, channel: Channel, reactor: Any, say: Callable[[str], None]) -> None:
        self.lists: list[ListAndWatchResponse] = []
        self.ended: str | None = None
        self._stream = channel.stream(LIST_AND_WATCH, Empty(), ListAndWatchResponse)
        self._say = say
        Deferred.fromCoroutine(self._read())

    @property
    def ids(self) -> set[str]:
        """The ids in the newest list."""
        return {device.ID for device in self.lists[-1].devices} if self.lists else set()

    def cancel(self) -> None:
        """End it as a client does."""
        self._stream.cancel()

    async def _read(self) -> None:
        reason = "the plugin ended it"
        try:
            async for message in self._stream:
                self.lists.append(message)
                self._say(f"our own stream: {brief(message)}")
        except (CallFailed, CancelledError, MalformedMessage) as error:
            reason = str(error) or "cancelled"
        self.ended = reason
        self._say(f"our own stream ended: {reason}")


def name_of(method: str) -> str:
    """``Allocate`` for ``/v1beta1.DevicePlugin/Allocate``."""
    return method.rpartition("/")[2]


def brief(message: Message | bytes) -> str:
    """A message in one line, cut if it is long."""
    if isinstance(message, bytes):
        return f"{len(message)} bytes"
    text = " ".join(str(message).split())
    return text if len(text) <= 200 else f"{text[:200]}… ({message.ByteSize()} bytes)"
