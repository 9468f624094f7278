"""Makes devices whose list has an exact number of bytes, without hundreds of thousands of them."""

from twistdp.kubelet.messages import listed_part
from twistdp.model.devices import HEALTHY, DeviceInfo

BIG = DeviceInfo(HEALTHY, topology=range(1000))
"""A device that takes some kilobytes in the list."""

SMALL = DeviceInfo(HEALTHY, topology=None)

BIG_SIZE = len(listed_part("b000", BIG, range(1000)))
_OVERHEAD = len(listed_part("s", SMALL)) - 1


def devices_for(size: int) -> dict[str, DeviceInfo]:
    """Devices, ``b000`` and so on and some whose ids begin with s, whose list has `size` bytes."""
    count, rest = divmod(size - 100, BIG_SIZE)
    rest += 100
    devices = {f"b{number:03d}": BIG for number in range(count)}
    while rest:
        # As long an id as there may be that leaves room for another one, or nothing.
        length = rest - _OVERHEAD if rest <= 50 + _OVERHEAD else 20
        devices[f"s{len(devices):04d}".ljust(length, "x")] = SMALL
        rest -= length + _OVERHEAD
    return devices
