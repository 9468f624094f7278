"""Which rules may give nodes whose names change at every plug, and what their devices become."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from twistdp.config import Resource
from twistdp.select import Match, path_pattern, text_pattern

_COUNTED: Final = re.compile(r"/dev/(bus/usb/.+|hidraw\d+|usb/[a-z]+\d+)")
"""Nodes of USB devices to which udev makes no link."""


@attrs.frozen
class _Nodes:
    """Nodes whose names are counted: their kinds, subsystems, and examples."""

    kinds: frozenset[str]
    subsystems: tuple[str, ...]
    paths: tuple[str, ...]
    names: tuple[str, ...]


_RAW: Final = _Nodes(
    frozenset({"usb"}), ("usb",), ("/dev/bus/usb/001/001",), ("usb1", "1-1", "1-1.1")
)
_ALL: Final = _Nodes(
    frozenset({"usb", "hid", "printer"}),
    ("usb", "hidraw", "usbmisc"),
    (*_RAW.paths, "/dev/hidraw0", "/dev/usb/lp0"),
    (*_RAW.names, "hidraw0", "lp0"),
)


def is_counted(path: str) -> bool:
    """Whether a host path is that of a node whose name changes at every plug."""
    return _COUNTED.fullmatch(path) is not None


def gives_raw(resource: Resource, matches: Sequence[Match]) -> bool:
    """Whether a resource may give raw USB nodes, as far as its text says."""
    return _gives(resource, matches, _RAW)


def gives_counted(resource: Resource, matches: Sequence[Match]) -> bool:
    """Whether a resource may give nodes for which `is_counted` holds."""
    return _gives(resource, matches, _ALL)


def _gives(resource: Resource, matches: Sequence[Match], nodes: _Nodes) -> bool:
    for member in resource.members:
        if member.as_ in nodes.kinds or (member.as_ is None and _may_be(nodes, member.where)):
            return True
    if resource.as_ is not None:
        return resource.as_ in nodes.kinds
    if resource.group in ("iommu", "card"):
        return False
    return resource.group == "usb" or any(_may_be(nodes, match) for match in matches)


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


def _may_be(nodes: _Nodes, match: Match) -> bool:
    """Whether a device with such a node may meet a match."""
    subsystems = match.among()
    if subsystems:
        return any(text_pattern(name).matches(each) for name in subsystems
                   for each in nodes.subsystems)  # fmt: skip
    if match.path:
        return any(_leads_to(nodes, path) for path in match.path)
    if match.path_regex:
        return any(re.search(text, path) for text in match.path_regex for path in nodes.paths)
    if match.kernel_name:
        patterns = [text_pattern(name) for name in match.kernel_name]
        return any(each.matches(name) for each in patterns for name in nodes.names)
    return not match.any or any(_may_be(nodes, each) for each in match.any)


def _leads_to(nodes: _Nodes, path: str) -> bool:
    pattern = path_pattern(path)
    for node in nodes.paths:
        if pattern.literal is not None:
            if f"{node}/".startswith(f"{path.rstrip('/')}/"):
                return True
        elif pattern.matches(node):
            return True
    return path.startswith("/dev/bus/usb/") or (is_counted(path) and nodes is _ALL)
