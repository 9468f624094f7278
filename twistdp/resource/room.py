"""Chooses the devices whose list fits into one message to the kubelet."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

MOST_BYTES: Final = 4_194_304
"""Most bytes that a kubelet takes in one message.  With one more it ends the stream, counts no
device of the resource, and does not try again."""


def that_fit(
    sizes: Mapping[str, int], ranks: Iterable[Collection[str]], room: int = MOST_BYTES
) -> frozenset[str]:
    """Return the devices that fit into `room`; `sizes` has the bytes of each.

    Devices of the first of the `ranks` come first, in its order, then those of the second, and so
    on.  A device in no rank is left out.  If a device does not fit any more, smaller ones after it
    still may.
    """
    chosen: set[str] = set()
    for rank in ranks:
        for device_id in rank:
            size = sizes.get(device_id)
            if size is not None and size <= room and device_id not in chosen:
                chosen.add(device_id)
                room -= size
    return frozenset(chosen)
