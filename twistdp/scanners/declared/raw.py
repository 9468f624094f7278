"""Which rules may give raw USB nodes, whose names change at every plug, and what these become."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from twistdp.config import Resource
from twistdp.select import Match, path_pattern, text_pattern

RAW: Final = "/dev/bus/usb/"
"""Where the raw nodes are; nothing leads to one for good."""

_NODE: Final = f"{RAW}001/001"
_USB_NAMES: Final = ("usb1", "1-1", "1-1.1")


def gives_raw(resource: Resource, matches: Sequence[Match]) -> bool:
    """Whether a resource may give raw USB nodes, as far as its text says."""
    for member in resource.members:
        if member.as_ == "usb" or (member.as_ is None and _may_be_raw(member.where)):
            return True
    if resource.as_ is not None:
        return resource.as_ == "usb"
    if resource.group in ("iommu", "card"):
        return False
    return resource.group == "usb" or any(map(_may_be_raw, matches))


def identities(matches: Sequence[Match]) -> frozenset[tuple[str, str]]:
    """The patterns of vendor and product under which a device may be seen, one after another."""
    return frozenset(pair for match in matches for pair in _ids(match))


def _ids(match: Match) -> Iterator[tuple[str, str]]:
    for text in match.usb:
        vendor, _, product = text.lower().partition(":")
        yield vendor.removeprefix("0x").zfill(4), product.removeprefix("0x").zfill(4)
    for vendor in match.vendor_id:
        for product in match.product_id or ("",):
            yield vendor.lower(), product.lower()
    for each in match.any:
        yield from _ids(each)


def _may_be_raw(match: Match) -> bool:
    """Whether a USB device itself may meet a match."""
    subsystems = match.among()
    if subsystems:
        return any(text_pattern(name).matches("usb") for name in subsystems)
    if match.path:
        return any(map(_leads_to_raw, match.path))
    if match.path_regex:
        return any(re.search(text, _NODE) for text in match.path_regex)
    if match.kernel_name:
        patterns = [text_pattern(name) for name in match.kernel_name]
        return any(each.matches(name) for each in patterns for name in _USB_NAMES)
    return not match.any or any(map(_may_be_raw, match.any))


def _leads_to_raw(path: str) -> bool:
    pattern = path_pattern(path)
    if pattern.literal is not None:
        return f"{_NODE}/".startswith(f"{path.rstrip('/')}/") or path.startswith(RAW)
    return pattern.matches(_NODE) or path.startswith(RAW)
