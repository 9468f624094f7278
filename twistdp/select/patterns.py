"""Patterns of texts: globs, regular expressions between slashes, hexadecimal ids.

Each is compiled once, however many rules use it, unless there are very many.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import attrs

from twistdp.errors import BadSetting
from twistdp.select.expressions import regular

_SPECIAL: Final = frozenset("*?[")
_ANY: Final = ".*"
_KEPT: Final = 10_000
"""Patterns of each kind that are kept for other rules: a file may change for years."""


@attrs.frozen
class Pattern:
    """Whether texts match; `literal` is the only one that does, if there is only one."""

    text: str
    matches: Callable[[str], bool]
    literal: str | None = None
    directory: str = ""


def one_of(patterns: Sequence[Pattern]) -> Callable[[str], bool]:
    """Whether a text matches one of the patterns."""
    if len(patterns) == 1:
        return patterns[0].matches
    literals = frozenset(each.literal for each in patterns if each.literal is not None)
    others = [each.matches for each in patterns if each.literal is None]
    if not others:
        return literals.__contains__
    return lambda value: value in literals or any(matches(value) for matches in others)


def is_expression(text: str) -> bool:
    """Whether a text is a regular expression between slashes."""
    return len(text) > 1 and text.startswith("/") and text.endswith("/")


def _expression(text: str, flags: int = 0) -> Pattern:
    return Pattern(text, regular(text[1:-1], "pattern", flags))


def is_glob(text: str) -> bool:
    """Whether a text has characters that a glob gives a meaning."""
    return not _SPECIAL.isdisjoint(text)


@lru_cache(_KEPT)
def text_pattern(text: str) -> Pattern:
    """A glob, in which ``*`` stands for any text, or between slashes a regular expression."""
    if is_expression(text):
        return _expression(text)
    return _glob(text, text, any_text=_ANY, any_character=".")


@lru_cache(_KEPT)
def path_pattern(text: str) -> Pattern:
    """A glob of paths: ``*`` stands for no ``/``, ``**`` does."""
    if not text.startswith("/") or "\0" in text:
        raise BadSetting(f"path {text!r}: give an absolute path or glob, as /dev/ttyUSB*")
    if re.search(r"\{[^}]*,[^}]*\}", text):
        raise BadSetting(f"path {text!r}: braces are no pattern; write a list of paths")
    if ".." in text.split("/"):
        raise BadSetting(f"path {text!r}: '..' leads elsewhere; give the path itself")
    head = re.split(r"[*?\[]", text, maxsplit=1)[0]
    pattern = _glob(text, text, any_text="[^/]*", any_character="[^/]")
    return attrs.evolve(pattern, directory=head.rpartition("/")[0])


@lru_cache(_KEPT)
def hex_pattern(text: str, width: int = 4) -> Pattern:
    """A hexadecimal id: case, a leading ``0x`` and leading zeros do not matter."""
    if is_expression(text):
        return _expression(text, re.IGNORECASE)
    text = text.lower().removeprefix("0x")
    if is_glob(text):
        return text_pattern(text)
    if not re.fullmatch("[0-9a-f]+", text) or len(text) > width:
        raise BadSetting(f"id {text!r}: give up to {width} hexadecimal digits, or a glob")
    return text_pattern(text.zfill(width))


def ids_pattern(text: str) -> Pattern:
    """Vendor and product as ``vendor:product``, each a `hex_pattern`; a vendor alone has any."""
    if is_expression(text):
        return hex_pattern(text)
    one, _, two = text.partition(":")
    vendor, product = hex_pattern(one), hex_pattern(two or "*")
    if vendor.literal is not None and product.literal is not None:
        return text_pattern(f"{vendor.literal}:{product.literal}")

    def matches(ids: str) -> bool:
        one, _, two = ids.partition(":")
        return vendor.matches(one) and product.matches(two)

    return Pattern(text, matches)


def class_pattern(text: str) -> Pattern:
    """A PCI class, a `hex_pattern`; its first two or four digits will do, as ``lspci`` has them."""
    digits = text.lower().removeprefix("0x")
    if re.fullmatch("[0-9a-f]{1,4}", digits):
        return text_pattern(f"{digits.zfill(2 if len(digits) < 3 else 4)}*")
    return hex_pattern(text, 6)


@lru_cache(_KEPT)
def udev_pattern(text: str) -> Pattern:
    """A value of udev's match syntax: globs, with ``|`` between alternatives."""
    choices = [_glob(each, each, any_text=_ANY, any_character=".") for each in text.split("|")]
    if len(choices) == 1:
        return choices[0]
    return Pattern(text, one_of(choices))


def _glob(text: str, glob: str, any_text: str, any_character: str) -> Pattern:
    if not is_glob(glob):
        return Pattern(text, text.__eq__, literal=text)
    try:
        found = re.compile(_translated(glob, any_text, any_character))
    except re.error as error:
        raise BadSetting(f"glob {glob!r}: {error.msg}; write a range as [a-z]") from None
    return Pattern(text, lambda value: found.fullmatch(value) is not None)


def _translated(glob: str, any_text: str, any_character: str) -> str:
    """The glob as a regular expression that needs no time for ways to match that cannot succeed.

    What stands between two asterisks is looked for once: where it comes first, for all that
    follows can match then if it can match at all.  An asterisk for any text begins a new group of
    parts, since it may pass a slash that the others may not.
    """
    groups = [[""]]
    at = 0
    while at < len(glob):
        character = glob[at]
        at += 1
        if character == "*":
            end = at
            while end < len(glob) and glob[end] == "*":
                end += 1
            if end > at or any_text == _ANY:
                groups.append([""])
            else:
                groups[-1].append("")
            at = end
            continue
        part = re.escape(character)
        if character == "?":
            part = any_character
        elif character == "[":
            end = glob.find("]", at + 2 if glob[at : at + 1] in ("!", "^") else at + 1)
            if end >= 0:
                part = _set(glob[at:end], any_character)
                at = end + 1
        groups[-1][-1] += part
    *before, last = groups
    found = [_first(group, any_text) for group in before]
    found.append(_first(last[:-1], any_text) + (f"{any_text}{last[-1]}" if last[1:] else last[0]))
    middle = "".join(f"(?>{_ANY}?{each})" for each in found[1:-1])
    return f"(?s:{found[0]}{middle}{f'{_ANY}{found[-1]}' if before else ''})"


def _first(parts: Sequence[str], any_text: str) -> str:
    """Parts with an asterisk between them, each where it comes first."""
    return "".join(parts[:1]) + "".join(f"(?>{any_text}?{part})" for part in parts[1:])


def _set(inside: str, any_character: str) -> str:
    # What has a meaning in a set of a regular expression, or may come to have one.
    inside = re.sub(r"([\\\[&~|])", r"\\\1", inside)
    if "--" in inside:
        raise re.error("-- in brackets is no range")
    if inside[0] in "!^":
        inside = "^" + inside[1:]
    return f"[{inside}]" if any_character == "." else f"(?!/)[{inside}]"
