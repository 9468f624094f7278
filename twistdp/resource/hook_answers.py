"""Checks what a hook gives to containers, before it becomes a message."""

import re
from typing import Any, Final

from google.protobuf.message import Message

from twistdp.errors import BadDevice
from twistdp.kubelet import messages
from twistdp.model import (
    HEALTHY,
    AllocateResponse,
    ContainerAllocateResponse,
    DeviceInfo,
    kind_of,
    shown,
)

_CDI_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+=[\w.:-]+", re.ASCII)


class Unusable(Exception):
    """A hook's answer can be given to no container; the text says what the hook answered."""


def encoded(answer: Any, containers: int) -> bytes | Message:
    """Return a hook's answer for so many containers as a message; raise `Unusable`."""
    if not isinstance(answer, AllocateResponse | messages.AllocateResponse):
        raise Unusable(f"answered {kind_of(answer)}, not an AllocateResponse")
    parts: Any = answer.container_responses
    try:
        count = len(parts)
    except TypeError:
        raise Unusable(f"answered with {kind_of(parts)}, not a list") from None
    if count != containers:
        raise Unusable(f"answered for {count} containers where {containers} were asked for")
    if isinstance(answer, Message):
        return answer
    try:
        for part in parts:
            _check(part)
    except BadDevice as error:
        raise Unusable(f"answered what no container can get: {error}") from error
    return messages.allocate_response(messages.container_part(part) for part in parts)


def _check(part: object) -> None:
    if not isinstance(part, ContainerAllocateResponse):
        raise BadDevice(f"{kind_of(part)} is not a ContainerAllocateResponse")
    DeviceInfo(  # raises for what no device could be
        HEALTHY,
        nodes=part.devices,
        mounts=part.mounts,
        envs=part.envs,
        annotations=part.annotations,
    )
    if not isinstance(part.cdi_devices, list | tuple):
        raise BadDevice(f"cdi_devices: {kind_of(part.cdi_devices)} is not a list")
    for name in part.cdi_devices:
        if not isinstance(name, str):
            raise BadDevice(f"cdi_devices: {kind_of(name)} is not a str")
        if not _CDI_NAME.fullmatch(name):
            raise BadDevice(f"cdi_devices: {shown(name)} is not a name like vendor/class=device")
