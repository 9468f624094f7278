"""A value that JSON can have as nodes of a document, so that the same walk reads both."""

from collections.abc import Mapping as AnyMapping
from typing import Final

from twistdp.config.document import DEEPEST, MOST_NODES, Mapping, Mark, Node, Scalar, Sequence
from twistdp.config.problems import BadConfig, Problem, Problems
from twistdp.config.wording import place_below
from twistdp.model import one_line

_NOWHERE: Final = Mark(1, 1)
_LARGEST_NUMBER: Final = 1 << 64


def node_of(value: object, problems: Problems, at: str, most: int = MOST_NODES) -> Node:
    """The node of a value; `at` is its place in the object.

    A text counts as quoted, whatever is in it.  Raises `BadConfig` for what no text in UTF-8 can
    say, and for more than `most` values.
    """
    return _Nodes(problems.file, most).of(value, at, 0)


class _Nodes:
    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._count = 0

    def of(self, value: object, at: str, depth: int) -> Node:
        self._count += 1
        if self._count > self._most:
            raise self._refused(at, f"there are more than {self._most} values; leave some out")
        if depth > DEEPEST:
            raise self._refused(at, f"more than {DEEPEST} lists and mappings are in one another")
        if isinstance(value, AnyMapping):
            items = value.items()
            return Mapping(
                _NOWHERE,
                tuple(
                    (self._text(str(key), at), self.of(each, place_below(at, str(key)), depth + 1))
                    for key, each in items
                ),
            )
        if isinstance(value, list | tuple):
            return Sequence(
                _NOWHERE,
                tuple(self.of(each, f"{at}[{i}]", depth + 1) for i, each in enumerate(value)),
            )
        return (
            self._text(value, at)
            if isinstance(value, str)
            else Scalar(_NOWHERE, _plain(value), True)
        )

    def _text(self, text: str, at: str) -> Scalar:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self._refused(
                at, "a text has half of a character (a surrogate) in it; leave that out"
            ) from error
        return Scalar(_NOWHERE, text, False)

    def _refused(self, at: str, text: str) -> BadConfig:
        return BadConfig([Problem(self._name, 1, 1, one_line(at)[:500], text)])


def _plain(value: object) -> str:
    """A value that is no text, as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= _LARGEST_NUMBER:
        return "a number of more than 64 bits"
    return repr(value) if isinstance(value, int | float) else f"a {type(value).__name__}"
