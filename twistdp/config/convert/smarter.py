"""Converts the configuration of smarter-device-manager."""

import re
from collections.abc import Iterator
from typing import Any, Final

from twistdp.config import document
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.paths import is_directory
from twistdp.config.convert.report import Draft, Report
from twistdp.config.convert.shapes import Fields, Shapes, literal
from twistdp.config.convert.texts import Texts, texts_of

TOOL: Final = "smarter-device-manager"
WORDS: Final = ("devicematch", "nummaxdevices")
DOMAIN: Final = "smarter-devices"

_KEYS: Final = ("devicematch", "nummaxdevices")
_SETS: Final = {
    "digit": "0-9",
    "alpha": "A-Za-z",
    "alnum": "A-Za-z0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "space": r"\s",
}
"""Named sets of characters in Go's expressions, as Python has them."""

_MOST: Final = 128
"""Names for which one expression stands at most."""

_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]|.", re.DOTALL)
"""A part of an expression: a set, a character with a backslash before it, or one without."""

_BEGIN: Final = frozenset({"^", r"\A"})


def recognises(place: Place) -> bool:
    """Whether a part of a file is this tool's."""
    node = place.node
    return isinstance(node, document.Sequence) and any(
        isinstance(each, document.Mapping) and Fields(each, "").get(*_KEYS) for each in node.items
    )


def convert(places: Places, report: Report, domain: str | None) -> None:
    """Add the resources of all parts of a file to the report."""
    shapes = Shapes(report, TOOL)
    for place in places:
        if not recognises(place) or not isinstance(place.node, document.Sequence):
            continue
        for index, node in enumerate(place.node.items):
            fields = shapes.fields(node, f"{place.at}[{index}]", _KEYS)
            if fields is not None:
                _entry(fields, shapes, report, domain or DOMAIN)


def _entry(fields: Fields, shapes: Shapes, report: Report, domain: str) -> None:
    field = fields.get("devicematch")
    expression = shapes.text(field)
    count = shapes.whole(fields.get("nummaxdevices"))
    if field is None or not expression:
        text = "the key 'devicematch' is missing: a regular expression"
        report.problem(fields.mark, fields.at, text)
        return
    mark, at = field.node.mark, field.at
    if count is None:
        count = 1
        if fields.get("nummaxdevices") is None:
            text = f"there is no nummaxdevices, for which {TOOL} takes 0; here it is 1"
            report.note(fields.mark, fields.at, text)
    if count == 0:
        report.note(mark, at, "nummaxdevices is 0, so nothing is listed: left out")
        return
    if expression == "nvidia-gpu":
        report.note(mark, at, "nvidia-gpu is not carried over; keep a plugin for these GPUs")
        return
    # Python has other words for these sets, and would take their letters as such.
    expression = re.sub(r"\[:(\w+):\]", lambda name: _SETS.get(name[1], name[0]), expression)
    expression = re.sub(r"(?<!\\)((?:\\\\)*)\\z", r"\1$", expression)
    given: dict[str, Any] = {"node": {"permissions": "rw"}}
    if count > 1:
        given["replicas"] = count
    try:
        texts_of(expression, _MOST)
    except ValueError as error:
        text = (
            f"devicematch {expression!r}: no regular expression here: {error}; write it without "
            "what Go alone has"
        )
        report.problem(mark, at, text)
        return
    for each in _alternatives(expression):
        found = texts_of(each, _MOST)
        if found is None:
            _open(each, given, report, domain, mark, at)
        else:
            _listed(found, each, given, report, domain, mark, at)


def _open(
    expression: str,
    given: dict[str, Any],
    report: Report,
    domain: str,
    mark: document.Mark,
    at: str,
) -> None:
    """Add one resource for all paths that an expression matches."""
    plain = expression[len(_flags(expression)) :].lstrip("^").removeprefix(r"\A")
    begin = re.split(r"[^\w/.:,=@%#-]|\.\*|\.\+", plain, maxsplit=1)[0]
    name = first = _name(begin) or "devices"
    number = 1
    while f"{domain}/{name}" in report.drafts:
        number += 1
        name = f"{first}-{number}"
    text = (
        f"{TOOL} makes a resource of each path that {expression} matches, which cannot be "
        f"known here; they are one resource, {domain}/{name}: change the pods to ask for it"
    )
    report.note(mark, at, text)
    report.add(Draft(domain, name, {"pathRegex": _below_dev(expression), **given}, mark, at))


def _listed(
    found: Texts,
    expression: str,
    given: dict[str, Any],
    report: Report,
    domain: str,
    mark: document.Mark,
    at: str,
) -> None:
    """Add a resource for each path that an expression matches."""
    _report_cut(found, expression, report, mark, at)
    for text in found.texts:
        body: dict[str, Any] = {"path": literal(f"/dev/{text}")}
        if is_directory(f"/dev/{text}"):
            body["group"] = "all"
            note = f"/dev/{text} is a directory: a container gets the nodes that are in it, "
            report.note(mark, at, f"{note}without links, when the pod starts")
        report.add(Draft(domain, _name(text), {**body, **given}, mark, at), allow_again=True)


def _report_cut(
    found: Texts, expression: str, report: Report, mark: document.Mark, at: str
) -> None:
    if found.is_cut:
        shown = f"{found.texts[0]} to {found.texts[-1]}"
        text = (
            f"{TOOL} makes a resource of each path that {expression} matches; here there is one "
            f"for each of {shown}, and none for longer names"
        )
        report.note(mark, at, text)
    if found.is_loose:
        text = (
            f"{expression} has no ^ before it or no $ after it, so {TOOL} takes every path that "
            "has it anywhere; here it is the whole path"
        )
        report.note(mark, at, text)


def _name(text: str) -> str:
    """The resource's name, in which the manager keeps letters, digits, ``_`` and ``-``."""
    return re.sub("[^-_A-Za-z0-9]", "_", text).strip("_-")


def _flags(expression: str) -> str:
    """The flags before an expression, which stand before all else."""
    found = re.match(r"\(\?[aims]+\)", expression)
    return found[0] if found is not None else ""


def _alternatives(expression: str) -> Iterator[str]:
    """The expressions between which ``|`` stands, outside of parentheses."""
    flags = _flags(expression)
    depth, part = 0, ""
    for each in _TOKEN.findall(expression[len(flags) :]):
        depth += (each == "(") - (each == ")")
        if each == "|" and not depth:
            yield flags + part
            part = ""
        else:
            part += each
    yield flags + part


def _below_dev(expression: str) -> str:
    """The expression for whole paths, which are below /dev."""
    flags = _flags(expression)
    first, *rest = _TOKEN.findall(expression[len(flags) :]) or [""]
    end = ""
    if rest and rest[-1] == "$":
        end = rest.pop()
    if first in _BEGIN and not _BEGIN.intersection(rest):
        return f"{flags}^/dev/(?:{''.join(rest)}){end}"
    # What begins a part of the expression stands right after /dev/.
    parts = ("(?<=^/dev/)" if each in _BEGIN else each for each in (first, *rest))
    return f"{flags}^/dev/.*(?:{''.join(parts)}){end}"
