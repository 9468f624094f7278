"""Conditions on what a device is called: its node, the links to it, and its names in lists."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from twistdp.errors import BadSetting
from twistdp.select.buses import bus_device, ids_of
from twistdp.select.conditions import Condition, wanted_text
from twistdp.select.device import Device
from twistdp.select.expressions import regular
from twistdp.select.patterns import (
    Pattern,
    ids_pattern,
    is_expression,
    one_of,
    path_pattern,
    text_pattern,
)
from twistdp.select.vocabulary import word

_IDS: Final = re.compile("(?:0x)?[0-9a-f]{1,4}:(?:0x)?[0-9a-f]{1,4}", re.IGNORECASE)
"""Vendor and product as a list may have them."""


def of_path(patterns: Sequence[str]) -> Condition:
    """The node or a link to it is one of these."""
    for pattern in patterns:
        path_pattern(pattern)
        if not f"{pattern}/".startswith("/dev/"):
            raise BadSetting(f"path {pattern!r}: nodes of devices are below /dev; mounts are not")
        if pattern.rstrip("/") == "/dev":
            raise BadSetting(f"path {pattern!r}: it is everything; name what is meant in it")
    wanted = wanted_text(patterns)

    def matching(device: Device) -> str | None:
        for pattern in patterns:
            if device.node is not None and device.host.is_at(device.node, pattern):
                return pattern
        return None

    def why(device: Device) -> str:
        node, pattern = device.node, matching(device)
        if pattern is not None:
            return f"{node} matches {pattern}"
        if node is None:
            return f"{device.name} has no node, the rule wants {wanted}"
        if device.host.resolve(node) is None:
            return f"the node {node} is gone"
        return f"neither {node} nor a link to it matches {wanted}"

    return Condition(lambda device: matching(device) is not None, why)


def path_expressions(texts: Sequence[str]) -> str:
    """The regular expressions of paths, for people."""
    if len(texts) == 1:
        return f"the regular expression {texts[0]}"
    return f"one of the regular expressions {', '.join(texts)}"


def of_path_regex(texts: Sequence[str]) -> Condition:
    """A regular expression finds something in the path of the node or of a link to it."""
    patterns = [regular(text, "path") for text in texts]
    wanted = path_expressions(texts)

    def matching(device: Device) -> str | None:
        node = device.node
        if node is None or device.host.resolve(node) is None:
            return None
        for path in (node, *device.host.all_links_to(node)):
            if any(finds(path) for finds in patterns):
                return path
        return None

    def why(device: Device) -> str:
        path = matching(device)
        if path is not None:
            return f"{path} matches"
        if device.node is None:
            return f"{device.name} has no node, whose path could match {wanted}"
        return f"neither {device.node} nor a link to it matches {wanted}"

    return Condition(lambda device: matching(device) is not None, why)


def of_list(texts: Sequence[str], what: str) -> Condition:
    """One of the device's names is in a list: ids, addresses, serial, node, links, kernel name."""
    matches = one_of([pattern for text in texts for pattern in _named_by(text)])

    def why(device: Device) -> str:
        for name in _names_of(device):
            if matches(name):
                return f"{name} is in {what}"
        return f"{device.name} is not in {what}"

    return Condition(lambda device: any(map(matches, _names_of(device))), why)


def _named_by(text: str) -> Iterator[Pattern]:
    """The patterns of names that a text of a list may stand for: ids have several spellings."""
    yield text_pattern(text)
    if is_expression(text):
        return
    yield text_pattern(text.lower().removeprefix("0x"))
    if _IDS.fullmatch(text):
        yield ids_pattern(text)


def _names_of(device: Device) -> Iterator[str]:
    """What an allow or deny list can call a device."""
    yield device.name
    bus = bus_device(device)
    ids = ids_of(bus) if bus is not None else None
    if ids is not None:
        yield f"{ids[0]}:{ids[1]}"
        yield ids[1]
    for name in ("pciBusID", "usbPath", "serial"):
        value = word(device, name)
        if value:
            yield str(value)
    if device.node is not None:
        yield device.node
        yield from device.host.all_links_to(device.node)
