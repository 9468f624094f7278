"""Takes a foreign document apart: each value is of the kind that its tool expects, or a problem.

Keys are compared without regard to capitals, as the tools' own libraries do.
"""

import re
from collections.abc import Iterator

import attrs

from twistdp.config import document
from twistdp.config.convert.report import Report
from twistdp.config.document import Mark, Node, Scalar
from twistdp.config.wording import found_in_words, place_below
from twistdp.tools import nearest


@attrs.frozen
class Field:
    """A key of a mapping and its value."""

    key: str
    mark: Mark
    """Where the key is."""
    at: str
    node: Node


class Fields:
    """The fields of a mapping; a value that is left empty is as good as none."""

    def __init__(self, node: document.Mapping, at: str) -> None:
        self.mark = node.mark
        self.at = at
        self._fields: dict[str, Field] = {}
        self._add(node, at)

    def _add(self, node: document.Mapping, at: str) -> None:
        merged: list[Node] = []
        for key, value in node.items:
            if key.text == "<<":
                merged += value.items if isinstance(value, document.Sequence) else [value]
            elif not (isinstance(value, Scalar) and value.is_null):
                field = Field(key.text, key.mark, place_below(at, key.text), value)
                self._fields.setdefault(key.text.lower(), field)
        for each in merged:  # what stands in the mapping itself counts
            if isinstance(each, document.Mapping):
                self._add(each, at)

    def get(self, *names: str) -> Field | None:
        """The field with one of these names."""
        for name in names:
            if name.lower() in self._fields:
                return self._fields[name.lower()]
        return None

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())


class Shapes:
    """Reads values; what is of another kind than expected becomes a problem of the report."""

    def __init__(self, report: Report, tool: str) -> None:
        self._report = report
        self._tool = tool

    def fields(self, node: Node, at: str, known: tuple[str, ...] = ()) -> Fields | None:
        """The fields of a mapping; keys that are not `known`, if any are, are noted."""
        if not isinstance(node, document.Mapping):
            self._report.problem(node.mark, at, f"expected a mapping, found {found_in_words(node)}")
            return None
        fields = Fields(node, at)
        if known:
            self.unknown(fields, known)
        return fields

    def unknown(self, fields: Fields, known: tuple[str, ...]) -> None:
        """Note the keys that are not `known`."""
        for field in fields:
            if field.key.lower() not in {name.lower() for name in known}:
                close = nearest(field.key, known)
                hint = f"; did you mean {close!r}?" if close is not None else ""
                text = f"{self._tool} ignores the unknown key {field.key!r}, and so it is here"
                self._report.note(field.mark, field.at, text + hint)

    def inner(self, field: Field | None, known: tuple[str, ...] = ()) -> Fields | None:
        """The fields of the mapping that a field holds."""
        return self.fields(field.node, field.at, known) if field is not None else None

    def items(self, field: Field | None, of: str = "a list") -> Iterator[tuple[Node, str]]:
        """The values of a list with their places; `of` is what is expected.

        A mapping in place of a list is a problem, and is read on as if it were the only value.
        """
        if field is None:
            return
        if isinstance(field.node, document.Sequence):
            for index, each in enumerate(field.node.items):
                yield each, f"{field.at}[{index}]"
            return
        hint = ""
        if isinstance(field.node, document.Mapping) and field.node.items:
            hint = f"; put `- ` before {field.node.items[0][0].text}"
        elif isinstance(field.node, Scalar):
            hint = "; put brackets around it"
        text = f"expected {of}, found {found_in_words(field.node)}{hint}"
        self._report.problem(field.mark, field.at, text)
        if isinstance(field.node, document.Mapping):
            yield field.node, field.at

    def is_empty(self, field: Field) -> bool:
        """Whether a field is a list with nothing in it, which is a problem then."""
        if isinstance(field.node, document.Sequence) and not field.node.items:
            self._report.problem(field.mark, field.at, "the list is empty; put something in it")
            return True
        return False

    def text(self, field: Field | None) -> str | None:
        """A text, without the blanks around it."""
        return self.plain(field.node, field.at) if field is not None else None

    def plain(self, node: Node, at: str) -> str | None:
        """As `text`, of a value."""
        if isinstance(node, Scalar):
            return node.text.strip()
        self._report.problem(node.mark, at, f"expected a text, found {found_in_words(node)}")
        return None

    def texts(self, field: Field | None) -> list[str]:
        """A list of texts."""
        found = (self.plain(node, at) for node, at in self.items(field, "a list of texts"))
        return [each for each in found if each is not None]

    def whole(self, field: Field | None) -> int | None:
        """A whole number."""
        text = self.text(field)
        if field is None or text is None:
            return None
        if not re.fullmatch("[0-9]{1,18}", text):
            expected = f"expected a whole number, found {found_in_words(field.node)}"
            self._report.problem(field.node.mark, field.at, expected)
            return None
        return int(text)

    def flag(self, field: Field | None) -> bool:
        """Whether a flag is set."""
        text = self.text(field)
        if field is None or text is None:
            return False
        if text.lower() not in ("true", "false", "yes", "no", "on", "off"):
            expected = f"expected true or false, found {found_in_words(field.node)}"
            self._report.problem(field.node.mark, field.at, expected)
        return text.lower() in ("true", "yes", "on")


def braces(text: str) -> str:
    """A text as a template that stands for it alone."""
    return text.replace("{", "{{").replace("}", "}}")


def literal(text: str) -> str:
    """A pattern that matches a text alone."""
    plain = re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", text)
    return f"[/]{plain[1:]}" if plain.startswith("/") and plain.endswith("/") else plain
