"""Reads the fields of one of Intel's objects; a bad value becomes a problem of the report."""

from typing import Any, TypeAlias

import attrs

from twistdp.config import convert

Body: TypeAlias = dict[str, Any]


@attrs.frozen
class Spec:
    """The fields of an object's ``spec``, which may be empty."""

    fields: convert.Fields
    report: convert.Report
    shapes: convert.Shapes
    domain: str | None
    """The domain of the resources, if it is to be another than Intel's."""

    def count(self, key: str, default: int) -> int:
        """A whole number; Intel's operator takes 0 for a field that is left out."""
        return self.shapes.whole(self.fields.get(key)) or default

    def flag(self, key: str) -> bool:
        """Whether a flag is set."""
        return self.shapes.flag(self.fields.get(key))

    def text(self, key: str) -> str:
        """A text, which is empty for a field that is left out."""
        return self.shapes.text(self.fields.get(key)) or ""

    def word(self, key: str, *allowed: str) -> str:
        """One of some words, the first one for a field that is left out."""
        text = self.text(key)
        if text and text not in allowed:
            self.problem(key, f"expected one of {', '.join(allowed)}, found {text!r}")
        return text or allowed[0]

    def has(self, key: str) -> bool:
        """Whether a field is there."""
        return self.fields.get(key) is not None

    def note(self, key: str, text: str) -> None:
        """Note what becomes of a field; does nothing when the field is left out."""
        if (field := self.fields.get(key)) is not None:
            self.report.note(field.mark, field.at, text)

    def remark(self, text: str) -> None:
        """Note something about the whole object."""
        self.report.note(self.fields.mark, self.fields.at, text)

    def problem(self, key: str, text: str) -> None:
        """Refuse the value of a field that is there."""
        field = self.fields.get(key)
        assert field is not None
        self.report.problem(field.node.mark, field.at, text)
