"""Converts one of Akri's udev rules, which mean other things in part than udev's own."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

_FILTER: Final = re.compile(
    r"\s*(?P<key>[A-Z][A-Za-z_]*)(?P<name>\{[^}]*\})?\s*(?P<op>==|!=|\+=|-=|:=|=)\s*"
    r'[a-z]?"(?P<value>(?:[^"\\]|\\.)*)"\s*(?:,|$)'
)
_CONDITIONS: Final = frozenset(
    {"ATTR", "ATTRS", "DEVPATH", "DRIVER", "DRIVERS", "ENV", "KERNEL", "KERNELS", "SUBSYSTEM"}
    | {"SUBSYSTEMS", "TAG", "TAGS"}
)
_PLURAL: Final = frozenset({"ATTRS", "DRIVERS", "KERNELS", "SUBSYSTEMS", "TAGS"})
_OF_USB: Final = frozenset(
    {"{bcdDevice}", "{busnum}", "{devnum}", "{devpath}", "{idProduct}", "{idVendor}"}
    | {"{manufacturer}", "{product}", "{serial}"}
)
"""Attributes that a USB device alone has, so that they are those of one ancestor."""

_GLOBS: Final = frozenset(
    {"DEVPATH==", "KERNEL==", "TAG==", "SUBSYSTEM==", "ATTR==", "ENV==", "ATTR!=", "SUBSYSTEM!="}
)
"""Conditions that libudev tests for Akri; of the others, Akri takes values for expressions."""

_ONE_HOLDS: Final = frozenset({"KERNEL==", "SUBSYSTEM==", "ENV=="})
_WITH_NODES: Final = frozenset(
    {"block", "drm", "hidraw", "i2c-dev", "input", "media", "misc", "sound", "spidev", "tty"}
    | {"usbmisc", "video4linux"}
)
_PART: Final = re.compile(r"\[\^?\]?[^]]*\]|\\.|.", re.DOTALL)


@attrs.frozen
class _Condition:
    key: str
    name: str
    op: str
    value: str

    def __str__(self) -> str:
        return f'{self.key}{self.name}{self.op}"{self.value}"'


def converted(rule: str, note: Callable[[str], None]) -> str:
    """The conditions of a rule; `note` is called with each thing that means another one now."""
    found: list[_Condition] = []
    rest = ""
    position = 0
    while position < len(rule):
        match = _FILTER.match(rule, position)
        if match is None:
            rest = rule[position:]  # what is wrong with it is reported with the resource
            break
        position = match.end()
        each = _Condition(match["key"], match["name"] or "", match["op"], match["value"])
        if each.key in _CONDITIONS and each.op in ("==", "!="):
            found.append(_as_glob(each, note))
        else:
            note(f"Akri finds nothing by a rule with {each}, which is left out here")
    if not rest:
        for text in _differences(found):
            note(text)
    return ", ".join([*map(str, found), *([rest] if rest else [])])


def _as_glob(condition: _Condition, note: Callable[[str], None]) -> _Condition:
    """A condition whose value is a glob."""
    if condition.key + condition.op in _GLOBS:
        return condition
    glob = _glob(condition.value)
    if glob is None:
        note(f"{condition}: Akri takes the value for a regular expression, and here it is a glob")
    elif glob != condition.value:
        note(f"{condition}: Akri takes the value for a regular expression; here it is {glob}")
        return attrs.evolve(condition, value=glob)
    return condition


def _glob(expression: str) -> str | None:
    """The glob for a regular expression; None if there is none.

    A dot alone stays one, and what is a glob already stays as it is.
    """
    parts = _PART.findall(expression.removeprefix("^").removesuffix("$"))
    glob = ""
    for index, part in enumerate(parts):
        before = parts[index - 1] if index else ""
        after = parts[index + 1] if index + 1 < len(parts) else ""
        if part == "+" and (before == "." or before.startswith("[") or before == r"\d"):
            glob += "*"
        elif part == "." and after in ("*", "+"):
            glob += "" if after == "*" else "?"
        elif part == r"\d":
            glob += "[0-9]"
        elif part.startswith("[^"):
            glob += f"[!{part[2:]}"
        elif part.startswith("\\") and not part[1:].isalnum():
            glob += f"[{part[1]}]" if part[1] in "*?[|" else part[1]
        elif part in tuple("(){}^$+?") or part.startswith("\\"):
            return None
        else:
            glob += part
    return glob


def _differences(conditions: Sequence[_Condition]) -> Iterator[str]:
    """What several conditions mean to Akri, and do not here."""
    plural = [each for each in conditions if each.key in _PLURAL]
    of_usb = [
        each
        for each in plural
        if each.name in _OF_USB or (each.key == "SUBSYSTEMS" and each.value == "usb")
    ]
    if len(plural) > 1 and len(of_usb) < len(plural):
        keys = ", ".join(f"{each.key}{each.name}" for each in plural)
        yield (
            f"Akri looks for each of {keys} anywhere above a device; here all must hold for one "
            "and the same device above, as udev has it"
        )
    for each in plural:
        if each.op == "!=":
            yield f"{each}: to Akri it must hold for all devices above; here for one of them"
    for kind, count in Counter(each.key + each.op for each in conditions).items():
        if kind in _ONE_HOLDS and count > 1:
            yield (
                f"Akri takes devices for which one of several conditions on {kind[:-2]} holds; "
                "here all must"
            )
    given = {each.key: each.value for each in conditions if each.op == "=="}
    subsystem = given.get("SUBSYSTEM", "")
    if len(conditions) == 1 and subsystem:
        yield (
            f"{conditions[0]} alone selects everything of the subsystem; what has no node is "
            'left out here: add a condition, such as ATTRS{idVendor}=="10c4"'
        )
    elif conditions and "KERNEL" not in given and subsystem not in _WITH_NODES:
        yield (
            "of what has no node, as an interface of a USB device, Akri takes the nearest node "
            "above; here it is left out"
        )
