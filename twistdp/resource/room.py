"""What of a list fits into one message to the kubelet."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

MOST_BYTES: Final = 4_194_304
"""Bytes that a kubelet takes in one message.  With one more it ends the stream, counts no device
of the resource, and does not try again."""


def that_fit(
    sizes: Mapping[str, int], ranks: Iterable[Collection[str]], room: int = MOST_BYTES
) -> frozenset[str]:
    """As many of the devices whose `sizes` in bytes are given as fit into `room`.

    `ranks` say who comes first: those of the first rank, in its order, then those of the second
    that were not in the first, and so on.  Who is in no rank is left out.  One that does not fit
    any more does not keep smaller ones behind it from doing so.
    """
    chosen: set[str] = set()
    for rank in ranks:
        for device_id in rank:
            size = sizes.get(device_id)
            if size is not None and size <= room and device_id not in chosen:
                chosen.add(device_id)
                room -= size
    return frozenset(chosen)
