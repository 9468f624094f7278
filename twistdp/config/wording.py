"""Describes places in a document, and what was found there, for messages."""

import re
from typing import Final

from twistdp.config import document
from twistdp.config.document import Node, Scalar
from twistdp.config.kinds import AnyOf, Flag, Kind, Number, Text
from twistdp.model import printable, shown

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][-\w]*")


def place_below(at: str, key: str) -> str:
    """The place of a key's value in a document."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{at}[{shown(key, 80)}]"
    return f"{at}.{key}" if at else key


def found_in_words(node: Node) -> str:
    """Describe a node, for messages that say what was found."""
    if isinstance(node, Scalar):
        if node.is_null:
            return f"nothing, as YAML takes {node.text}" if node.text else "nothing"
        if not node.text:
            return "an empty text"
        return f"{'' if node.plain else 'the text '}{printable(node.text, 60)!r}"
    return "a list" if isinstance(node, document.Sequence) else "a mapping"


def hint_for(kind: Kind, node: Node) -> str:
    """What to write instead of a node where a value of this kind is expected; may be empty."""
    if not isinstance(node, Scalar):
        return ""
    if node.is_null and node.text:
        text = f', or write "{node.text}" if that is the text' if isinstance(kind, Text) else ""
        return f"; leave the key out{text}"
    if isinstance(kind, Text) and node.is_null:
        return '; write "" for an empty text'
    if isinstance(kind, Flag) and node.text.lower() in ("yes", "on", "no", "off"):
        return f"; write {'true' if node.text.lower() in ('yes', 'on') else 'false'}"
    if isinstance(kind, Number) and not node.plain:
        return "; write it without quotes"
    is_text = isinstance(kind, Text) or (
        isinstance(kind, AnyOf) and any(isinstance(each, Text) for each in kind.kinds)
    )
    if is_text and node.plain:
        return "; write it in quotes"
    return ""
