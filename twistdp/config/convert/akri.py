"""Converts the udev rules of an Akri configuration."""

import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, Final

from twistdp.config import document
from twistdp.config.convert.akri_rules import converted
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes, braces
from twistdp.config.document import Scalar

TOOL: Final = "akri"
WORDS: Final = ("udevRules",)
DOMAIN: Final = "akri.sh"

_NAME: Final = "akri-udev"
_KEYS: Final = ("udevRules", "groupRecursive", "permissions")


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    if not isinstance(place.node, document.Mapping):
        return False
    return Fields(place.node, "").get("udevRules") is not None


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resources of all parts of a file to the report."""
    conversion = _Conversion(report, domain or DOMAIN)
    for place in places:
        if not isinstance(place.node, document.Mapping):
            continue
        if recognises(place):
            conversion.part(Fields(place.node, place.at), place)
        else:
            conversion.other(Fields(place.node, place.at))


class _Conversion:
    def __init__(self, report: Report, domain: str) -> None:
        self._report = report
        self._shapes = Shapes(report, "Akri")
        self._domain = domain

    def part(self, fields: Fields, place: Place) -> None:
        rules = fields.get("udevRules")
        self._shapes.fields(place.node, place.at, _KEYS)
        if rules is None:
            return
        matches = [{"udev": line} for line in self._lines(rules)]
        if not matches:
            text = "no rule is left, so the configuration is left out"
            self._report.note(rules.mark, rules.at, text)
            return
        name = self._name(place)
        body: dict[str, Any] = dict(matches[0]) if len(matches) == 1 else {"match": matches}
        permissions = self._shapes.text(fields.get("permissions"))
        if permissions and set(permissions) != set("rwm"):
            body["node"] = {"permissions": permissions}
        if self._shapes.flag(fields.get("groupRecursive")):
            body["group"] = "parent"
            text = (
                "groupRecursive: the nodes of one piece of hardware are one device here (group: "
                "parent), those that no rule matches too; Akri makes one of a match and the "
                "matches below it, so leave group out if none is below another; UDEV_DEVNODE_1 is "
                "not a device's second node here, but the second device's first one"
            )
            self._report.note(rules.mark, rules.at, text)
        # Akri numbers the nodes of a device that has several, and has no variable without a number.
        first = {} if "group" in body else {"UDEV_DEVNODE": "{node}"}
        body["env"] = {**first, "UDEV_DEVNODE_{n}": "{node}", **self._properties(place)}
        text = (
            f"pods ask for {self._domain}/{name}; Akri's resources of single devices, which "
            "have a hash in their names, and the variables with the same hash, are not carried "
            "over: UDEV_DEVNODE_0 is the first device's node, UDEV_DEVNODE_1 the second one's; "
            "UDEV_DEVPATH is missing"
        )
        self._report.note(rules.mark, rules.at, text)
        capacity = self._above(place, "capacity")
        count = self._shapes.whole(capacity) or 1
        if count > 1:
            body["replicas"] = count
        self._not_carried(place)
        self._report.add(Draft(self._domain, name, body, rules.mark, rules.at))

    def other(self, fields: Fields) -> None:
        """Note a configuration of another discovery handler."""
        section = re.search(r"(?:^|\.)(onvif|opcua|custom|debugEcho)\.configuration$", fields.at)
        details = fields.get("discoveryDetails")
        if section is not None and self._shapes.flag(fields.get("enabled")):
            name = section[1]
        elif details is not None and "udevRules" not in _keys(details.node):
            name = self._shapes.text(fields.get("name", "discoveryHandlerName")) or "another"
        else:
            return
        text = f"what the discovery handler {name} finds is not carried over: only udev's is"
        self._report.note(fields.mark, fields.at, text)

    def _lines(self, rules: Field) -> Iterator[str]:
        for node, at in self._shapes.items(rules, "a list of rules"):
            text = self._shapes.plain(node, at)
            if text is None:
                continue
            if text.startswith("{{"):
                self._report.problem(
                    node.mark, at, "this is a template of a chart; give the rule that it makes"
                )
                continue
            note = partial(self._report.note, node.mark, at)
            if line := converted(text, note):
                yield line

    def _above(self, place: Place, *names: str) -> Field | None:
        for each in reversed(place.above):
            field = Fields(each, "").get(*names)
            if field is not None:
                return field
        return None

    def _name(self, place: Place) -> str:
        """The name of the configuration: in its metadata, or the chart's."""
        named: str | None = None
        for each in place.above:
            fields = Fields(each, "")
            kind, metadata = fields.get("kind"), fields.get("metadata")
            if metadata is not None and kind is not None and isinstance(kind.node, Scalar):
                if kind.node.text == "Configuration":
                    return self._text_in(metadata, "name") or _NAME
            elif fields.get("discoveryDetails") is not None:
                named = self._shapes.text(fields.get("name"))
        return named or _NAME

    def _text_in(self, field: Field, name: str) -> str | None:
        inner = self._shapes.inner(field)
        return self._shapes.text(inner.get(name)) if inner is not None else None

    def _properties(self, place: Place) -> dict[str, str]:
        """The broker's properties, which are variables."""
        inner = self._shapes.inner(self._above(place, "brokerProperties"))
        found = {}
        for field in inner or ():
            value = self._shapes.text(field)
            if value is not None:
                found[braces(field.key)] = braces(value)
        return found

    def _not_carried(self, place: Place) -> None:
        for name, text in (
            ("brokerSpec", "brokers are not deployed; write a Deployment or DaemonSet"),
            ("brokerPod", "brokers are not deployed; write a Deployment or DaemonSet"),
            (
                "discoveryProperties",
                "discoveryProperties are not carried over, nor the variables that "
                "devicePluginResourceName makes",
            ),
            ("instanceServiceSpec", "services are not made; write a Service"),
            ("configurationServiceSpec", "services are not made; write a Service"),
        ):
            field = self._above(place, name)
            if field is not None:
                self._report.note(field.mark, field.at, text)


def _keys(node: document.Node) -> Collection[str]:
    """The keys of a mapping, or the words of a text in which one may be."""
    if isinstance(node, Scalar):
        return re.findall(r"\w+", node.text)
    return [key.text for key, _ in node.items] if isinstance(node, document.Mapping) else ()
