"""What kinds of values the file has: an annotation of the model, put simply."""

import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import attrs

from twistdp.config.fields import Field, Rule, fields_of, short_of


@attrs.frozen
class Text:
    """A text, taken as it is written in the file."""

    rules: tuple[Rule, ...] = ()


@attrs.frozen
class Number:
    """A whole number, or with `whole` false any number."""

    whole: bool
    rules: tuple[Rule, ...] = ()


@attrs.frozen
class Flag:
    """True or false."""


@attrs.frozen
class Choice:
    """One of some words."""

    words: tuple[str, ...]


@attrs.frozen
class Items:
    """A list; a single value stands for a list of one, unless a rule says otherwise."""

    item: "Kind"
    rules: tuple[Rule, ...] = ()

    @property
    def needs_list(self) -> bool:
        """Whether no single value stands for a list of one."""
        return any(rule.lists for rule in self.rules)


@attrs.frozen
class Table:
    """A mapping with keys of the user's."""

    key: "Kind"
    value: "Kind"
    rules: tuple[Rule, ...] = ()


@attrs.frozen
class Record:
    """A mapping with the keys of a class of the model."""

    cls: type[Any]


@attrs.frozen
class OneOf:
    """A mapping of one of several classes; the key that a class requires says which."""

    classes: tuple[type[Any], ...]


@attrs.frozen
class AnyOf:
    """The first of several kinds of plain values that fits."""

    kinds: tuple["Kind", ...]
    rules: tuple[Rule, ...] = ()


Kind: TypeAlias = Text | Number | Flag | Choice | Items | Table | Record | OneOf | AnyOf


@cache
def kind_of(annotation: Any) -> Kind:
    """The kind of value that an annotation of the model allows; None is allowed by leaving out.

    Raises TypeError for an annotation that the model does not use.
    """
    if get_origin(annotation) is Annotated:
        inner, *rules = get_args(annotation)
        kind = kind_of(inner)
        own = tuple(rule for rule in rules if isinstance(rule, Rule))
        if own and isinstance(kind, Text | Number | Items | Table | AnyOf):
            return _with_rules(kind, own)
        return kind
    if annotation is str:
        return Text()
    if annotation in (int, float):
        return Number(annotation is int)
    if annotation is bool:
        return Flag()
    if attrs.has(annotation):
        return Record(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Choice(arguments)
    if origin in (tuple, list, Sequence):
        return Items(kind_of(arguments[0]))
    if origin in (dict, Mapping):
        return Table(kind_of(arguments[0]), kind_of(arguments[1]))
    if origin in (Union, types.UnionType):
        kinds = tuple(kind_of(each) for each in arguments if each is not type(None))
        if len(kinds) == 1:
            return kinds[0]
        for kind in kinds:
            if isinstance(kind, Items) and all(each in (kind, kind.item) for each in kinds):
                return kind  # one, or several
        records = tuple(kind.cls for kind in kinds if isinstance(kind, Record))
        return OneOf(records) if len(records) == len(kinds) else AnyOf(kinds)
    raise TypeError(f"the model has no values of type {annotation!r}")


def _with_rules(kind: Text | Number | Items | Table | AnyOf, rules: tuple[Rule, ...]) -> Kind:
    return type(kind)(**{**attrs.asdict(kind, recurse=False), "rules": (*kind.rules, *rules)})


def discriminator(cls: type[Any]) -> str:
    """The key that says that a mapping is of class `cls`: the first that is required."""
    return next(field.key for field in fields_of(cls).values() if field.required)


def described(kind: Kind) -> str:
    """A kind in words, as a message expects it: "a whole number", "a list of texts"."""
    match kind:
        case Text(rules) if rules:
            return rules[-1].what
        case Text():
            return "a text"
        case Number(whole, rules):
            return rules[-1].what if rules else ("a whole number" if whole else "a number")
        case Flag():
            return "true or false"
        case Choice(words):
            return f"one of {', '.join(words)}"
        case Items() if kind.needs_list:
            return "a list"
        case Items(item):
            return f"a list, or {described(item)}"
        case Table():
            return "a mapping"
        case Record(cls):
            short = short_of(cls)
            rest = f", or {described(item_of(short))} ({short.key})" if short is not None else ""
            return f"a mapping{rest}"
        case OneOf(classes):
            keys = ", ".join(discriminator(cls) for cls in classes)
            return f"a mapping with one of the keys {keys}"
        case AnyOf(_, rules) if rules:
            return rules[-1].what
        case AnyOf(kinds):
            return " or ".join(described(each) for each in kinds)


def item_of(field: Field) -> Kind:
    """The kind of a field, or of each item of its list."""
    kind = kind_of(field.annotation)
    return kind.item if isinstance(kind, Items) else kind
