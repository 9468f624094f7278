"""Reads the options and variables of a container that runs a tool."""

from collections.abc import Iterator
from typing import TypeAlias

from twistdp.config import document
from twistdp.config.convert.finding import Place
from twistdp.config.convert.shapes import Fields
from twistdp.config.document import Mark, Node, Scalar
from twistdp.config.wording import place_below

Option: TypeAlias = tuple[str, Scalar | None, str]
"""The name of an option without its dashes, its value, and its place."""

_COMMANDS = ("command", "args")


def options(node: document.Sequence, at: str) -> Iterator[Option]:
    """The options of a command line: ``--name=value``, or two words."""
    words = [(each, f"{at}[{index}]") for index, each in enumerate(node.items)]
    index = 0
    while index < len(words):
        word, where = words[index]
        index += 1
        if not isinstance(word, Scalar) or not word.text.startswith("--"):
            continue
        name, equals, rest = word.text[2:].partition("=")
        if equals:
            mark = Mark(word.mark.line, word.mark.column)
            yield name, Scalar(mark, rest, word.plain), where
        elif index < len(words) and isinstance(words[index][0], Scalar):
            value = words[index][0]
            assert isinstance(value, Scalar)
            yield name, value, words[index][1]
        else:
            yield name, None, where


def options_of(container: document.Mapping, at: str) -> Iterator[Option]:
    """The options in a container's command and in its arguments."""
    for key in _COMMANDS:
        field = Fields(container, at).get(key)
        if field is not None and isinstance(field.node, document.Sequence):
            yield from options(field.node, field.at)


def options_beside(place: Place) -> Iterator[Option]:
    """The options in the command of the container whose arguments are at a place."""
    for key in _COMMANDS:
        field = Fields(place.above[-1], "").get(key) if place.above else None
        if field is None or not isinstance(field.node, document.Sequence):
            continue
        if field.node is not place.node:
            yield from options(field.node, _beside(place, field.key))


def variables_beside(place: Place) -> Iterator[tuple[str, Scalar, str]]:
    """The variables of the container whose arguments are at a place, and where they are."""
    return variables(place.above[-1], _beside(place, "")) if place.above else iter(())


def variables(container: document.Mapping, at: str) -> Iterator[tuple[str, Scalar, str]]:
    """The variables of a container, and where they are."""
    env = Fields(container, at).get("env")
    if env is None:
        return
    if isinstance(env.node, document.Mapping):
        for field in Fields(env.node, env.at):
            if isinstance(field.node, Scalar):
                yield field.key, field.node, field.at
    for index, each in enumerate(env.node.items if isinstance(env.node, document.Sequence) else ()):
        if isinstance(each, document.Mapping):
            fields = Fields(each, f"{env.at}[{index}]")
            name, value = fields.get("name"), fields.get("value")
            if name is None or value is None:
                continue
            if isinstance(name.node, Scalar) and isinstance(value.node, Scalar):
                yield name.node.text, value.node, value.at


def runs(container: document.Mapping, image: str) -> bool:
    """Whether the image of a container has this in its name."""
    field = Fields(container, "").get("image")
    return field is not None and any(image in text for text in _texts(field.node))


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, document.Mapping):
        for _, value in node.items:
            yield from _texts(value)


def _beside(place: Place, key: str) -> str:
    outer = place.at.rpartition(".")[0]
    return place_below(outer, key) if key else outer
