"""Whether a match asks for devices that people type on, or would only come across them."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from twistdp.select import Match

_WORDS: Final = (
    "usb", "vendor_id", "product_id", "serial", "manufacturer", "product", "model_name", "usb_path",
    "allow",
)  # fmt: skip
"""Keys that say which hardware is meant."""

_ATTRIBUTES: Final = frozenset(
    {"idVendor", "idProduct", "serial", "manufacturer", "product", "vendor", "model"}
    | {"name", "phys", "uniq"}
)
_PROPERTIES: Final = re.compile(
    r"ID_(INPUT_KEY|VENDOR|MODEL|SERIAL|PATH|REVISION)\w*|HID_\w+|NAME|PHYS|UNIQ|PRODUCT"
)
_KINDS: Final = frozenset(
    {"dev", "input", "event", "mouse", "mice", "js", "hidraw", "hid", "usb", "by", "id", "path"}
    | {"if", "pci", "platform", "bluetooth"}
)
"""Words in the names of nodes and links that every device of a kind has."""

_ONE: Final = re.compile(r"(/dev/)?(input/)?(event|hidraw|js|mouse)\d+|\d+-[\d.]+(:[\d.]+)?")
"""The name of one node, or of one USB port."""


def asks(match: Match) -> bool:
    """Whether a match says more than which kind of node it wants, in each of its alternatives."""
    nodes = (*match.path, *match.path_regex, *match.kernel_name)
    relatives = (match.parent, match.child)
    return (
        any(_each(getattr(match, name), _says) for name in _WORDS)
        or _each(nodes, _says_node)
        or any(_is_attribute(name) and _each(texts) for name, texts in match.attribute.items())
        or any(_is_property(name) and _each(texts) for name, texts in _properties(match))
        or any(each is not None and asks(each) for each in relatives)
        or (bool(match.any) and all(map(asks, match.any)))
        or any(_asks(*condition) for condition in match.udev_wanted())
    )


def _asks(key: str, name: str, text: str) -> bool:
    """Whether a condition of a line of udev says which hardware is meant."""
    choices = text.split("|")
    if key in ("ATTR", "ATTRS"):
        return _is_attribute(name) and _each(choices)
    if key == "ENV" and name not in ("DEVNAME", "DEVLINKS"):
        return _is_property(name) and _each(choices)
    return key in ("ENV", "KERNEL", "KERNELS") and _each(choices, _says_node)


def _properties(match: Match) -> Sequence[tuple[str, str | Sequence[str]]]:
    return [*match.property.items(), *match.uevent.items()]


def _is_attribute(name: str) -> bool:
    return name.rpartition("/")[2] in _ATTRIBUTES


def _is_property(name: str) -> bool:
    return _PROPERTIES.fullmatch(name) is not None


def _says(text: str) -> bool:
    """Whether a pattern has more than wildcards."""
    return any(each.isalnum() for each in re.sub(r"\[.*?\]|\\.", "", text))


def _says_node(text: str) -> bool:
    """Whether a pattern of names of nodes means some, and not all of a kind or a directory."""
    words = re.findall(r"[A-Za-z]+", re.sub(r"\[.*?\]|\\.", "", text))
    return _ONE.fullmatch(text) is not None or not _KINDS.issuperset(words)


def _each(texts: str | Sequence[str], says: Callable[[str], bool] = _says) -> bool:
    """Whether there are texts, and all of them say something."""
    return bool(texts) and all(map(says, texts))
