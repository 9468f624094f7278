"""Messages to bytes and back; bytes pass through as they are."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from twistdp.errors import MalformedMessage

M = TypeVar("M", bound=Message)


def encoded(message: Message | bytes) -> bytes:
    """The bytes of a message, or the bytes themselves."""
    return message if isinstance(message, bytes) else message.SerializeToString()


def parsed(data: bytes, kind: type[M], method: str) -> M:
    """The message in `data`; raises `MalformedMessage`, naming `method`, if it is none."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        name = kind.DESCRIPTOR.full_name
        raise MalformedMessage(f"{method}: these {len(data)} bytes are not a {name}") from error
