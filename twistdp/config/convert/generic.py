"""Converts the configuration of generic-device-plugin."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from twistdp.config import document
from twistdp.config.convert.container import (
    Option,
    options,
    options_beside,
    options_of,
    runs,
    variables,
    variables_beside,
)
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.groups import Part, combined
from twistdp.config.convert.paths import part_of_paths
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes, literal
from twistdp.config.document import Mark, Node, Scalar

TOOL: Final = "generic-device-plugin"
WORDS: Final = ("groups", "--device")
DOMAIN: Final = "squat.ai"

_FLAGS: Final = {
    "plugin-directory": "give --plugin-dir to twistd deviceplugin",
    "log-level": "give -v to twistd deviceplugin",
    "listen": "twistd deviceplugin has no such server",
    "version": "leave it out",
    "config": "convert the file itself, alone or with this one",
}
_SERIAL_CHIPS: Final = frozenset({"0403", "067b", "10c4", "1a86", "04d8", "2341", "0658"})
"""Vendors whose devices are mostly serial ports."""


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resources of all parts of a file to the report."""
    _Conversion(report, domain).run(places)


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    node = place.node
    if isinstance(node, document.Sequence):
        return any(
            isinstance(each, Scalar) and each.text.partition("=")[0] == "--device"
            for each in node.items
        )
    if not isinstance(node, document.Mapping):
        return False
    listed = Fields(node, place.at).get("devices", "device")
    if listed is None:
        return False
    items = listed.node.items if isinstance(listed.node, document.Sequence) else ()
    return any(
        isinstance(each, document.Mapping) and Fields(each, "").get("groups") for each in items
    )


class _Conversion:
    def __init__(self, report: Report, domain: str | None) -> None:
        self._report = report
        self._shapes = Shapes(report, TOOL)
        self._wanted = domain
        self._has_domain = domain is not None

    def run(self, places: Places) -> None:
        above = next(filter(None, map(self._container, places)), None)
        for place in places:
            if recognises(place):
                if isinstance(place.node, document.Sequence):
                    self._arguments(place.node, place, places)
                elif isinstance(place.node, document.Mapping):
                    self._file(Fields(place.node, place.at), place.is_root, above)
        if self._report.drafts and not self._has_domain:
            first = next(iter(self._report.drafts.values()))
            self._report.note(
                first.mark,
                "",
                f"no domain is given, so it is {DOMAIN}, the default up to {TOOL} 0.1.0; 0.2.0 has "
                "devic.es: give --domain devic.es if pods ask for that",
            )

    def _container(self, place: Place) -> str | None:
        """The domain that a container gives which reads a file; its other options are noted."""
        container = _reads_file(place)
        if container is None:
            return None
        words, env = options_of(container, place.at), variables(container, place.at)
        return self._settings(words, env, container.mark).get("domain")

    def _settings(
        self, options: Iterable[Option], variables: Iterator[tuple[str, Scalar, str]], mark: Mark
    ) -> dict[str, str]:
        """The options and, where there is none, the variables; what is lost is noted."""
        found: dict[str, str] = {}
        for name, value, at in options:
            if name == "domain" and value is not None:
                found[name] = value.text.strip()
            elif name in _FLAGS:
                where = value.mark if value is not None else mark
                self._report.note(where, at, f"--{name} is not carried over; {_FLAGS[name]}")
        for name, value, at in variables:
            key = name.lower().replace("_", "-")
            if key == "domain":
                found.setdefault(key, value.text.strip())
            elif key in _FLAGS or key == "device":
                hint = _FLAGS.get(key, "give it as an argument")
                text = f"the variable {name} is not carried over; {hint}"
                self._report.note(value.mark, at, text)
        return found

    def _file(self, fields: Fields, is_whole: bool, above: str | None) -> None:
        """A file; `above` is the domain that flags say, which comes before the file's."""
        if is_whole:
            self._shapes.unknown(fields, ("domain", "devices", "device", *_FLAGS))
        domain = self._domain(above or self._shapes.text(fields.get("domain")))
        for name, hint in _FLAGS.items():
            if field := fields.get(name):
                self._report.note(field.mark, field.at, f"{name} is not carried over; {hint}")
        for node, at in self._shapes.items(fields.get("devices", "device"), "a list of devices"):
            self._device(node, at, domain, in_file=True)

    def _arguments(self, node: document.Sequence, place: Place, places: Places) -> None:
        words = list(options(node, place.at))
        devices = [(value, at) for name, value, at in words if name == "device" and value]
        words_of_all = [*words, *options_beside(place)]
        given = self._settings(words_of_all, variables_beside(place), node.mark)
        if any(name == "config" for name, _, _ in words_of_all):
            text = (
                f"with --device, {TOOL} ignores the devices of its file; here they are listed if "
                "the file is among these documents"
            )
            self._report.note(node.mark, place.at, text)
        domain = self._domain(given.get("domain"))
        for value, at in devices:
            for root in places.embedded(value, at, always=True) or (value,):
                self._device(root, at, domain, in_file=False)

    def _domain(self, given: str | None) -> str:
        self._has_domain = self._has_domain or given is not None
        return self._wanted or given or DOMAIN

    def _device(self, node: Node, at: str, domain: str, in_file: bool) -> None:
        fields = self._shapes.fields(node, at, ("name", "groups"))
        if fields is None:
            return
        field = fields.get("name")
        name = self._shapes.text(field)
        if not name:
            self._report.problem(fields.mark, at, "the key 'name' is missing: the resource's name")
        parts = []
        groups = fields.get("groups")
        if groups is None:
            self._report.problem(fields.mark, at, "the key 'groups' is missing: a list of groups")
        for group, where in self._shapes.items(groups, "a list of groups"):
            part = self._group(group, where, in_file)
            if part is not None:
                parts.append(part)
        if not name or field is None:
            return
        for number, part in enumerate(combined(parts), 1):
            this = name if number == 1 else f"{name}-{number}"
            if number > 1:
                text = (
                    f"it differs from the groups before it in more than one resource can have, "
                    f"so it is the resource {this}: change the pods that need it"
                )
                self._report.note(part.mark, part.at, text)
            if part.limit is not None and len(part.all_counts()) > 1:
                text = (
                    f"the limits of the groups are one here: {part.limit} devices of all together"
                )
                self._report.note(field.mark, at, text)
            if any(len(member.paths) > 1 for member in part.members):
                text = (
                    "several groups are one resource: a device's further nodes are those of the "
                    "hardware that its first node belongs to"
                )
                self._report.note(field.mark, at, text)
            self._report.add(Draft(domain, this, part.body(), field.mark, at))

    def _group(self, node: Node, at: str, in_file: bool) -> Part | None:
        fields = self._shapes.fields(node, at, ("paths", "usb", "count"))
        if fields is None:
            return None
        count = self._shapes.whole(fields.get("count")) or 1
        paths, usb = fields.get("paths"), fields.get("usb")
        if paths is not None and usb is not None:
            text = f"a group has paths or usb, and {TOOL} does not start with both; make two groups"
            self._report.problem(fields.mark, at, text)
            return None
        if usb is not None:
            return self._usb(usb, count, in_file)
        if paths is None:
            self._report.problem(fields.mark, at, "a group needs paths or usb; give one of them")
            return None
        return part_of_paths(paths, count, self._shapes, self._report)

    def _usb(self, usb: Field, count: int, in_file: bool) -> Part | None:
        matches: list[dict[str, str]] = []
        for node, at in self._shapes.items(usb):
            fields = self._shapes.fields(node, at, ("vendor", "product", "serial"))
            if fields is None:
                continue
            ids = [self._id(fields, name, in_file) for name in ("vendor", "product")]
            match = {"usb": ":".join(ids)}
            if serial := self._shapes.text(fields.get("serial")):
                match["serial"] = literal(serial)
            matches.append(match)
            if ids[0] in _SERIAL_CHIPS:
                text = (
                    "containers get the raw USB node, as before, which does not open as a "
                    "serial port; for its /dev/ttyUSB* or ttyACM* write as: tty"
                )
                self._report.note(fields.mark, at, text)
        if not matches:
            self._shapes.is_empty(usb)
            return None
        text = f"{TOOL} makes one device of all USB devices that a group matches, "
        if len(matches) == 1:
            text += "and here each is one; write group: all to have one"
        else:
            text += "and so it is here (group: all); leave group out to have one each"
        self._report.note(usb.mark, usb.at, text)
        group = "all" if len(matches) > 1 else None
        return Part(usb.mark, usb.at, usb=matches, permissions="rw", group=group, count=count)

    def _id(self, fields: Fields, name: str, in_file: bool) -> str:
        field = fields.get(name)
        text = self._shapes.text(field)
        if field is None or text is None:
            if field is None:
                known = f"{TOOL} takes a missing {name} for 0000, which no device has; give it"
                self._report.problem(fields.mark, fields.at, known)
            return "0000"
        digits = text.lower().removeprefix("0x")
        if not re.fullmatch("[0-9a-f]{1,4}", digits):
            wrong = f"{name} {text!r}: expected up to four hexadecimal digits"
            self._report.problem(field.node.mark, field.at, wrong)
            return "0000"
        if isinstance(field.node, Scalar) and field.node.plain:
            self._warn(field, text.lower(), digits.zfill(4), in_file)
        return digits.zfill(4)

    def _warn(self, field: Field, text: str, written: str, in_file: bool) -> None:
        """Warn of an id without quotes, of which YAML makes a number."""
        kind, number = _number(text)
        if kind is None:
            return
        # In an argument, the digits of the number are read once more, as hexadecimal ones.
        value = number if in_file else int(str(number), 16)
        if value == int(written, 16):
            return
        read = f"{TOOL} reads {text} without quotes as {kind} that is "
        read += f"{number:04x} in hexadecimal" if in_file else f"{number}, and this as hexadecimal"
        meant = f"here it is {written}, as it is written"
        meant += f"; was {value:04x} meant?" if value < 1 << 16 else ""
        self._report.note(field.node.mark, field.at, f"{read}; {meant}")


def _number(text: str) -> tuple[str | None, int]:
    """The number that YAML makes of hexadecimal digits without quotes, and how."""
    if re.fullmatch("0[0-7]+", text):
        return "the octal number", int(text, 8)
    if re.fullmatch("[0-9]+", text):
        return "the decimal number", int(text)
    if re.fullmatch("0b[01]+", text):
        return "the binary number", int(text, 2)
    if text.startswith("0x"):
        return "the number", int(text, 16)
    if re.fullmatch("[0-9]+e[0-9]+", text):
        return "a number with an exponent", int(float(text))
    return None, 0


def _reads_file(place: Place) -> document.Mapping | None:
    """The container at a place, if it is the tool's and has its devices in a file."""
    if not isinstance(place.node, document.Mapping):
        return None
    names = {name for name, _, _ in options_of(place.node, "")}
    is_ours = "config" in names or runs(place.node, TOOL)
    return place.node if is_ours and "device" not in names else None
