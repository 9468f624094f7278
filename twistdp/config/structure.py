"""From the nodes of a document to the classes of the model, with all problems.

The walk follows the classes of the model, so that what they do not describe cannot be said.
"""

import re
from contextlib import suppress
from functools import partial
from typing import Any, Final

import attrs

from twistdp.config import document
from twistdp.config.document import Node, Scalar
from twistdp.config.fields import Field, Rule, fields_of, short_of
from twistdp.config.kinds import (
    AnyOf,
    Choice,
    Flag,
    Items,
    Kind,
    Number,
    OneOf,
    Record,
    Table,
    Text,
    discriminator,
    kind_of,
)
from twistdp.config.model import Resource
from twistdp.config.problems import Problems
from twistdp.config.refusals import Refusals, Refused
from twistdp.config.use import Catalog
from twistdp.config.wording import place_below
from twistdp.model import printable
from twistdp.select import Match
from twistdp.tools import nearest

_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,18}")
_ANY_NUMBER: Final = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})")


class Walk:
    """Converts nodes; each method raises `Refused` after all problems are noted.

    With `quoted`, a text must stand in quotes.
    """

    def __init__(
        self, problems: Problems, catalog: Catalog | None = None, quoted: bool = False
    ) -> None:
        self._refusals = Refusals(problems)
        self._catalog = catalog
        self._quoted = quoted

    def convert(self, kind: Kind, node: Node, at: str) -> Any:
        """The value of a kind that a node stands for; `at` is its place in the document."""
        match kind:
            case Items() if kind.needs_list and not isinstance(node, document.Sequence):
                raise self._refusals.expected(kind, node, at)
            case Items(item, rules):
                return self._ruled(self._items(item, node, at), rules, node, at)
            case Table(key, value, rules):
                return self._ruled(self._table(key, value, node, at, kind), rules, node, at)
            case Record(cls):
                return self._record(cls, node, at)
            case OneOf(classes):
                return self._one_of(classes, node, at, kind)
            case _:
                return self._plain(kind, node, at)

    def _plain(self, kind: Kind, node: Node, at: str) -> Any:
        if not isinstance(node, Scalar) or node.is_null:
            raise self._refusals.expected(kind, node, at)
        match kind:
            case Text() if "\0" in node.text:
                raise self._refusals.note(node.mark, at, "a text may not have the character NUL")
            case Text() if self._quoted and node.plain:
                raise self._refusals.expected(kind, node, at)
            case Text(rules):
                return self._ruled(node.text, rules, node, at)
            case Number(whole, rules) if node.plain:
                pattern = _WHOLE if whole else _ANY_NUMBER
                if pattern.fullmatch(node.text):
                    number = int(node.text) if whole else float(node.text)
                    return self._ruled(number, rules, node, at)
            case Flag() if node.plain and node.text.lower() in ("true", "false"):
                return node.text.lower() == "true"
            case Choice(words) if node.text in words:
                return node.text
            case Choice(words):
                raise self._refusals.expected(kind, node, at, words)
            case AnyOf(kinds, rules):
                return self._ruled(self._any_of(kinds, node, at, kind), rules, node, at)
        raise self._refusals.expected(kind, node, at)

    def _any_of(self, kinds: tuple[Kind, ...], node: Scalar, at: str, whole: Kind) -> Any:
        for kind in kinds:
            with suppress(Refused):
                walk = Walk(Problems(self._refusals.file), quoted=self._quoted)
                return walk._plain(kind, node, at)
        words = [word for kind in kinds if isinstance(kind, Choice) for word in kind.words]
        raise self._refusals.expected(whole, node, at, words)

    def _items(self, item: Kind, node: Node, at: str) -> tuple[Any, ...]:
        if not isinstance(node, document.Sequence):
            return (self.convert(item, node, at),)
        found, bad = [], False
        for index, each in enumerate(node.items):
            try:
                found.append(self.convert(item, each, f"{at}[{index}]"))
            except Refused:
                bad = True
        if bad:
            raise Refused
        return tuple(found)

    def _table(self, key: Kind, value: Kind, node: Node, at: str, whole: Kind) -> dict[str, Any]:
        if not isinstance(node, document.Mapping):
            raise self._refusals.expected(whole, node, at)
        found, bad = {}, False
        for name, each in node.items:
            inner = place_below(at, name.text)
            try:
                # A name is as it is written, also one that YAML takes for nothing.
                self.convert(key, attrs.evolve(name, plain=name.plain and not name.text), inner)
            except Refused:
                bad = True
            try:
                found[name.text] = self.convert(value, each, inner)
            except Refused:
                bad = True
        if bad:
            raise Refused
        return found

    def _record(self, cls: type[Any], node: Node, at: str) -> Any:
        fields = fields_of(cls)
        short = short_of(cls)
        if isinstance(node, document.Mapping):
            return self._made(cls, fields, node, at)
        if short is None or (isinstance(node, Scalar) and node.is_null):
            raise self._refusals.expected(Record(cls), node, at)
        value = self._field(short, node, at)
        return self._built(cls, {short.key: value}, node, at)

    def _made(self, cls: type[Any], fields: Any, node: document.Mapping, at: str) -> Any:
        values: dict[str, Any] = {}
        bad = False
        for name, each in node.items:
            field = fields.get(name.text)
            try:
                if field is None:
                    raise self._refusals.unknown(name, fields, at, self._argument(name, node))
                values[name.text] = self._field(field, each, place_below(at, name.text))
            except Refused:
                bad = True
        given = {name.text for name, _ in node.items}
        for field in fields.values():
            # One that is misspelt is reported as such alone.
            if field.required and field.key not in given and not given - fields.keys():
                self._refusals.note(node.mark, at, f"the key {field.key!r} is missing: {field.doc}")
                bad = True
        if bad:
            raise Refused
        return self._built(cls, values, node, at)

    def _field(self, field: Field, node: Node, at: str) -> Any:
        value = self.convert(kind_of(field.annotation), node, at)
        if field.owner is Match:
            self._check_condition(value, node, at)
        if field.stands_alone:
            # What is wrong with this value alone is reported at its place, not at the mapping's.
            self._refusals.attempt(node, at, partial(field.owner, **{field.name: value}))
        return value

    def _check_condition(self, value: Any, node: Node, at: str) -> None:
        """Refuse empty lists and mappings.

        They would be no condition at all, where somebody meant one that nothing meets.
        """
        if not value:
            raise self._refusals.note(node.mark, at, "there is nothing in it; leave the key out")
        if isinstance(value, dict) and isinstance(node, document.Mapping):
            for name, each in node.items:
                self._check_condition(value[name.text], each, place_below(at, name.text))

    def _built(self, cls: type[Any], values: dict[str, Any], node: Node, at: str) -> Any:
        """An instance of `cls` from the values of its keys."""
        arguments: dict[str, Any] = {}
        lent: dict[tuple[str, Any], dict[str, Any]] = {}
        for key, value in values.items():
            field = fields_of(cls)[key]
            if field.through is None:
                arguments[field.name] = value
            else:
                lent.setdefault((field.through, field.owner), {})[field.name] = value
        for (name, owner), inner in lent.items():
            arguments[name] = self._refusals.attempt(node, at, partial(owner, **inner))
        if issubclass(cls, Resource):
            arguments["given"] = frozenset(values)
        made = self._refusals.attempt(node, at, lambda: cls(**arguments))
        if isinstance(made, Resource) and made.use is not None and self._catalog is not None:
            return self._used(made, self._catalog, node, at)
        return made

    def _used(self, resource: Resource, catalog: Catalog, node: Node, at: str) -> Resource:
        """The resource with the entry of the catalogue that it uses."""
        items = node.items if isinstance(node, document.Mapping) else ()
        place = next((each for key, each in items if key.text == "use"), node)
        assert isinstance(place, Scalar)
        if place.text not in catalog:
            close = nearest(place.text, catalog.names)
            hint = f"did you mean {close!r}?" if close is not None else "see 'twistdp catalog'"
            text = f"the catalogue has no entry {printable(place.text, 60)!r}; {hint}"
            raise self._refusals.note(place.mark, place_below(at, "use"), text, close)
        applied: Resource = self._refusals.attempt(
            place, place_below(at, "use"), lambda: catalog.applied(resource)
        )
        return applied

    def _one_of(self, classes: tuple[type[Any], ...], node: Node, at: str, whole: Kind) -> Any:
        if not isinstance(node, document.Mapping):
            raise self._refusals.expected(whole, node, at)
        given = {name.text for name, _ in node.items}
        fitting = [cls for cls in classes if discriminator(cls) in given]
        if len(fitting) == 1:
            return self._record(fitting[0], node, at)
        if fitting:
            keys = " and ".join(repr(discriminator(cls)) for cls in fitting)
            raise self._refusals.note(
                node.mark, at, f"{keys} are in one mapping; give each one of its own"
            )
        known = {key for cls in classes for key in fields_of(cls)}
        if unknown := [name for name, _ in node.items if name.text not in known]:
            for name in unknown:
                self._refusals.unknown(name, known, at)
            raise Refused
        keys = ", ".join(discriminator(cls) for cls in classes)
        raise self._refusals.note(
            node.mark, at, f"a key is missing that says what it is: one of {keys}"
        )

    def _ruled(self, value: Any, rules: tuple[Rule, ...], node: Node, at: str) -> Any:
        for rule in rules:
            self._refusals.attempt(node, at, partial(rule.check, value))
        return value

    def _argument(self, name: Scalar, node: document.Mapping) -> str:
        """How a key is given that a resource does not have, but the scanner of what it uses."""
        used = next((each for key, each in node.items if key.text == "use"), None)
        if self._catalog is None or not isinstance(used, Scalar):
            return ""
        entry = used.text.partition("/")[0]
        if name.text not in self._catalog.arguments(entry):
            return ""
        return f"; it is an argument for --catalog={entry}, as --set {name.text}=..."
