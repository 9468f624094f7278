"""A pasted line of udev's match syntax, as ``udevadm info -a`` prints it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from twistdp.errors import BadSetting
from twistdp.select.device import Device
from twistdp.select.outcome import Outcome, all_hold, all_of, once_for_each, one_holds
from twistdp.select.patterns import Pattern, udev_pattern
from twistdp.select.reading import Undecidable

_TOKEN: Final = re.compile(
    r"\s*(?P<key>[A-Z][A-Za-z_]*)(?:\{(?P<name>[^}]*)\})?\s*(?P<op>==|!=|\+=|-=|:=|=)\s*"
    r'(?P<prefix>[a-z]{0,2})"(?P<value>(?:[^"\\]|\\.)*)"\s*'
)
_NAMED: Final = frozenset({"ATTR", "ATTRS", "ENV"})
_PLURAL: Final = {
    "KERNELS": "KERNEL",
    "SUBSYSTEMS": "SUBSYSTEM",
    "DRIVERS": "DRIVER",
    "ATTRS": "ATTR",
    "TAGS": "TAG",
}
_SINGULAR: Final = frozenset({"KERNEL", "SUBSYSTEM", "DRIVER", "ATTR", "ENV", "TAG", "DEVPATH"})
_EVENT: Final = {
    "ACTION": "it is about events, and a rule here is about devices that are there",
    "PROGRAM": "no program is run for a rule",
    "RESULT": "no program is run for a rule",
    "IMPORT": "nothing is imported",
    "TEST": "no files are tested; write a condition on an attribute",
    "SYSCTL": "settings of the kernel are not read",
    "CONST": "the architecture is not tested",
    "NAME": "write KERNEL",
    "SYMLINK": "write path: with the link",
}


@attrs.frozen
class _Condition:
    key: str
    name: str
    equal: bool
    pattern: Pattern

    def __str__(self) -> str:
        name = f"{{{self.name}}}" if self.name else ""
        return f'{self.key}{name}{"==" if self.equal else "!="}"{self.pattern.text}"'

    def holds(self, device: Device) -> bool | None:
        """Of the device itself, whether `key` is singular or plural."""
        value = self._value(device)
        if isinstance(value, Undecidable):
            return None
        if isinstance(value, frozenset):
            return any(map(self.pattern.matches, value)) == self.equal
        return value is not None and self.pattern.matches(value) == self.equal

    def test(self, device: Device) -> Outcome:
        """As `holds`, with the reason."""
        ok, value = self.holds(device), self._value(device)
        if ok:
            return Outcome(True, f"{self} holds")
        if isinstance(value, Undecidable):
            return Outcome(None, f"{self} is undecidable: {value.reason}")
        if value is None:
            return Outcome(False, f"{device.name} has no attribute {self.name}, wanted by {self}")
        if isinstance(value, frozenset):
            text = f"its tags are {', '.join(sorted(value)) or 'none'}"
        else:
            text = f'it is "{value}"'
        return Outcome(False, f"{self} fails for {device.name}: {text}")

    def has_value(self, device: Device) -> bool:
        """Whether the device has what is compared."""
        return self._value(device) is not None

    def _value(self, device: Device) -> str | frozenset[str] | Undecidable | None:
        key = _PLURAL.get(self.key, self.key)
        return device.tags if key == "TAG" else _VALUES[key](device, self.name)


def _attribute(device: Device, name: str) -> str | Undecidable | None:
    return device.reading(name)


def _env(device: Device, name: str) -> str | Undecidable | None:
    value = device.property(name)
    return "" if value is None else value  # udev takes a property that is not there as empty


_VALUES: Final[dict[str, Callable[[Device, str], str | Undecidable | None]]] = {
    "KERNEL": lambda device, _: device.name,
    "SUBSYSTEM": lambda device, _: device.subsystem,
    "DRIVER": lambda device, _: device.driver or "",
    "DEVPATH": lambda device, _: device.syspath,
    "ATTR": _attribute,
    "ENV": _env,
}


@attrs.frozen
class UdevLine:
    """The conditions of a line.

    Those with a plural key (KERNELS, SUBSYSTEMS, DRIVERS, ATTRS, TAGS) must all hold for one and
    the same device: the device itself or an ancestor.
    """

    own: Sequence[_Condition]
    above: Sequence[_Condition]
    _held: Callable[[Device], bool | None] = attrs.field(init=False, eq=False, repr=False)

    @_held.default
    def _remember(self) -> Callable[[Device], bool | None]:
        return once_for_each(lambda device: all_hold(self.above, device))

    @property
    def wanted(self) -> tuple[tuple[str, str, str], ...]:
        """Key, name in braces and pattern of each condition with ``==``."""
        conditions = (*self.own, *self.above)
        return tuple((each.key, each.name, each.pattern.text) for each in conditions if each.equal)

    @property
    def subsystems(self) -> tuple[str, ...]:
        """The only subsystems whose devices can match; empty if the line does not say."""
        for each in self.own:
            if each.key == "SUBSYSTEM" and each.equal:
                choices = each.pattern.text.split("|")
                if all(udev_pattern(choice).literal is not None for choice in choices):
                    return tuple(choices)
        return ()

    def holds(self, device: Device) -> bool | None:
        """Whether a device meets the line."""
        answer = all_hold(self.own, device)
        if answer is False or not self.above:
            return answer
        above = one_holds(map(self._held, device.lineage))
        return above if answer else (False if above is False else None)

    def test(self, device: Device) -> Outcome:
        """As `holds`, with the reason."""
        return all_of(self._outcomes(device))

    def _outcomes(self, device: Device) -> Iterator[Outcome]:
        for each in self.own:
            yield each.test(device)
        if self.above:
            yield self._above(device)

    def _above(self, device: Device) -> Outcome:
        undecided: Outcome | None = None
        failed: list[tuple[int, bool, Outcome]] = []
        for each in device.lineage:
            outcome = all_of(condition.test(each) for condition in self.above)
            if outcome.ok:
                return attrs.evolve(outcome, reason=f"{outcome.reason} for {each.name}")
            if outcome.ok is None:
                undecided = undecided or outcome
            else:
                held = len(outcome.parts) - 1
                failed.append((held, self.above[held].has_value(each), outcome))
        if undecided is not None:
            return undecided
        # Of those that fail at one condition, one with another value says more than one with none.
        near = max(failed, key=lambda found: found[:2], default=(0, False, None))[2]
        line = ", ".join(map(str, self.above))
        reason = f"no single device from {device.name} upwards meets {line}"
        return Outcome(False, f"{reason}; the nearest: {near.reason}" if near else reason)


def parse_udev(line: str) -> UdevLine:
    """The conditions of a line of udev's rules, with commas or white space between them.

    Raises `BadSetting`, with the reason, for what is no condition on a device that is there.
    """
    own: list[_Condition] = []
    above: list[_Condition] = []
    at = 0
    text = line.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:].strip()
            raise BadSetting(
                f'udev line, at {rest[:40]!r}: write conditions as KEY=="value", with commas '
                "between them"
            )
        condition = _condition(found)
        (above if condition.key in _PLURAL else own).append(condition)
        at = found.end()
        if text[at : at + 1] == ",":
            at += 1
        elif at < len(text) and not text[at - 1].isspace():
            raise BadSetting(f"udev line, at {text[at : at + 40]!r}: a comma is missing")
    if not own and not above:
        raise BadSetting('udev line: it has no condition; write one, as SUBSYSTEM=="tty"')
    return UdevLine(tuple(own), tuple(above))


def _condition(found: "re.Match[str]") -> _Condition:
    key, name, operator = found["key"], found["name"], found["op"]
    doing = f"udev line, {key}"
    if operator not in ("==", "!="):
        raise BadSetting(f"{doing}: {operator} assigns; leave it out, only == and != are tested")
    if key in _EVENT:
        raise BadSetting(f"{doing}: {_EVENT[key]}; leave it out")
    if key not in _SINGULAR and key not in _PLURAL:
        raise BadSetting(
            f"{doing}: no such condition; there are {', '.join(sorted(_SINGULAR | set(_PLURAL)))}"
        )
    if (key in _NAMED) != bool(name):
        what = "needs a name in braces, as" if key in _NAMED else "takes no name in braces, as"
        raise BadSetting(f'{doing}: it {what} {key}{"{name}" if key in _NAMED else ""}=="value"')
    if name and key != "ENV" and (name.startswith(("/", "[")) or ".." in name.split("/")):
        above = "" if name.startswith("[") else "; ATTRS looks at the devices above too"
        raise BadSetting(
            f"{doing}: {{{name}}} is not below the device's directory; write the attribute of the "
            f"device itself{above}"
        )
    if found["prefix"]:
        ways = {"i": "[Aa] for a letter in both cases", "e": "characters as they are"}
        remedy = " and ".join(ways[each] for each in found["prefix"] if each in ways)
        raise BadSetting(
            f"{doing}: a value with the prefix {found['prefix']} is not supported; "
            f"write {remedy or 'it without'}"
        )
    value = found["value"].replace('\\"', '"')
    if key in ("ATTR", "ATTRS"):
        value = value.strip()  # as attributes are read; udevadm prints some with a leading space
    return _Condition(key, name or "", operator == "==", udev_pattern(value))
