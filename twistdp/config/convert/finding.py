"""Finds a tool's configuration in what people have at hand.

That is the tool's own file, a ConfigMap whose values are such files, the manifest of a DaemonSet,
or the values of a chart, alone or in a HelmRelease; one of several documents, however deep in it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from twistdp.config import document
from twistdp.config.document import Node, Scalar, compose_all
from twistdp.config.problems import BadConfig, Problems
from twistdp.config.wording import place_below

_MOST_EMBEDDED: Final = 1000
"""Files within a file that are read; it is refused if there are more."""

_DEEPEST: Final = 3
"""Files within one another."""

_OPTION: Final = re.compile(r"--\w")
"""A command's option, which is no file."""

_REPEATED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps the whole object once more."""


def pattern_of(words: Sequence[str]) -> "re.Pattern[str]":
    """What finds one of some words in a text, in capitals or not."""
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE)


@attrs.frozen
class Place:
    """A list or mapping, and where it is."""

    node: Node
    at: str
    above: tuple[document.Mapping, ...]
    """The mappings that it is in, the outermost first, those of outer files too."""
    is_root: bool
    """Whether it is a whole file, alone or within another one."""


class Places:
    """All lists and mappings of a file, those of files within it too.

    Of the texts in the file those are taken for files that have one of `words`; with `key`, of
    those in mappings only the ones with this key.
    """

    def __init__(
        self,
        source: str | bytes,
        problems: Problems,
        words: Sequence[str],
        key: str | None = None,
    ) -> None:
        self._problems = problems
        self._roots = compose_all(source, problems)
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._words = pattern_of(words)
        self._key = key
        self._known: dict[tuple[document.Mark, str], Sequence[Node]] = {}

    def __iter__(self) -> Iterator[Place]:
        for root in self._roots:
            yield from self._walk(Place(root, "", (), True), 0)

    def _walk(self, place: Place, depth: int) -> Iterator[Place]:
        node, at, above = place.node, place.at, place.above
        if isinstance(node, Scalar):
            for root in self.embedded(node, at) if depth < _DEEPEST else ():
                yield from self._walk(Place(root, at, above, True), depth + 1)
            return
        yield place
        if isinstance(node, document.Sequence):
            for index, each in enumerate(node.items):
                yield from self._walk(Place(each, f"{at}[{index}]", above, False), depth)
            return
        for key, value in node.items:
            if key.text == _REPEATED:
                continue
            if isinstance(value, Scalar) and self._key not in (None, key.text):
                continue
            inner = Place(value, place_below(at, key.text), (*above, node), False)
            yield from self._walk(inner, depth)

    def embedded(self, node: Scalar, at: str, always: bool = False) -> Sequence[Node]:
        """The documents in a text, with their places in the whole file, if it has one of `words`.

        With `always` it need not have one.  What is wrong with them is a problem of the file.
        """
        may_be = self._words.search(node.text) and not _OPTION.match(node.text)
        if not (always or may_be) or ":" not in node.text:
            return ()
        text = node.mark, node.text  # a part of a text may begin where the whole does
        if text not in self._known:
            if len(self._known) >= _MOST_EMBEDDED:
                many = f"more than {_MOST_EMBEDDED} texts in the file may be files; split it"
                self._problems.note(node.mark.line, node.mark.column, at, many)
                raise BadConfig(self._problems.found)
            self._known[text] = ()  # what raises is not read again
            self._known[text] = self._read(node, at)
        return self._known[text]

    def _read(self, node: Scalar, at: str) -> Sequence[Node]:
        exact = self._as_in_file(node)
        text, line = exact or (node.text, 0)
        found = Problems(self._problems.file)
        roots: Sequence[Node] = ()
        try:
            roots = compose_all(text, found, line)
        except BadConfig as error:
            hint = "; if this is not the tool's file, choose that by its key with --key"
            found.found = [attrs.evolve(each, text=each.text + hint) for each in error.problems]
        for each in found.found:
            place = document.Mark(each.line, each.column) if exact else node.mark
            self._problems.note(place.line, place.column, at, each.text)
        roots = roots if exact else [_marked(each, node.mark) for each in roots]
        return [each for each in roots if not isinstance(each, Scalar)]

    def _as_in_file(self, node: Scalar) -> tuple[str, int] | None:
        """A text with the indentation that it has in the file, and the lines before it.

        None for a text that the file has in other lines, folded or with escapes.
        """
        line = node.mark.line
        begin = self._lines[line - 1][node.mark.column - 1 :] if line <= len(self._lines) else ""
        if begin.startswith("|"):
            said = node.text.rstrip("\n").split("\n")
            lines = self._lines[line : line + len(said)]
            if [each.strip() for each in lines] == [each.strip() for each in said]:
                return "\n".join(lines), line
            return None
        if "\n" in node.text:
            return None
        return " " * (node.mark.column - node.plain) + node.text, line - 1


def _marked(node: Node, mark: document.Mark) -> Node:
    """A node whose parts are all at one place."""
    if isinstance(node, Scalar):
        return attrs.evolve(node, mark=mark)
    if isinstance(node, document.Sequence):
        return document.Sequence(mark, tuple(_marked(each, mark) for each in node.items))
    pairs = ((attrs.evolve(key, mark=mark), _marked(value, mark)) for key, value in node.items)
    return document.Mapping(mark, tuple(pairs))
