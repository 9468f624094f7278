"""A YAML document as nodes that know where they stand in the file.

Texts stay as they are written: no value is taken for a number, a date or a bool here.  PyYAML
only parses; what could make a small file large or deep is refused.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import attrs
import yaml

from twistdp.config.problems import BadConfig, Problem, Problems
from twistdp.model import printable

LARGEST: Final = 1 << 20
"""Bytes in a file."""

DEEPEST: Final = 32
"""Lists and mappings in one another."""

MOST_NODES: Final = 100_000
"""Texts, lists and mappings in a file, those that aliases repeat included."""

MOST_REPEATED: Final = LARGEST
"""Characters that aliases repeat."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})

_PARSER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_ALLOWED = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


@attrs.frozen
class Mark:
    """A place in the file, counted from 1."""

    line: int
    column: int


@attrs.frozen
class Scalar:
    """A text; `plain` if it stands without quotes."""

    mark: Mark
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether YAML takes it for no value: it is left empty, or a null without quotes."""
        return self.plain and self.text in _NULLS


@attrs.frozen
class Sequence:
    """A list."""

    mark: Mark
    items: "tuple[Node, ...]"


@attrs.frozen
class Mapping:
    """Keys and values, in the order of the file."""

    mark: Mark
    items: "tuple[tuple[Scalar, Node], ...]"


Node: TypeAlias = Scalar | Sequence | Mapping


def compose(source: str | bytes, problems: Problems) -> Node:
    """The document in `source`.

    Problems of its form, such as keys that are there twice, are added to `problems`.  Raises
    `BadConfig` for what is no document at all.
    """
    return _Composer(_decoded(source, problems.file), problems).document()


def compose_all(source: str | bytes, problems: Problems, line: int = 0) -> tuple[Node, ...]:
    """All documents in `source`, of which there may be none; as `compose` otherwise.

    `line` is added to the numbers of lines, for a text that is a part of a file.
    """
    return _Composer(_decoded(source, problems.file), problems, line).documents()


def _decoded(source: str | bytes, name: str) -> str:
    size = len(source)
    if size > LARGEST:
        raise _refused(
            name, Mark(1, 1), f"the file has {size} bytes, at most {LARGEST} are read; split it"
        )
    try:
        data = source.encode() if isinstance(source, str) else source
        text = data.decode("utf-8-sig")
    except UnicodeError as error:
        before = source[: getattr(error, "start", 0)]
        text = before if isinstance(before, str) else before.decode(errors="replace")
        raise _refused(
            name, _mark_after(text), "the file is not UTF-8; save it as UTF-8"
        ) from error
    if odd := _NOT_ALLOWED.search(text):
        raise _refused(
            name,
            _mark_after(text[: odd.start()]),
            f"the character U+{ord(odd[0]):04X} is not allowed in YAML; leave it out",
        )
    return text


def _mark_after(text: str) -> Mark:
    return Mark(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _refused(name: str, mark: Mark, text: str) -> BadConfig:
    return BadConfig([Problem(name, mark.line, mark.column, "", text)])


class _Composer:
    def __init__(self, text: str, problems: Problems, line: int = 0) -> None:
        self._problems = problems
        self._line = line
        self._name = problems.file
        self._text = text
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        """The node of each anchor, with its values and its characters."""
        self._open: set[str] = set()
        self._count = 0
        self._length = 0
        self._repeats = 0
        self._events: Iterator[Any] = iter(())
        self._event: Any = None

    def document(self) -> Node:
        documents = self._all()
        try:
            root = next(documents, None)
            if root is None:
                raise _refused(self._name, Mark(1, 1), "the file is empty")
            if not isinstance(self._event, yaml.StreamEndEvent):
                raise self._refuse("the file has several documents; write one, without ---")
            return root
        except yaml.YAMLError as error:
            raise self._syntax(error) from error

    def documents(self) -> tuple[Node, ...]:
        try:
            return tuple(self._all())
        except yaml.YAMLError as error:
            raise self._syntax(error) from error

    def _all(self) -> Iterator[Node]:
        """Each document; the event after it is present when it is given."""
        self._events = iter(yaml.parse(self._text, Loader=_PARSER))
        self._next()  # the stream's start
        self._next()
        while not isinstance(self._event, yaml.StreamEndEvent):
            self._next()
            root = self._node(0)
            self._next()
            yield root

    def _next(self) -> None:
        self._event = next(self._events)

    def _mark(self) -> Mark:
        start = self._event.start_mark
        return Mark(start.line + 1 + self._line, start.column + 1)

    def _refuse(self, text: str) -> BadConfig:
        return _refused(self._name, self._mark(), text)

    def _node(self, depth: int) -> Node:
        """The node that begins with the present event; the event after it is present then."""
        event, mark = self._event, self._mark()
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event.anchor or "")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(f"the tag {printable(event.tag)} is not used here; leave it out")
        if depth > DEEPEST:
            raise self._refuse(f"more than {DEEPEST} lists and mappings are in one another")
        before, length = self._count, self._length
        self._counted(1)
        anchor = event.anchor
        if anchor is not None:
            self._open.add(anchor)
        node: Node
        self._next()
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(mark, event.value, event.style in (None, ""))
            self._length += len(node.text)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Sequence(mark, tuple(self._items(depth + 1)))
        else:
            node = Mapping(mark, tuple(self._pairs(depth + 1)))
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = node, self._count - before, self._length - length
        return node

    def _counted(self, nodes: int) -> None:
        self._count += nodes
        if self._count > MOST_NODES:
            raise self._refuse(f"the file has more than {MOST_NODES} values, with those of aliases")

    def _repeated(self, anchor: str) -> Node:
        if anchor in self._open:
            raise self._refuse(f"the alias *{anchor} is a part of what it repeats")
        if anchor not in self._anchors:
            raise self._refuse(
                f"the alias *{anchor} repeats nothing: there is no &{anchor} before it"
            )
        node, size, length = self._anchors[anchor]
        self._counted(size)
        self._length += length
        self._repeats += length
        if self._repeats > MOST_REPEATED:
            raise self._refuse(f"aliases repeat more than {MOST_REPEATED} characters")
        self._next()
        return node

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(self._event, yaml.SequenceEndEvent):
            yield self._node(depth)
        self._next()

    def _pairs(self, depth: int) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, Mark] = {}
        while not isinstance(self._event, yaml.MappingEndEvent):
            key = self._node(depth)
            value = self._node(depth)
            if not isinstance(key, Scalar):
                self._problem(key.mark, "a key must be a text; this is a list or mapping")
            elif key.text in seen:
                self._problem(
                    key.mark,
                    f"the key {printable(key.text, 60)!r} is there twice, first in line "
                    f"{seen[key.text].line}; leave one out",
                )
            else:
                seen[key.text] = key.mark
                yield key, value
        self._next()

    def _problem(self, mark: Mark, text: str) -> None:
        self._problems.note(mark.line, mark.column, "", text)

    def _syntax(self, error: yaml.YAMLError) -> BadConfig:
        mark = getattr(error, "problem_mark", None)
        place = Mark(mark.line + 1, mark.column + 1) if mark is not None else Mark(1, 1)
        text = f"no YAML: {printable(str(getattr(error, 'problem', None) or error), 300)}"
        lines = self._text.split("\n")
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())] or line[place.column - 1 :][:1] == "\t":
            text += "; indent with spaces, not with tabs"
        return _refused(self._name, attrs.evolve(place, line=place.line + self._line), text)
